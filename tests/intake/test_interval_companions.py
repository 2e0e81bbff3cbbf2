from collections.abc import Callable
from pathlib import Path

import pytest

from fmar_spark.errors import ConfigError, InputError
from fmar_spark.intake.intervals.companions import SiteRow, find_misplaced, read_label_dates, read_labels, read_meter_names, read_sites


def write(folder: Path, text: str) -> Path:
    path = folder / "beside.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_sites_say_what_they_know_and_no_more(tmp_path: Path) -> None:
    sites = read_sites(write(tmp_path, "series_id,latitude,longitude,time_zone,gsp_group\na,52.2,0.1,,a\nb,,,Australia/Sydney,\n"))
    assert sites == {"a": SiteRow(52.2, 0.1, None, "_A"), "b": SiteRow(time_zone="Australia/Sydney")}


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ("a,91,0,", "latitude is 91, -90 to 90 wanted"),
        ("a,1,x,", "longitude is 'x', a number wanted"),
        ("a,1,1,London", "time_zone is 'London'"),
    ],
)
def test_a_wrong_site_is_named_by_line(tmp_path: Path, row: str, wanted: str) -> None:
    with pytest.raises(ConfigError, match=f"beside.csv:2: {wanted}"):
        read_sites(write(tmp_path, f"series_id,latitude,longitude,time_zone\n{row}\n"))


def test_an_empty_label_stays_unknown(tmp_path: Path) -> None:
    table = read_labels(write(tmp_path, "series_id,has_ev,has_pv,ev_kw,provenance,notes\na,1.0,,7.2,real,\nb,0,1,,,\n")).to_pylist()
    assert [(row["has_ev"], row["has_pv"], row["has_dr"], row["ev_kw"], row["provenance"]) for row in table] == [
        (True, None, None, 7.2, "real"),
        (False, True, None, None, "not stated"),
    ]


def test_a_label_that_is_no_answer_is_named_by_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"beside.csv:3: has_ev is 'maybe', 1, 0 or an empty field wanted"):
        read_labels(write(tmp_path, "series_id,has_ev\na,1\nb,maybe\n"))


@pytest.mark.parametrize(
    "text",
    [
        "home 1\n1200000000011\n",
        "\ufeffseries_id\nhome 1\n\n  1200000000011 \nhome 1\n",
        'mpan_id,place\n"home 1",London\n1200000000011,Leeds',
    ],
)
def test_a_list_is_one_name_a_line_whatever_made_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "names.txt"
    path.write_text(text, encoding="utf-8")
    assert read_meter_names(path) == ("home 1", "1200000000011")


@pytest.mark.parametrize(("content", "message"), [(b"", "no meters listed"), (b"series_id\n", "no meters listed"), (b"\xff\xfe", "decode")])
def test_a_list_of_nothing_is_rejected(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"^--meters: .*names\.txt: .*{message}"):
        read_meter_names(path)


@pytest.mark.parametrize(
    ("read", "columns", "rows"),
    [
        (read_sites, "series_id,latitude,gsp_group", ("a,52,C", "a,52,D")),
        (read_labels, "series_id,has_ev", ("a,1", "a,0")),
        (read_labels, "series_id,has_ev,ev_kw", ("a,1,", "a,1,7")),
        (read_label_dates, "series_id,ev_appeared_date", ("a,2024-01-01", "a,2024-02-01")),
    ],
)
def test_rows_that_contradict_each_other_are_named_by_both_lines(
    tmp_path: Path, read: Callable[[Path], object], columns: str, rows: tuple[str, str]
) -> None:
    read(write(tmp_path, "\n".join([columns, rows[0], rows[0]])))
    with pytest.raises(ConfigError, match=r"^beside.csv:4: 'a' found again, otherwise than in beside.csv:2"):
        read(write(tmp_path, "\n".join([columns, rows[0], rows[0].replace("a,", "b,"), rows[1]])))


@pytest.mark.parametrize(
    ("site", "found"),
    [
        (SiteRow(51.5, -0.1), None),
        (SiteRow(60.2, -1.3, "Europe/London"), None),
        (SiteRow(-0.1, 51.5), "latitude and longitude look swapped"),
        (SiteRow(-2.4, 53.5, None, "_G"), "far from settlement area _G; latitude and longitude look swapped"),
        (SiteRow(51.5, -0.1, None, "_P"), "far from settlement area _P"),
        (SiteRow(-33.9, 151.2, "Australia/Sydney"), None),
        (SiteRow(40.7, -74.0, "America/New_York"), None),
        (SiteRow(-74.0, 40.7, "America/New_York"), "look swapped"),
        (SiteRow(40.4, -3.7, "Europe/Madrid"), None),
        (SiteRow(None, 3.0), None),
    ],
)
def test_a_place_is_held_against_its_zone_and_settlement_area(site: SiteRow, found: str | None) -> None:
    misplaced = find_misplaced({"a": site}, "Europe/London")
    assert list(misplaced) == (["a"] if found else [])
    assert found is None or found in misplaced["a"]
