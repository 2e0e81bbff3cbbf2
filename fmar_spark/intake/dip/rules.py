"""What a rule of the DIP is. Each rule stands beside the code that checks it; ``rows.RULES`` lists all in their order.

ECS codes are those of the industry's own rejections. What a rule needs to know stands in the message itself or is the time of
its arrival: a rule that looked at what other messages said would make the tables depend on the order of arrival. The one
exception is an id that is used twice for different things, which the DIP never does: there the first that was accepted stands.
What a meter's standing data forbid is left to the consent check before anything is derived.
"""

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fmar_spark.settings.sections import IngestSettings

MAX_REASON_CHARS: Final = 200
SECONDS_AN_HOUR: Final = 3600
_SETTING: Final = re.compile(r"ingest\.([a-z_]+)")


class Rule(NamedTuple):
    """One rule: what is true of everything that it rejects."""

    name: str
    sentence: str
    ecs: str = ""


class Fault(NamedTuple):
    """A rule that is broken, and what was found."""

    rule: Rule
    reason: str


class DecodeRules(NamedTuple):
    """What a user may set of the rules; the defaults are those of the settings."""

    is_test: bool = False
    """A failing check digit only warns."""
    period_label: str = "end"
    max_file_bytes: int = 64 * 2**20
    max_message_bytes: int = 4 * 2**20
    max_messages_per_file: int = 100_000
    max_faults_per_file: int = 10_000
    max_raw_chars: int = 262_144
    max_kwh_per_slot: float = 50_000.0
    final_run_days: int = 0
    """ECS 1003: days from a settlement day to its final run; 0 checks nothing, so that history can be loaded."""
    max_days_ahead: int = 1
    """How long after the DIP's own timestamp a settlement day may begin."""
    max_hours_ahead: int = 24
    """How long after its arrival a message's timestamp may lie."""
    now_second: int | None = None
    """Time of arrival, seconds since 1970; None = the machine's clock."""

    @property
    def latest_second(self) -> int:
        """Seconds since 1970 that no message's timestamp may pass."""
        now = int(time.time()) if self.now_second is None else self.now_second
        return now + self.max_hours_ahead * SECONDS_AN_HOUR


def read_rules(settings: IngestSettings) -> DecodeRules:
    """The rules as the settings have them."""
    return DecodeRules(
        is_test=settings.environment == "test",
        period_label=settings.period_label,
        max_file_bytes=settings.max_file_bytes,
        max_message_bytes=settings.max_message_bytes,
        max_messages_per_file=settings.max_messages_per_file,
        max_faults_per_file=settings.max_faults_per_file,
        max_raw_chars=settings.max_raw_chars,
        max_kwh_per_slot=settings.max_kwh_per_slot,
        final_run_days=settings.final_run_days,
        max_days_ahead=settings.max_days_ahead,
        max_hours_ahead=settings.max_hours_ahead,
    )


def write_limits(rule: Rule, rules: DecodeRules) -> str:
    """`` (ingest.max_kwh_per_slot = 50,000)`` for a rule whose sentence names settings of ``DecodeRules``, '' for any other."""
    limits = rules._asdict()
    named = [f"ingest.{name} = {limits[name]:,.10g}" for name in _SETTING.findall(rule.sentence) if name in limits]
    return f" ({', '.join(named)})" if named else ""


class FaultLog:
    """The rules that messages break."""

    def __init__(self) -> None:
        """Nothing is broken yet."""
        self._found: dict[int, dict[str, Fault]] = {}

    def note(self, message: int, rule: Rule, reason: str) -> None:
        """Remember that a message broke a rule; of several breaches of one rule the first stands."""
        self._found.setdefault(message, {}).setdefault(rule.name, Fault(rule, reason[:MAX_REASON_CHARS]))

    def note_all(self, rule: Rule, bad: NDArray[np.bool_], messages: NDArray[np.int64], values: Sequence[object]) -> None:
        """Remember it of every message with a marked entry; ``values`` is what was found, entry by entry."""
        for at in np.flatnonzero(bad).tolist():
            self.note(int(messages[at]), rule, f"{values[at]!r} found")

    def list_first(self, order: Mapping[str, int]) -> dict[int, Fault]:
        """The first broken rule of every message that breaks one, by the place of each rule's name in the order."""
        return {message: min(broken.values(), key=lambda fault: order[fault.rule.name]) for message, broken in self._found.items()}


def order_rules(rules: Iterable[Rule]) -> dict[str, int]:
    """The place of each rule's name."""
    return {rule.name: place for place, rule in enumerate(rules)}
