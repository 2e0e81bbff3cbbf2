"""FMAR's asset record filled from what was detected: each attribute with where its value comes from."""

from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fmar_spark.contracts.audiences import FMAR_ASSETS
from fmar_spark.domain.assets import ASSET_FACTS, AssetClass
from fmar_spark.domain.fmar import FMAR_ATTRIBUTES, ConnectionStatus, Provenance
from fmar_spark.domain.network import LEVELS
from fmar_spark.domain.words import Direction
from fmar_spark.engine.schema import conform, parse_type

NAMESPACE: Final = UUID("6f1d0a52-63b0-5c0f-9a3e-6a1f5b8f2c11")
"""Of all asset ids; another one would give every asset another id."""
ATTRIBUTES: Final = len(FMAR_ATTRIBUTES)
CAPABILITY_COLUMNS: Final = ("rated_kw", "rated_kw_lower", "rated_kw_upper", "peak_kwp", "peak_kwp_lower", "peak_kwp_upper", "confidence")
_ENDS: Final = ("rated_kw_lower", "rated_kw_upper")
SILENT: Final = frozenset({"commissioning_date"})
"""Attributes whose missing value is an answer of the meter: there before the first reading."""
PLACE: Final = ("gsp_group_id", *(f"{level}_id" for level in LEVELS))


class Answer(NamedTuple):
    """A value and where it comes from; an interval and a confidence where it was measured."""

    value: Column
    source: Column
    lower: Column | None = None
    upper: Column | None = None
    probability: Column | None = None


def name_asset(mpan_id: Column, what: Column, first_seen: Column) -> Column:
    """UUID version 5 (RFC 9562) of boundary, AMSID or class, and first appearance, under ``NAMESPACE``."""
    text = F.concat_ws("|", mpan_id, what, first_seen.cast("string"))
    digest = F.sha1(F.concat(F.unhex(F.lit(NAMESPACE.hex)), F.encode(text, "UTF-8")))
    variant = F.lower(F.hex(F.conv(F.substring(digest, 17, 1), 16, 10).cast("bigint").bitwiseAND(3).bitwiseOR(8)))
    parts = (
        F.substring(digest, 1, 8),
        F.substring(digest, 9, 4),
        F.concat(F.lit("5"), F.substring(digest, 14, 3)),
        F.concat(variant, F.substring(digest, 18, 3)),
        F.substring(digest, 21, 12),
    )
    return F.concat_ws("-", *parts)


def identify_assets(present: DataFrame, known: DataFrame) -> DataFrame:
    """The present assets with ``asset_id`` and ``first_seen_date``: those that they had, else new ones.

    Args:
        present: mpan_id, asset_class, amsid, appeared_date, as_of_date.
        known: gold.fmar_assets as it was; an asset that had left is not the same when the class comes back.
    """
    had = known.where("is_present").select(
        "mpan_id", "asset_class", F.col("asset_id").alias("_id"), F.col("first_seen_date").alias("_seen")
    )
    joined = present.join(had, ["mpan_id", "asset_class"], "left")
    seen = F.coalesce("_seen", "appeared_date", "as_of_date")
    what = F.coalesce("amsid", "asset_class")
    return joined.withColumns({"first_seen_date": seen, "asset_id": F.coalesce("_id", name_asset(F.col("mpan_id"), what, seen))}).drop(
        "_id", "_seen"
    )


