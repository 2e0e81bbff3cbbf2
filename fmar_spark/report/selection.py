"""Which meters get their evidence on the page."""

from collections.abc import Sequence

import pyarrow as pa

from fmar_spark.errors import InputError
from fmar_spark.report.lake_rows import LakeRows


def choose_meters(lake: LakeRows, named: Sequence[str], most: int) -> list[str]:
    """The named meters, then up to ``most`` in all: of every kind and class the surest finds and the closest calls in turn.

    Args:
        lake: with the table ``meters``.
        named: MPANs or series ids.
        most: meters that are chosen unless more are named.

    Raises:
        InputError: none of the named meters was looked at.
    """
    chosen = _find_named(lake, named)
    ranked = lake.rows(
        """WITH ranked AS (
            SELECT d.mpan_id,
                row_number() OVER (one_class ORDER BY d.present_probability DESC NULLS LAST, d.mpan_id) AS surest,
                row_number() OVER (one_class ORDER BY abs(d.present_probability - 0.5) NULLS LAST, d.mpan_id) AS closest
            FROM gold.asset_detections d JOIN meters m USING (mpan_id) WINDOW one_class AS (PARTITION BY m.kind, d.asset_class)
        )
        SELECT mpan_id FROM ranked GROUP BY mpan_id ORDER BY min(least(surest, closest)), mpan_id LIMIT $most""",
        most=most,
    )
    return list(dict.fromkeys([*chosen, *(row["mpan_id"] for row in ranked)]))[: max(most, len(chosen))]


def _find_named(lake: LakeRows, named: Sequence[str]) -> list[str]:
    if not named:
        return []
    lake.add("named", pa.table({"name": list(named), "place": list(range(len(named)))}))
    found = lake.rows("SELECT m.mpan_id FROM named n JOIN meters m ON n.name IN (m.mpan_id, m.name) ORDER BY n.place")
    if not found:
        raise InputError(
            f"--meters: {named[0]}: neither it nor any other of the {len(named)} named meters was characterised in {lake.root}"
        )
    return [row["mpan_id"] for row in found]
