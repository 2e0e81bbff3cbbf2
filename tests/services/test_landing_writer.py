"""What the gateway keeps in memory and on the disk: landing files, room for bodies, answers that are remembered."""

import asyncio
import errno
import json
import os
import time
from pathlib import Path

import pytest
from benchmark_gateway import batch_messages
from send_dip import join
from starlette.responses import Response

from fmar_spark.intake.dip.rules import DecodeRules
from fmar_spark.services.gateway.gateway_app import Answers, Room
from fmar_spark.services.gateway.landing_writer import LandingWriter, WriterLimits
from fmar_spark.services.gateway.receipts import join_bodies, receive
from fmar_spark.services.web.problems import BusyError

LIMITS = WriterLimits(2**20, 0.001, 2**20, 0)


def messages_of(count: int) -> list[tuple[str, bytes]]:
    return next(batch_messages(count, 1))


def landed(folder: Path) -> list[str]:
    """Ids of the messages in whole files."""
    files = [path for path in folder.rglob("*.json") if not path.name.startswith("_")]
    return [m["payload"]["CommonBlock"]["D0"]["transactionID"] for path in files for m in json.loads(path.read_bytes())]


def test_bodies_that_wait_together_share_a_file(tmp_path: Path) -> None:
    batch = messages_of(6)

    async def write_all(writer: LandingWriter) -> None:
        await asyncio.gather(*(writer.write("c", join([text]), is_joinable=True) for _, text in batch))

    writer = LandingWriter(tmp_path, LIMITS._replace(linger_seconds=0.2))
    asyncio.run(write_all(writer))
    writer.stop()
    assert writer.stored == 1
    assert sorted(landed(tmp_path)) == sorted(name for name, _ in batch)


def test_a_disk_that_fills_over_a_body_leaves_nothing_and_takes_it_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    writer = LandingWriter(tmp_path, LIMITS)
    ((name, text),) = messages_of(1)
    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fill)
        with pytest.raises(BusyError):
            asyncio.run(writer.write("c", join([text]), is_joinable=True))
        assert not writer.is_ready()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert writer.is_ready()
    asyncio.run(writer.write("c", join([text]), is_joinable=True))
    writer.stop()
    assert landed(tmp_path) == [name]


def test_what_an_earlier_run_left_half_written_goes_after_an_hour(tmp_path: Path) -> None:
    old, young = tmp_path / "_writing-old.json", tmp_path / "_writing-young.json"
    for path in (old, young):
        path.write_text("[")
    hour_ago = time.time() - 4000
    os.utime(old, (hour_ago, hour_ago))
    LandingWriter(tmp_path, LIMITS).stop()
    assert (old.exists(), young.exists()) == (False, True)


def test_joined_bodies_are_one_array(tmp_path: Path) -> None:
    assert json.loads(join_bodies([b"[1]", b" [2,3] \n"])) == [1, 2, 3]


def test_an_answer_is_forgotten_in_time_and_by_size() -> None:
    kept = Answers(60, 10)
    kept.keep(b"a", Response(b"12345678"))
    kept.keep(b"b", Response(b"12345678"))
    assert (kept.find(b"a") is None, kept.find(b"b") is not None) == (True, True)
    brief = Answers(0, 10)
    brief.keep(b"a", Response(b"1"))
    assert brief.find(b"a") is None


def test_bad_messages_take_no_good_one_with_them() -> None:
    good = messages_of(1)[0][1]
    received = receive(join([good] * 9_997 + [b"{}"] * 3), DecodeRules())
    assert (received.accepted, received.rejected, received.status, received.is_joinable) == (9_997, 3, 207, False)


def test_bytes_that_arrive_are_counted_before_they_are_there(tmp_path: Path) -> None:
    writer = LandingWriter(tmp_path, LIMITS._replace(waiting_bytes=10))
    first, second = Room(writer), Room(writer)
    first.hold(6)
    first.hold(8)
    with pytest.raises(BusyError):
        second.hold(3)
    first.release()
    second.hold(10)
    second.release()
    assert writer.waiting_bytes == 0
    writer.stop()
