"""Declared deliveries from files: which rows are kept, which are rejected by which rule, and what is noticed."""

from pathlib import Path

import pyarrow.parquet as arrow_parquet
import pytest

from fmar_spark.errors import ConfigError
from fmar_spark.intake.deliveries.rows import DeclarationRules, describe_rules
from fmar_spark.intake.deliveries.rules import NOTICES, RULES
from fmar_spark.intake.deliveries.staging import Record, Sources, Staged, describe_staged, stage_declarations, stage_records
from fmar_spark.intake.intervals.rows import write_fault

MPAN, AMSID = "2000056535971", "1900012374324"
EVENT = {
    "event_id": "E1",
    "mpan_id": MPAN,
    "amsid": AMSID,
    "fsp_id": "fsp-a",
    "start_utc": "2026-01-15T17:00:00Z",
    "end_utc": "2026-01-15T19:00:00Z",
    "notice_utc": "",
    "direction": "down",
    "requested_kw": "2",
    "version": "",
}
VOLUME = {
    "mpan_id": MPAN,
    "amsid": AMSID,
    "fsp_id": "fsp-a",
    "period_start_utc": "2026-01-15T17:00:00Z",
    "delivered_kwh": "1.5",
    "metered_kwh": "",
    "declared_at_utc": "",
    "version": "",
}
INSTRUCTION = {
    "company_name": "Axle",
    "fu_id": "unit-1",
    "zone": "Hendon Way",
    "product": "Peak Reduction",
    "start_time_local": "2025-06-23T15:00:00+01:00",
    "end_time_local": "2025-06-23T19:00:00+01:00",
    "utilisation_mw_req": "0.01",
    "utilisation_mwh_req": "0.04",
    "availability_mw_req": "0",
    "dispatch_type": "demand_turn_down",
    "start_time_utc": "2025-06-23 14:00:00+00:00",
    "end_time_utc": "2025-06-23 18:00:00+00:00",
}
FLOW = "ZHV|F1|P0282002|VTPX|X|SVAA|C|20251027120000\nMSA|{day}\nMSB|_C\nMSC|V__UNIT\nMSJ|2000056535971|\n{records}ZPT|9\n"


def stage(folder: Path, **texts: str) -> Staged:
    paths = {}
    for kind, text in texts.items():
        paths[kind] = folder / f"{kind}.csv"
        paths[kind].write_text(text, encoding="utf-8")
    return stage_declarations(Sources(**paths), folder, DeclarationRules())


def write_csv(*rows: dict[str, str]) -> str:
    return "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows), ""])


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("event_id_missing", {"event_id": ""}),
        ("meter_missing", {"mpan_id": ""}),
        ("mpan_format", {"mpan_id": "2.00E+12"}),
        ("fsp_missing", {"fsp_id": ""}),
        ("name_too_long", {"event_id": "E" * 129}),
        ("name_too_long", {"fsp_id": "F" * 129}),
        ("start_unreadable", {"start_utc": "15/01/2026 5pm"}),
        ("end_unreadable", {"end_utc": ""}),
        ("notice_unreadable", {"notice_utc": "soon"}),
        ("event_order", {"end_utc": "2026-01-15T16:00:00Z"}),
        ("event_too_long", {"end_utc": "2026-02-15T16:00:00Z"}),
        ("direction_unknown", {"direction": "sideways"}),
        ("requested_not_a_number", {"requested_kw": "two"}),
        ("requested_beyond_limit", {"requested_kw": "1e9"}),
        ("version_not_a_number", {"version": "1.5"}),
    ],
)
def test_an_event_that_breaks_a_rule_is_rejected_by_name_and_the_rest_goes_on(tmp_path: Path, rule: str, change: dict[str, str]) -> None:
    staged = stage(tmp_path, events=write_csv(EVENT, EVENT | change, EVENT | {"event_id": "E2"}))
    (fault,) = arrow_parquet.read_table(staged.faults_path).to_pylist()
    assert (fault["rule"], fault["source"]) == (rule, "events.csv:3")
    assert fault["reason"] == write_fault(fault["raw"], describe_rules(DeclarationRules())[rule])
    assert arrow_parquet.read_table(staged.events_path)["event_id"].to_pylist() == ["E1", "E2"]


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("period_unreadable", {"period_start_utc": "noon"}),
        ("period_misaligned", {"period_start_utc": "2026-01-15T17:15:00Z"}),
        ("delivered_not_a_number", {"delivered_kwh": ""}),
        ("delivered_beyond_limit", {"delivered_kwh": "1e9"}),
        ("metered_not_a_number", {"metered_kwh": "x"}),
        ("metered_beyond_limit", {"metered_kwh": "-1e9"}),
        ("declared_unreadable", {"declared_at_utc": "later"}),
    ],
)
def test_a_volume_that_breaks_a_rule_is_rejected_by_name(tmp_path: Path, rule: str, change: dict[str, str]) -> None:
    staged = stage(tmp_path, volumes=write_csv(VOLUME, VOLUME | change))
    assert dict(staged.broken) == {rule: 1}
    assert staged.counts["volumes"] == 1


