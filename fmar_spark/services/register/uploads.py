"""Takes a file of agreements: whole or not at all, or as much of it as the rules allow, or as a trial.

Whole: one transaction with one ledger entry a row; whatever is refused rolls everything back and the report says why. Partial:
a transaction for every thousand rows, so that others may write in between and a kill leaves whole chunks. Trial: as whole, and
rolled back. A row that says what one's own agreement says already is unchanged, so that the same file may be sent again.
"""

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import IO, Any, Final, NamedTuple

from sqlalchemy import Connection, insert, select, update

from fmar_spark.domain.markets import ClaimState
from fmar_spark.services.register.access import reach_of
from fmar_spark.services.register.agreements import SENTENCES, actor_of, displace, standing_rows
from fmar_spark.services.register.claims import Claim, find_states, weigh
from fmar_spark.services.register.csv_rows import UploadRow
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.records import Change, Draft, Row, change_of
from fmar_spark.services.register.tables import AGREEMENT, UPLOAD_ROWS, UPLOADS
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.identifiers import new_id
from fmar_spark.services.web.moments import format_moment
from fmar_spark.services.web.problems import MissingError

_SAID_ALREADY: Final = ("fsp_id", "mpan_id", "amsid", "market", "primacy_tier", "is_exclusive", "valid_from_at", "valid_to_at")
_REPORT_ROWS_AT_ONCE: Final = 5000


class Mode(StrEnum):
    """What happens to good rows beside bad ones."""

    ALL_OR_NOTHING = "all_or_nothing"
    """Nothing is stored unless every row can be."""
    PARTIAL = "partial"
    """Good rows are stored."""


class Order(NamedTuple):
    """How a file is to be taken."""

    mode: Mode
    is_dry_run: bool
    chunk_rows: int


Finish = Callable[[Connection, Row], None]


class _Task(NamedTuple):
    """What the two ways of taking a file work with."""

    database: RegisterDatabase
    caller: Caller
    upload_id: str
    order: Order
    finish: Finish

    def change(self) -> AbstractContextManager[Change]:
        return change_of(self.database, reach_of(self.caller), actor_of(self.caller))


class _UndoError(Exception):
    """Rolls back what was tried."""


class _Tally:
    """Counts rows by outcome and keeps the report on disk until it can be stored."""

    def __init__(self, report: IO[str]) -> None:
        self.counts = {"read": 0, "accepted": 0, "unchanged": 0, "refused": 0}
        self._report = report

    def add(self, outcomes: list[Row]) -> None:
        for outcome in outcomes:
            self.counts["read"] += 1
            self.counts[outcome["outcome"]] += 1
            self._report.write(json.dumps(outcome) + "\n")

    def kept(self) -> Iterator[Row]:
        self._report.seek(0)
        return (json.loads(line) for line in self._report)

    def as_columns(self) -> Row:
        return {f"rows_{name}": count for name, count in self.counts.items()}


def apply_upload(
    database: RegisterDatabase, caller: Caller, rows: Iterable[UploadRow], order: Order, finish: Finish = lambda _, __: None
) -> Row:
    """Take a file's rows as ordered; how the upload stands at the end.

    ``finish`` runs in the transaction that completes the upload. After a kill the register holds what whole transactions
    stored, and the upload is shown as interrupted.
    """
    task = _Task(database, caller, _open_upload(database, caller, order), order, finish)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as report:
        tally = _Tally(report)
        if order.mode == Mode.PARTIAL and not order.is_dry_run:
            return _apply_in_chunks(task, rows, tally)
        return _apply_whole(task, rows, tally)


def find_upload(connection: Connection, caller: Caller, upload_id: str, stale_before: datetime) -> Row:
    """How one's own upload stands; unfinished and untouched since the moment means interrupted.

    Raises:
        MissingError: there is none of the caller's.
    """
    wanted = select(UPLOADS).where(UPLOADS.c.upload_id == upload_id, UPLOADS.c.fsp_id == caller.party_id)
    found = connection.execute(wanted).mappings().first()
    if found is None:
        raise MissingError("no-such-upload", "there is no such upload")
    row = dict(found)
    if row["state"] == "running" and row["touched_at"] < stale_before:
        row["state"] = "interrupted"
    return row


def find_upload_rows(connection: Connection, upload_id: str, after_line: int, size: int, only_refused: bool) -> list[Row]:
    """A page of the report."""
    wanted = select(UPLOAD_ROWS).where(UPLOAD_ROWS.c.upload_id == upload_id, UPLOAD_ROWS.c.line > after_line)
    if only_refused:
        wanted = wanted.where(UPLOAD_ROWS.c.outcome == "refused")
    return [dict(row) for row in connection.execute(wanted.order_by(UPLOAD_ROWS.c.line).limit(size)).mappings()]


def _apply_whole(task: _Task, rows: Iterable[UploadRow], tally: _Tally) -> Row:
    try:
        with task.change() as change:
            for chunk in _chunks(rows, task.order.chunk_rows):
                tally.add(_take_chunk(change, task.caller, chunk))
            if task.order.is_dry_run or tally.counts["refused"]:
                raise _UndoError
            return _close_upload(change, task.upload_id, "applied", tally, task.finish)
    except _UndoError:
        with task.change() as change:
            return _close_upload(change, task.upload_id, "checked" if task.order.is_dry_run else "refused", tally, task.finish)


