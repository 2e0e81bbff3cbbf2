"""An event that a user knows of: when load was asked or paid to change, and for whom."""

from datetime import datetime
from typing import NamedTuple


class ListedEvent(NamedTuple):
    """One event; a scope that is None does not limit it."""

    start: datetime
    """UTC."""
    end: datetime
    gsp_group_id: str | None
    portfolio: str | None
