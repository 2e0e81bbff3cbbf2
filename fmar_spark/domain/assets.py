"""The one registry of asset classes: every fact that code outside a class's own detector needs of it.

Labels of users' files, tables, pages, training, scoring and the simulated truth derive what they say of a class from here.
A further class is an entry here, a detector in ``kernels/`` and, to be simulated, its share in ``simulate/``.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from fmar_spark.domain.fmar import AssetCategory, DemandTechType, EnergySource, FmarCodes
from fmar_spark.domain.words import Direction, Season


class AssetClass(StrEnum):
    """What the engine looks for behind a boundary meter."""

    EV = "ev"
    """Electric vehicle charge point."""
    HEAT_PUMP = "heat_pump"
    """Electric heat pump for space heating."""
    BATTERY = "battery"
    """Stationary battery."""
    SOLAR_PV = "solar_pv"
    """Solar photovoltaic generation."""
    DEMAND_RESPONSE = "demand_response"
    """Load that is held back on request or on price."""


class SizeName(StrEnum):
    """A size of an asset; the same name in the detectors' estimates, in training and, by direction, in ``gold.capability``."""

    RATED_IMPORT_KW = "rated_import_kw"
    """AC power while drawing: ``rated_kw`` of the import row."""
    RATED_EXPORT_KW = "rated_export_kw"
    """AC power while giving: ``rated_kw`` of the export row."""
    STORAGE_KWH = "storage_kwh"
    """Usable storage."""
    PEAK_KWP = "peak_kwp"
    """DC power of the modules."""

    @property
    def column(self) -> str:
        """Column of ``gold.capability`` that holds it."""
        return "rated_kw" if self in _DIRECTION_OF_RATED else self.value

    @property
    def direction(self) -> Direction | None:
        """Row of ``gold.capability`` that holds it; None where every row of the class does."""
        return _DIRECTION_OF_RATED.get(self)


_DIRECTION_OF_RATED: Final = {SizeName.RATED_IMPORT_KW: Direction.IMPORT, SizeName.RATED_EXPORT_KW: Direction.EXPORT}


class TrueSize(StrEnum):
    """Columns of a simulated fleet's truth that hold a size."""

    SIZE_KW = "size_kw"
    """What the class is known by: charge point kW, electrical kW, kWp, kW held back."""
    AC_KW = "ac_kw"
    """Inverter of a roof."""
    STORAGE_KWH = "storage_kwh"
    """Usable storage."""


class AssetSize(NamedTuple):
    """A size that labels may state of an asset."""

    label: str
    """Column of ``silver.labels`` and of a user's labels file."""
    doc: str
    unit: str
    names: tuple[SizeName, ...]
    """Estimates that are held against it; scores are of the first."""
    truth: TrueSize


class AssetFacts(NamedTuple):
    """What holds of every asset of a class."""

    label: str
    """Column of ``silver.labels``, and of a user's labels file, that says whether a meter has the class."""
    words: str
    """What a table or a page calls it."""
    singular: str
    plural: str
    sizes: tuple[AssetSize, ...]
    """The first is the one that the class is known by."""
    directions: tuple[Direction, ...]
    """Ways in which it moves energy; the first is the one in which it is sized."""
    submeters: tuple[tuple[str, Direction], ...]
    """Columns of a sub-metered file that hold its energy, kWh."""
    sight: str
    """What its episodes show, after a power: 7.2 kW ``block``."""
    colours: tuple[str, str]
    """On a light and on a dark page."""
    fmar: FmarCodes
    needs: str = "half-hours that could show it"
    """What a meter must have been read of for the class to be answered."""
    drowned: str = ""
    """Why it is not observable where the load itself has what it would show."""
    bound: str = ""
    """Why its size may be larger than what is seen, where the readings bound it from below."""
    is_seasonal: bool = False
    """Its mark follows the season, so that a quiet half-year is no removal."""
    shows_in: tuple[Season, ...] = tuple(Season)
    """Seasons in which silence says that it has gone."""
    is_sparse: bool = False
    """It runs on few days, so that its use grows and fades, and a removal is weighed by what comes before and after it."""
    is_sudden: bool = False
    """It works on most days from its first to its last, so that only a use that begins or ends at once is dated."""
    has_own_size: bool = True
    """Its episodes show a power of its own; of the others they follow the weather or the site's load, and an upgrade is read from the
    daily mark."""
    holds_back: bool = False
    """Its events are load that is missing, not load that is there."""
    is_part_of_load: bool = True
    """Its events are read from the load with generation taken out; the others from net power."""
    is_nightly: bool = False
    """Days on which it ran are counted as nights where most of its episodes begin at night."""
    denied_up_to: float = 0.5
    """Probability up to which it may be denied in the high tier, where that is less than the tier's own bound: it has ways of use that show
    little, and the tier's promise is to hold among them too. Source: on 14,855 windows of simulated meters held out of training, the
    bounds from which the high tier is right in 90 % of every behaviour with 50 meters or more (batteries on half-hourly tariffs apart,
    84 %); scripts/tiers_by_behaviour.py holds them against another fleet."""
    hides_behind_pv: bool = False
    """It may take in what an array generates and then shows little: it is not denied in the high tier where there may be an array."""
    found_from: float = 0.5
    """Probability from which it is found in the high tier, where that is more than the tier's own bound. Source: as above, of heat pumps
    among homes with direct heating, of which GB has more; 0.95 takes 9 of 10 found wrongly in that tier, and 283 of 763 rightly."""

    @property
    def heading(self) -> str:
        """``words`` at the beginning of a line."""
        return self.words[0].upper() + self.words[1:]

    @property
    def main_direction(self) -> Direction:
        """The direction in which it is sized."""
        return self.directions[0]

    @property
    def stem(self) -> str:
        """What the columns of a labels file that speak of it begin with."""
        return self.label.removeprefix("has_")