def _apply_in_chunks(task: _Task, rows: Iterable[UploadRow], tally: _Tally) -> Row:
    for chunk in _chunks(rows, task.order.chunk_rows):
        with task.change() as change:
            outcomes = _take_chunk(change, task.caller, chunk)
            tally.add(outcomes)
            _store_report(change.connection, task.upload_id, outcomes)
            _touch_upload(change.connection, task.upload_id, "running", change.now, tally)
    with task.change() as change:
        change.database.refresh_statistics(change.connection)
        state = "partly_applied" if tally.counts["refused"] else "applied"
        row = _touch_upload(change.connection, task.upload_id, state, change.now, tally)
        task.finish(change.connection, row)
        return row


def _take_chunk(change: Change, caller: Caller, chunk: list[UploadRow]) -> list[Row]:
    """Store what the rules allow of a chunk; what became of each row."""
    found = standing_rows(change, sorted({row.values["amsid"] for row in chunk if row.values}))
    standing: dict[str, list[Row]] = {}
    for other in found:
        standing.setdefault(other["amsid"], []).append(other)
    candidates = [{**row.values, "fsp_id": caller.party_id} for row in chunk if row.values]
    states = find_states(change.database, change.connection, change.reach, [*candidates, *found], change.now)
    drafts: list[Draft] = []
    outcomes = [_check_row(change, caller, row, _Standing(standing, states, drafts)) for row in chunk]
    change.create(AGREEMENT, drafts)
    return outcomes


class _Standing(NamedTuple):
    """What the rows of a chunk meet, and what becomes of them."""

    terms: dict[str, list[Row]]
    """By AMSID; those of the chunk too."""
    states: dict[Claim, ClaimState]
    drafts: list[Draft]


def _check_row(change: Change, caller: Caller, row: UploadRow, standing: _Standing) -> Row:
    outcome: Row = {"line": row.line, "outcome": "refused", "agreement_id": None, "rule": row.rule, "detail": row.detail[:500]}
    if row.values is None:
        return outcome
    values = {**row.values, "fsp_id": caller.party_id, "agreement_id": new_id()}
    others = standing.terms.setdefault(values["amsid"], [])
    for other in others:
        if _says_already(other, values):
            return {**outcome, "outcome": "unchanged", "agreement_id": other["agreement_id"], "rule": None, "detail": None}
    conflict, displaced = weigh(values, others, standing.states)
    if conflict:
        until = format_moment(conflict.term.valid_to_at) if conflict.term.valid_to_at else "open"
        detail = f"{SENTENCES[conflict.rule]}: {conflict.term.market} from {format_moment(conflict.term.valid_from_at)} to {until}"
        return {**outcome, "rule": str(conflict.rule), "detail": detail}
    gone = {other["agreement_id"] for other in displaced}
    others[:] = [other for other in others if other["agreement_id"] not in gone]
    others += [*displace(change, displaced, values), values]
    standing.drafts.append(Draft(values["agreement_id"], {name: values[name] for name in (*_SAID_ALREADY, "consent_reference")}))
    return {**outcome, "outcome": "accepted", "agreement_id": values["agreement_id"], "rule": None, "detail": None}


def _says_already(other: Row, values: Row) -> bool:
    """Whether a term says all that the row says; a consent that the row leaves out may be there."""
    is_same = all(other[name] == values[name] for name in _SAID_ALREADY)
    return is_same and values["consent_reference"] in (None, other["consent_reference"])


def _open_upload(database: RegisterDatabase, caller: Caller, order: Order) -> str:
    upload_id = new_id()
    with change_of(database, reach_of(caller), actor_of(caller)) as change:
        row: dict[str, Any] = {
            "upload_id": upload_id,
            "fsp_id": caller.party_id,
            "client_id": caller.client_id,
            "mode": str(order.mode),
            "is_dry_run": order.is_dry_run,
            "state": "running",
            "started_at": change.now,
            "touched_at": change.now,
            "problem": None,
        }
        change.connection.execute(insert(UPLOADS), {**row, **dict.fromkeys(_counters(), 0)})
    return upload_id


def _close_upload(change: Change, upload_id: str, state: str, tally: _Tally, finish: Finish) -> Row:
    kept = tally.kept()
    while block := list(islice(kept, _REPORT_ROWS_AT_ONCE)):
        _store_report(change.connection, upload_id, block)
    change.database.refresh_statistics(change.connection)
    row = _touch_upload(change.connection, upload_id, state, change.now, tally)
    finish(change.connection, row)
    return row


def _touch_upload(connection: Connection, upload_id: str, state: str, moment: datetime, tally: _Tally) -> Row:
    same = UPLOADS.c.upload_id == upload_id
    connection.execute(update(UPLOADS).where(same).values(state=state, touched_at=moment, **tally.as_columns()))
    return dict(connection.execute(select(UPLOADS).where(same)).mappings().one())


def _store_report(connection: Connection, upload_id: str, outcomes: list[Row]) -> None:
    if outcomes:
        connection.execute(insert(UPLOAD_ROWS), [{"upload_id": upload_id, **outcome} for outcome in outcomes])


def _chunks(rows: Iterable[UploadRow], size: int) -> Iterator[list[UploadRow]]:
    remaining = iter(rows)
    while chunk := list(islice(remaining, size)):
        yield chunk


def _counters() -> tuple[str, ...]:
    return "rows_read", "rows_accepted", "rows_unchanged", "rows_refused"
