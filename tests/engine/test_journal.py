import sys

import pytest
from lake_rows import read_rows

from fmar_spark.app import App
from fmar_spark.contracts.job import Job
from fmar_spark.contracts.operations import RUN_JOURNAL
from fmar_spark.contracts.readings import LEGAL_BASES
from fmar_spark.engine.runs import MAX_ERROR_CHARS, Run, Written, describe_error
from fmar_spark.engine.session import DATABRICKS
from fmar_spark.engine.store import TableStore
from fmar_spark.settings.overlays import load_settings


@pytest.mark.parametrize(
    ("error", "given"),
    [
        (ValueError("day array: 47 values\nand more"), "ValueError: day array: 47 values"),
        (
            RuntimeError(
                "An error occurred while calling o594.save.\n: org.apache.spark.SparkException: File does not exist.\n\tat org.apache"
            ),
            "RuntimeError: org.apache.spark.SparkException: File does not exist.",
        ),
        (
            RuntimeError(
                "Call failed.\n: TASK_WRITE_FAILED\n\tat org\nCaused by: FSError: full\n\tat org\nCaused by: IOException: No space"
            ),
            "RuntimeError: TASK_WRITE_FAILED; caused by IOException: No space",
        ),
        (
            RuntimeError(
                "\n  An exception was thrown from the Python worker.\nTraceback (most recent call last):\n  File x\nfmar.ModelError: old\n"
            ),
            "RuntimeError: fmar.ModelError: old",
        ),
        (KeyboardInterrupt(), "KeyboardInterrupt: "),
    ],
)
def test_an_error_is_one_line_that_says_what_is_behind_it(error: BaseException, given: str) -> None:
    assert describe_error(error) == given


def test_a_long_error_is_cut() -> None:
    assert len(describe_error(ValueError("x" * 10_000))) == MAX_ERROR_CHARS


def test_a_run_that_was_interrupted_has_its_row_where_that_needs_no_spark(store: TableStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(lake: TableStore, _: Run) -> Written:
        lake.create(LEGAL_BASES)
        lake.read(LEGAL_BASES)
        raise KeyboardInterrupt

    store.create(RUN_JOURNAL)
    app = App(Job("characterise"), load_settings("test", [f"lake.root={store.root}"]), None)
    with pytest.raises(KeyboardInterrupt):
        app.run_step("characterise", stop)
    with monkeypatch.context() as databricks:
        databricks.setenv(DATABRICKS, "17.3")
        databricks.setitem(sys.modules, "fmar_spark.engine.lake_writer", None)
        app.abandon(KeyboardInterrupt())
    assert read_rows(store, RUN_JOURNAL) == []
    app.abandon(KeyboardInterrupt())
    (row,) = read_rows(store, RUN_JOURNAL)
    assert (row["step"], row["status"], row["error"]) == ("characterise", "failed", "KeyboardInterrupt: ")
    assert dict(row["tables_read"]) == {LEGAL_BASES.full_name: store.version(LEGAL_BASES)}
