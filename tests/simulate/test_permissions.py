"""Permissions: drawn once, of homes only, within the plan."""

import numpy as np
import pytest

from fmar_spark.simulate.fleet import Fleet
from fmar_spark.simulate.permissions import Permissions, draw_permissions
from fmar_spark.simulate.plan import FleetPlan, mix_from


def test_the_same_block_has_the_same_permissions(plan: FleetPlan, fleet: Fleet, permissions: Permissions) -> None:
    again = draw_permissions(plan, 0, fleet)
    assert (again.consent_granularity, again.legal_basis) == (permissions.consent_granularity, permissions.legal_basis)
    np.testing.assert_array_equal(again.opted_out_from_day, permissions.opted_out_from_day)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_only_homes_opt_out_or_lack_a_basis(plan: FleetPlan, fleet: Fleet, share: float) -> None:
    mix = mix_from({"no_half_hourly_consent": share, "opted_out": share, "no_legal_basis": share})
    permissions = draw_permissions(plan._replace(mix=mix), 0, fleet)
    homes = fleet.is_domestic
    rejected = np.array([granularity != "H" for granularity in permissions.consent_granularity])
    opted_out = permissions.opted_out_to_day > permissions.opted_out_from_day
    has_basis = np.array([basis != "" for basis in permissions.legal_basis])
    assert not rejected[~homes].any()
    assert not opted_out[~homes].any()
    assert not has_basis[~homes].any()
    assert (rejected[homes] == bool(share)).all()
    assert (opted_out[homes] == bool(share)).all()
    assert (has_basis[homes] != bool(share)).all()
    assert set(permissions.consent_granularity) <= set("HDMN")
    assert set(permissions.legal_basis) <= {"", "public task", "explicit consent"}


def test_an_opt_out_lies_within_the_plan(plan: FleetPlan, fleet: Fleet, permissions: Permissions) -> None:
    assert (permissions.opted_out_from_day >= 0).all()
    assert (permissions.opted_out_to_day >= permissions.opted_out_from_day).all()
    assert (permissions.opted_out_to_day <= plan.days).all()
