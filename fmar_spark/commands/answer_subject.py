"""Everything that the lake holds about a meter point, in files; or its erasure."""

import sys
from pathlib import Path

from fmar_spark.app import App
from fmar_spark.errors import ConfigError
from fmar_spark.steps import answer_subject


def run(app: App, mpan: str, export: Path | None, erase: bool, dry_run: bool, yes: bool) -> None:
    """Run the step that is asked for.

    Raises:
        ConfigError: neither or both of the two, or erasure that was not agreed to.
    """
    if (export is None) != erase:
        raise ConfigError("--export, --erase: one of the two wanted")
    if export is not None:
        app.run_step("answer_subject", lambda store, run: answer_subject.run_export(store, run, mpan, export))
        return
    if not (yes or dry_run or _is_agreed()):
        raise ConfigError("--erase: not agreed to; nothing was deleted")
    app.run_step("answer_subject", lambda store, run: answer_subject.run_erase(store, run, mpan, is_dry=dry_run))


def _is_agreed() -> bool:
    print("Delete every row about this meter point, and every older version of the tables? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
