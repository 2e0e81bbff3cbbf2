"""Which tests run in one process: those of a file, and those of folders whose tests share a world that takes long to make.

Groups are read from the names of the files. The groups of pytest-xdist itself are lost under pytest 9.2: it writes them into the names of
tests, which cannot be changed any more, and hands every test out singly without a word
(https://github.com/pytest-dev/pytest-xdist/issues/1386).
"""

from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

SHARING_FOLDERS = {"evaluation", "learning", "notebooks", "report", "simulate"}


def group_of(nodeid: str) -> str:
    """Name of the group of a test, by its file."""
    path = PurePosixPath(nodeid.partition("::")[0])
    return path.parent.name if path.parent.name in SHARING_FOLDERS else str(path)


class GroupScheduling(LoadScopeScheduling):
    """Hands out whole groups, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
