"""What a process that runs tests says of them to the one that hands them out.

pytest-xdist sends six messages a test, which together take longer than most tests: that it starts, a report of its setup, its call
and its teardown, that it ended, and that the next may come. Of a test that passed only the report of its call and the last are read.
"""

from typing import Any

import pytest

SILENT = "is_silent"
UNREAD = {"logstart", "logfinish"}
"""Messages that are read where names of tests are shown one by one."""


class ShortReports:
    """Plugin of a process that runs tests: sends what is read and nothing else."""

    def __init__(self, config: pytest.Config) -> None:
        """Stands between pytest-xdist and its channel."""
        interactor = next(plugin for plugin in config.pluginmanager.get_plugins() if hasattr(plugin, "sendevent"))
        self._send = interactor.sendevent
        interactor.sendevent = self._send_what_is_read

    def _send_what_is_read(self, name: str, **details: Any) -> None:
        if name not in UNREAD and not details.get("data", {}).get(SILENT):
            self._send(name, **details)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_to_serializable(self, report: Any) -> dict[str, Any] | None:
        """Nothing of a setup or teardown that passed and printed nothing; the words that select a test are left out of every report."""
        if not isinstance(report, pytest.TestReport):
            return None
        if report.when != "call" and report.passed and not report.sections:
            return {SILENT: True}
        report.keywords = {}
        return None


def shorten_reports(config: pytest.Config) -> None:
    """Where neither durations nor names nor a file of results are asked for, which need all of them."""
    wanted = config.option
    if wanted.durations is None and wanted.verbose <= 0 and not wanted.xmlpath:
        config.pluginmanager.register(ShortReports(config))
