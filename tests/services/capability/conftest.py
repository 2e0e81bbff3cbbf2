"""One small lake with its read model, and the service over it, for all tests that only read; one of its own for each that does not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from reads_world import ServedReads, serve_reads, write_reads_lake

from fmar_spark.engine.model_file import FOLDER
from fmar_spark.steps.publish_read_model import publish


@pytest.fixture(scope="session")
def reads_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake that is published."""
    lake = write_reads_lake(tmp_path_factory.mktemp("reads") / "lake")
    publish(str(lake), lake / FOLDER, None)
    return lake


@pytest.fixture(scope="session")
def reads(reads_lake: Path, quick_folder: Path) -> Iterator[ServedReads]:
    """The service over it."""
    made = serve_reads(reads_lake, quick_folder / "reads.db")
    with made.http:
        yield made
    made.database.close()


@pytest.fixture
def own(reads_lake: Path, tmp_path: Path) -> Iterator[ServedReads]:
    """The service over a register of one's own, for tests that change it."""
    made = serve_reads(reads_lake, tmp_path / "register.db")
    with made.http:
        yield made
    made.database.close()
