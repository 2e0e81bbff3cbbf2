"""The distribution network: its levels, its operators, and where Great Britain is."""

import re
from enum import StrEnum
from typing import Final

from fmar_spark.domain.mpan import GSP_GROUP_OF_DISTRIBUTOR


class Level(StrEnum):
    """Levels of network nodes, from the transmission system down to the street."""

    GSP = "gsp"
    """Grid supply point."""
    BSP = "bsp"
    """Bulk supply point."""
    PRIMARY = "primary"
    """Primary substation."""
    HV_FEEDER = "hv_feeder"
    """High-voltage feeder."""
    SECONDARY = "secondary"
    """Secondary substation."""
    LV_FEEDER = "lv_feeder"
    """Low-voltage feeder."""

    @property
    def heading(self) -> str:
        """What a sentence calls it."""
        return _HEADINGS[self]


_HEADINGS: Final = {
    Level.GSP: "Grid supply point",
    Level.BSP: "Bulk supply point",
    Level.PRIMARY: "Primary substation",
    Level.HV_FEEDER: "High-voltage feeder",
    Level.SECONDARY: "Secondary substation",
    Level.LV_FEEDER: "Low-voltage feeder",
}
LEVELS: Final = tuple(Level)
"""Highest first."""


class AreaLevel(StrEnum):
    """What an area of the aggregate tables is."""

    GB = "gb"
    """Great Britain: the one area ``GB``."""
    GSP_GROUP = "gsp_group"
    """Settlement area ``_A`` .. ``_P``."""
    DNO = "dno"
    """Licence area, by FMAR's DNO code; independent networks are in the GSP group alone."""
    GSP = "gsp"
    """Grid supply point."""
    BSP = "bsp"
    """Bulk supply point."""
    PRIMARY = "primary"
    """Primary substation."""
    ZONE = "zone"
    """Constraint zone."""


MOST_KW: Final = 1e9
"""Beyond any connection, and any network, of Great Britain."""
AREA_ID_PATTERN: Final = r"^[!-.0-~ ]{1,100}$"
"""What ids of nodes, zones and areas are written with: printable ASCII without a slash, so that a path can name them."""
WHOLE_AREA: Final = "GB"
"""The one area of level gb."""


class DnoCode(StrEnum):
    """Licence areas, in FMAR's code list."""

    UKPN_EPN = "UKPN_EPN"
    UKPN_LPN = "UKPN_LPN"
    UKPN_SPN = "UKPN_SPN"
    NGED_EMID = "NGED_EMID"
    NGED_WMID = "NGED_WMID"
    NGED_WALES = "NGED_WALES"
    NGED_SWEST = "NGED_SWEST"
    NPG_NE = "NPG_NE"
    NPG_YK = "NPG_YK"
    SPEN_SPD = "SPEN_SPD"
    SPEN_SPM = "SPEN_SPM"
    SSEN_SHEPD = "SSEN_SHEPD"
    SSEN_SEPD = "SSEN_SEPD"
    ENWL = "ENWL"


DNO_OF_GSP_GROUP: Final = {
    "_A": DnoCode.UKPN_EPN,
    "_B": DnoCode.NGED_EMID,
    "_C": DnoCode.UKPN_LPN,
    "_D": DnoCode.SPEN_SPM,
    "_E": DnoCode.NGED_WMID,
    "_F": DnoCode.NPG_NE,
    "_G": DnoCode.ENWL,
    "_H": DnoCode.SSEN_SEPD,
    "_J": DnoCode.UKPN_SPN,
    "_K": DnoCode.NGED_WALES,
    "_L": DnoCode.NGED_SWEST,
    "_M": DnoCode.NPG_YK,
    "_N": DnoCode.SPEN_SPD,
    "_P": DnoCode.SSEN_SHEPD,
}
DNO_OF_DISTRIBUTOR: Final = {number: DNO_OF_GSP_GROUP[group] for number, group in GSP_GROUP_OF_DISTRIBUTOR.items()}
"""By the first two digits of an MPAN; 24 and above are independent networks."""


def is_area_id(text: str) -> bool:
    """Whether a path of the API can name a node or zone of this id: 1 to 100 printable ASCII characters, no slash, not . or .. alone."""
    return re.fullmatch(AREA_ID_PATTERN, text) is not None and text not in {".", ".."}
