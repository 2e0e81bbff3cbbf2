"""Prints the settings of a run."""

from rich.table import Table

from fmar_spark.commands.terminal import Terminal
from fmar_spark.errors import ConfigError
from fmar_spark.settings.run_options import RunOptions
from fmar_spark.settings.sections import Section, Settings


def run(options: RunOptions, names: list[str] | None) -> int:
    """Every setting, or those named: what it is in this run, the default where that is another, and what it means.

    Raises:
        ConfigError: a name that no setting has.
    """
    found = options.load_settings()
    rows = [row for section in Settings.model_fields for row in list_settings(section, getattr(found, section))]
    unknown = [name for name in names or () if not any(is_named(row[0], name) for row in rows)]
    if unknown:
        raise ConfigError(f"{unknown[0]}: no such setting; docs/settings.md lists them")
    table = Table(box=None, pad_edge=False)
    for heading in ("setting", "value", "default", "meaning"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        if not names or any(is_named(row[0], name) for name in names):
            table.add_row(*row)
    Terminal().print(table)
    return 0


def list_settings(section: str, values: Section) -> list[tuple[str, str, str, str]]:
    """Name, value, default where it differs, and meaning of every setting of a section."""
    rows = []
    for key, field in type(values).model_fields.items():
        value = getattr(values, key)
        rows.append((f"{section}.{key}", str(value), "" if value == field.default else str(field.default), field.description or ""))
    return rows


def is_named(setting: str, name: str) -> bool:
    """Whether a setting is the one named, or one of the section named."""
    return setting == name or setting.startswith(f"{name}.")
