"""What an FSP may ask of its own assets, and what a platform may ask of any."""

from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.audiences import ENVELOPES, PORTFOLIO
from fmar_spark.domain.assets import ASSET_FACTS, AssetClass
from fmar_spark.domain.markets import ClaimState, Flexibility
from fmar_spark.domain.words import SEASONS, Direction, Tier
from fmar_spark.engine.schema import conform

BOTH_WAYS: Final = frozenset({AssetClass.EV, AssetClass.HEAT_PUMP})
"""Loads that can also be drawn earlier than they would be."""
NOT_OBSERVABLE: Final = "not_observable"
_EPISODES: Final = ("duration_minutes_min", "duration_minutes_p50", "duration_minutes_max", "energy_kwh_day", "storage_kwh")


def list_flexibilities(asset: AssetClass, direction: Direction) -> tuple[Flexibility, ...]:
    """What a class offers in a direction: a store draws and gives more, generation gives less, other loads draw less."""
    facts = ASSET_FACTS[asset]
    is_store = len(facts.directions) > 1
    if direction is Direction.EXPORT:
        return (Flexibility.GENERATION_UP if is_store else Flexibility.GENERATION_DOWN,)
    if is_store:
        return (Flexibility.DEMAND_UP,)
    return (Flexibility.DEMAND_DOWN, Flexibility.DEMAND_UP) if asset in BOTH_WAYS else (Flexibility.DEMAND_DOWN,)


def within_limit(kw: Column) -> Column:
    """An export power, at most the agreed capacity; an import power as it is."""
    is_limited = (F.col("direction") == Direction.EXPORT.value) & F.col("max_export_kw").isNotNull()
    return F.when(is_limited, F.least(kw, F.col("max_export_kw"))).otherwise(kw)


def list_envelopes(assets: DataFrame, capabilities: DataFrame, profiles: DataFrame, placed: DataFrame) -> DataFrame:
    """Rows of gold.envelopes.

    Args:
        assets: gold.fmar_assets.
        capabilities: gold.capability.
        profiles: silver.meter_profiles.
        placed: columns of ``place_meters``.
    """
    offered = F.lit(None).cast("array<string>")
    for asset, facts in ASSET_FACTS.items():
        for direction in facts.directions:
            is_row = (F.col("asset_class") == asset.value) & (F.col("direction") == direction.value)
            words = F.array(*(F.lit(one.value) for one in list_flexibilities(asset, direction)))
            offered = F.when(is_row, words).otherwise(offered)
    present = assets.where("is_present").select(
        *("asset_id", "mpan_id", "asset_class", "asset_category", "tier", "asset_category_probability", "rated_capacity_kw_source"),
        *("gsp_group_id", "gsp_id", "bsp_id", "primary_id", "run_id", "as_of_date"),
    )
    rows = (
        present.join(capabilities.drop("tier", "run_id", "as_of_date"), ["mpan_id", "asset_class"])
        .join(placed.select("mpan_id", "max_export_kw", "poc_voltage_kv"), "mpan_id", "left")
        .join(_list_weeks(profiles), ["mpan_id", "asset_class", "direction"], "left")
    )
    named = rows.withColumns(
        {
            "flexibility": F.explode(offered),
            **{f"kw_{name}": within_limit(F.col(f"rated_kw_{name}")) for name in ("p10", "p50", "p90")},
            "rated_kw": within_limit(F.col("rated_kw")),
            "response_time": F.lit(NOT_OBSERVABLE),
            "voltage_response": F.lit(NOT_OBSERVABLE),
            "evidence_class": F.when(F.col("rated_capacity_kw_source") == "declared", "declared").otherwise("detected"),
            "present_probability": F.col("asset_category_probability"),
        }
    )
    return conform(named, ENVELOPES)


def list_portfolio(fleet: DataFrame, assets: DataFrame, capabilities: DataFrame, answered: DataFrame, exports: DataFrame) -> DataFrame:
    """Rows of gold.portfolio: rights whose claims are verified; what a claim that is not proven shows nobody sees, here as in the API.

    Args:
        fleet: gold.fleet.
        assets: gold.fmar_assets.
        capabilities: gold.capability.
        answered: fsp_id, mpan_id, amsid, asset_class of detections that were confirmed or corrected.
        exports: mpan_id and is_over_export_limit, of connections with a known limit.
    """
    own = fleet.where(is_verified()).drop("run_id", "as_of_date")
    ids = assets.where("is_present").select("mpan_id", "asset_class", "asset_id", "gsp_group_id", "gsp_id", "run_id", "as_of_date")
    key = ["fsp_id", "mpan_id", "amsid", "asset_class"]
    rows = (
        own.join(ids, ["mpan_id", "asset_class"])
        .join(capabilities.select("mpan_id", "asset_class", "direction", *_EPISODES), ["mpan_id", "asset_class", "direction"], "left")
        .join(answered.select(*key).distinct().withColumn("is_answered", F.lit(True)), key, "left")
        .join(exports, "mpan_id", "left")
    )
    is_open = (F.col("tier") == Tier.MEDIUM.value) & F.col("is_answered").isNull()
    is_export = F.col("direction") == Direction.EXPORT.value
    marked = rows.withColumns(
        {
            "is_unconfirmed": F.coalesce(is_open, F.lit(False)),
            "is_over_export_limit": F.when(is_export, F.col("is_over_export_limit")),
        }
    )
    return conform(marked, PORTFOLIO)


def is_verified() -> Column:
    """Of a row of gold.fleet: somebody holds a right to it, and the claim behind that right is proven."""
    return F.col("is_registered") & F.coalesce(F.col("claim_state") == ClaimState.VERIFIED.value, F.lit(False))


def _list_weeks(profiles: DataFrame) -> DataFrame:
    """The week's probabilities of each season, side by side."""
    seasons = profiles.select("mpan_id", F.explode("availabilities").alias("row")).select("mpan_id", "row.*")
    weeks = (
        F.first(F.when(F.col("season") == season.value, F.col("probability")), ignorenulls=True).alias(f"availability_{season.value}")
        for season in SEASONS
    )
    return seasons.groupBy("mpan_id", "asset_class", "direction").agg(*weeks)
