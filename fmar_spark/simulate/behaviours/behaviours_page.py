"""The catalogue of behaviours as a document."""

from typing import Final

from fmar_spark.domain.assets import ASSET_FACTS, AssetClass
from fmar_spark.simulate.behaviours.behaviour import OFF_PEAK, Absence, Behaviour, Charging, Cooling, How, WaterHeating
from fmar_spark.simulate.behaviours.catalogue import CATALOGUE

_SAYS: Final = """# Behaviours of the simulated fleet

Rendered by `scripts/render_docs.py` from `fmar_spark/simulate/behaviours/catalogue.py`, from which the simulator draws; a test fails where
the two differ.

Shares are assumptions: how often a behaviour is drawn within its class or look-alike, not how common it is in Great Britain. "Elsewhere" is
at businesses, of batteries at sites without generation. Off-peak hours and the share of nights come from the same ranges for a class and
for its look-alikes, so that regularity alone never distinguishes them. Look-alikes of one behaviour each (hot tubs, electric
showers, storage and direct heating, ovens, dryers, empty and second homes, homes with little standing load, loads that are off by day and
others) stand in `fmar_spark/simulate/lookalikes.py` with their shares in `population.py`.

`scripts/leave_behaviours_out.py` keeps each out of training in turn and says how it is then answered.
"""


def render_behaviours() -> str:
    """Markdown: the off-peak hours, then a table for each class or look-alike."""
    hours = [f"| {_write_clock(one.start_slot)} | {one.hours:g} | {one.share:.0%} |" for one in OFF_PEAK]
    parts = [_SAYS, "## Off-peak hours\n\n| from | hours | share |\n|---|---|---|\n" + "\n".join(hours) + "\n"]
    for subject in dict.fromkeys(behaviour.subject for behaviour in CATALOGUE):
        heading = ASSET_FACTS[subject].heading if isinstance(subject, AssetClass) else f"Look-alike: {subject.replace('_', ' ')}"
        rows = [_write_row(behaviour) for behaviour in CATALOGUE if behaviour.subject == subject]
        head = "| behaviour | share | elsewhere | what it is | ranges | source | what separates it |\n|---|---|---|---|---|---|---|"
        parts.append(f"## {heading}\n\n{head}\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _write_row(behaviour: Behaviour) -> str:
    return (
        f"| `{behaviour.name}` | {behaviour.share:.0%} | {behaviour.elsewhere:.0%} | {behaviour.doc} | {_write_ranges(behaviour.how)} "
        f"| {behaviour.source} | {behaviour.separates} |"
    )


def _write_ranges(how: How | None) -> str:
    if isinstance(how, Charging):
        often = "one day a week" if how.is_weekly else f"{_write_range(how.nights, '.0%')} of days"
        power = ", ".join(f"{kw:g}" for kw in how.kw)
        return f"{power} kW; {often}; {_write_range(how.energy_kwh, 'g')} kWh, spread {_write_range(how.energy_spread, 'g')}"
    if isinstance(how, WaterHeating):
        starts = "off-peak start" if not how.starts else " and ".join(f"{_write_clock(a)} to {_write_clock(b)}" for a, b in how.starts)
        when = "thermostat" if how.is_thermostat else "surplus" if how.follows_surplus else starts
        return f"{_write_range(how.kw, 'g')} kW; {when}; {_write_range(how.hours, 'g')} h, spread {_write_range(how.spread, 'g')}"
    if isinstance(how, Cooling):
        if how.is_thermostat:
            return f"{_write_range(how.kw, 'g')} kW; thermostat"
        warm = f"days of {_write_range(how.warm_c, 'g')} C and more"
        return f"{_write_range(how.kw, 'g')} kW; {_write_hours(how.starts)}; {_write_range(how.hours, 'g')} h, {warm}"
    if isinstance(how, Absence):
        left = f"{_write_range(how.left_share, '.0%')} of the load left, {_write_range(how.days, '.0%')} of days"
        return f"leaves {_write_hours(how.leaves)}, returns {_write_hours(how.returns)}; {left}"
    return ""


def _write_hours(slots: tuple[float, float]) -> str:
    return f"{_write_clock(slots[0])} to {_write_clock(slots[1])}"


def _write_range(ends: tuple[float, float], form: str) -> str:
    low, high = (format(end, form) for end in ends)
    return low if low == high else f"{low} to {high}"


def _write_clock(slot: float) -> str:
    return f"{int(slot) // 2 % 24:02d}:{30 * (int(slot) % 2):02d}"