@pytest.mark.parametrize(
    ("notice", "change"),
    [
        ("mpan_check_digit", {"mpan_id": "2000056535972"}),
        ("amsid_missing", {"amsid": ""}),
        ("amsid_format", {"amsid": "battery-1"}),
        ("amsid_check_digit", {"amsid": "1900012374325"}),
        ("early_declaration", {"declared_at_utc": "2026-01-15T16:00:00Z"}),
        ("late_declaration", {"declared_at_utc": "2026-01-17T09:00:00Z"}),
        ("delivered_negative", {"delivered_kwh": "-1"}),
    ],
)
def test_what_is_merely_odd_is_kept_with_a_notice(tmp_path: Path, notice: str, change: dict[str, str]) -> None:
    staged = stage(tmp_path, volumes=write_csv(VOLUME | change))
    assert arrow_parquet.read_table(staged.volumes_path)["notices"].to_pylist() == [[notice]]
    assert notice in NOTICES
    assert f"noticed    1 {notice}" in describe_staged(staged)


def test_a_friday_is_declared_in_time_on_the_next_working_day(tmp_path: Path) -> None:
    friday = VOLUME | {"period_start_utc": "2025-12-19T17:00:00Z", "declared_at_utc": "2025-12-22T23:00:00Z"}
    eve = VOLUME | {"period_start_utc": "2025-12-24T17:00:00Z", "declared_at_utc": "2025-12-29T10:00:00Z"}
    holiday = VOLUME | {"period_start_utc": "2025-12-25T17:00:00Z", "declared_at_utc": "2025-12-29T10:00:00Z"}
    sunday = VOLUME | {"period_start_utc": "2025-12-28T17:00:00Z", "declared_at_utc": "2025-12-29T10:00:00Z"}
    staged = stage(tmp_path, volumes=write_csv(friday, eve, holiday, sunday))
    assert dict(staged.noticed) == {}
    too_late = holiday | {"declared_at_utc": "2025-12-30T10:00:00Z"}
    assert dict(stage(tmp_path, volumes=write_csv(too_late)).noticed) == {"late_declaration": 1}


def test_settlement_periods_are_local_and_a_day_has_46_48_or_50(tmp_path: Path) -> None:
    records = "MSP|3|0.0012\nMSP|5|0.0012\nMSP|50|0.5\nMSP|51|1\n"
    staged = stage(tmp_path, p0282=FLOW.format(day="20251026", records=records))
    rows = arrow_parquet.read_table(staged.volumes_path).to_pylist()
    starts = [f"{row['slot_start_at']:%d %H:%M}" for row in rows]
    assert starts == ["26 00:00", "26 01:00", "26 23:30"]
    assert [row["delivered_kwh"] for row in rows] == [1.2, 1.2, 500.0]
    assert {(row["fsp_id"], row["is_network_sign"], row["amsid"]) for row in rows} == {("X", True, "")}
    assert dict(staged.broken) == {"period_out_of_day": 1}
    spring = stage(tmp_path, p0282=FLOW.format(day="20260329", records="MSP|46|1\nMSP|47|1\n"))
    assert (spring.counts["volumes"], dict(spring.broken)) == (1, {"period_out_of_day": 1})


