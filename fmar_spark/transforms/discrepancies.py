"""What observation contradicts: declared capability parameters and declared deliveries, and what becomes of their flags."""

from datetime import date, datetime
from typing import Final, NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from fmar_spark.domain.markets import ClaimState, Market, Parameter
from fmar_spark.transforms.fleet import current_at

SUBJECT: Final = ("kind", "mpan_id", "amsid", "fsp_id", "asset_class", "direction", "parameter")
"""What a flag is about: there is one open flag on it at most."""
OBSERVED: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    Parameter.RATED_KW: ("rated_kw", ("rated_kw", "rated_kw_upper", "rated_kw_max")),
    Parameter.DURATION_MINUTES_MAX: ("duration_minutes_p90", ("duration_minutes_max",)),
    Parameter.ENERGY_KWH_DAY: ("energy_kwh_day", ("energy_kwh_day",)),
    Parameter.STORAGE_KWH: ("storage_kwh", ("storage_kwh", "storage_kwh_upper")),
    Parameter.PEAK_KWP: ("peak_kwp", ("peak_kwp", "peak_kwp_upper")),
}
"""For each parameter that can be over-declared the column of gold.capability that is observed, and those of which the largest is
the most that observation allows."""
CLAIM: Final = ("mpan_id", "amsid", "fsp_id")
ASSET: Final = ("mpan_id", "asset_class", "direction")
UNPROVEN: Final = "what the meter measured is shown once the claim to the asset is verified"
NOT_IN_FORCE: Final = "the declaration is no longer in force"
NOT_SHOWN: Final = "the meter no longer shows this asset, so nothing that is observed contradicts it"
NO_EVENT_LEFT: Final = "no checked event is left in the period that evidence is made of"
"""What ends a flag that observation did not clear."""
DELIVERED: Final = "delivered_kwh"
OVERRIDE: Final = "override"
DELIVERY: Final = "delivery"
"""Kinds of flags."""
SUSPECT: Final = ("suspect", "one_of_several_suspect")


class FlagRules(NamedTuple):
    """From when a divergence counts."""

    least_events: int
    """Observed events below which nothing is flagged."""
    material_share: float
    """Share of the declared value by which observation must stay below it."""
    sustained_days: int


def list_overrides(overrides: DataFrame, capability: DataFrame, rules: FlagRules) -> DataFrame:
    """One row for each declared parameter in force that observation can speak of, with whether it diverges.

    Args:
        overrides: silver.overrides.
        capability: gold.capability.
        rules: from when.
    """
    observed = F.create_map(*(part for name, (column, _) in OBSERVED.items() for part in (F.lit(str(name)), F.col(column))))
    upper = F.create_map(*(part for name, (_, columns) in OBSERVED.items() for part in (F.lit(str(name)), _largest(columns))))
    measured = _join_observed(overrides, capability).select(
        F.lit(OVERRIDE).alias("kind"),
        "mpan_id",
        "amsid",
        "fsp_id",
        "asset_class",
        "direction",
        "parameter",
        F.col("value").alias("declared"),
        observed[F.col("parameter")].alias("observed"),
        upper[F.col("parameter")].alias("observed_upper"),
        F.col("events_seen").alias("events"),
        "unit",
        F.to_date("valid_from_at").alias("since_date"),
        "as_of_date",
        F.lit(None).cast("string").alias("market"),
    )
    gap = F.col("declared") - F.col("observed_upper")
    known = measured.where(F.col("observed_upper").isNotNull() & (F.coalesce("events", F.lit(0)) >= rules.least_events))
    shares = F.format_string(
        "%s %.2f %s declared since %s, %.2f observed and at most %.2f in %d %s",
        "parameter",
        "declared",
        "unit",
        F.col("since_date").cast("string"),
        "observed",
        "observed_upper",
        "events",
        F.when(F.col("events") == 1, "event").otherwise("events"),
    )
    return _grade(known.withColumns({"is_divergent": gap > rules.material_share * F.col("declared"), "evidence": shares}), rules)


