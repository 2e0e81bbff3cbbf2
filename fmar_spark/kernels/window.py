"""What every kernel looks at: a batch of meters on one local calendar, and what every detector gives back."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.errors import ContractError

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]
Bools = NDArray[np.bool_]


class LocalCalendar(NamedTuple):
    """The civil days of a window; every array has shape (days,)."""

    start_date: np.datetime64
    """First local day, ``datetime64[D]``."""
    weekday: Ints
    """1 = Monday .. 7 = Sunday."""
    is_holiday: Bools
    """Public holiday where the meters stand."""
    season: Ints
    """0 winter, 1 spring, 2 summer, 3 autumn, of the meters' own hemisphere."""


class MeterWindow(NamedTuple):
    """A batch of meters, day by clock slot. NaN in a power means the slot was never read.

    A batch shares one time zone, so slot 0 is local midnight for all. ``days`` is at most about 820.
    """

    import_kw: Floats
    """Mean import power, shape (meters, days, 48), float32."""
    export_kw: Floats
    """Mean export power, same shape; all NaN for a meter with no export register."""
    has_export: Bools
    """Whether some positive export was ever read, shape (meters,)."""
    interval_minutes: Ints
    """Finest step of the source, shape (meters,): 60 means that pairs of slots are equal halves of an hour."""
    area: Ints
    """Row of the weather arrays that belongs to each meter, shape (meters,)."""
    temp_c: Floats
    """Air temperature, shape (areas, days, 48); NaN where unknown (whole area NaN: no weather at all)."""
    ghi_w_m2: Floats
    """Measured global horizontal irradiance, shape (areas, days, 48); NaN where unknown."""
    clear_w_m2: Floats
    """Clear-sky irradiance from the sun's position, shape (areas, days, 48); never NaN, 0 at night."""
    cos_zenith: Floats
    """Cosine of the sun's zenith angle in the middle of each slot, same shape; never NaN, negative at night."""
    azimuth_rad: Floats
    """The sun's direction, clockwise from north, same shape; never NaN."""
    latitude_deg: Floats
    """Of each area's site, north positive, shape (areas,)."""
    calendar: LocalCalendar

    def take(self, rows: slice | Bools) -> "MeterWindow":
        """The same window with some of its meters."""
        return self._replace(
            import_kw=self.import_kw[rows],
            export_kw=self.export_kw[rows],
            has_export=self.has_export[rows],
            interval_minutes=self.interval_minutes[rows],
            area=self.area[rows],
        )

    @property
    def net_kw(self) -> Floats:
        """Import minus export, NaN where import is unread; an unread export counts as none."""
        return self.import_kw - np.where(np.isnan(self.export_kw), np.float32(0.0), self.export_kw)


class Events(NamedTuple):
    """Operating episodes: parallel arrays, one entry an episode, ordered by meter then start."""

    meter: Ints
    """Row of the batch."""
    start_slot: Ints
    """First slot, counted from the window's first local midnight (day * 48 + clock slot)."""
    end_slot: Ints
    """Slot after the last one."""
    energy_kwh: Floats
    """Energy of the asset alone (for demand response the energy held back), positive."""
    peak_kw: Floats
    """Highest mean power of the asset alone in one slot, positive."""
    is_import: Bools
    """True where the asset draws from the site, False where it gives."""
    probability: Floats
    """How sure the kernel is that this episode is the asset's, given that the asset is there."""

    def take(self, wanted: Bools | Ints) -> "Events":
        """The wanted episodes, in their order."""
        return Events(
            self.meter[wanted],
            self.start_slot[wanted],
            self.end_slot[wanted],
            self.energy_kwh[wanted],
            self.peak_kw[wanted],
            self.is_import[wanted],
            self.probability[wanted],
        )


class Sizes(NamedTuple):
    """Best estimate of each meter's asset by ``SizeName``, arrays of shape (meters,), NaN where it cannot be estimated."""

    rated_import_kw: Floats
    """Size while drawing, AC kW: ``rated_kw`` of the import row of gold.capability."""
    rated_export_kw: Floats
    """Size while giving, AC kW: ``rated_kw`` of the export row."""
    spread: Floats
    """Rough relative error of the estimate, 0.1 = 10 %: widens the interval that conformal calibration sets."""
    storage_kwh: Floats
    """Usable storage of a battery, else NaN."""
    peak_kwp: Floats
    """DC size of PV, else NaN, and NaN where the orientation is unknown."""
    is_least: Floats
    """1 where the readings show what the asset is no smaller than, and hide how much larger it is; 0 or NaN elsewhere."""


