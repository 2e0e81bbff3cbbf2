"""Every rule by which a DIP message or landing file is refused, in the order in which they are judged.

ECS codes are those of the industry's own rejections. What a rule needs to know stands in the message itself: a rule that
looked at what other messages said would make the tables depend on the order of arrival. The one exception is an id that
is used twice for different things, which the DIP never does: there the first that was taken stands. What a meter's
standing data forbid is judged by the gate before characterisation instead.
"""

from typing import Final, NamedTuple


class Rule(NamedTuple):
    """One rule: what is true of everything that it refuses."""

    name: str
    sentence: str
    ecs: str = ""


class DecodeRules(NamedTuple):
    """What a user may set of the rules; the defaults are those of the settings."""

    is_test: bool = False
    """A failing check digit only warns."""
    period_label: str = "end"
    max_file_bytes: int = 64 * 2**20
    max_message_bytes: int = 4 * 2**20
    max_raw_chars: int = 4096
    max_kwh_per_slot: float = 50_000.0
    final_run_days: int = 0
    """ECS 1003: days from a settlement day to its final run; 0 judges nothing, so that history can be loaded."""
    max_days_ahead: int = 1
    """How long after the DIP's own timestamp a settlement day may begin."""


RULES: Final = (
    Rule("file_empty", "The file or record has no content."),
    Rule("file_truncated", "The file ends before its gzip stream or its last message does, or the gzip stream is damaged."),
    Rule("file_too_large", "The file, or what it unpacks to, is larger than ingest.max_file_bytes."),
    Rule("file_not_json", "The file is no JSON, so that no message can be told from the next."),
    Rule("file_not_messages", "The file's JSON is neither a message nor an array of messages."),
    Rule("array_empty", "The array has no message; the DIP sends at least one."),
    Rule("message_too_large", "The message is larger than ingest.max_message_bytes."),
    Rule("message_too_deep", "The message nests brackets deeper than any message does."),
    Rule("message_malformed", "The message is no JSON in UTF-8, or a required field is missing or has the wrong type."),
    Rule("interface_unknown", "The interface is none of IF-021, PUB-021, IF-036, PUB-036, IF-018 and PUB-018."),
    Rule(
        "transaction_id_missing", "D0.transactionID is empty, masked or no plain text, so that the message cannot be told from its replays."
    ),
    Rule("timestamp_malformed", "D0.transactionTimestamp is not 25 characters with a numeric offset, or not of 2000 to 2099."),
    Rule("mpan_malformed", "The MPAN is not 13 digits, or is masked."),
    Rule("mpan_check_digit", "The MPAN's last digit does not agree with the first twelve; only a warning in a test environment."),
    Rule(
        "block_missing", "The block that the interface carries is absent: B900 for consumption, any block that is read for standing data."
    ),
    Rule("ecs_1002_quantity", "The measurement quantity is unknown, does not belong to the event, or is not one alone.", "1002"),
    Rule("day_malformed", "The settlement day is no date."),
    Rule("ecs_1014_day_not_midnight", "The settlement day is a time other than UTC midnight.", "1014"),
    Rule("day_in_future", "The settlement day begins more than ingest.max_days_ahead after the DIP's timestamp."),
    Rule("ecs_1003_after_final_run", "The message was sent after the settlement day's final run (ingest.final_run_days).", "1003"),
    Rule("ecs_1013_before_connection", "The settlement day lies before the connection type's date.", "1013"),
    Rule("ecs_1004_duration", "The period's duration is not 30 minutes.", "1004"),
    Rule("period_count", "A message has 1 to 200 days, and a day 1 to 48 periods."),
    Rule("ecs_1005_period_misaligned", "A period does not begin and end on the half-hour.", "1005"),
    Rule("period_outside_day", "A period is named by no time of its UTC day."),
    Rule("period_label_mixed", "Periods are named by their start where ingest.period_label says end, or the other way."),
    Rule("period_against_day", "A period's full stamp lies outside the settlement day under which it stands."),
    Rule("period_format_mixed", "The message writes its periods in more than one format: a time of day, one with Z, a full stamp."),
    Rule("ecs_1006_period_twice", "A day block has the same period twice.", "1006"),
    Rule("ecs_1007_overlap", "Two day blocks of the message cover the same period.", "1007"),
    Rule("value_malformed", "An energy is no decimal number."),
    Rule("ecs_1010_negative", "An energy is negative.", "1010"),
    Rule("ecs_1012_above_maximum", "An energy is above ingest.max_kwh_per_slot.", "1012"),
    Rule("quality_unknown", "The quality code is not on the industry's list."),
    Rule("reason_unknown", "The estimation reason is not 1 to 10."),
    Rule("ecs_1011_zero_not_zero", "The quality says estimated zero, but the energy is not zero.", "1011"),
    Rule("ecs_1008_estimated_de_energised", "An energy other than zero is estimated for a meter called de-energised.", "1008"),
    Rule("ecs_1009_mpan_status", "An energy other than zero was measured on a meter called disconnected.", "1009"),
    Rule("ecs_1015_reason_missing", "A period is estimated without a reason.", "1015"),
    Rule("ecs_1016_amendment_missing", "A consumption amendment (reason 9) does not say its amendment code.", "1016"),
    Rule(
        "standing_value_unknown",
        "A value of the standing data is not on its closed list, or is no date, number or MPAN where it should be.",
    ),
    Rule("transaction_id_reused", "The transactionID was accepted before with another content."),
)
ORDER_OF_RULE: Final = {rule.name: order for order, rule in enumerate(RULES)}
ERROR_CODE: Final = "value_error_code"
"""A warning: an energy is the full scale of a counter (4294.967, 16777.215 and their kind). That half-hour counts as unread, the rest of
the message as usual; what only the rest of a meter's history shows to be wrong is left out when the history is read."""
REUSED: Final = "transaction_id_reused"
"""The one rule that is judged against what was accepted before."""