def list_deliveries(evidence: DataFrame, markets: DataFrame, rules: FlagRules) -> DataFrame:
    """One row for each asset and FSP of which its events say something, with whether its declarations diverge.

    Args:
        evidence: gold.delivery_evidence.
        markets: mpan_id, amsid, fsp_id and the market of its newest event.
        rules: from when.
    """
    assessed = evidence.where(F.col("verdict") != "not_assessable").join(markets, ["mpan_id", "amsid", "fsp_id"], "left")
    measured = assessed.select(
        F.lit(DELIVERY).alias("kind"),
        "mpan_id",
        "amsid",
        "fsp_id",
        F.lit("").alias("asset_class"),
        F.lit("").alias("direction"),
        F.lit(DELIVERED).alias("parameter"),
        F.col("declared_kwh").alias("declared"),
        F.col("observed_kwh").alias("observed"),
        F.greatest(F.col("observed_kwh"), F.least(F.col("share_upper"), F.lit(1.0)) * F.col("declared_kwh")).alias("observed_upper"),
        F.col("assessable_events").alias("events"),
        F.col("suspect_since_date").alias("since_date"),
        "as_of_date",
        "market",
        F.col("verdict").isin(*SUSPECT).alias("is_divergent"),
        F.col("reason").alias("evidence"),
    )
    return _grade(measured, rules)


def list_ended(open_flags: DataFrame, overrides: DataFrame, capability: DataFrame, evidence: DataFrame, day: date) -> DataFrame:
    """One row for each open flag that nothing can contradict any more, none of them divergent: its declaration is no longer in force, its
    asset is no longer shown by the meter, or none of its events is left in the period that evidence is made of.

    Args:
        open_flags: rows of gold.discrepancies that are open.
        overrides: silver.overrides.
        capability: gold.capability.
        evidence: gold.delivery_evidence.
        day: which the run stands for.
    """
    subject = [name for name in SUBJECT if name != "kind"]
    spoken = _join_observed(overrides, capability).select(*subject)
    shown = capability.select(*ASSET).distinct().withColumn("is_shown", F.lit(True))
    undeclared = open_flags.where(F.col("kind") == OVERRIDE).join(spoken, subject, "left_anti")
    said = F.format_string("%s %.2f declared; ", "parameter", "declared")
    words = F.when(F.col("is_shown"), F.lit(NOT_IN_FORCE)).otherwise(F.lit(NOT_SHOWN))
    of_overrides = undeclared.join(shown, list(ASSET), "left").withColumn("evidence", F.concat(said, words))
    of_deliveries = open_flags.where(F.col("kind") == DELIVERY).join(evidence, list(CLAIM), "left_anti")
    ended = of_overrides.drop("is_shown").unionByName(of_deliveries.withColumn("evidence", F.lit(NO_EVENT_LEFT)))
    nothing = F.lit(None)
    return ended.select(
        *SUBJECT,
        "declared",
        nothing.cast("double").alias("observed"),
        nothing.cast("double").alias("observed_upper"),
        nothing.cast("int").alias("events"),
        nothing.cast("date").alias("since_date"),
        F.lit(day).alias("as_of_date"),
        nothing.cast("string").alias("market"),
        F.lit(False).alias("is_divergent"),
        "evidence",
        F.lit(False).alias("is_material"),
        F.lit(False).alias("is_sustained"),
        F.lit("low").alias("severity"),
    )


def list_markets(checks: DataFrame) -> DataFrame:
    """The market of the newest event of each asset and FSP."""
    return checks.groupBy("mpan_id", "amsid", "fsp_id").agg(F.max_by("market", "start_at").alias("market"))