ASSET_FACTS: Final = MappingProxyType(
    {
        AssetClass.EV: AssetFacts(
            label="has_ev",
            words="EV charging",
            singular="electric vehicle charge point",
            plural="electric vehicle charge points",
            sizes=(AssetSize("ev_kw", "Charger power.", "kW", (SizeName.RATED_IMPORT_KW,), TrueSize.SIZE_KW),),
            directions=(Direction.IMPORT,),
            submeters=(("ev_kwh", Direction.IMPORT),),
            sight="block",
            colours=("#0072b2", "#4fb0ea"),
            fmar=FmarCodes(AssetCategory.EV_CHARGER, demand_tech_type=DemandTechType.EV),
            needs="days read for 20 hours or more",
            drowned="the load itself changes by as much as a charge point draws, and charging would not stand out",
            bound="its sessions are as short as what the meter reads at once, take what is generated or go with a stronger charger's "
            "steps, so that its power may be larger",
            is_sparse=True,
            is_nightly=True,
            denied_up_to=0.05,
            hides_behind_pv=True,
        ),
        AssetClass.HEAT_PUMP: AssetFacts(
            label="has_heat_pump",
            words="heat pump",
            singular="heat pump",
            plural="heat pumps",
            sizes=(AssetSize("heat_pump_kw", "Electrical power.", "kW", (SizeName.RATED_IMPORT_KW,), TrueSize.SIZE_KW),),
            directions=(Direction.IMPORT,),
            submeters=(("heat_pump_kwh", Direction.IMPORT),),
            sight="of heating",
            colours=("#c84e00", "#f58a4b"),
            fmar=FmarCodes(AssetCategory.HEAT_PUMP, demand_tech_type=DemandTechType.HEAT_PUMP),
            needs="40 days of winter, or temperatures of cold and of mild days",
            is_seasonal=True,
            shows_in=(Season.WINTER,),
            has_own_size=False,
            denied_up_to=0.03,
            found_from=0.95,
        ),
        AssetClass.BATTERY: AssetFacts(
            label="has_battery",
            words="battery",
            singular="stationary battery",
            plural="stationary batteries",
            sizes=(
                AssetSize("battery_kw", "AC power.", "kW", (SizeName.RATED_IMPORT_KW, SizeName.RATED_EXPORT_KW), TrueSize.SIZE_KW),
                AssetSize("battery_kwh", "Usable storage.", "kWh", (SizeName.STORAGE_KWH,), TrueSize.STORAGE_KWH),
            ),
            directions=(Direction.IMPORT, Direction.EXPORT),
            submeters=(("battery_charge_kwh", Direction.IMPORT), ("battery_discharge_kwh", Direction.EXPORT)),
            sight="drawn or given",
            colours=("#00805c", "#3cc79d"),
            fmar=FmarCodes(AssetCategory.BESS, "Electrochemical storage", EnergySource.GRID),
            bound="its charging is not seen, so that its size shows only as far as the load of a night reaches, and may be larger",
            is_seasonal=True,
            is_sudden=True,
            denied_up_to=0.05,
            hides_behind_pv=True,
        ),
        AssetClass.SOLAR_PV: AssetFacts(
            label="has_pv",
            words="solar PV",
            singular="solar PV array",
            plural="solar PV arrays",
            sizes=(
                AssetSize("pv_kwp", "DC peak.", "kWp", (SizeName.PEAK_KWP,), TrueSize.SIZE_KW),
                AssetSize("pv_ac_kw", "AC power of the inverter.", "kW", (SizeName.RATED_EXPORT_KW,), TrueSize.AC_KW),
            ),
            directions=(Direction.EXPORT,),
            submeters=(("pv_kwh", Direction.EXPORT),),
            sight="of generation",
            colours=("#b57b00", "#f0b93a"),
            fmar=FmarCodes(AssetCategory.SOLAR_PV, "Photovoltaic", EnergySource.SOLAR),
            bound="import vanishes in the sun, so that its size shows only as far as the load reaches, and may be larger",
            is_seasonal=True,
            shows_in=(Season.SPRING, Season.SUMMER),
            has_own_size=False,
            is_part_of_load=False,
        ),
        AssetClass.DEMAND_RESPONSE: AssetFacts(
            label="has_dr",
            words="demand response",
            singular="demand response",
            plural="demand response",
            sizes=(AssetSize("dr_kw", "Typical power held back.", "kW", (SizeName.RATED_IMPORT_KW,), TrueSize.SIZE_KW),),
            directions=(Direction.IMPORT,),
            submeters=(("dr_kwh", Direction.IMPORT),),
            sight="held back",
            colours=("#a8528a", "#df90c2"),
            fmar=FmarCodes(AssetCategory.OTHER, demand_tech_type=DemandTechType.OTHER),
            needs="a load that varies less from day to day than an event holds back",
            has_own_size=False,
            holds_back=True,
            denied_up_to=0.07,
        ),
    }
)
ASSET_CLASSES: Final = tuple(AssetClass)
"""Positions in arrays that have one column a class."""
LABEL_OF_CLASS: Final = MappingProxyType({asset: ASSET_FACTS[asset].label for asset in ASSET_CLASSES})
SIZE_NAMES: Final = tuple(SizeName)
"""Positions in arrays that have one column a size."""
SIZE_LABELS: Final = tuple((asset, size) for asset in ASSET_CLASSES for size in ASSET_FACTS[asset].sizes)
"""Every size that labels may state, with its class."""
