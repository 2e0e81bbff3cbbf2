"""Separates messages that are new from those that come again and from those that use another's id."""

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from fmar_spark.clock import SLOTS_PER_DAY
from fmar_spark.intake.dip.rows import PLAIN_QUALITY, SAID
from fmar_spark.intake.dip.rules import Rule

DUPLICATE: Final = "duplicate"
REUSED: Final = Rule("transaction_id_reused", "The transactionID was accepted before with another content.")
"""The one rule that is checked against what was accepted before."""
MAX_RANGES: Final = 64


def list_losers(decoded: DataFrame, known: DataFrame) -> DataFrame:
    """The messages of a batch that are not to be accepted: ``source``, ``verdict``, ``content_hash`` and ``first_hash``.

    Of an id that the table does not have, the message with the smallest timestamp, digest and source is the one to
    accept, so that the order within a batch does not matter. Every other with the same content is a duplicate, with
    another content it breaks ``transaction_id_reused``.

    Args:
        decoded: rows in the format ``DECODED``.
        known: ``transaction_id`` and ``content_hash`` of accepted messages, at least of all ids of the batch.
    """
    whole = decoded.where(F.col("rule").isNull()).select("transaction_id", "transaction_at", "content_hash", "source")
    in_order = Window.partitionBy("transaction_id").orderBy("transaction_at", "content_hash", "source")
    known_hashes = known.select("transaction_id", F.col("content_hash").alias("known_hash"))
    ranked = whole.withColumn("_rank", F.row_number().over(in_order)).withColumn("_own", F.first("content_hash").over(in_order))
    compared = ranked.join(known_hashes, "transaction_id", "left")
    first_hash = F.coalesce("known_hash", "_own")
    verdict = F.when(F.col("content_hash") == first_hash, F.lit(DUPLICATE)).otherwise(F.lit(REUSED.name))
    lost = compared.where((F.col("_rank") > 1) | F.col("known_hash").isNotNull())
    return lost.select("source", verdict.alias("verdict"), "content_hash", first_hash.alias("first_hash"))


def accept(decoded: DataFrame, losers: DataFrame) -> DataFrame:
    """Rows of ``bronze.dip_messages``, but for ``ingested_at``."""
    whole = decoded.where(F.col("rule").isNull())
    return _spell_out_days(whole.join(losers.select("source"), "source", "left_anti")).select(*SAID)


def reject(decoded: DataFrame, losers: DataFrame, max_raw_chars: int) -> DataFrame:
    """Rows of ``bronze.quarantine``, but for ``run_id`` and ``quarantined_at``.

    Of an id that was used twice the raw column shows the message as it was decoded.
    """
    rejected = decoded.where(F.col("rule").isNotNull())
    reused = losers.where(F.col("verdict") == REUSED.name).drop("content_hash")
    shown = _spell_out_days(decoded.join(reused, "source", "inner")).select(
        "source",
        F.col("verdict").alias("rule"),
        F.concat(F.lit("content "), "content_hash", F.lit(" found, accepted before as "), "first_hash").alias("reason"),
        F.substring(F.to_json(F.struct(*SAID)), 1, max_raw_chars).alias("raw"),
        F.lit(None).cast("bigint").alias("raw_bytes"),
        F.col("messages"),
        "mpan_id",
        "transaction_id",
    )
    columns = ("source", "rule", "reason", "raw", "raw_bytes", "messages", "mpan_id", "transaction_id")
    every = rejected.select(*columns).unionByName(shown)
    identity = F.sha2(F.concat_ws("\x1f", "source", "rule", F.coalesce("raw", F.lit(""))), 256)
    return every.select(identity.alias("quarantine_id"), *columns)


def _spell_out_days(decoded: DataFrame) -> DataFrame:
    """Every day stands in ``days``, with its qualities."""
    plain = F.array(*([F.lit(PLAIN_QUALITY)] * SLOTS_PER_DAY))
    quality = F.coalesce("day.quality", plain).alias("quality")
    only = F.when(F.col("day").isNotNull(), F.array(F.struct("day.utc_date", "day.kwh", quality, "day.reason")))
    return decoded.withColumn("days", F.coalesce("days", only))


def is_near(days: Iterable[date], reach_days: int) -> Column:
    """Whether ``transaction_at`` lies at most so many days from one of the days: ranges by which files are skipped.

    Beyond ``MAX_RANGES`` of them the nearest are joined, so that no batch makes a condition without end.
    """
    reach = timedelta(days=reach_days)
    ordered = sorted(days)
    gaps = [after - before for before, after in pairwise(ordered)]
    wide = sorted(gaps, reverse=True)[MAX_RANGES - 1 : MAX_RANGES]
    split = max([2 * reach + timedelta(days=1), *wide])
    found, first = F.lit(False), 0
    for end in [at for at, gap in enumerate(gaps, 1) if gap > split] + [len(ordered)]:
        if end > first:
            lower, upper = ordered[first] - reach, ordered[end - 1] + reach + timedelta(days=1)
            at = F.col("transaction_at")
            found = found | ((at >= F.lit(lower).cast("timestamp")) & (at < F.lit(upper).cast("timestamp")))
        first = end
    return found
