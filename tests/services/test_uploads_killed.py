"""Uploads whose process is killed in the middle."""

import multiprocessing
import signal
import time
from contextlib import closing
from multiprocessing.context import BaseContext
from pathlib import Path

import pytest
import upload_in_process
from register_world import caller_of, settings_of
from sqlalchemy import func, select
from test_uploads import HEADER, line

from fmar_spark.services.register import uploads
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.ledger import verify_ledger
from fmar_spark.services.register.tables import AGREEMENTS, UPLOADS
from fmar_spark.services.register.uploads import find_upload


@pytest.fixture(scope="module")
def many(quick_folder: Path) -> Path:
    """A file that takes seconds."""
    content = quick_folder / "many.csv"
    content.write_text("\n".join([HEADER, *(line(f"A{number:06d}") for number in range(20_000))]) + "\n")
    return content


@pytest.fixture(scope="module")
def forks() -> BaseContext:
    """Processes that a server forks which has imported what they need, once for all of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([uploads.__name__])
    return context


@pytest.mark.parametrize("mode", ["all_or_nothing", "partial"])
def test_kill_9_leaves_nothing_half_written(database: RegisterDatabase, url: str, many: Path, forks: BaseContext, mode: str) -> None:
    heard, said = forks.Pipe(duplex=False)
    process = forks.Process(target=upload_in_process.upload, args=(url, many, mode, said))
    process.start()
    assert heard.recv() == "2000 rows read"
    time.sleep(0.1)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    verified = verify_ledger(database)
    with database.reading(EVERYTHING) as connection:
        count = connection.execute(select(func.count()).select_from(AGREEMENTS)).scalar_one()
        upload = connection.execute(select(UPLOADS)).mappings().one()
        stands = find_upload(connection, caller_of("ALPHA"), upload["upload_id"], database.now(connection))
    assert (verified.breaks, verified.entries) == ((), 10 + count)
    assert stands["state"] == "interrupted"
    if mode == "all_or_nothing":
        assert (count, upload["rows_accepted"]) == (0, 0)
    else:
        assert count == upload["rows_accepted"]
        assert count % 1000 == 0
        assert count > 0
    with closing(RegisterDatabase(settings_of(url))) as other:
        assert verify_ledger(other).breaks == ()