class Feature(NamedTuple):
    """One column of evidence for the classifier, declared beside the code that makes it."""

    name: str
    unit: str
    meaning: str


class Method(NamedTuple):
    """How one class is answered, in the words of docs/methods.md; Markdown."""

    found: str
    sized: str
    dated: str


class HeatDays(NamedTuple):
    """What the dates of heating rest on, by day."""

    block_kw: Floats
    """Mean load of each three-hour block, shape (meters, days, 8), no NaN."""
    calm_kw: Floats
    """Mean of the six lowest blocks, shape (meters, days); NaN on days that were hardly read."""
    degrees_c: Floats
    """Heating degrees, same shape; NaN where unknown."""


class Findings(NamedTuple):
    """What one detector found in a batch, before any classifier has scored it."""

    features: Mapping[str, Floats]
    """Evidence for the classifier by the names that the detector declares, shape (meters,) each; NaN = cannot be shown by the meter."""
    daily: Floats
    """Strength of the asset's mark on each day, shape (meters, days); NaN = unread or the day cannot show it. For change dates."""
    events: Events
    """Episodes found as if the asset were there; the caller drops them where the classifier says it is not."""
    sizes: Sizes
    is_drowned: Bools | None = None
    """Where the load itself has what the class would show, so that silence says nothing, shape (meters,); None = nowhere."""
    heat: HeatDays | None = None
    """For change dates of what follows the weather; None of other classes."""
    size_kw: Floats | None = None
    """Size that each day shows, where episodes have none of their own, shape (meters, days), NaN on days that show none; None = nowhere."""
    is_decisive: Bools | None = None
    """Days whose silence says that the asset is not there, whatever the season, shape (meters, days); None = none."""

    @property
    def missing_share(self) -> Floats:
        """Share of the evidence that the meter cannot show, shape (meters,)."""
        return np.asarray(np.isnan(np.stack(list(self.features.values()), axis=1)).mean(axis=1))


def name_columns(declared: Sequence[Feature], columns: Mapping[str, Floats]) -> dict[str, Floats]:
    """The columns in the order of their declaration, float64.

    Raises:
        ContractError: one that is declared is missing, or one is not declared.
    """
    names = [feature.name for feature in declared]
    if set(names) != set(columns):
        raise ContractError(f"features: {', '.join(sorted(set(names) ^ set(columns)))} declared or made, both wanted")
    return {name: columns[name].astype(np.float64) for name in names}


def join_columns(parts: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """The columns of all meters from those of parts of them."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def blank_columns(columns: Mapping[str, Floats], is_blank: Bools) -> dict[str, Floats]:
    """The columns with NaN for the meters that ``is_blank`` marks."""
    return {name: np.where(is_blank, np.nan, column) for name, column in columns.items()}


def count_read(power_kw: Floats) -> Ints:
    """How many slots of each day were read, shape (meters, days).

    A product finds the days with a gap, and only those are counted: nearly all days have none.

    Args:
        power_kw: shape (meters, days, slots), NaN where unread.
    """
    slots = power_kw.shape[2]
    read = np.full(power_kw.shape[:2], slots)
    gappy = np.nonzero(np.isnan(power_kw @ np.ones(slots, dtype=power_kw.dtype)))
    read[gappy] = slots - np.count_nonzero(np.isnan(power_kw[gappy]), axis=1)
    return read


def no_events() -> Events:
    """An empty set of events."""
    none = np.zeros(0)
    return Events(
        meter=none.astype(np.int64),
        start_slot=none.astype(np.int64),
        end_slot=none.astype(np.int64),
        energy_kwh=none,
        peak_kw=none,
        is_import=none.astype(np.bool_),
        probability=none,
    )


def unknown_sizes(meters: int) -> Sizes:
    """Sizes of which nothing is known."""
    return Sizes(*(np.full(meters, np.nan) for _ in Sizes._fields))