@pytest.mark.parametrize(
    ("records", "broken"),
    [
        ("ASP|3|0.1\n", {"p0282_record_missing": 1}),
        ("MSC|V__OTHER\nMSP|1|0.1\nASJ|1900012374324|\nASP|1|1\n", {"p0282_record_missing": 3}),
        ("ASJ|1900012374324|\nASP|1|x\n", {"delivered_not_a_number": 1}),
        ("QQQ|1\n", {"p0282_record_unknown": 1}),
        (f"ASJ|{'1' * 129}|\nASP|1|1\n", {"name_too_long": 1, "p0282_record_missing": 1}),
        ("MSP|1|\n", {"p0282_fields": 1}),
        ("MSJ|123|\nMSP|1|1\n", {"mpan_format": 1, "p0282_record_missing": 1}),
        ("ASJ|1900012374324|\nASP|\u00b2|0.001|\n", {"period_out_of_day": 1}),
        (f"MSP|{'1' * 5000}|0.001|\n", {"period_out_of_day": 1}),
        ("MSP|1_0|0.001|\n", {"period_out_of_day": 1}),
        ("MSP|2|1_0|\nMSP|2|inf|\nMSP|2|\u0661|\n", {"delivered_not_a_number": 3}),
        ("MSA|99991231|\n", {"p0282_fields": 1}),
        ("MSA|00010101|\nMSP|1|1\n", {"p0282_fields": 1, "p0282_record_missing": 1}),
        ("MSA|2025\u0661001|\n", {"p0282_fields": 1}),
        ("ZHV|F1|P0282002|VTPX|X|SVAA|C|99991231235959\n", {}),
    ],
)
def test_a_flow_with_a_missing_or_broken_record_loses_what_hangs_on_it_alone(tmp_path: Path, records: str, broken: dict[str, int]) -> None:
    staged = stage(tmp_path, p0282=FLOW.format(day="20251001", records="MSP|1|0.1\n" + records))
    assert dict(staged.broken) == broken
    assert staged.counts["volumes"] == 1


def test_published_instructions_get_an_id_and_keep_unit_and_zone(tmp_path: Path) -> None:
    row = INSTRUCTION
    wrong = row | {"start_time_local": "2025-06-23T14:00:00+01:00"}
    offered = row | {"zone": "Lewes", "utilisation_mw_req": "0", "utilisation_mwh_req": "0", "availability_mw_req": "0.05"}
    staged = stage(tmp_path, events="\ufeff" + write_csv(row, row, wrong, offered))
    first, again, other = arrow_parquet.read_table(staged.events_path).to_pylist()
    assert first["event_id"] == again["event_id"] != other["event_id"]
    assert (first["requested_kw"], first["unit_id"], first["mpan_id"], first["dispatch_direction"]) == (10.0, "unit-1", "", "down")
    assert (other["requested_kw"], other["notices"]) == (None, ["availability_only"])
    assert dict(staged.broken) == {"times_disagree": 1}


@pytest.mark.parametrize(
    ("column", "text", "rule", "wanted"),
    [
        ("utilisation_mw_req", "ten", "requested_not_a_number", "a number of MW in utilisation_mw_req, or an empty field"),
        (
            "utilisation_mw_req",
            "1e9",
            "requested_beyond_limit",
            "at most 2,000 MW in utilisation_mw_req (twice deliveries.max_kwh_per_slot)",
        ),
        ("utilisation_mwh_req", "0;04", "energy_not_a_number", "a number of MWh in utilisation_mwh_req, or an empty field"),
        ("availability_mw_req", "n/a", "availability_not_a_number", "a number of MW in availability_mw_req, or an empty field"),
        ("company_name", "", "fsp_missing", "a name in company_name"),
        ("start_time_utc", "noon", "start_unreadable", "ISO 8601 in start_time_utc, such as 2026-01-15T17:00:00Z"),
        ("end_time_utc", "", "end_unreadable", "ISO 8601 in end_time_utc, such as 2026-01-15T18:00:00Z"),
        (
            "dispatch_type",
            "down",
            "direction_unknown",
            "one of demand_turn_down, generation_turn_up, demand_turn_up, generation_turn_down in dispatch_type",
        ),
    ],
)
def test_what_an_instruction_lacks_is_named_by_its_own_column(tmp_path: Path, column: str, text: str, rule: str, wanted: str) -> None:
    staged = stage(tmp_path, events=write_csv(INSTRUCTION, INSTRUCTION | {column: text}))
    (fault,) = arrow_parquet.read_table(staged.faults_path).to_pylist()
    assert (fault["rule"], fault["source"]) == (rule, "events.csv:3")
    assert text in fault["reason"]
    assert fault["reason"].endswith(f" found; {wanted} wanted")


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        ("MSP|2|x", "a number of MWh after the settlement period in MSP and ASP"),
        ("MSP|2|1e9", "at most 1,000 MWh in MSP and ASP (deliveries.max_kwh_per_slot)"),
        ("MSJ|12", "an import MSID of 13 digits in MSJ"),
        (f"ASJ|{'1' * 129}", "names and ids of at most 128 characters (deliveries.max_name_chars)"),
    ],
)
def test_what_a_flow_lacks_is_named_by_its_own_record(tmp_path: Path, record: str, wanted: str) -> None:
    staged = stage(tmp_path, p0282=FLOW.format(day="20251001", records=f"MSP|1|0.1\n{record}\n"))
    (fault,) = arrow_parquet.read_table(staged.faults_path).to_pylist()
    assert fault["reason"] == f"{record} found; {wanted} wanted"


