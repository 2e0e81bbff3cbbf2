"""Which tests run in one process: those of a file, and those of folders whose tests share a world that takes long to make.

Groups are read from the names of the files. The groups of pytest-xdist itself are lost under pytest 9.2: it writes them into the names of
tests, which cannot be changed any more, and hands every test out singly without a word
(https://github.com/pytest-dev/pytest-xdist/issues/1386).
"""

from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

SHARING_FOLDERS = {"capability", "evaluation", "kernels", "learning", "notebooks", "report", "simulate"}
SHARING_FILES = "test_layout"
"""Files that begin so share the syntax trees of the sources."""
BROWSERS = "_browser"
"""Files that end so start a browser and read a lake of their own."""
LONGEST = (
    "learning",
    "capability",
    "kernels",
    "evaluation",
    "tests/services/test_uploads.py",
    "tests/services/test_hostile_requests.py",
    "report",
    "tests/test_sixth_class.py",
    "tests/local/test_own_lake.py",
    "simulate",
    "tests/services/test_server.py",
    "tests/local/test_frames.py",
    "tests/services/test_scopes.py",
    "tests/engine/test_model_file.py",
    SHARING_FILES,
    "tests/test_bundle.py",
    "tests/commands/test_own_readings.py",
    "tests/services/test_uploads_killed.py",
    "tests/services/test_operation.py",
    "tests/profiling/test_delivery_verdicts.py",
    "tests/services/test_gateway.py",
    "tests/services/test_access.py",
    "tests/services/test_claims.py",
    "tests/services/test_ledger.py",
    "tests/services/test_overrides.py",
)
"""Groups without Spark that take longest, in this order: whatever is left for the end is short."""


def group_of(nodeid: str) -> str:
    """Name of the group of a test, by its file."""
    path = PurePosixPath(nodeid.partition("::")[0])
    if path.name.startswith(SHARING_FILES):
        return SHARING_FILES
    if path.stem.endswith(BROWSERS):
        return str(path)
    return path.parent.name if path.parent.name in SHARING_FOLDERS else str(path)


def rank_group(name: str) -> int:
    """Its place among those that take longest, or after them."""
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


class GroupScheduling(LoadScopeScheduling):
    """Hands out whole groups, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
