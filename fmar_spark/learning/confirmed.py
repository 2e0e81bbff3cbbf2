"""What FSPs answered to detections, as labels: silver ones, each with its provenance."""

from typing import Final

import pandas as pd

from fmar_spark.domain.assets import ASSET_CLASSES, LABEL_OF_CLASS

PROVENANCE: Final = "provenance"
CONFIRMATION: Final = "confirmation"
"""How the provenance of a meter begins of which FSPs' answers alone are known."""


def add_confirmations(labels: pd.DataFrame, answers: pd.DataFrame) -> pd.DataFrame:
    """The labels by MPAN, and the answers of FSPs where no label says anything of a class.

    A label from elsewhere is never replaced. Where FSPs at one meter point contradict each other nothing is known.

    Args:
        labels: index mpan_id; a column a class, perhaps ``provenance`` and others.
        answers: current rows of silver.confirmations: mpan_id, asset_class, is_present.
    """
    if answers.empty:
        return labels
    answered = answers.groupby(["mpan_id", "asset_class"])["is_present"].agg(["min", "max"])
    agreed = answered.loc[answered["min"] == answered["max"], "max"].astype(float).unstack("asset_class")
    names = [asset for asset in ASSET_CLASSES if str(asset) in agreed]
    known = pd.DataFrame({LABEL_OF_CLASS[asset]: agreed[str(asset)] for asset in names}, index=agreed.index)
    if known.empty:
        return labels
    joined = labels.reindex(labels.index.union(known.index))
    for name in known:
        joined[name] = joined[name].astype(float).fillna(known[name]) if name in joined else known[name].reindex(joined.index)
    if PROVENANCE not in joined:
        joined[PROVENANCE] = None
    is_new = joined.index.difference(labels.index)
    joined.loc[is_new, PROVENANCE] = CONFIRMATION
    return joined