def update_flags(open_flags: DataFrame, found: DataFrame, run: tuple[str, datetime]) -> DataFrame:
    """Rows of gold.discrepancies that open, update or clear a flag; none where nothing changed.

    A flag whose subject says nothing at present stays as it is.

    Args:
        open_flags: rows that are open.
        found: of ``list_overrides``, ``list_deliveries`` and ``list_ended`` together.
        run: id of the run, and when it began.
    """
    run_id, started_at = run
    stored = open_flags.select(
        *SUBJECT,
        "flag_id",
        "opened_at",
        "updated_at",
        F.struct("severity", "is_sustained", "is_material").alias("before"),
        F.col("evidence").alias("evidence_before"),
        F.col("recipients").alias("former_recipients"),
        F.lit(True).alias("is_open"),
    )
    joined = found.join(stored, list(SUBJECT), "left").where(F.col("is_divergent") | F.col("is_open"))
    now = F.lit(started_at)
    is_new = F.col("is_open").isNull()
    is_cleared = ~F.col("is_divergent")
    new_id = F.sha2(F.concat_ws("\x1f", *SUBJECT, F.col("as_of_date").cast("string")), 256)
    is_changed = F.struct("severity", "is_sustained", "is_material") != F.col("before")
    touched = joined.where(is_new | is_cleared | is_changed | (F.col("evidence") != F.col("evidence_before")))
    return touched.withColumns(
        {
            "flag_id": F.coalesce("flag_id", new_id),
            "state": F.when(is_cleared, "cleared").otherwise("open"),
            "opened_at": F.coalesce("opened_at", now),
            "updated_at": F.when(is_new | is_changed | is_cleared, now).otherwise(F.col("updated_at")),
            "cleared_at": F.when(is_cleared, now),
            "recipients": F.when(is_cleared, F.col("former_recipients")).otherwise(_list_recipients()),
            "run_id": F.lit(run_id),
        }
    )


def list_proven(agreements: DataFrame, at: datetime) -> DataFrame:
    """Assets and FSPs with a right in force whose claim is verified: mpan_id, amsid, fsp_id and a true ``is_proven``.

    Args:
        agreements: silver.agreements.
        at: the moment at which the right is in force.
    """
    verified = current_at(agreements, at).where(F.col("claim_state") == ClaimState.VERIFIED.value)
    return verified.select(*CLAIM).distinct().withColumn("is_proven", F.lit(True))


def list_notices(flags: DataFrame, proven: DataFrame, run: tuple[str, datetime]) -> DataFrame:
    """Rows of ops.notices: everything that the recipients of flags are to hear by now, each with the same id whenever it is made.

    An FSP whose claim to the asset is not verified hears that there is a flag, and nothing of what the meter measured.

    Args:
        flags: gold.discrepancies.
        proven: of ``list_proven``.
        run: id of the run, and when it began.
    """
    opened = flags.withColumn("change", F.lit("opened")).withColumn("stand", F.lit(""))
    is_updated = (F.col("updated_at") > F.col("opened_at")) & (F.col("state") == "open")
    stand = F.concat_ws(",", "severity", F.col("is_sustained").cast("string"), F.col("is_material").cast("string"))
    updated = flags.where(is_updated).withColumn("change", F.lit("updated")).withColumn("stand", stand)
    cleared = flags.where(F.col("state") == "cleared").withColumn("change", F.lit("cleared")).withColumn("stand", F.lit(""))
    changes = opened.unionByName(updated).unionByName(cleared).join(proven, list(CLAIM), "left")
    due = _withhold_measured(changes.withColumn("recipient", F.explode("recipients")))
    said = (*SUBJECT, "severity", "state", "declared", "observed", "observed_upper", "is_sustained", "is_material", "evidence", "opened_at")
    named = due.withColumn("notice_id", F.sha2(F.concat_ws("\x1f", "flag_id", "change", "stand", "recipient"), 256))
    body = F.to_json(F.struct("notice_id", "flag_id", "change", "recipient", *said, "updated_at", "cleared_at"))
    return _put_out(named.withColumn("body", body), run)


