"""What the widgets of a notebook hold, on Databricks and on a machine that has none."""

import os
import sys
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final, Protocol

VARIABLE_PREFIX: Final = "FMAR_"


class Widgets(Protocol):
    """The widgets of a notebook, as Databricks offers them."""

    def text(self, name: str, defaultValue: str, label: str | None = None) -> object:
        """Show a field, unless it is there."""

    def get(self, name: str) -> str:
        """What stands in the field."""


def read_widgets(namespace: Mapping[str, Any], **defaults: str) -> SimpleNamespace:
    """The value of each widget, by name.

    On Databricks the fields are shown at the top of the notebook; elsewhere the variable ``FMAR_NAME`` of the environment
    counts, else the default.

    Args:
        namespace: ``globals()`` of the notebook: Databricks puts ``dbutils`` there.
        defaults: by name of the widget; empty = not given.
    """
    tools = namespace.get("dbutils")
    if tools is None:
        return SimpleNamespace(**{name: os.environ.get(f"{VARIABLE_PREFIX}{name.upper()}", value) for name, value in defaults.items()})
    widgets: Widgets = tools.widgets
    for name, value in defaults.items():
        widgets.text(name, value, name.replace("_", " "))
    return SimpleNamespace(**{name: widgets.get(name).strip() for name in defaults})


def choose_display(namespace: Mapping[str, Any]) -> Callable[[Any], Any]:
    """How the notebook shows tables and figures: ``display`` where there is one, else as text."""
    shown: Callable[[Any], Any] = namespace.get("display") or _write_text
    return shown


def _write_text(shown: Any) -> None:
    """Frames as their rows, figures as their title."""
    collected = shown.toPandas() if hasattr(shown, "toPandas") else shown
    text = collected.to_string() if hasattr(collected, "to_string") else getattr(getattr(collected, "layout", None), "title", collected)
    sys.stdout.write(f"{getattr(text, 'text', text)}\n\n")
