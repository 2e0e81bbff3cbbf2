from datetime import date
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake
from register_world import LONDON_MPAN, MPAN

from fmar_spark.services.register.derived import Detection, LakeDerived


def test_derived_values_come_from_the_lakes_newest_version(tmp_path: Path) -> None:
    table = tmp_path / "gold" / "asset_detections"
    row = {
        "mpan_id": [MPAN],
        "asset_class": ["ev"],
        "present_probability": [0.78],
        "is_present": [True],
        "tier": ["medium"],
        "status": ["characterised"],
        "model_version": ["3"],
        "as_of_date": [date(2026, 1, 5)],
    }
    write_deltalake(str(table), pa.table(row))
    write_deltalake(str(table), pa.table({**row, "mpan_id": [LONDON_MPAN]}), mode="append")
    derived = LakeDerived(str(tmp_path))
    assert derived.find_detections(MPAN) == [Detection("ev", True, 0.78, "medium", "characterised", "3", date(2026, 1, 5))]
    write_deltalake(str(table), pa.table({**row, "tier": ["high"]}), mode="overwrite")
    assert [found.tier for found in derived.find_detections(MPAN)] == ["high"]
    assert derived.find_detections("1900012374324") == []


def test_without_a_lake_nothing_is_derived(tmp_path: Path) -> None:
    derived = LakeDerived(str(tmp_path / "none"))
    assert (derived.find_capability(MPAN), derived.find_detections(MPAN)) == ([], [])


def test_a_table_that_cannot_be_read_is_as_if_there_were_none(tmp_path: Path) -> None:
    log = tmp_path / "gold" / "capability" / "_delta_log"
    log.mkdir(parents=True)
    (log / "00000000000000000000.json").write_text("not json\n")
    assert LakeDerived(str(tmp_path)).find_capability(MPAN) == []
