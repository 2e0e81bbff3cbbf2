import pytest

from fmar_spark.engine.runs import MAX_ERROR_CHARS, describe_error


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
