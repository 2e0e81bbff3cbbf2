from types import SimpleNamespace

import pandas as pd
import plotly.graph_objects as go
import pytest

from fmar_spark.settings.notebook_widgets import choose_display, read_widgets


class Widgets:
    """Remembers what is shown, as Databricks does."""

    def __init__(self, **filled: str) -> None:
        self.fields = filled

    def text(self, name: str, defaultValue: str, label: str | None = None) -> None:
        self.fields.setdefault(name, defaultValue)

    def get(self, name: str) -> str:
        return self.fields[name]


def test_a_field_that_was_filled_in_counts_and_the_others_are_shown() -> None:
    tools = SimpleNamespace(widgets=Widgets(lake=" /mnt/lake "))
    given = read_widgets({"dbutils": tools}, lake="lake", run_date="")
    assert vars(given) == {"lake": "/mnt/lake", "run_date": ""}
    assert set(tools.widgets.fields) == {"lake", "run_date"}


def test_without_databricks_the_environment_counts_then_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FMAR_RUN_DATE", "2024-05-01")
    assert vars(read_widgets({}, lake="lake", run_date="")) == {"lake": "lake", "run_date": "2024-05-01"}


def test_tables_and_figures_are_text_where_nothing_else_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show = choose_display({})
    show(pd.DataFrame({"meters": [3]}))
    show(go.Figure(layout={"title": {"text": "Assets"}}))
    show(["one"])
    assert capsys.readouterr().out == "   meters\n0       3\n\nAssets\n\n['one']\n\n"


def test_the_notebooks_own_display_is_used_where_there_is_one() -> None:
    shown: list[object] = []
    choose_display({"display": shown.append})("table")
    assert shown == ["table"]
