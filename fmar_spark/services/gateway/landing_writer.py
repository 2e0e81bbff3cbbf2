"""Bodies become landing files that survive a loss of power before their arrival is confirmed.

One thread writes. While it waits for the disk, further bodies collect, and the next file takes all of them: the cost of making
a file durable is shared by whoever waits for it (group commit).
"""

import asyncio
import logging
import os
import queue
import shutil
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from fmar_spark.errors import ConfigError
from fmar_spark.services.gateway.receipts import join_bodies
from fmar_spark.services.gateway.sink import AGAIN, Sink
from fmar_spark.services.web.identifiers import new_id
from fmar_spark.services.web.problems import BusyError

UNFINISHED: Final = "_writing-"
"""Begins the name of a file that is not whole yet; ingestion ignores such names."""
_ABANDONED_SECONDS: Final = 3600
_log = logging.getLogger(__name__)


class WriterLimits(NamedTuple):
    """How much is written at once, and how much may wait."""

    batch_bytes: int
    linger_seconds: float
    waiting_bytes: int
    free_bytes: int


class _Waiting(NamedTuple):
    channel: str
    body: bytes
    is_joinable: bool
    done: asyncio.Future[None]


class LandingWriter(Sink):
    """Writes bodies below a landing folder, ``CHANNEL/DAY/ID.json``."""

    def __init__(self, folder: Path, limits: WriterLimits) -> None:
        """Start the thread that writes.

        Raises:
            ConfigError: the folder cannot be written to.
        """
        super().__init__(limits.waiting_bytes)
        self._folder = folder
        self._limits = limits
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._is_failing = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._try_disk()
        except OSError as error:
            raise ConfigError(f"gateway.landing: {folder} cannot be written to ({error.strerror})") from error
        self._remove_abandoned()
        self._thread = threading.Thread(target=self._write_for_ever, name="landing-writer", daemon=True)
        self._thread.start()

    def is_ready(self) -> bool:
        """Whether the next body can be expected to become durable; after a failure the disk is tried again. May block."""
        if self._is_failing:
            try:
                self._try_disk()
            except OSError:
                return False
            self._is_failing = False
        return self._thread.is_alive() and shutil.disk_usage(self._folder).free >= self._limits.free_bytes

    def _try_disk(self) -> None:
        probe = self._folder / f"{UNFINISHED}{new_id()}"
        _write_durably(probe, b"", self._folder)
        probe.unlink()

    async def write(self, channel: str, body: bytes, *, is_joinable: bool) -> None:
        """Return once the body is on the disk.

        Raises:
            BusyError: the disk does not take it; nothing of the body is visible then.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put(_Waiting(channel, body, is_joinable, done))
        try:
            await asyncio.shield(done)
        except OSError as error:
            raise BusyError("not-stored", "the landing folder cannot be written to; send it again later", headers=AGAIN) from error

    def stop(self) -> None:
        """Write what waits, then end."""
        self._waiting.put(None)
        self._thread.join()

    def _write_for_ever(self) -> None:
        is_ending = False
        while not is_ending:
            batch, is_ending = self._collect()
            files: dict[str, list[_Waiting]] = {}
            for one in batch:
                key = one.channel if one.is_joinable else f"{one.channel}/{id(one)}"
                files.setdefault(key, []).append(one)
            for members in files.values():
                self._write_file(members)

    def _collect(self) -> tuple[list[_Waiting], bool]:
        """What is written next: whatever waits, and what comes within the linger time; and whether that is the last."""
        first = self._waiting.get()
        if first is None:
            return [], True
        batch, size = [first], len(first.body)
        until = time.monotonic() + self._limits.linger_seconds
        while size < self._limits.batch_bytes:
            try:
                following = self._waiting.get(timeout=max(until - time.monotonic(), 0))
            except queue.Empty:
                return batch, False
            if following is None:
                return batch, True
            batch.append(following)
            size += len(following.body)
        return batch, False

    def _write_file(self, members: list[_Waiting]) -> None:
        error: OSError | None = None
        try:
            if shutil.disk_usage(self._folder).free < self._limits.free_bytes:
                raise OSError("less room left than gateway.least_free_bytes")
            content = join_bodies(one.body for one in members) if members[0].is_joinable else members[0].body
            folder = self._folder / members[0].channel / datetime.now(UTC).date().isoformat()
            _make_folder(folder)
            _write_durably(folder / f"{new_id()}.json", content, folder)
            self.stored += 1
        except OSError as caught:
            error = caught
            _log.error("landing file not written: %s", caught.strerror or caught)
        self._is_failing = error is not None
        members[0].done.get_loop().call_soon_threadsafe(self._finish, members, error)

    def _finish(self, members: list[_Waiting], error: OSError | None) -> None:
        for one in members:
            if one.done.done():
                continue
            if error is None:
                one.done.set_result(None)
            else:
                one.done.set_exception(error)

    def _remove_abandoned(self) -> None:
        """Files that an earlier run was killed over; their arrival was never confirmed."""
        for path in self._folder.rglob(f"{UNFINISHED}*"):
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                path.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each of which is durable in the one above."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _write_durably(path: Path, content: bytes, folder: Path) -> None:
    """The whole file under its name, or no file of that name, whenever the power goes."""
    unfinished = folder / f"{UNFINISHED}{path.name}"
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