def describe_assets(identified: DataFrame, sizes: DataFrame, placed: DataFrame, run_id: str) -> DataFrame:
    """Rows of gold.fmar_assets for the assets that are there.

    Args:
        identified: columns of ``identify_assets``, with tier, evidence, present_probability, appeared_p10_date,
            appeared_p90_date, first_date, fsp_id, declared_kw, right_from_date.
        sizes: gold.capability.
        placed: columns of ``place_meters``.
        run_id: of the run that writes.
    """
    both = sizes.groupBy("mpan_id", "asset_class").agg(*(_of_direction(direction) for direction in Direction))
    rows = identified.join(both, ["mpan_id", "asset_class"], "left").join(placed, "mpan_id")
    answers = _answer()
    columns: dict[str, Column] = {}
    for attribute in FMAR_ATTRIBUTES:
        answer, name = answers[attribute.column], attribute.column
        columns[name] = answer.value.cast(parse_type(attribute.type))
        is_missing = answer.value.isNull() & F.lit(name not in SILENT)
        columns[f"{name}_source"] = F.when(is_missing, Provenance.UNKNOWN.value).otherwise(answer.source)
        if attribute.is_measured:
            is_measured = columns[f"{name}_source"] == Provenance.METER.value
            parts = {"probability": ("double", answer.probability)}
            if attribute.type != "string":
                parts |= {"lower": (attribute.type, answer.lower), "upper": (attribute.type, answer.upper)}
            for end, (kind, part) in parts.items():
                columns[f"{name}_{end}"] = F.when(is_measured, part if part is not None else F.lit(None)).cast(parse_type(kind))
    described = rows.select(
        *(column.alias(name) for name, column in columns.items()),
        *("mpan_id", "asset_class", "amsid", "first_seen_date", "tier", "evidence", *PLACE, "as_of_date"),
        F.lit(True).alias("is_present"),
        F.col("fsp_id").isNotNull().alias("is_registered"),
        F.lit(run_id).alias("run_id"),
    )
    return conform(described.withColumn("attributes_filled", count_filled()), FMAR_ASSETS)


def keep_departed(known: DataFrame, present: DataFrame, placed: DataFrame, absent: DataFrame) -> DataFrame:
    """Records of assets that are there no longer, or no longer shown, of meters that may still be looked at.

    Args:
        known: gold.fmar_assets as it was.
        present: its rows of assets that are there.
        placed: columns of ``place_meters``.
        absent: mpan_id, asset_class of what the meter shows not to be there. The others are not answered any more: their connection stays
            as it was known, and nothing is said of how sure the meter is.
    """
    gone = known.join(present.select("asset_id"), "asset_id", "left_anti").join(placed.select("mpan_id"), "mpan_id", "left_semi")
    rows = gone.join(absent.withColumn("_is_shown", F.lit(True)), ["mpan_id", "asset_class"], "left")
    seen_to_leave = {"connection_status": ConnectionStatus.DISCONNECTED, "connection_status_source": Provenance.METER}
    return conform(
        rows.withColumns(
            {
                "is_present": F.lit(False),
                **{name: F.when(F.col("_is_shown"), value.value).otherwise(F.col(name)) for name, value in seen_to_leave.items()},
                **{name: F.when(F.col("_is_shown"), F.col(name)) for name in ("tier", "evidence")},
            }
        ),
        FMAR_ASSETS,
    )


def count_filled() -> Column:
    """How many attributes have a value that nobody had to type."""
    typed_by_none = [Provenance.METER.value, Provenance.NETWORK.value]
    filled = (
        F.when(F.col(one.column).isNotNull() & F.col(f"{one.column}_source").isin(typed_by_none), 1).otherwise(0) for one in FMAR_ATTRIBUTES
    )
    return sum(filled, F.lit(0)).cast("int")


def _of_direction(direction: Direction) -> Column:
    fields = F.struct(*CAPABILITY_COLUMNS)
    return F.first(F.when(F.col("direction") == direction.value, fields), ignorenulls=True).alias(direction.value)


def _by_class(meaning: Mapping[AssetClass, object]) -> Column:
    chosen = F.lit(None).cast("string")
    for asset, value in meaning.items():
        if value is not None:
            chosen = F.when(F.col("asset_class") == asset.value, F.lit(str(value))).otherwise(chosen)
    return chosen


def _main(field: str) -> Column:
    """A field of the direction in which the class is sized."""
    chosen = F.lit(None).cast("double")
    for asset, facts in ASSET_FACTS.items():
        chosen = F.when(F.col("asset_class") == asset.value, F.col(f"{facts.main_direction.value}.{field}")).otherwise(chosen)
    return chosen


