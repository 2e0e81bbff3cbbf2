"""The wheel that a cluster gets: whole, and with no Spark of its own."""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SPARK = {"pyspark", "delta-spark"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from a copy of the sources by what pyproject.toml names for it, as pip does."""
    copy = tmp_path_factory.mktemp("wheel") / "source"
    copy.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy / name)
    for name in ("fmar_spark", "jobs"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["build-backend"]
    command = [sys.executable, "-c", f"import {backend} as backend; backend.build_wheel('dist')"]
    built = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return zipfile.ZipFile(next((copy / "dist").glob("*.whl")))


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    """What the wheel says of itself."""
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode())


def test_the_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    wanted = {
        str(path.relative_to(ROOT)) for path in (ROOT / "fmar_spark").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted - set(wheel.namelist()) == set()
    assert "fmar_spark/learning/bundled/asset_classifier.skops" in wanted


def test_the_wheel_holds_the_entry_points_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    jobs = {name.rpartition("/")[2] for name in wheel.namelist() if ".data/scripts/" in name}
    assert jobs == {path.name for path in (ROOT / "jobs").glob("*.py")}
    others = {name.split("/")[0] for name in wheel.namelist() if ".data/" not in name and ".dist-info/" not in name}
    assert others == {"fmar_spark"}


def test_a_cluster_keeps_its_own_spark(metadata: Message) -> None:
    needs = metadata.get_all("Requires-Dist") or []
    always = {need.split()[0].split("=")[0].split("<")[0].split(">")[0].lower() for need in needs if "extra ==" not in need}
    assert "numpy" in always
    assert SPARK & always == set()
    assert {name for name in SPARK if any(need.startswith(f"{name}==") and 'extra == "spark"' in need for need in needs)} == SPARK


def test_the_wheel_runs_on_the_pythons_that_are_tested(metadata: Message) -> None:
    assert metadata["Requires-Python"] in {">=3.11,<3.13", "<3.13,>=3.11"}
