"""What an operator does to a register: look, migrate, verify, bring rows in, take them out, let parties take part."""

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Final, NamedTuple, TextIO

from pydantic import ValidationError
from sqlalchemy import select

from fmar_spark.domain.figures import write_count
from fmar_spark.domain.markets import Basis, ClaimState, Role
from fmar_spark.errors import ConfigError, InputError, read_fault
from fmar_spark.services.register.access import EVERYTHING, reach_of
from fmar_spark.services.register.bodies import ClientId, NewEvidence, NewParty
from fmar_spark.services.register.claims import Claim, find_states, record_evidence
from fmar_spark.services.register.csv_rows import EVIDENCE_COLUMNS, RowFault, UploadRow, check_file, defuse, read_rows
from fmar_spark.services.register.database import RegisterDatabase, find_pending
from fmar_spark.services.register.ledger import Actor, Anchor
from fmar_spark.services.register.parties import add_party, appoint_client, change_party, find_party, join_list, split_list
from fmar_spark.services.register.records import Change, Row, change_of, known_at, valid_at
from fmar_spark.services.register.tables import AGREEMENT, AGREEMENTS, EVIDENCE, MIRRORED, PARTY
from fmar_spark.services.register.uploads import Order, apply_upload, find_upload_rows
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.models import RequestModel
from fmar_spark.services.web.moments import EARLIEST, format_moment
from fmar_spark.services.web.problems import InvalidError, MissingError, ServiceError
from fmar_spark.settings.sections import RegisterSettings

OPERATOR: Final = "operator"
_REJECTIONS_SHOWN: Final = 100
_CLAIMS_AT_ONCE: Final = 1000


class PartyPlan(NamedTuple):
    """How a party shall be."""

    party_id: str
    name: str
    roles: tuple[Role, ...]
    distributor_ids: tuple[str, ...]
    client_ids: tuple[str, ...]


class NamedClient(RequestModel):
    """A client that is appointed."""

    client_id: ClientId


def open_register(settings: RegisterSettings) -> RegisterDatabase:
    """Connections to a migrated register.

    Raises:
        ConfigError: it does not answer, or has steps to run first.
    """
    database = RegisterDatabase(settings)
    if database.file is not None and not database.file.exists():
        raise database.unreachable()
    pending = find_pending(database)
    if pending:
        waiting = write_count(len(pending), "migration")
        raise ConfigError(f"{database.engine.url.render_as_string()}: {waiting} pending; run scripts/register migrate first")
    return database


def describe_party_change(database: RegisterDatabase, plan: PartyPlan) -> str:
    """What would change of a party that is there already; empty where it is new or stays as it is."""
    with database.reading(EVERYTHING) as connection:
        try:
            current = find_party(connection, plan.party_id)
        except MissingError:
            return ""
    planned = _values_of(plan)
    changes = [f"{name}: {current[name]!r} -> {value!r}" for name, value in planned.items() if current[name] != value]
    return "; ".join(changes)


def set_party(database: RegisterDatabase, plan: PartyPlan, actor: Actor) -> Row:
    """The party is as planned and its clients speak for it; what is so already stays as it is.

    Raises:
        InputError: an id, a name or an area that cannot be.
    """
    named = {"party_id": plan.party_id, "name": plan.name, "roles": plan.roles, "distributor_ids": plan.distributor_ids}
    _check(NewParty, named)
    for client_id in plan.client_ids:
        _check(NamedClient, {"client_id": client_id})
    values = _values_of(plan)
    with change_of(database, EVERYTHING, actor) as change:
        try:
            row = find_party(change.connection, plan.party_id)
            if any(row[name] != value for name, value in values.items()):
                row = change_party(change, row, values)
        except MissingError:
            row = add_party(change, plan.party_id, {name: value for name, value in values.items() if name != "is_active"})
        for client_id in plan.client_ids:
            appoint_client(change, client_id, plan.party_id, True)
    return row


