"""The notebooks, a stand-in for what Databricks gives them, and the fleet that they run on."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.py"))
METERS = 48
RICH = {
    f"{premises}_{asset}": 0.5
    for premises in ("home", "business")
    for asset in ("ev", "heat_pump", "solar_pv", "battery", "demand_response")
}
"""Every class about as often there as not: training needs both answers of each."""
LEAST_OF_AN_ANSWER = 1
"""Instead of what a model worth having needs: the notebook is under test, not the model."""


@dataclass
class Tools:
    """``dbutils`` of a person who has filled in some fields."""

    filled: dict[str, str]
    shown: dict[str, str] = field(default_factory=dict)

    @property
    def widgets(self) -> "Tools":
        return self

    def text(self, name: str, defaultValue: str, label: str | None = None) -> None:
        self.shown[name] = self.filled.get(name, defaultValue)

    def get(self, name: str) -> str:
        return self.shown[name]


@dataclass
class Ran:
    """What is left of a notebook that ran."""

    names: dict[str, Any]
    displayed: list[Any]
