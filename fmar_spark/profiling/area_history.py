"""Sets a publication against those before it: what may be renewed, and what stays as it was published."""

from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from fmar_spark.kernels.publications import NOBODY, hold_shares, settle
from fmar_spark.profiling.area_plan import Publication

AWAITS_CHANGES: Final = "awaits_changes"
"""Why an area is withheld that could be published, had it not changed by too few meters."""
_HELD: Final = (("share_unanswered", np.float64), ("unanswered", np.int64), ("examined", np.int64))
METER_COLUMNS: Final = ("asset_class", "meter_digest", "block_id", "from_publication", "to_publication")


class History(NamedTuple):
    """What was published; frames with one row each, empty before the first publication."""

    meters: pd.DataFrame
    """``METER_COLUMNS``: in which block a meter was counted, from which publication to before which; null = still."""
    areas: pd.DataFrame
    """asset_class, block_id, area_key: areas that have each block of the last publication."""


class Continued(NamedTuple):
    """What is published now."""

    publication: Publication
    """Its blocks are those that are renewed, its areas those that have any block."""
    kept: pd.DataFrame
    """asset_class, block_id: blocks that stay as they were."""
    meters: pd.DataFrame
    """``METER_COLUMNS`` with this publication."""


def continue_publication(wanted: Publication, present: pd.DataFrame, history: History, threshold: int) -> Continued:
    """Renew what may be renewed.

    Args:
        wanted: what could be published if there were no earlier publication.
        present: asset_class, meter_digest and atom of every connection with an asset.
        history: what was published.
        threshold: fewest meters by which two sums may differ.
    """
    number = int(history.meters["from_publication"].max()) + 1 if len(history.meters) else 1
    named = present.merge(wanted.blocks, on=["atom", "asset_class"], how="left")
    parts = [
        _continue_class(str(asset), wanted, named[named["asset_class"] == asset], history, (number, threshold))
        for asset in sorted({*wanted.areas["asset_class"], *wanted.withheld["asset_class"], *history.meters["asset_class"]})
    ]
    blocks, areas, withheld = (pd.concat([part.publication[place] for part in parts], ignore_index=True) for place in range(3))
    return Continued(
        Publication(blocks, areas, withheld, wanted.examined),
        pd.concat([part.kept for part in parts], ignore_index=True),
        pd.concat([part.meters for part in parts], ignore_index=True),
    )


def hold_unanswered(examined: pd.DataFrame, published: pd.DataFrame, threshold: int, step: float) -> pd.DataFrame:
    """asset_class, area_key, share_unanswered as they may be published: this share is not of blocks, and waits by itself.

    Args:
        examined: as ``Publication.examined``.
        published: asset_class, area_key, share_unanswered of the last publication.
        threshold: fewest connections by which two sums may differ.
        step: to which shares are rounded.
    """
    both = examined.merge(published, on=["asset_class", "area_key"], how="left")
    earlier, part, whole = (both[name].to_numpy(dtype=kind) for name, kind in _HELD)
    return both[["asset_class", "area_key"]].assign(share_unanswered=hold_shares(earlier, part, whole, threshold, step))


def _continue_class(asset: str, wanted: Publication, named: pd.DataFrame, history: History, rule: tuple[int, int]) -> Continued:
    number, threshold = rule
    own = [frame[frame["asset_class"] == asset] for frame in (wanted.blocks, wanted.areas, wanted.withheld, history.meters, history.areas)]
    blocks, areas, withheld, meters, old_areas = own
    digests = pd.Index(sorted({*named["meter_digest"], *meters["meter_digest"]}))
    code = {name: place for place, name in enumerate(sorted({*blocks["block_id"], *meters["block_id"]}))}
    now = _place(digests, named.dropna(subset=["block_id"]), code)
    past = [_place(digests, _at(meters, moment), code) for moment in sorted(set(meters["from_publication"]))]
    settled = settle(past, now, threshold)
    names = np.array([*code, ""], dtype=object)
    kept = {name for name, place in code.items() if settled.is_kept[place]} if len(code) else set()
    published = _choose_areas(areas, old_areas, kept)
    lost = areas.loc[~areas["area_key"].isin(published), ["area_level", "area_id", "asset_class"]].drop_duplicates()
    still = withheld[~(withheld["area_level"] + "/" + withheld["area_id"]).isin(published)]
    both = pd.concat([areas[~areas["block_id"].isin(kept)], _as_areas(old_areas[old_areas["block_id"].isin(kept)])], ignore_index=True)
    return Continued(
        Publication(
            blocks[~blocks["block_id"].isin(kept)],
            both[both["area_key"].isin(published)],
            pd.concat([still, lost.assign(suppression_reason=AWAITS_CHANGES)], ignore_index=True),
            wanted.examined,
        ),
        old_areas.loc[old_areas["block_id"].isin(kept), ["asset_class", "block_id"]].drop_duplicates(),
        _extend(asset, meters, pd.Series(names[settled.block], index=digests), number),
    )


def _choose_areas(areas: pd.DataFrame, old_areas: pd.DataFrame, kept: set[str]) -> set[str]:
    """Areas all of whose blocks list them: those that are renewed in the new plan, those that are kept in the last one."""
    new = areas.groupby("area_key")["block_id"].agg(set).to_dict()
    old = old_areas.groupby("area_key")["block_id"].agg(set).to_dict()
    return {
        str(area)
        for area in {*new, *old}
        if (area in old or not new.get(area, set()) & kept) and (area in new or not old.get(area, set()) - kept)
    }


def _as_areas(old_areas: pd.DataFrame) -> pd.DataFrame:
    parts = old_areas["area_key"].str.split("/", n=1)
    return old_areas.assign(area_level=parts.str[0], area_id=parts.str[1])


def _at(meters: pd.DataFrame, moment: int) -> pd.DataFrame:
    is_then = (meters["from_publication"] <= moment) & (meters["to_publication"].isna() | (meters["to_publication"] > moment))
    return meters[is_then]


def _place(digests: pd.Index, rows: pd.DataFrame, code: dict[str, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    block = np.full(len(digests), NOBODY, dtype=np.int64)
    block[digests.get_indexer(pd.Index(rows["meter_digest"]))] = rows["block_id"].map(code).to_numpy(dtype=np.int64)
    return block


def _extend(asset: str, meters: pd.DataFrame, block: pd.Series, number: int) -> pd.DataFrame:
    """The history with what is counted now: unchanged rows go on, others end and begin."""
    is_open = meters["to_publication"].isna()
    current = meters[is_open].set_index("meter_digest")["block_id"]
    placed = block[block != ""]
    goes_on = current.index[current.reindex(current.index).to_numpy() == block.reindex(current.index).to_numpy()]
    ended = meters.assign(to_publication=meters["to_publication"].mask(is_open & ~meters["meter_digest"].isin(goes_on), number))
    begun = placed[~placed.index.isin(goes_on)]
    fresh = pd.DataFrame({"asset_class": asset, "meter_digest": begun.index, "block_id": begun.to_numpy(), "from_publication": number})
    return pd.concat([ended, fresh.assign(to_publication=None)], ignore_index=True)[list(METER_COLUMNS)]
