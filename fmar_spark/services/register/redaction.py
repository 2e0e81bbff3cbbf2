"""How long the register speaks of a meter point, and how its entries stop to name it without a break in the chain.

Agreements are records of who held which right when. While a claim can rest on them, the right to erasure does not reach them (UK GDPR,
Article 17(3)(e)); after that the meter point is replaced by a random name. A ledger entry keeps its hash, which is of its old text, and an
entry at the end of the chain says what each redacted entry reads now: the chain still verifies, and so does everything in it.
"""

import secrets
from datetime import date, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, select, update

from fmar_spark.domain.figures import write_count
from fmar_spark.errors import InputError
from fmar_spark.services.register.access import EVERYTHING
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.ledger import REDACTION, Actor, Fact, body_of, canonical_json, hash_text
from fmar_spark.services.register.records import Row, change_of
from fmar_spark.services.register.tables import AGREEMENT, DISPUTE, LEDGER, SUBJECTS, Subject
from fmar_spark.services.web.identifiers import new_id
from fmar_spark.settings.sections import RegisterSettings

NAMING: Final = tuple(subject for subject in SUBJECTS if "mpan_id" in subject.fields)
"""Facts about a meter point."""
_EMPTIED: Final[Row] = {
    "consent_reference": None,
    "reason": "",
    "reference": "",
    "record_id": "",
    "alleged_error": "",
    "evidence": "",
    "outcome_reason": None,
}
"""Fields that may name a household in words or numbers of their own."""


class Kept(NamedTuple):
    """What the register has about a meter point."""

    versions: int
    until_date: date | None
    """First day on which it need not be kept; None while an agreement is in force without an end, or a dispute is open."""

    def is_over(self, day: date) -> bool:
        """Whether it need not be kept on that day."""
        return self.until_date is not None and self.until_date <= day


def find_kept(database: RegisterDatabase, settings: RegisterSettings, mpan_id: str) -> Kept:
    """How many versions of facts name a meter point, and until when."""
    with database.reading(EVERYTHING) as connection:
        return _kept_of(_find_versions(connection, mpan_id), settings.retention_days)


def describe_kept(kept: Kept, settings: RegisterSettings) -> str:
    """How many versions, why and until when."""
    if not kept.versions:
        return "0 versions name it; nothing is kept"
    if kept.until_date is None:
        until = f"while an agreement is in force or a dispute is open, and {write_count(settings.retention_days, 'day')} beyond"
    else:
        until = f"until {kept.until_date}"
    named = f"{write_count(kept.versions, 'version')} {'names' if kept.versions == 1 else 'name'} it"
    return f"{named}; kept {until} for {settings.retention_basis}"


def redact_meter(database: RegisterDatabase, settings: RegisterSettings, mpan_id: str, day: date, actor: Actor) -> int:
    """No version and no entry of the ledger names the meter point or its assets any more; how many versions did.

    Raises:
        InputError: none names it, or it must be kept beyond ``day``.
    """
    with change_of(database, EVERYTHING, actor) as change:
        versions = _find_versions(change.connection, mpan_id)
        kept = _kept_of(versions, settings.retention_days)
        if not versions:
            raise InputError("meter point: no version in the register names it")
        if not kept.is_over(day):
            raise InputError(describe_kept(kept, settings))
        renamed = _rename(versions, mpan_id)
        bodies = {row["ledger_seq"]: body_of(subject, row) for subject, row in renamed}
        said = canonical_json({"entries": {str(seq): hash_text(body) for seq, body in bodies.items()}})
        change.ledger.append([Fact(REDACTION, new_id(), 1, "redacted", said)], actor)
        for seq, body in bodies.items():
            change.connection.execute(update(LEDGER).where(LEDGER.c.seq == seq).values(body=body))
        for subject, row in renamed:
            changed = {name: row[name] for name in subject.all_fields if name in ("mpan_id", "amsid", *_EMPTIED)}
            change.connection.execute(update(subject.table).where(subject.table.c.ledger_seq == row["ledger_seq"]).values(changed))
    database.clear_file()
    return len(versions)


def _find_versions(connection: Connection, mpan_id: str) -> list[tuple[Subject, Row]]:
    found = []
    for subject in NAMING:
        wanted = select(subject.table).where(subject.table.c.mpan_id == mpan_id).order_by(subject.table.c.ledger_seq)
        found += [(subject, dict(row)) for row in connection.execute(wanted).mappings()]
    return found


def _kept_of(versions: list[tuple[Subject, Row]], days: int) -> Kept:
    if any(_is_open(subject, row) for subject, row in versions):
        return Kept(len(versions), None)
    moments = [moment for _, row in versions for moment in (row["known_from_at"], row.get("valid_to_at")) if moment is not None]
    return Kept(len(versions), max(moments).date() + timedelta(days=days + 1) if moments else date.min)


def _is_open(subject: Subject, row: Row) -> bool:
    """Whether it has no end yet: evidence and declarations have none of their own, they speak of agreements."""
    is_endless = subject is AGREEMENT and row["valid_to_at"] is None
    return row["known_to_at"] is None and (is_endless or (subject is DISPUTE and row["outcome"] is None))


def _rename(versions: list[tuple[Subject, Row]], mpan_id: str) -> list[tuple[Subject, Row]]:
    """The versions with random names: one for the meter point, which keeps its distributor, and one for each asset."""
    assets = {row["amsid"]: f"redacted-{secrets.token_hex(8)}" for _, row in versions if row["amsid"]}
    place = f"{mpan_id[:2]}-{secrets.token_hex(5)}"
    return [
        (
            subject,
            row
            | {name: value for name, value in _EMPTIED.items() if name in row}
            | {"mpan_id": place, "amsid": assets.get(row["amsid"], row["amsid"])},
        )
        for subject, row in versions
    ]
