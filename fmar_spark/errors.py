"""Everything that this package raises on purpose; bad rows are data and never raise."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final

DONE: Final = 0
FAILED: Final = 1
WRONG_INPUT: Final = 2
INTERRUPTED: Final = 130
"""Exit statuses of every command."""
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What a terminal would obey: control characters, line breaks and changes of writing direction."""


def escape_controls(line: str) -> str:
    """The line with control characters as a Python string writes them, so that names and cells of a file stay text on a terminal."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), line)


class FmarError(Exception):
    """Root of the tree: its message is one line that says what to do."""

    exit_status: ClassVar[int] = FAILED
    """Exit status of a command that ends with it."""

    def __init__(self, *given: object) -> None:
        """What the message quotes of files and arguments is text, whatever it holds."""
        super().__init__(*(escape_controls(one) if isinstance(one, str) else one for one in given))


class ConfigError(FmarError):
    """A setting, argument or installed part is missing or wrong."""

    exit_status = WRONG_INPUT


class ContractError(FmarError):
    """A table or frame does not have the columns that its contract declares."""


class InputError(FmarError):
    """A file or folder that a user named cannot be used as a whole."""

    exit_status = WRONG_INPUT


class RejectedError(FmarError):
    """Too much of what a run was given was rejected; what it wrote stands."""


class ReplacementError(FmarError):
    """What a run found differs so much from what stands that it replaced nothing."""


class StoppedError(FmarError):
    """The user stopped a command."""

    exit_status = INTERRUPTED


class ModelError(FmarError):
    """No classifier can be loaded, or it does not fit the features of this code."""


class AccessDenied(FmarError):  # noqa: N818 - says what happened, as the API does
    """The caller may not see or do what was asked."""


def read_fault(fault: Mapping[str, Any]) -> str:
    """What pydantic says of a fault, without the name of the Python error that a check of ours raised."""
    return str(fault["msg"]).removeprefix("Value error, ")
