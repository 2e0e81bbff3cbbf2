"""What customers have permitted: consent to half-hourly readings, temporary opt-outs, and the legal basis on record."""

from typing import NamedTuple

import numpy as np

from fmar_spark.simulate.fleet import Fleet
from fmar_spark.simulate.plan import FleetPlan, Ints, open_stream


class Permissions(NamedTuple):
    """One entry a meter."""

    consent_granularity: list[str]
    """H half-hourly, D daily, M monthly, N none."""
    opted_out_from_day: Ints
    """First UTC day of the plan that is opted out."""
    opted_out_to_day: Ints
    """Day after the last; equal to the first where there is none."""
    legal_basis: list[str]
    """'' where none is on record or none is needed."""


def draw_permissions(plan: FleetPlan, block: int, fleet: Fleet) -> Permissions:
    """Permissions of one block: businesses need none; a few homes decline, or have no legal basis on record."""
    rng = open_stream(plan.seed, block, "permissions")
    meters, mix = len(fleet.mpan_id), plan.mix
    declined = (rng.random(meters) < mix.no_half_hourly_consent) & fleet.is_domestic
    coarser = rng.choice(["D", "M", "N"], meters)
    opted_out = (rng.random(meters) < mix.opted_out) & fleet.is_domestic
    start = (rng.uniform(0.0, 0.9, meters) * plan.days).astype(np.int64)
    length = np.where(opted_out, rng.integers(1, max(plan.days // 3, 2), meters), 0)
    has_no_basis = rng.random(meters) < mix.no_legal_basis
    basis = np.where(rng.random(meters) < 0.7, "public task", "explicit consent")
    return Permissions(
        consent_granularity=[str(choice) if has_declined else "H" for choice, has_declined in zip(coarser, declined, strict=True)],
        opted_out_from_day=start,
        opted_out_to_day=np.minimum(start + length, plan.days),
        legal_basis=["" if no or not home else str(name) for name, no, home in zip(basis, has_no_basis, fleet.is_domestic, strict=True)],
    )
