"""What every command takes on its command line, and the settings that follow from it."""

import re
from datetime import date
from pathlib import Path
from typing import NamedTuple

from fmar_spark.errors import ConfigError
from fmar_spark.settings.overlays import load_settings
from fmar_spark.settings.sections import Settings


class RunOptions(NamedTuple):
    """Options that all commands share."""

    lake: str | None = None
    """Root of the lake; None = the setting ``lake.root``."""
    env: str = "local"
    overrides: tuple[str, ...] = ()
    """``section.key=value`` texts, the later one wins."""
    run_date: date | None = None
    """Day that the run stands for; None = the newest day with data."""

    def load_settings(self) -> Settings:
        """The settings of this run.

        Raises:
            ConfigError: an unknown environment, a misspelt key or a value out of bounds.
        """
        settings = load_settings(self.env, self.overrides)
        if not self.lake:
            return settings
        return settings.model_copy(update={"lake": settings.lake.model_copy(update={"root": self.lake})})


def is_address(folder: str) -> bool:
    """Whether a folder is named with its file system, as in ``abfss://...`` or ``dbfs:/...``."""
    return bool(re.match("[a-z][a-z0-9+.-]+:", folder))


def require_lake(root: str) -> None:
    """Reject a folder on this machine that does not exist, before anything is started.

    Raises:
        ConfigError: no such folder.
    """
    if not is_address(root) and not Path(root).is_dir():
        raise ConfigError(f"--lake: {root}: no lake there; jobs/ingest_dip.py or jobs/import_intervals.py begins one")
