"""Brings legal bases up to date: revocations, the DIP's standing data, and what the consent service says."""

import logging
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from fmar_spark.app import App
from fmar_spark.intake.consent.decisions import BASIS_SCHEMA, Decisions, read_revocations
from fmar_spark.services.consent.consent_client import ConsentClient
from fmar_spark.steps import ask_consent, record_legal_basis

_log = logging.getLogger(__name__)


def run(app: App) -> None:
    """Run the steps; without any source in the settings nothing is done.

    Revocations are on record before the service is asked: whatever keeps it from answering must not delay them. Their files go then.
    """
    settings = app.settings.consent
    if not (settings.service_url or settings.webhook_secret_file or settings.dip_basis):
        _log.info("consent.service_url, webhook_secret_file, dip_basis: none is set; nothing to do")
        return
    files, revoked = read_inbox(Path(settings.inbox))
    if revoked or not settings.service_url:
        record(app, revoked, [], "" if settings.service_url else settings.dip_basis)
    for path in files:
        path.unlink()
    if settings.service_url:
        answers = ask(app)
        # Revocations once more, after the answers: the service may have given one before it knew of the revocation.
        decisions = [row for one in answers for row in one.rows] + revoked
        record(app, decisions, [mpan for one in answers for mpan, _ in one.unknown], settings.dip_basis)


def ask(app: App) -> list[Decisions]:
    """The service's answers about every household whose last answer expires soon."""
    settings = app.settings.consent
    answers: list[Decisions] = []
    with closing(ConsentClient(settings)) as service:
        app.run_step("ask_consent", lambda store, run: ask_consent.run(store, run, settings, service, answers))
    return answers


def record(app: App, decisions: list[dict[str, object]], unknown: list[str], dip_basis: str) -> None:
    """Decisions are on record, with what the DIP's standing data say where they give a basis; of one meter and purpose the last counts."""
    rows = pa.Table.from_pylist(decisions, schema=BASIS_SCHEMA)
    app.run_step("record_legal_basis", lambda store, run: record_legal_basis.run_for_decisions(store, run, rows, unknown, dip_basis))


def read_inbox(folder: Path) -> tuple[list[Path], list[dict[str, object]]]:
    """Files of revocations in the order of their arrival, and their rows. A file that cannot be read stays, with a line in the log."""
    read: list[Path] = []
    rows: list[dict[str, object]] = []
    found = sorted(path for path in folder.rglob("*.json") if not path.name.startswith("_"))
    for path in found:
        try:
            rows += read_revocations(path.read_bytes(), datetime.now(UTC))
        except (OSError, ValueError) as error:
            _log.warning("%s: not applied: %s", path, error)
            continue
        read.append(path)
    return read, rows
