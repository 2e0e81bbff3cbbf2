"""Public holidays where meters stand."""

from datetime import date
from functools import lru_cache
from typing import Final

import holidays

_REGION_OF_ZONE: Final = {
    "Europe/London": ("GB", "ENG"),
    "Europe/Belfast": ("GB", "NIR"),
    "Europe/Dublin": ("IE", None),
    "Europe/Oslo": ("NO", None),
    "Europe/Paris": ("FR", None),
    "Europe/Berlin": ("DE", None),
    "Europe/Amsterdam": ("NL", None),
    "Australia/Sydney": ("AU", "NSW"),
    "Australia/Melbourne": ("AU", "VIC"),
    "Australia/Brisbane": ("AU", "QLD"),
}
_SCOTTISH_GROUPS: Final = frozenset({"_N", "_P"})
_YEARS: Final = range(2000, 2051)


def holiday_region(time_zone: str, gsp_group_id: str | None) -> str:
    """A name for the holidays that a meter keeps: meters of one name share a calendar."""
    return "scotland" if gsp_group_id in _SCOTTISH_GROUPS else time_zone


@lru_cache(maxsize=32)
def find_holidays(region: str) -> frozenset[date]:
    """Public holidays of 2000 to 2050; none where the region's calendar is not known."""
    country, nation = ("GB", "SCT") if region == "scotland" else _REGION_OF_ZONE.get(region, (None, None))
    if country is None:
        return frozenset()
    return frozenset(holidays.country_holidays(country, subdiv=nation, years=_YEARS))