def list_dispute_notices(disputes: DataFrame, run: tuple[str, datetime]) -> DataFrame:
    """Rows of ops.notices: every party that a dispute concerns hears that it was raised, and how it was settled.

    Args:
        disputes: silver.disputes.
        run: id of the run, and when it began.
    """
    due = disputes.withColumn("party_id", F.explode(F.split("parties", ",")))
    change = F.when(F.col("outcome").isNull(), "raised").otherwise("settled")
    recipient = F.concat(F.lit("party:"), F.col("party_id"))
    named = due.withColumns({"change": change, "recipient": recipient})
    named = named.withColumn("notice_id", F.sha2(F.concat_ws("\x1f", "dispute_id", "change", "recipient"), 256))
    said = ("record_kind", "record_id", "fsp_id", "mpan_id", "amsid", "alleged_error", "evidence", "outcome", "outcome_reason")
    body = F.to_json(F.struct("notice_id", "dispute_id", "change", "recipient", *said, F.col("known_from_at").alias("recorded_at")))
    return _put_out(named.withColumns({"flag_id": F.col("dispute_id"), "body": body}), run)


def _join_observed(overrides: DataFrame, capability: DataFrame) -> DataFrame:
    """Declared parameters with what is observed of their asset, in force on the day of the observation."""
    is_known = F.col("known_to_at").isNull() & F.col("parameter").isin([str(name) for name in OBSERVED])
    joined = overrides.where(is_known).drop("as_of_date").join(capability, list(ASSET), "inner")
    has_begun = F.to_date("valid_from_at") <= F.col("as_of_date")
    return joined.where(has_begun & (F.col("valid_to_at").isNull() | (F.to_date("valid_to_at") > F.col("as_of_date"))))


def _put_out(notices: DataFrame, run: tuple[str, datetime]) -> DataFrame:
    """Notices in the columns of ops.notices."""
    run_id, started_at = run
    stamped = notices.withColumns({"created_at": F.lit(started_at), "run_id": F.lit(run_id)})
    return stamped.select("notice_id", "flag_id", "mpan_id", "recipient", "change", "body", "created_at", "run_id")


def _grade(rows: DataFrame, rules: FlagRules) -> DataFrame:
    """How long it has lasted, how large it is, and how severe that makes it."""
    days = F.datediff("as_of_date", "since_date")
    gap = F.col("declared") - F.col("observed_upper")
    share = gap / F.col("declared")
    is_material = F.coalesce((F.col("declared") > 0) & (gap > rules.material_share * F.col("declared")), F.lit(False))
    is_sustained = F.coalesce((days >= rules.sustained_days) & (F.col("events") >= rules.least_events), F.lit(False))
    graded = rows.withColumns({"is_material": is_material, "is_sustained": is_sustained})
    severity = F.when(F.col("is_material") & F.col("is_sustained") & (share >= 0.5), "high").when(F.col("is_material"), "medium")
    return graded.withColumn("severity", severity.otherwise("low"))


def _withhold_measured(due: DataFrame) -> DataFrame:
    """What the meter measured stays out of notices to an FSP whose claim is not verified."""
    is_withheld = F.startswith("recipient", F.lit("fsp:")) & F.col("is_proven").isNull()
    shown = {name: F.when(~is_withheld, F.col(name)) for name in ("observed", "observed_upper")}
    return due.withColumns(shown | {"evidence": F.when(is_withheld, F.lit(UNPROVEN)).otherwise(F.col("evidence"))})


def _list_recipients() -> Column:
    """The FSP always; the buyer of the market where it is material and has lasted."""
    buyer = F.when(F.col("market").isin(Market.NESO_ANCILLARY.value, Market.NESO_BM.value), F.lit("neso")).otherwise(
        F.concat(F.lit("dno:"), F.substring("mpan_id", 1, 2))
    )
    fsp = F.concat(F.lit("fsp:"), F.col("fsp_id"))
    return F.when(F.col("is_material") & F.col("is_sustained"), F.array(fsp, buyer)).otherwise(F.array(fsp))


def _largest(columns: tuple[str, ...]) -> Column:
    return F.greatest(*(F.col(name) for name in columns)) if len(columns) > 1 else F.col(columns[0])
