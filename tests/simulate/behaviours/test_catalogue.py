"""The catalogue of behaviours says of each what it is, how often it is drawn and where that comes from."""

import pytest

from fmar_spark.domain.assets import ASSET_CLASSES
from fmar_spark.simulate.behaviours.behaviour import OFF_PEAK, Behaviour, Charging, WaterHeating
from fmar_spark.simulate.behaviours.catalogue import BY_NAME, CATALOGUE, list_behaviours
from fmar_spark.simulate.plan import CONFUSERS

ONLY_AT_HOMES = {"hours_away"}


def test_names_are_given_once_and_subjects_are_known() -> None:
    assert len(BY_NAME) == len(CATALOGUE)
    assert {str(one.subject) for one in CATALOGUE} <= {*map(str, ASSET_CLASSES), *CONFUSERS}
    assert all(list_behaviours(asset) for asset in ASSET_CLASSES)


@pytest.mark.parametrize("behaviour", CATALOGUE, ids=lambda one: one.name)
def test_each_behaviour_states_its_share_its_source_and_what_separates_it(behaviour: Behaviour) -> None:
    assert behaviour.doc
    assert behaviour.source
    assert behaviour.separates
    assert 0 <= behaviour.share <= 1
    assert behaviour.share + behaviour.elsewhere > 0


@pytest.mark.parametrize("subject", sorted({one.subject for one in CATALOGUE}))
def test_shares_of_a_subject_add_up_to_one(subject: str) -> None:
    behaviours = list_behaviours(subject)
    assert sum(one.share for one in behaviours) == pytest.approx(1.0)
    assert subject in ONLY_AT_HOMES or sum(one.elsewhere for one in behaviours) == pytest.approx(1.0)


def test_off_peak_hours_are_those_of_all_that_wait_for_them() -> None:
    assert sum(hours.share for hours in OFF_PEAK) == pytest.approx(1.0)
    nightly = BY_NAME["ev_off_peak_nightly_7kw"].how
    tank = BY_NAME["immersion_off_peak"].how
    assert isinstance(nightly, Charging)
    assert isinstance(tank, WaterHeating)
    assert nightly.nights == tank.days