def test_every_rule_with_a_limit_says_it_and_its_setting() -> None:
    wanted = describe_rules(DeclarationRules(1_500.0, 12.0, 40))
    assert {rule for rule, text in RULES.items() if "{" in text} == {rule for rule, text in RULES.items() if "deliveries." in text}
    assert wanted["name_too_long"] == "names and ids of at most 40 characters (deliveries.max_name_chars)"
    assert wanted["event_too_long"] == "an event of at most 12 hours (deliveries.max_event_hours)"
    assert wanted["requested_beyond_limit"] == "at most 3,000 kW in requested_kw (twice deliveries.max_kwh_per_slot)"
    assert wanted["delivered_beyond_limit"] == "at most 1,500 kWh in delivered_kwh (deliveries.max_kwh_per_slot)"


def test_a_file_without_the_columns_stops_alone_and_is_named_among_others(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="columns fsp_id"):
        stage(tmp_path, events="event_id,start_utc\n1,2\n")
    folder = tmp_path / "both"
    folder.mkdir()
    (folder / "bad.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (folder / "good.csv").write_text(write_csv(EVENT), encoding="utf-8")
    staged = stage_declarations(Sources(events=folder), tmp_path, DeclarationRules())
    assert (staged.counts["events"], dict(staged.broken)) == (1, {"file_columns": 1})
    with pytest.raises(ConfigError, match="at least one wanted"):
        stage_declarations(Sources(), tmp_path, DeclarationRules())


def test_a_record_is_read_as_the_file_that_it_would_be_and_none_stops_the_rest(tmp_path: Path) -> None:
    flow = FLOW.format(day="20260115", records="ASJ|1900012374324|\nASP|35|0.001\n")
    contents = [write_csv(EVENT), write_csv(VOLUME), flow, "", '{"event_id": 1}', "\x00\ufffd", write_csv({**EVENT, "end_utc": ""})]
    records = [Record(f"t:0:{place}", content.encode()) for place, content in enumerate(contents)] + [Record("t:1:0", b"\xff\xfe,\xff")]
    as_records = stage_records(records, tmp_path / "records", DeclarationRules())
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "flow.txt").write_text(flow, encoding="utf-8")
    as_files = stage(tmp_path / "files", events=write_csv(EVENT, {**EVENT, "end_utc": ""}), volumes=write_csv(VOLUME))
    assert (as_records.counts["events"], as_records.counts["volumes"]) == (1, 2)
    assert (as_records.broken["end_unreadable"], as_records.counts["rejected"]) == (1, 5)
    faults = arrow_parquet.read_table(as_records.faults_path)["source"].to_pylist()
    assert {place.partition(".csv")[0] for place in faults} == {"t:0:3", "t:0:4", "t:0:5", "t:0:6", "t:1:0"}
    declared = [arrow_parquet.read_table(staged.events_path)["declaration_id"].to_pylist() for staged in (as_records, as_files)]
    assert declared[0] == declared[1]
