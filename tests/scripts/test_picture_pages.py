import importlib
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, not run."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("picture_pages")


def test_every_party_is_pictured_unless_some_are_named(pictures: ModuleType) -> None:
    plain = pictures.parse(["out"])
    assert (plain.folder, plain.lake, plain.party) == (Path("out"), Path("lake"), None)
    named = pictures.parse(["out", "--lake", "there", "--party", "OFGEM", "--party", "NESO"])
    assert (named.lake, named.party) == (Path("there"), ["OFGEM", "NESO"])


def test_a_folder_without_gold_tables_is_rejected(pictures: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pictures.main([str(tmp_path / "out"), "--lake", str(tmp_path)]) == 1
    assert "no gold tables there" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_page_names_its_file(pictures: ModuleType) -> None:
    assert pictures.name_file("/areas/gsp_group/_P?direction=export") == "areas_gsp_group_P_direction_export"
    assert pictures.name_file("/") == "start"
