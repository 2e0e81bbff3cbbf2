"""Where tests write: to memory, where there is room. No test cuts the power, and each of ten thousand commits would wait for a disk."""

import os
import shutil
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 * 2**30
"""All tests together leave about one."""


def has_memory() -> bool:
    """Whether files may lie there, and programs run from there: containers often forbid that, and some tests write a program."""
    if not (MEMORY.is_dir() and os.access(MEMORY, os.W_OK)):
        return False
    return not os.statvfs(MEMORY).f_flag & os.ST_NOEXEC and shutil.disk_usage(MEMORY).free >= ROOM_BYTES


def write_to_memory() -> None:
    """The folders that pytest makes lie there, unless somebody named another place."""
    if has_memory():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