def import_agreements(
    database: RegisterDatabase, settings: RegisterSettings, fsp_id: str, path: Path, order: Order, report: Callable[[int], None]
) -> tuple[Row, list[Row]]:
    """Take a file on behalf of an FSP, as an upload by it would be; how it stands, and the first rejected rows.

    Raises:
        InputError: the FSP does not take part, or the file cannot be read as a whole.
    """
    caller = _caller_for(database, fsp_id)
    try:
        with path.open("rb") as file:
            check_file(file, settings.max_upload_rows)
            rows = (_counted(number, row, report) for number, row in enumerate(read_rows(file, settings.is_check_digit_enforced), 1))
            upload = apply_upload(database, caller, rows, order)
    except ServiceError as error:
        raise InputError(f"{path}: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    with database.reading(reach_of(caller)) as connection:
        return upload, find_upload_rows(connection, upload["upload_id"], 0, _REJECTIONS_SHOWN, True)


def load_evidence(
    database: RegisterDatabase, settings: RegisterSettings, path: Path, actor: Actor, is_dry_run: bool = False
) -> tuple[dict[str, int], list[UploadRow]]:
    """Record a file's allocations, consents, approvals and disputes, some thousand at a time; counts by outcome, and the first bad rows.

    Raises:
        InputError: the file cannot be read as a whole.
    """
    counts = Counter({"created": 0, "amended": 0, "unchanged": 0, "rejected": 0})
    rejected: list[UploadRow] = []
    try:
        with path.open("rb") as file:
            check_file(file, settings.max_upload_rows, EVIDENCE_COLUMNS)
            rows = read_rows(file, settings.is_check_digit_enforced, EVIDENCE_COLUMNS)
            while part := list(islice(rows, settings.upload_chunk_rows)):
                loaded = _load_part(database, part, actor, is_dry_run)
                counts.update(Counter(outcome for outcome, _ in loaded))
                rejected += [bad for _, bad in loaded if bad]
    except ServiceError as error:
        raise InputError(f"{path}: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    return counts, rejected[:_REJECTIONS_SHOWN]


def decide(database: RegisterDatabase, claim: Claim, basis: Basis, reference: str, actor: Actor) -> ClaimState:
    """Record an approval or a dispute of one claim; its state then.

    Raises:
        InputError: that is no claim that can be.
    """
    values = _check(NewEvidence, {**claim._asdict(), "basis": basis, "reference": reference})
    with change_of(database, EVERYTHING, actor) as change:
        record_evidence(change, {**values, "valid_from_at": change.now})
        return find_states(database, change.connection, EVERYTHING, [values], change.now)[claim]


def find_claims(database: RegisterDatabase, state: ClaimState | None) -> Iterator[tuple[Claim, ClaimState]]:
    """Every claim that an agreement in force stands on, with its state now; those of one state where one is named."""
    with database.reading(EVERYTHING) as connection:
        now = database.now(connection)
        columns = (AGREEMENTS.c.fsp_id, AGREEMENTS.c.mpan_id, AGREEMENTS.c.amsid)
        wanted = select(*columns).where(known_at(AGREEMENT, None), valid_at(AGREEMENT, now)).distinct().order_by(*columns)
        claims = [Claim(*row) for row in connection.execute(wanted)]
        for first in range(0, len(claims), _CLAIMS_AT_ONCE):
            part = [claim._asdict() for claim in claims[first : first + _CLAIMS_AT_ONCE]]
            states = find_states(database, connection, EVERYTHING, part, now)
            yield from ((claim, found) for claim, found in states.items() if state in (None, found))


def open_private(path: Path) -> TextIO:
    """An empty text file that its owner alone can read, in place of one that may be there.

    Raises:
        InputError: it cannot be written.
    """
    try:
        path.unlink(missing_ok=True)
        return open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="utf-8", newline="")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror}") from error


def export_versions(database: RegisterDatabase, kind: str, file: IO[str]) -> int:
    """Write every version of one kind as CSV, formulas defused; how many."""
    subject = next(subject for subject in (*MIRRORED, PARTY, EVIDENCE) if subject.kind == kind)
    names = [column.name for column in subject.table.columns if column.name != "distributor_id"]
    writer = csv.writer(file)
    writer.writerow(names)
    count = 0
    with database.reading(EVERYTHING) as connection:
        wanted = select(subject.table).order_by(subject.table.c.ledger_seq)
        for row in connection.execution_options(yield_per=5000).execute(wanted).mappings():
            writer.writerow(_cells(row[name] for name in names))
            count += 1
    return count


def parse_anchor(text: str) -> Anchor:
    """An anchor as ``verify`` prints it, ``SEQ:HASH``.

    Raises:
        ConfigError: any other form.
    """
    seq, colon, digest = text.partition(":")
    if not (colon and seq.isascii() and seq.isdigit() and len(seq) < 19 and len(digest) == 64):
        raise ConfigError(f"anchor: {text!r} found, SEQ:HASH wanted as verify prints it")
    return Anchor(int(seq), digest)


def _load_part(database: RegisterDatabase, part: list[UploadRow], actor: Actor, is_dry_run: bool) -> list[tuple[str, UploadRow | None]]:
    with change_of(database, EVERYTHING, actor, is_dry_run) as change:
        return [_load_row(change, row) for row in part]


def _load_row(change: Change, row: UploadRow) -> tuple[str, UploadRow | None]:
    if row.values is None:
        return "rejected", row
    try:
        _, outcome = record_evidence(change, {**row.values, "valid_from_at": row.values["valid_from_at"] or EARLIEST})
    except InvalidError as error:
        return "rejected", UploadRow(row.line, None, (RowFault(error.name, error.detail),))
    return outcome, None


def _values_of(plan: PartyPlan) -> Row:
    return {
        "name": plan.name,
        "roles": join_list([str(role) for role in plan.roles]),
        "distributor_ids": join_list(list(plan.distributor_ids)),
        "is_active": True,
    }


def _check(kind: type[RequestModel], named: Row) -> Row:
    """The values as the service would take them.

    Raises:
        InputError: it would not; the message names the first that is wrong.
    """
    try:
        return kind.model_validate(named).model_dump()
    except ValidationError as error:
        fault = error.errors()[0]
        raise InputError(f"{fault['loc'][0]}: {read_fault(fault)}") from error


def _caller_for(database: RegisterDatabase, fsp_id: str) -> Caller:
    with database.reading(EVERYTHING) as connection:
        try:
            party = find_party(connection, fsp_id)
        except MissingError as error:
            raise InputError(f"{fsp_id}: no such party; add it with scripts/register add-party") from error
    roles = frozenset(Role(role) for role in split_list(party["roles"]))
    if Role.FSP not in roles or not party["is_active"]:
        raise InputError(f"{fsp_id}: takes no part as an FSP")
    return Caller(fsp_id, OPERATOR, frozenset({Role.FSP}), ())


def _counted(number: int, row: UploadRow, report: Callable[[int], None]) -> UploadRow:
    report(number)
    return row


def _cells(values: Iterator[object]) -> list[str]:
    return [format_moment(value) if isinstance(value, datetime) else defuse(value) for value in values]
