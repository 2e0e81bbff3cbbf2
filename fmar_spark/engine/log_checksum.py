"""Delta's checksum of a version, beside its commit: columns, files and bytes of the table, so that nobody has to add up the log.

Spark writes one with every commit and delta-rs writes none, and where it is missing Spark starts a job to open the table and another before
it writes to it: the first append to a table that was just made took 0.6 seconds, of which 0.4 were that. Source: Delta protocol, Version
Checksum File, https://github.com/delta-io/delta/blob/master/PROTOCOL.md#version-checksum-file.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

MOST_FILES: Final = 50
"""Spark lists no more files in a checksum, and without the list adds up the log."""
_EMPTY: Final[dict[str, Any]] = {"setTransactions": [], "domainMetadata": [], "allFiles": []}
_KEPT: Final = ("metadata", "protocol", *_EMPTY)
"""What the next version takes from the one before; all else is counted anew or may be left out."""
_PLAIN: Final = {"commitInfo", "protocol", "metaData", "add", "remove"}
"""Actions of commits that are added up here; after any other the checksum is left to Spark."""


def note_checksum(log: Path, version: int) -> None:
    """Write the checksum of a version beside its commit, where that of the version before is there and neither lists too many files.

    A commit and its checksum never change once they are there, so it does not matter who else does the same. Checksums whose commits
    have gone, as of an expired log, go as well: they hold the least and largest MPAN of files. Where nothing can be written the rows are
    there all the same.
    """
    with suppress(OSError):
        _note(log, version)
        # Listed before the commits, so that each of them has its commit unless that has gone.
        checksums = list(log.glob("*.crc"))
        commits = {one.stem for one in log.glob("*.json")}
        for left in checksums:
            if left.stem not in commits:
                left.unlink()


def _note(log: Path, version: int) -> None:
    kept = _name(log, version, "crc")
    if kept.exists() or not (commit := _name(log, version, "json")).exists():
        return
    before = _read_before(log, version)
    lines = commit.read_text(encoding="utf-8").splitlines()
    checksum = None if before is None else add_commit(before, [json.loads(line) for line in lines])
    if checksum is not None:
        half_made = log / f".{kept.name}.{os.getpid()}.tmp"
        half_made.write_text(json.dumps(checksum), encoding="utf-8")
        half_made.replace(kept)


def add_commit(before: dict[str, Any], actions: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The checksum after a commit; None where it cannot be said from these.

    Args:
        before: checksum of the version before.
        actions: lines of the commit.
    """
    if any(set(action) - _PLAIN for action in actions):
        return None
    after = {name: before[name] for name in _KEPT if name in before}
    files = {file["path"]: file for file in before["allFiles"]}
    for action in actions:
        if "remove" in action:
            files.pop(action["remove"]["path"], None)
        if "protocol" in action:
            after["protocol"] = action["protocol"]
        if "metaData" in action:
            after["metadata"] = action["metaData"]
    files |= {action["add"]["path"]: action["add"] | {"dataChange": False} for action in actions if "add" in action}
    if len(files) > MOST_FILES or any(file.get("deletionVector") for file in files.values()):
        return None
    size = sum(file["size"] for file in files.values())
    counts = {"tableSizeBytes": size, "numFiles": len(files), "numMetadata": 1, "numProtocol": 1}
    return counts | after | {"allFiles": list(files.values())}


def _read_before(log: Path, version: int) -> dict[str, Any] | None:
    if version == 0:
        return dict(_EMPTY)
    try:
        found = json.loads(_name(log, version - 1, "crc").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("allFiles"), list) else None


def _name(log: Path, version: int, ending: str) -> Path:
    return log / f"{version:020d}.{ending}"
