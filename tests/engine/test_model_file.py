"""A published file is whole, and one that is not, or is of another time, is rejected with one line."""

import json
import shutil
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from reads_world import write_reads_lake

from fmar_spark.engine.model_file import FOLDER, MANIFEST, check_manifest, digest_file, find_folder, read_manifest
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.services.capability.served_model import ModelSource
from fmar_spark.services.web.problems import BusyError
from fmar_spark.steps.publish_read_model import publish, publish_if_changed


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reads_lake(tmp_path_factory.mktemp("model") / "o'lake")


@pytest.fixture(scope="module")
def published(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder as a first publication left it, and as the next one did."""
    first, second = (tmp_path_factory.mktemp("published") / name for name in ("first", "second"))
    publish(str(lake), first, None)
    shutil.copytree(first, second)
    publish(str(lake), second, None)
    return first, second


@pytest.fixture
def folder(published: tuple[Path, Path], tmp_path: Path) -> Path:
    """With a file that was published a moment ago."""
    return shutil.copytree(published[0], tmp_path / FOLDER)


def change_manifest(folder: Path, **changes: Any) -> None:
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / MANIFEST).write_text(json.dumps(content | changes), encoding="utf-8")


def test_a_manifest_says_what_the_file_holds(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest.as_of_date == date(2026, 1, 31)
    assert manifest.rows["assets"] == 80
    assert manifest.versions["gold.fmar_assets"] == 0
    assert "silver.readings" not in manifest.versions
    check_manifest(folder, manifest, None, datetime.now(UTC))


def test_two_files_are_kept_and_none_is_left_half_made(lake: Path, folder: Path) -> None:
    for _ in range(3):
        publish(str(lake), folder, None)
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 3
    assert names[0] == MANIFEST
    assert names[-1] == read_manifest(folder).file


def test_consent_is_checked_on_the_day_of_the_run(lake: Path, tmp_path: Path) -> None:
    assert publish(str(lake), tmp_path, date(2026, 2, 2)).checked_on_date == date(2026, 2, 2)


def test_tables_that_the_lake_lacks_are_named_with_their_jobs(lake: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copytree(lake / "gold" / "asset_detections", tmp_path / "gold" / "asset_detections")
    for _ in range(2):
        caplog.clear()
        publish_if_changed(str(tmp_path), tmp_path / FOLDER)
        (line,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert "gold.fmar_assets" in line
        assert "jobs/build_audiences.py" in line
        assert "gold.asset_detections" not in line
    assert read_manifest(tmp_path / FOLDER).rows["assets"] == 0


def test_a_folder_that_is_no_lake_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no table of a lake"):
        publish(str(tmp_path), tmp_path / FOLDER, None)
    assert list(tmp_path.iterdir()) == []


def reject_tomorrow(folder: Path) -> None:
    change_manifest(folder, published_at=(datetime.now(UTC) + timedelta(days=1)).isoformat())


def reject_a_day_to_come(folder: Path) -> None:
    change_manifest(folder, as_of_date=(datetime.now(UTC).date() + timedelta(days=2)).isoformat())


def reject_older(folder: Path) -> None:
    change_manifest(folder, published_at="2020-01-01T00:00:00Z")


def reject_words(folder: Path) -> None:
    (folder / MANIFEST).write_text("{", encoding="utf-8")


def reject_unknown_format(folder: Path) -> None:
    change_manifest(folder, format=2)


def reject_another_folder(folder: Path) -> None:
    change_manifest(folder, file="../model-20260101T000000000000Z-000000000000.duckdb")


def reject_missing(folder: Path) -> None:
    (folder / read_manifest(folder).file).unlink()
    change_manifest(folder, bytes=1)


def reject_truncated(folder: Path) -> None:
    path = folder / read_manifest(folder).file
    path.write_bytes(path.read_bytes()[:-100])
    change_manifest(folder, bytes=path.stat().st_size)


def reject_other_content(folder: Path) -> None:
    path = folder / read_manifest(folder).file
    path.write_bytes(b"x" * path.stat().st_size)
    change_manifest(folder, published_at=datetime.now(UTC).isoformat())


def change_file(folder: Path, statement: str, **changes: Any) -> None:
    """With a manifest that fits it."""
    path = folder / read_manifest(folder).file
    with duckdb.connect(str(path)) as connection:
        connection.execute(statement)
    change_manifest(folder, sha256=digest_file(path), bytes=path.stat().st_size, **changes)


def reject_column_less(folder: Path) -> None:
    change_file(folder, "ALTER TABLE envelopes DROP COLUMN asset_category")


def reject_column_of_scope_less(folder: Path) -> None:
    change_file(folder, "ALTER TABLE system_health DROP COLUMN distributor_ids")


def reject_table_less(folder: Path) -> None:
    change_file(folder, "DROP TABLE asset_sizes", rows={})


def reject_consent_to_come(folder: Path) -> None:
    change_manifest(folder, checked_on_date=(datetime.now(UTC).date() + timedelta(days=2)).isoformat())


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (reject_tomorrow, "lies ahead of this machine's clock"),
        (reject_a_day_to_come, "lies ahead of this machine's clock"),
        (reject_older, "older than the file that is served"),
        (reject_words, "Invalid JSON"),
        (reject_unknown_format, "format: Input should be 1"),
        (reject_another_folder, "file: String should match pattern"),
        (reject_missing, "cannot be read: No such file"),
        (reject_truncated, "another checksum"),
        (reject_other_content, "another checksum"),
        (reject_column_less, "another layout"),
        (reject_column_of_scope_less, "another layout"),
        (reject_table_less, "another layout"),
        (reject_consent_to_come, "lies ahead of this machine's clock"),
    ],
)
def test_a_file_that_cannot_be_served_is_rejected_and_the_old_one_stays(
    published: tuple[Path, Path], folder: Path, caplog: pytest.LogCaptureFixture, spoil: Any, said: str
) -> None:
    source = ModelSource(folder, 3600)
    served = source.current()
    for looking in [thread for thread in threading.enumerate() if thread.name == "read-model"]:
        looking.join()
    shutil.copytree(published[1], folder, dirs_exist_ok=True)
    spoil(folder)
    source.look()
    source.look()
    assert source.current() is served
    assert served.find("SELECT count(*) AS n FROM assets", {}) == [{"n": 80}]
    lines = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(lines) == 1
    assert said in lines[0]
    assert "\n" not in lines[0]
    assert lines[0].endswith(f"{served.manifest.file} stays served")


def test_a_lake_at_an_address_is_published_to_a_folder_of_this_machine(lake: Path, tmp_path: Path) -> None:
    address = lake.as_uri()
    with pytest.raises(ConfigError, match=r"^reads.model_folder: empty"):
        find_folder(address, "")
    folder = find_folder(address, str(tmp_path / "model"))
    assert publish_if_changed(address, folder)
    assert read_manifest(folder).rows["assets"] == 80
    assert find_folder(str(lake), "") == lake / FOLDER


def test_nothing_is_served_before_anything_is_published(tmp_path: Path) -> None:
    source = ModelSource(tmp_path, 3600)
    with pytest.raises(BusyError, match="nothing is published yet"):
        source.current()


def test_no_request_fails_while_files_are_replaced(lake: Path, folder: Path) -> None:
    source = ModelSource(folder, 0)
    seen: set[str] = set()
    failures: list[BaseException] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.wait(0.01):
            try:
                model = source.current()
                assert model.find("SELECT count(*) AS n FROM area_availability", {}) == [{"n": 1344}]
                seen.add(model.manifest.file)
            except BaseException as error:
                failures.append(error)
                raise

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        newest = publish(str(lake), folder, None)
    source.look()
    assert source.current().manifest == newest
    is_over.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(seen) > 1


def test_a_served_file_reaches_no_other(lake: Path, folder: Path) -> None:
    served = ModelSource(folder, 3600).current()
    with pytest.raises(Exception, match="disabled by configuration"):
        served.find("SELECT * FROM read_text($path)", {"path": str(folder / MANIFEST)})
    with pytest.raises(InputError, match="no read model there"):
        read_manifest(lake)
