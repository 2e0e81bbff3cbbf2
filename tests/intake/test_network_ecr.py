"""Capacity registers of all DNO groups: every row is parsed, or rejected with its line and rule."""

import re
from pathlib import Path

import pytest

from fmar_spark.errors import InputError
from fmar_spark.intake.network.ecr import RULES, read_crosswalk, read_register

HEADINGS = {
    "export_mpan": "Export MPAN / MSID",
    "import_mpan": "Import MPAN / MSID",
    "eastings": "Location (X-coordinate):_Eastings (where data is held)",
    "northings": "Location (y-coordinate):_Northings (where data is held)",
    "grid_supply_point": "Grid Supply Point ",
    "poc_voltage_kv": "Point of Connection (POC)_Voltage (kV)",
    "energy_source_1": "Energy Source 1",
    "storage_mwh_1": "Storage Capacity 1 (MWh)",
    "registered_mw_1": "Energy Source & Energy Conversion Technology 1 - Registered Capacity (MW)",
    "flexible_connection": "Flexible Connection (Yes/No)",
    "connection_status": "Connection Status",
    "max_export_mw": "Already Connected - Maximum Export Capacity (MW)",
    "max_import_mw": "Already Connected - Maximum Import Capacity (MW)",
    "date_connected": "Date Connected",
}
GOOD = {
    "export_mpan": "2000056535971",
    "import_mpan": "1900012374324",
    "eastings": "425000",
    "northings": "564000",
    "poc_voltage_kv": "33kV",
    "energy_source_1": "Solar",
    "storage_mwh_1": "data not applicable",
    "registered_mw_1": "4.5",
    "flexible_connection": "Yes",
    "connection_status": "CONNECTED",
    "max_export_mw": "4.2",
    "max_import_mw": "-",
    "date_connected": "19/11/2024",
}


def write(folder: Path, rows: list[dict[str, str]], above: str = "", headings: dict[str, str] = HEADINGS) -> Path:
    """A register with a byte order mark, as spreadsheets save it."""
    lines = [",".join(f'"{name}"' for name in headings.values())]
    lines += [",".join(f'"{row.get(field, "")}"' for field in headings) for row in rows]
    path = folder / "ecr.csv"
    path.write_text(above + "\r\n".join([*lines, ""]), encoding="utf-8-sig", newline="")
    return path


def test_a_row_becomes_the_terms_of_its_meter_points(tmp_path: Path) -> None:
    found = read_register(write(tmp_path, [GOOD], "Embedded Capacity Register,,\r\n"))
    assert (found.rows_read, found.rows_parsed, found.faults) == (1, 1, [])
    rows = found.terms.set_index("mpan_id")
    assert set(rows.index) == {"2000056535971", "1900012374324"}
    row = rows.loc["2000056535971"]
    assert (row["max_export_kw"], row["registered_kw"], row["poc_voltage_kv"]) == (4200.0, 4500.0, 33.0)
    assert (row["firmness"], row["connection_status"], str(row["connected_date"])) == ("NON_FIRM", "CONNECTED", "2024-11-19")
    assert row[["max_import_kw", "registered_storage_kwh"]].isna().all()
    assert (row["latitude"], row["longitude"]) == pytest.approx((54.97, -1.61), abs=0.01)


FAULTS = {
    "row_fields": None,
    "mpan_missing": {"export_mpan": "", "import_mpan": "N/A"},
    "mpan_scientific": {"import_mpan": "2.00006E+12"},
    "mpan_invalid": {"import_mpan": "2000056535970"},
    "mpan_repeated": {},
    "number_unreadable": {"max_export_mw": "about 4"},
    "date_unreadable": {"date_connected": "31/02/2024"},
    "status_unknown": {"connection_status": "Planned"},
    "flag_unknown": {"flexible_connection": "Maybe"},
    "place_in_sea": {"eastings": "700000", "northings": "564000"},
}


@pytest.mark.parametrize("rule", RULES)
def test_a_row_that_breaks_a_rule_is_rejected_with_its_line_and_the_others_are_parsed(rule: str, tmp_path: Path) -> None:
    change = FAULTS[rule]
    path = write(tmp_path, [GOOD, GOOD | (change or {})])
    if change is None:
        path.write_text(path.read_text(encoding="utf-8") + "a,b\r\n", encoding="utf-8")
        path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[i] for i in (0, 1, 3)), encoding="utf-8")
    found = read_register(path)
    assert found.broken == {rule: 1}
    assert found.faults[0].line == 3
    assert found.rows_read == found.rows_parsed + len(found.faults) == 2


