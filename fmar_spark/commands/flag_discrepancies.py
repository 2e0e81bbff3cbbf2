"""Flags declarations that observation contradicts, and sends what the outbox holds."""

from pathlib import Path

from fmar_spark.app import App
from fmar_spark.services.outbox.webhooks import Sender, read_webhooks
from fmar_spark.steps import flag_discrepancies, send_notices


def run(app: App) -> None:
    """Run the steps; without webhooks the notices stay in the outbox."""
    settings = app.settings.deliveries
    webhooks = read_webhooks(Path(settings.endpoints)) if settings.endpoints else {}
    app.run_step("flag_discrepancies", lambda store, run: flag_discrepancies.run(store, run, settings))
    sender = Sender(webhooks, settings.notice_timeout_seconds)
    rules = send_notices.RetryRules(settings.notice_attempts, settings.notice_backoff_seconds)
    app.run_step("send_notices", lambda store, run: send_notices.run(store, run, sender, rules))
