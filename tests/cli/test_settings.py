import pytest

from fmar_spark.cli import main


def test_a_setting_is_printed_with_its_value_its_default_and_its_meaning(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "sufficiency", "--set", "sufficiency.min_days=61"]) == 0
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if line.startswith("sufficiency.min_days"))
    assert row.split()[1:3] == ["61", "60"]
    assert "spark.master" not in printed


def test_a_setting_that_is_none_is_one_line_and_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "sufficiency.min_day"]) == 2
    assert capsys.readouterr().err == "settings: sufficiency.min_day: no such setting; docs/settings.md lists them\n"