def _answer() -> dict[str, Answer]:
    """Every attribute by its column."""
    fmar = {asset: facts.fmar for asset, facts in ASSET_FACTS.items()}
    nothing = Answer(F.lit(None).cast("string"), _from(Provenance.UNKNOWN))
    category = _by_class({asset: one.category for asset, one in fmar.items()})
    return {
        "asset_id": Answer(F.col("asset_id"), _from(Provenance.METER)),
        "asset_name": nothing,
        "organisation_id": Answer(F.col("fsp_id"), _from(Provenance.DECLARED)),
        "asset_category": Answer(category, _from(Provenance.METER), probability=F.col("present_probability")),
        "energy_conversion_type": _implied(_by_class({asset: one.energy_conversion_type for asset, one in fmar.items()})),
        "energy_source_type": _implied(_by_class({asset: one.energy_source for asset, one in fmar.items()})),
        "demand_tech_type": _implied(_by_class({asset: one.demand_tech_type for asset, one in fmar.items()})),
        "manufacturer": nothing,
        "asset_model": nothing,
        "serial_number": nothing,
        **_answer_sizes(),
        **_answer_dates(),
        **_answer_connection(),
    }


def _answer_sizes() -> dict[str, Answer]:
    is_pv = F.col("asset_class") == AssetClass.SOLAR_PV.value
    is_declared = F.col("declared_kw").isNotNull()

    def measured(direction: Direction) -> Answer:
        value, lower, upper, confidence = (F.col(f"{direction.value}.{name}") for name in ("rated_kw", *_ENDS, "confidence"))
        return Answer(value, _from(Provenance.METER), lower, upper, confidence)

    def installed(end: str) -> Column:
        larger = F.greatest(F.col(f"import.rated_kw{end}"), F.col(f"export.rated_kw{end}"))
        return F.when(is_pv, F.coalesce(F.col(f"export.peak_kwp{end}"), F.col(f"export.rated_kw{end}"))).otherwise(larger)

    return {
        "rated_capacity_kw": Answer(
            F.coalesce("declared_kw", _main("rated_kw")),
            F.when(is_declared, _from(Provenance.DECLARED)).otherwise(_from(Provenance.METER)),
            *(_main(name) for name in (*_ENDS, "confidence")),
        ),
        "gen_capacity_kw": measured(Direction.EXPORT),
        "demand_capacity_kw": measured(Direction.IMPORT),
        "installed_capacity_kw": Answer(
            installed(""),
            _from(Provenance.METER),
            installed("_lower"),
            installed("_upper"),
            F.greatest(F.col("import.confidence"), F.col("export.confidence")),
        ),
    }


def _answer_dates() -> dict[str, Answer]:
    appeared = F.col("appeared_date")
    sources = F.when(F.col("right_from_date").isNotNull(), _from(Provenance.DECLARED)).when(appeared.isNotNull(), _from(Provenance.METER))
    return {
        "effective_date": Answer(F.coalesce("right_from_date", "appeared_date"), sources.otherwise(_from(Provenance.UNKNOWN))),
        "commissioning_date": Answer(
            appeared,
            _from(Provenance.METER),
            F.col("appeared_p10_date"),
            F.when(appeared.isNull(), F.col("first_date")).otherwise(F.col("appeared_p90_date")),
            F.col("present_probability"),
        ),
    }


def _answer_connection() -> dict[str, Answer]:
    stated = F.coalesce("connection_status", F.lit(ConnectionStatus.CONNECTED.value))
    status = F.when(F.col("is_energised"), stated).when(~F.col("is_energised"), ConnectionStatus.DISCONNECTED.value)
    network = _from(Provenance.NETWORK)
    return {
        "connection_status": Answer(status, network),
        "connection_type": Answer(F.col("firmness"), network),
        "dno_code": Answer(F.col("dno_code"), network),
        "import_mpan_id": Answer(F.col("mpan_id"), network),
        "export_mpan_id": Answer(F.col("export_mpan_id"), network),
    }


def _from(source: Provenance) -> Column:
    return F.lit(source.value)


def _implied(value: Column) -> Answer:
    return Answer(value, F.when(value.isNull(), Provenance.UNKNOWN.value).otherwise(Provenance.METER.value))
