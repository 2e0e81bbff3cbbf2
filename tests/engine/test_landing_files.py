"""What lies in a landing folder, without Spark where that can be; how it is taken stands in test_ingest_dip."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from fmar_spark.engine.landing import KIND, LINK, NAME, UNREADABLE, FileReader, Folder, read_file
from fmar_spark.errors import ConfigError


class NoSparkError(Exception):
    """A folder of this machine needs no session to be listed."""


class Nothing:
    """Stands where a session is not needed."""

    def __getattr__(self, name: str) -> object:
        raise NoSparkError(name)


NOTHING: SparkSession = Nothing()  # type: ignore[assignment]  # any use of it fails


def put(path: Path, content: bytes = b"x", second: int = 1_700_000_000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (second, second))


def listed(folder: Path) -> dict[str, str | None]:
    return {file.path: file.problem for file in Folder(str(folder)).list_files(NOTHING)}


def test_a_folder_has_one_name_wherever_a_job_is_started_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Folder("landing/").identity == str(tmp_path / "landing")
    for address in ("abfss://lake@store.dfs.core.windows.net/landing", "dbfs:/landing"):
        assert Folder(address + "/").identity == address


def test_files_are_listed_by_their_path_oldest_first_and_what_is_hidden_is_not(tmp_path: Path) -> None:
    landing = tmp_path / "_d[12]{x}*"
    put(landing / "b.json", second=1_700_000_002)
    put(landing / "deep/er/b c#%20\u00e9.json", second=1_700_000_001)
    for hidden in ("_no/c.json", "deep/_no.json", "deep/.no/d.json", ".no.json", "_a=1/no.json"):
        put(landing / hidden)
    put(landing / "empty.json", b"", second=1_700_000_003)
    put(tmp_path / "_d1" / "neighbour.json")
    files = Folder(str(landing)).list_files(NOTHING)
    listed_files = [("deep/er/b c#%20\u00e9.json", 1, None), ("b.json", 1, None), ("empty.json", 0, None)]
    assert [(file.path, file.length, file.problem) for file in files] == listed_files
    assert files[0].modified_at == datetime.fromtimestamp(1_700_000_001, UTC)
    with pytest.raises(ConfigError, match="nowhere: no such folder"):
        listed(tmp_path / "nowhere")


def test_what_cannot_be_read_is_listed_with_its_problem_and_no_link_is_followed(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    put(landing / "good.json")
    put(landing / "12:30.json")
    put(landing / "a\\b.json")
    put(landing / "line\nbreak.json")
    put(landing / b"caf\xe9.json".decode("utf-8", "surrogateescape"))
    (landing / "passwd.json").symlink_to("/etc/passwd")
    (landing / "up").symlink_to(tmp_path)
    (landing / "gone.json").symlink_to(tmp_path / "nothing")
    os.mkfifo(landing / "pipe.json")
    assert listed(landing) == {
        "good.json": None,
        "12:30.json": NAME,
        "a\\b.json": NAME,
        "line\nbreak.json": NAME,
        "caf\\xe9.json": NAME,
        "passwd.json": LINK,
        "up": LINK,
        "gone.json": LINK,
        "pipe.json": KIND,
    }


def test_a_file_that_became_a_link_or_went_after_it_was_listed_is_not_read(tmp_path: Path) -> None:
    put(tmp_path / "secret", b"secret")
    put(tmp_path / "landing/deep/a.json", b"abc")
    folder = str(tmp_path / "landing")
    assert read_file(folder, "deep/a.json", 3) == {"length": 3, "content": b"abc"}
    assert read_file(folder, "deep/a.json", 2) == {"length": 3, "content": None}
    (tmp_path / "landing/link.json").symlink_to(tmp_path / "secret")
    (tmp_path / "landing/linked").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "landing/pipe")
    found = {path: read_file(folder, path, 99)["problem"] for path in ("link.json", "linked/secret", "pipe", "gone.json", "deep")}
    assert found == {"link.json": LINK, "linked/secret": LINK, "pipe": KIND, "gone.json": UNREADABLE, "deep": KIND}


def test_files_are_read_in_order_and_those_with_a_problem_are_handed_on(tmp_path: Path) -> None:
    for name, content in (("a", b"1"), ("b", b"22"), ("c", b"4444")):
        put(tmp_path / name, content)
    rows = {"source": ["a", "b", "c", "d"], "length": [1, 2, 4, 5], "problem": [None, None, None, NAME]}
    read = list(FileReader(str(tmp_path), 2)([pa.RecordBatch.from_pydict(rows)]))
    assert [row for batch in read for row in batch.to_pylist()] == [
        {"source": "a", "length": 1, "problem": None, "content": b"1"},
        {"source": "b", "length": 2, "problem": None, "content": b"22"},
        {"source": "c", "length": 4, "problem": None, "content": None},
        {"source": "d", "length": 5, "problem": NAME, "content": None},
    ]
