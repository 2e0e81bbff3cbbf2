"""The catalogue as a document."""

from fmar_spark.simulate.behaviours.behaviours_page import render_behaviours
from fmar_spark.simulate.behaviours.catalogue import CATALOGUE


def test_every_behaviour_has_a_row_with_its_ranges_and_source() -> None:
    page = render_behaviours()
    for behaviour in CATALOGUE:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{behaviour.name}` "))
        assert behaviour.source in row
        assert behaviour.separates in row
    assert "| 00:30 | 5 | 30% |" in page
    assert "7, 7.2, 7.4 kW; 60% to 100% of days; 4 to 14 kWh" in page
    assert "05:00 to 08:30 and 14:30 to 19:30" in page
