"""The settlement areas."""

import re

from fmar_spark.domain.gsp_groups import GROUP_OF_ID, GSP_GROUPS, MIDDLE
from fmar_spark.domain.mpan import GSP_GROUP_OF_DISTRIBUTOR
from fmar_spark.simulate.weather import GSP_AREAS


def test_there_are_fourteen_areas_each_of_one_distributor() -> None:
    assert len(GSP_GROUPS) == 14
    assert {group.gsp_group_id for group in GSP_GROUPS} == set(GSP_GROUP_OF_DISTRIBUTOR.values())
    assert sorted(GSP_GROUP_OF_DISTRIBUTOR) == [str(number) for number in range(10, 24)]


def test_ids_find_their_area_and_points_lie_in_great_britain() -> None:
    for group in GSP_GROUPS:
        assert GROUP_OF_ID[group.gsp_group_id] is group
        assert re.fullmatch(r"_[A-P]", group.gsp_group_id)
        assert 49.9 < group.latitude < 59.0
        assert -6.5 < group.longitude < 1.8
        assert group.time_zone == "Europe/London"
    assert len({(group.latitude, group.longitude) for group in GSP_GROUPS}) == 14


def test_the_north_lies_north_of_the_south() -> None:
    by_latitude = sorted(GSP_GROUPS, key=lambda group: group.latitude)
    assert by_latitude[-1].name == "North Scotland"
    assert by_latitude[0].name == "South Western"
    assert by_latitude[0].latitude < MIDDLE.latitude < by_latitude[-1].latitude


def test_simulated_weather_lies_near_the_same_points() -> None:
    for group in GSP_GROUPS:
        _, latitude, longitude = GSP_AREAS[group.gsp_group_id]
        assert abs(latitude - group.latitude) < 0.5
        assert abs(longitude - group.longitude) < 1.0
