"""The rules of a pass as the settings have them."""

from fmar_spark.kernels.examination import SizingRules
from fmar_spark.profiling.profiles import read_profile_rules, read_sizing
from fmar_spark.settings.sections import Settings, SizingSettings


def test_sizes_rest_on_the_defaults_of_the_detectors_unless_a_user_knows_better() -> None:
    assert read_profile_rules(Settings()).sizing == SizingRules()
    known = read_sizing(SizingSettings(pv_performance_ratio=0.8, battery_hours=4.0, battery_round_trip=0.9, battery_kwh=5.0))
    assert known.pv.performance_ratio == 0.8
    assert known.pv._replace(performance_ratio=SizingRules().pv.performance_ratio) == SizingRules().pv
    assert known.battery.storage == (4.0, 0.9, 5.0)
