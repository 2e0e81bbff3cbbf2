import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable, write_deltalake
from report_world import CAR, HOSTILE_NAME, ROOF_EXPORT, SHORT, write_lake

from fmar_spark.cli import main
from fmar_spark.errors import ConfigError, InputError
from fmar_spark.report.frame import unpack
from fmar_spark.report.page import Order, write_report

ROOT = Path(__file__).resolve().parents[2]


def say_nothing(stage: str) -> None:
    """Where nobody is watching."""


def test_the_same_lake_gives_the_same_page(small_lake: Path, report: Path, tmp_path: Path) -> None:
    write_report(small_lake, tmp_path / "again.html", Order(), say_nothing)
    without_time = [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "", path.read_text()) for path in (report, tmp_path / "again.html")]
    assert without_time[0] == without_time[1]


def test_nothing_of_the_page_names_a_place_to_fetch_from(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    own = re.sub(r'<script type="text/plain".*?</script>', "", text, flags=re.S)
    assert re.findall(r"""(?:src|href)=["'](?!#|data:,)""", own) == []
    assert "default-src 'none'" in own
    assert "http" not in re.sub(r'<script type="application/json".*?</script>', "", own, flags=re.S).replace("http-equiv", "")


def test_only_the_page_itself_ends_its_elements(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert HOSTILE_NAME not in text
    scripts = re.findall(r"<script[^>]*>", text)
    assert len(scripts) == text.count("</script>") == 1 + 5 + 1 + 1


def test_the_page_says_whose_it_is(report: Path) -> None:
    assert "For the owner of this lake only." in report.read_text(encoding="utf-8")


def test_evidence_is_of_the_named_meters_alone_where_none_else_is_wanted(small_lake: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "one.html"
    counts = write_report(small_lake, out, Order(named=(CAR,), evidence_meters=0), say_nothing)
    assert counts == {"examined": 6, "listed": 6, "with_evidence": 1}
    packs = re.findall(r'id="evidence-\d+">(.*?)</script>', out.read_text(encoding="utf-8"))
    header, body = unpack(packs[0])
    assert (len(packs), len(header["import_kwh"]), len(body)) == (1, 70, 70 * 48)
    assert len(header["events"]["slot"]) == 35
    assert header["events"]["slot"][0] == 2


def test_a_named_meter_is_listed_however_short_the_list(small_lake: Path, tmp_path: Path) -> None:
    counts = write_report(small_lake, tmp_path / "p.html", Order(named=(SHORT,), evidence_meters=1, listed_meters=2), say_nothing)
    assert counts == {"examined": 6, "listed": 3, "with_evidence": 1}


def test_a_folder_without_answers_names_the_job_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no lake there"):
        write_report(tmp_path / "nowhere", tmp_path / "p.html", Order(), say_nothing)
    with pytest.raises(ConfigError, match="no table of a lake"):
        write_report(tmp_path, tmp_path / "p.html", Order(), say_nothing)
    lake = write_lake(tmp_path / "lake")
    (lake / "gold" / "asset_detections").rename(lake / "gold" / "_gone")
    with pytest.raises(ConfigError, match=r"run jobs/characterise\.py first"):
        write_report(lake, tmp_path / "p.html", Order(), say_nothing)


def test_a_lake_with_answers_alone_has_a_page_that_shows_no_meter(tmp_path: Path) -> None:
    lake = write_lake(tmp_path / "lake")
    for folder in [*lake.glob("silver/*"), *lake.glob("bronze/*"), *lake.glob("ops/*"), *lake.glob("gold/*")]:
        if folder.name not in {"asset_detections"}:
            folder.rename(tmp_path / folder.name)
    assert write_report(lake, tmp_path / "p.html", Order(), say_nothing) == {"examined": 0, "listed": 0, "with_evidence": 0}
    assert '"withheld":6' in (tmp_path / "p.html").read_text(encoding="utf-8")


def test_a_home_that_withdrew_and_an_export_meter_without_consent_are_not_on_the_page(tmp_path: Path) -> None:
    lake = write_lake(tmp_path / "lake")
    points = DeltaTable(str(lake / "silver" / "meter_points")).to_pyarrow_table()
    rejected = pc.is_in(points["mpan_id"], pa.array([CAR, ROOF_EXPORT]))
    consent = pc.if_else(rejected, "N", points["consent_granularity"])
    changed = points.set_column(points.schema.get_field_index("consent_granularity"), "consent_granularity", consent)
    write_deltalake(str(lake / "silver" / "meter_points"), changed, mode="overwrite")
    counts = write_report(lake, tmp_path / "p.html", Order(), say_nothing)
    assert counts == {"examined": 5, "listed": 5, "with_evidence": 4}
    text = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert CAR not in text
    packs = [unpack(pack)[0] for pack in re.findall(r'id="evidence-\d+">(.*?)</script>', text)]
    assert [sum(filter(None, pack["export_kwh"])) for pack in packs] == [0.0] * 4
    with pytest.raises(InputError, match=r"named, .* first; none was characterised"):
        write_report(lake, tmp_path / "q.html", Order(named=(CAR,)), say_nothing)


def test_the_command_writes_the_page_without_spark_and_names_what_is_missing(
    small_lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = tmp_path / "meters.csv"
    named.write_text(f"mpan_id,note\n{CAR},mine\n")
    found = run_command(["--lake", str(small_lake), "--out", str(tmp_path / "page.html"), "--meters", str(named), "--evidence", "0"])
    assert found.returncode == 0, found.stderr
    assert "6 meters, evidence of 1" in found.stdout
    assert main(["report", "--lake", str(tmp_path / "nowhere")]) == 2
    said = capsys.readouterr().err
    assert (said.count("\n"), "no lake there" in said) == (1, True)


def run_command(arguments: list[str]) -> Any:
    """The command in a Python that has no pyspark."""
    code = "import sys; sys.modules['pyspark'] = None; from fmar_spark.cli import main; sys.exit(main(['report', *sys.argv[1:]]))"
    return subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
