import pytest

from fmar_spark.errors import ConfigError
from fmar_spark.settings.overlays import digest_settings, load_settings


def test_an_override_wins_over_the_overlay() -> None:
    assert load_settings("test", []).spark.shuffle_partitions == 1
    assert load_settings("test", ["spark.shuffle_partitions=7"]).spark.shuffle_partitions == 7


def test_households_are_left_out_in_production_until_a_legal_basis_is_configured() -> None:
    assert not load_settings("azure", []).consent.admits_households


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("spark.shufle_partitions=7", "spark.shufle_partitions"),
        ("spork.master=local", "spork"),
        ("spark.shuffle_partitions=none", "spark.shuffle_partitions"),
        ("sufficiency.min_days=0", "sufficiency.min_days"),
        ("min_days=3", "section.key=value"),
    ],
)
def test_a_misspelt_or_impossible_setting_is_named(override: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        load_settings("test", [override])


def test_an_unknown_environment_is_named() -> None:
    with pytest.raises(ConfigError, match="'nowhere' found"):
        load_settings("nowhere", [])


def test_the_digest_follows_the_settings() -> None:
    plain = digest_settings(load_settings("test", []))
    assert plain == digest_settings(load_settings("test", []))
    assert plain != digest_settings(load_settings("test", ["sufficiency.min_days=61"]))


def test_unity_catalog_wants_a_model_of_three_levels() -> None:
    with pytest.raises(ConfigError, match=r"catalog\.schema\.name wanted"):
        load_settings("local", ["learning.registry_uri=databricks-uc"])
    assert load_settings("azure", []).learning.registry_model.count(".") == 2
