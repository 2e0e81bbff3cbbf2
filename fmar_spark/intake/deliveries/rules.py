"""Rules of declared deliveries. A rule that is broken rejects the row; a notice is kept with it."""

from typing import Final

RULES: Final = {
    "row_fields": "as many fields as the header has",
    "row_quote": "every quote closed, at the end of its field",
    "text_undecodable": "text in UTF-8; save the file in that encoding",
    "file_unreadable": "a whole CSV, Parquet or P0282 file",
    "file_columns": "the columns of events or volumes",
    "event_id_missing": "an event_id",
    "meter_missing": "an mpan_id or a series_id",
    "mpan_format": "13 digits in mpan_id; a spreadsheet shortens numbers: export the column as text",
    "series_unknown": "a series that was imported; import its readings, then load this file again",
    "fsp_missing": "an fsp_id",
    "name_too_long": "names and ids of at most {max_name_chars} characters (deliveries.max_name_chars)",
    "start_unreadable": "ISO 8601 in start_utc, such as 2026-01-15T17:00:00Z",
    "end_unreadable": "ISO 8601 in end_utc, such as 2026-01-15T18:00:00Z",
    "notice_unreadable": "ISO 8601 in notice_utc, or an empty field",
    "event_order": "an event that ends after it starts",
    "event_too_long": "an event of at most {max_event_hours} hours (deliveries.max_event_hours)",
    "times_disagree": "local and UTC times of one moment",
    "direction_unknown": "down or up in direction",
    "requested_not_a_number": "a number of kW in requested_kw, or an empty field",
    "energy_not_a_number": "a number of MWh in utilisation_mwh_req, or an empty field",
    "availability_not_a_number": "a number of MW in availability_mw_req, or an empty field",
    "requested_beyond_limit": "at most {max_kw} kW in requested_kw (twice deliveries.max_kwh_per_slot)",
    "period_unreadable": "ISO 8601 in period_start_utc, such as 2026-01-15T17:00:00Z",
    "period_misaligned": "the start of a half-hour",
    "period_out_of_day": "a settlement period that the local day has: 1 to 46, 48 or 50",
    "delivered_not_a_number": "a number of kWh in delivered_kwh",
    "delivered_beyond_limit": "at most {max_kwh_per_slot} kWh in delivered_kwh (deliveries.max_kwh_per_slot)",
    "metered_not_a_number": "a number of kWh in metered_kwh, or an empty field",
    "metered_beyond_limit": "at most {max_kwh_per_slot} kWh in metered_kwh (deliveries.max_kwh_per_slot)",
    "declared_unreadable": "ISO 8601 in declared_at_utc, or an empty field",
    "version_not_a_number": "a whole number in version, or an empty field",
    "p0282_record_missing": "the record types of P0282 v002 in their order: MSA, MSB, MSC, MSJ, then MSP, or ASJ and ASP",
    "p0282_record_unknown": "a record type of P0282 v002",
    "p0282_fields": "the fields of the record type",
}
"""Every rule by name, with what is wanted in the engine's own columns, and what else to do after a semicolon; ``rows.describe_rules`` puts
in the limits."""

NOTICES: Final = {
    "mpan_check_digit": "the last digit of the MPAN does not agree with the others",
    "amsid_missing": "no AMSID: the declaration speaks of the whole meter point",
    "amsid_format": "an AMSID of other than 13 digits",
    "amsid_check_digit": "the last digit of the AMSID does not agree with the others by the rule for MPANs",
    "partial_half_hour": "the event begins or ends within a half-hour",
    "notice_after_start": "notice was given after the event had begun",
    "requested_negative": "requested power is negative in the event's direction",
    "energy_disagrees": "requested energy is not requested power times hours",
    "availability_only": "availability was bought; nothing was dispatched",
    "early_declaration": "declared before the half-hour was over",
    "late_declaration": "declared later than one working day after the settlement day",
    "delivered_negative": "a negative delivery: the load went against the event's direction, or the sign is turned round",
}
"""Every notice by name, with its meaning."""