@pytest.mark.parametrize("text", ["01/01/1881", "0001-01-01", "2100-01-01", "31/12/9999"])
def test_a_date_beyond_any_connection_is_rejected(text: str, tmp_path: Path) -> None:
    found = read_register(write(tmp_path, [GOOD, GOOD | {"import_mpan": "1200023305967", "date_connected": text}]))
    assert found.broken == {"date_unreadable": 1}
    assert "from 1882 to 2099" in RULES["date_unreadable"]


@pytest.mark.parametrize("text", ["1e308", "1e304", "1_0", "inf", "nan", "\u0661", "-1", "1000001", "1,5"])
@pytest.mark.parametrize("field", ["max_export_mw", "storage_mwh_1", "poc_voltage_kv"])
def test_a_number_beyond_any_connection_or_in_no_decimal_digits_is_rejected(field: str, text: str, tmp_path: Path) -> None:
    found = read_register(write(tmp_path, [GOOD, GOOD | {field: text}]))
    assert [(fault.line, fault.rule, fault.found.strip()) for fault in found.faults] == [(3, "number_unreadable", text)]


@pytest.mark.parametrize("text", ["inf", "1_0", "nan", "51,5"])
def test_coordinates_are_decimal_numbers(text: str, tmp_path: Path) -> None:
    assert read_register(write(tmp_path, [GOOD | {"eastings": text}])).broken == {"number_unreadable": 1}


def test_two_stray_quotes_with_rows_between_are_named_by_the_line_of_the_first(tmp_path: Path) -> None:
    path = write(tmp_path, [GOOD] * 4)
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    plain = [line.replace('"', "") for line in lines[1:]]
    lines[1:] = [plain[0], f'"{plain[1]}', plain[2], f'"{plain[3]}']
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"^ecr\.csv line 3: a quote that takes whole rows with it found"):
        read_register(path)


def test_a_stray_quote_or_an_endless_field_is_named_by_file_and_line(tmp_path: Path) -> None:
    path = write(tmp_path, [GOOD, GOOD])
    whole = path.read_text(encoding="utf-8-sig")
    contents = {
        "a quote that is not closed": whole + '"stray,a\r\n' + "a,b\r\n" * 3,
        "field larger than field limit": whole + '"stray,a\r\n' + "a,b\r\n" * 40_000,
        "cannot be read: field larger": whole + "x" * 140_000 + ",b\r\n",
    }
    for said, content in contents.items():
        path.write_text(content, encoding="utf-8", newline="")
        with pytest.raises(InputError, match=rf"^ecr\.csv line 4: .*{said}|^ecr\.csv line 4: {said}") as raised:
            read_register(path)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["2024-11-19", "19/11/2024", "19/11/2024 00:00", "2024-11-19T00:00:00"])
def test_dates_of_all_groups_are_read(text: str, tmp_path: Path) -> None:
    found = read_register(write(tmp_path, [GOOD | {"date_connected": text}]))
    assert str(found.terms["connected_date"].iloc[0]) == "2024-11-19"


@pytest.mark.parametrize("text", ["", "-", "N/A", "NONE", "Data not available", "DATA NOT APPLICABLE", "to be confirmed"])
def test_words_for_nothing_are_nothing(text: str, tmp_path: Path) -> None:
    row = read_register(write(tmp_path, [GOOD | {"max_export_mw": text, "poc_voltage_kv": text, "date_connected": text}])).terms.iloc[0]
    assert row[["max_export_kw", "poc_voltage_kv", "connected_date"]].isna().all()


def test_what_is_connected_counts_before_what_is_only_accepted(tmp_path: Path) -> None:
    accepted = GOOD | {"connection_status": "Accepted to Connect", "max_export_mw": "9"}
    found = read_register(write(tmp_path, [accepted, GOOD]))
    assert found.terms["max_export_kw"].unique().tolist() == [4200.0]
    assert [(fault.line, fault.rule) for fault in found.faults] == [(2, "mpan_repeated")]


def test_headings_of_every_group_lead_to_the_mandated_fields() -> None:
    crosswalk = read_crosswalk()
    assert len(set(crosswalk.values())) == 66
    assert all(re.fullmatch(r"[a-z0-9]+", heading) for heading in crosswalk)
    for heading in ("Export MPAN / MSID", "exportmpanmsid", "export_mpan_msid"):
        assert crosswalk[re.sub(r"[^a-z0-9]+", "", heading.lower())] == "export_mpan"


def test_a_file_that_is_no_register_is_rejected_whole(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"^other.csv: no header of a capacity register"):
        read_register(tmp_path / "other.csv")
