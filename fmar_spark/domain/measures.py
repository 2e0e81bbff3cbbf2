"""What is watched of a lake: the measures, their meaning, and which setting bounds each."""

from typing import Final, NamedTuple

PREFIX: Final = "fmar_lake_"
"""Of the names under which Prometheus knows them."""
LIMIT: Final = f"{PREFIX}limit"
"""Name under which the bound of a measure is exported, label ``measure``."""


class MeasureKind(NamedTuple):
    """One kind of measure; each has a value for every combination of its labels."""

    name: str
    meaning: str
    value_unit: str
    labels: tuple[str, ...] = ()
    limit: str = ""
    """Field of the settings' section ``monitoring`` that a value may not exceed; '' = none."""
    is_floor: bool = False
    """Whether the limit is what a value may not fall below."""

    @property
    def metric(self) -> str:
        """Name in Prometheus."""
        return PREFIX + self.name


MEASURES: Final = (
    MeasureKind("measured_at_seconds", "When these measures were taken, seconds since 1970.", "s"),
    MeasureKind("newest_message_age_hours", "Hours since the newest accepted message arrived.", "h", limit="max_message_age_hours"),
    MeasureKind("newest_reading_age_days", "Days since the newest day with readings.", "days", limit="max_reading_age_days"),
    MeasureKind("gold_age_days", "Days since the day that gold speaks of.", "days", limit="max_gold_age_days"),
    MeasureKind("step_age_hours", "Hours since a step was last done.", "h", ("step",)),
    MeasureKind("step_failures", "Failed runs of a step since it was last done.", "runs", ("step",), limit="max_step_failures"),
    MeasureKind("messages_accepted", "Messages accepted in the last day of arrivals.", "messages"),
    MeasureKind("messages_rejected", "Messages and rows rejected in the last day of arrivals.", "messages", ("rule", "sender")),
    MeasureKind(
        "rejected_share", "Share of the messages of the last day of arrivals that were rejected.", "share", limit="max_rejected_share"
    ),
    MeasureKind("meters_admitted", "Meter points that may be examined.", "meters"),
    MeasureKind("meters_rejected", "Meter points that may not be examined, by reason.", "meters", ("reason",)),
    MeasureKind("answered_share", "Share of examined meters with an answer about a class.", "share", ("asset_class",)),
    MeasureKind("tier_share", "Share of answers that are of a tier.", "share", ("asset_class", "tier")),
    MeasureKind("feature_drift", "Population stability index of a feature against training.", "psi", ("feature",)),
    MeasureKind("drifting_features", "Features whose index exceeds its limit.", "features", limit="max_drifting_features"),
    MeasureKind(
        "score_drift", "Population stability index of a class's probabilities against training.", "psi", ("asset_class",), limit="max_drift"
    ),
    MeasureKind("confirmations", "Answers of FSPs to detections.", "answers", ("asset_class",)),
    MeasureKind(
        "calibration_gap",
        "Stated probability less the share confirmed, in absolute value beyond what chance explains.",
        "share",
        ("asset_class",),
        limit="max_calibration_gap",
    ),
    MeasureKind("table_bytes", "Bytes of the newest version of a table.", "bytes", ("table",)),
    MeasureKind("table_files", "Files of the newest version of a table.", "files", ("table",), limit="max_table_files"),
    MeasureKind(
        "disk_free_share", "Free share of the lake's disk; none for a lake at an address.", "share", limit="least_free_share", is_floor=True
    ),
)
MEASURE_OF_NAME: Final = {kind.name: kind for kind in MEASURES}
LIMITED: Final = tuple(kind for kind in MEASURES if kind.limit)


class Measured(NamedTuple):
    """One value."""

    name: str
    value: float
    labels: tuple[str, ...] = ()
    """In the order of the kind's labels."""

    @property
    def series(self) -> str:
        """The labels as Prometheus writes them; '' where there are none."""
        pairs = zip(MEASURE_OF_NAME[self.name].labels, self.labels, strict=True)
        return ",".join(f'{name}="{_escape(text)}"' for name, text in pairs)


def is_beyond(kind: MeasureKind, value: float, limit: float) -> bool:
    """Whether a value is worse than its limit."""
    return value < limit if kind.is_floor else value > limit


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
