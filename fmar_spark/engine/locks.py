"""No second run of a step on the same lake at once."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from fmar_spark.errors import ConfigError

LOCKS: Final = "_locks"
TRIES: Final = 100
"""How often a lock is taken whose file another run removes at that moment."""


@contextmanager
def lock_step(root: str, step: str) -> Iterator[None]:
    """No other run of the step works on the lake meanwhile; the lock goes with the process, however it ends.

    Two runs of one step at once would meet in Delta's commits, and one of them fail in the middle.

    Raises:
        ConfigError: another run holds it; the message says since when. Or the lake cannot be written.
    """
    lake = Path(root)
    is_new = not lake.exists()
    path = lake / LOCKS / f"{step}.lock"
    handle = _lock_file(path, root, step)
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC (process {os.getpid()})".encode(), 0)
        yield
    finally:
        _leave_empty(path, is_new)
        os.close(handle)


def _lock_file(path: Path, root: str, step: str) -> int:
    """The file at the path, open and locked by this process.

    A run that ends on a lake without a table removes its file: whoever had opened it before would hold a lock that others do not see.
    """
    said = "its locks are removed again and again"
    for _ in range(TRIES):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        except FileNotFoundError as error:
            said = str(error.strerror)
            continue
        except OSError as error:
            raise ConfigError(f"{root}: the lake cannot be written: {error.strerror}") from error
        _lock(handle, root, step)
        if _is_at(path, handle):
            return handle
        os.close(handle)
    raise ConfigError(f"{root}: the lake cannot be written: {said}")


def _lock(handle: int, root: str, step: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        since = os.read(handle, 200).decode("ascii", "replace") or "a moment ago"
        os.close(handle)
        raise ConfigError(f"{step}: another run of it is working on {root} since {since}") from error


def _is_at(path: Path, handle: int) -> bool:
    """Whether the open file is still the one at the path."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _leave_empty(path: Path, is_new: bool) -> None:
    """A lake that has no table yet keeps no lock, and one that did not exist is not made by a run that failed."""
    lake = path.parent.parent
    if any(one.name != LOCKS for one in lake.iterdir()):
        return
    with suppress(OSError):
        path.unlink()
        path.parent.rmdir()
        if is_new:
            lake.rmdir()
