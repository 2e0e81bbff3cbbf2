"""Takes a file of agreements: whole or not at all, or as much of it as the rules allow, or as a trial.

Trials, and the checks of files that are to be stored whole, read beside other work and hold nobody up. Whole: what was checked is
stored in one transaction, after whatever changed in the meantime was checked again. Partial: a transaction for every thousand
rows, so that others may write in between and a kill leaves whole chunks. A row that says what one's own agreement says already is
unchanged, so that the same file may be sent again.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Connection, and_, case, insert, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from fmar_spark.domain.figures import write_count
from fmar_spark.services.register.access import reach_of
from fmar_spark.services.register.agreements import actor_of
from fmar_spark.services.register.csv_rows import UploadRow
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.ledger import read_head
from fmar_spark.services.register.records import Change, Row, change_of
from fmar_spark.services.register.tables import AGREEMENTS, EVIDENCE_ROWS, UPLOAD_ROWS, UPLOADS
from fmar_spark.services.register.upload_checks import REPEATS, Checked, Scratch, check_rows, row_of, store_checked
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.identifiers import new_id
from fmar_spark.services.web.problems import BusyError, MissingError

_REPORT_ROWS_AT_ONCE: Final = 5000
_TOUCH_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.01
T = TypeVar("T")
RUNNING: Final = "running"
INTERRUPTED: Final = "interrupted"
REJECTED: Final = "rejected"


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


class Asked(NamedTuple):
    """Which of one's uploads."""

    state: str | None
    after_id: str
    size: int


class Task(NamedTuple):
    """One upload at work."""

    database: RegisterDatabase
    caller: Caller
    upload_id: str
    order: Order
    finish: Finish
    """Runs in the transaction that completes the upload."""

    def change(self) -> AbstractContextManager[Change]:
        """A write transaction of the caller."""
        return change_of(self.database, reach_of(self.caller), actor_of(self.caller))


class _UndoError(Exception):
    """Rolls back what was stored: a row can no longer be."""


class _Tally:
    """Counts rows by outcome."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(("read", "accepted", "unchanged", "valid", "rejected"), 0)
        self.touched = time.monotonic()

    def add(self, outcomes: list[Row]) -> None:
        self.counts["read"] += len(outcomes)
        for outcome in outcomes:
            self.counts[outcome["outcome"]] += 1

    def undo(self) -> None:
        """Nothing was stored: what could have been is valid."""
        self.counts["valid"], self.counts["accepted"] = self.counts["accepted"], 0

    def as_columns(self) -> Row:
        return {f"rows_{name}": count for name, count in self.counts.items()}


def apply_upload(
    database: RegisterDatabase, caller: Caller, rows: Iterable[UploadRow], order: Order, finish: Finish = lambda _, __: None
) -> Row:
    """Take a file's rows as ordered; how the upload stands at the end.

    After a kill the register holds what whole transactions stored, and the upload is shown as interrupted.
    """
    with change_of(database, reach_of(caller), actor_of(caller)) as change:
        upload_id = open_upload(change, caller, order)
    return run_upload(Task(database, caller, upload_id, order, finish), rows)


def open_upload(change: Change, caller: Caller, order: Order) -> str:
    """The upload's id; it is running."""
    row: dict[str, Any] = {
        "upload_id": new_id(),
        "fsp_id": caller.party_id,
        "client_id": caller.client_id,
        "mode": str(order.mode),
        "is_dry_run": order.is_dry_run,
        "state": RUNNING,
        "started_at": change.now,
        "touched_at": change.now,
        "problem": None,
    }
    change.connection.execute(insert(UPLOADS), {**row, **_Tally().as_columns()})
    return str(row["upload_id"])


def run_upload(task: Task, rows: Iterable[UploadRow]) -> Row:
    """Take the rows of an upload that was opened; how it stands at the end."""
    try:
        if task.order.mode == Mode.PARTIAL and not task.order.is_dry_run:
            return _store_in_chunks(task, rows)
        with Scratch() as scratch:
            return _check_then_store(task, rows, scratch)
    except BaseException:
        with suppress(BusyError, SQLAlchemyError):
            interrupt_upload(task)
        raise


def interrupt_upload(task: Task) -> None:
    """The upload is shown as interrupted at once, where the database can still be written; else as soon as it is stale."""
    with task.change() as change:
        same = (UPLOADS.c.upload_id == task.upload_id, UPLOADS.c.state == RUNNING)
        change.connection.execute(update(UPLOADS).where(*same).values(state=INTERRUPTED, touched_at=change.now))


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
    if row["state"] == RUNNING and row["touched_at"] < stale_before:
        row["state"] = INTERRUPTED
    return row


def find_uploads(connection: Connection, caller: Caller, stale_before: datetime, asked: Asked) -> list[Row]:
    """A page of one's own uploads, oldest first."""
    is_stale = and_(UPLOADS.c.state == RUNNING, UPLOADS.c.touched_at < stale_before)
    state = case((is_stale, INTERRUPTED), else_=UPLOADS.c.state)
    columns = [column for column in UPLOADS.columns if column.name != "state"]
    wanted = select(*columns, state.label("state")).where(UPLOADS.c.fsp_id == caller.party_id, UPLOADS.c.upload_id > asked.after_id)
    if asked.state is not None:
        wanted = wanted.where(state == asked.state)
    return [dict(row) for row in connection.execute(wanted.order_by(UPLOADS.c.upload_id).limit(asked.size)).mappings()]


def find_upload_rows(connection: Connection, upload_id: str, after_line: int, size: int, only_rejected: bool) -> list[Row]:
    """A page of the report."""
    wanted = select(UPLOAD_ROWS).where(UPLOAD_ROWS.c.upload_id == upload_id, UPLOAD_ROWS.c.line > after_line)
    if only_rejected:
        wanted = wanted.where(UPLOAD_ROWS.c.outcome == REJECTED)
    return [dict(row) for row in connection.execute(wanted.order_by(UPLOAD_ROWS.c.line).limit(size)).mappings()]


def _check_then_store(task: Task, rows: Iterable[UploadRow], scratch: Scratch) -> Row:
    tally = _Tally()
    with task.database.reading(reach_of(task.caller)) as connection:
        since, _ = read_head(connection)
    for chunk in _chunks(rows, task.order.chunk_rows):
        with task.database.reading(reach_of(task.caller)) as connection:
            checked = check_rows(task.database, connection, task.caller, chunk, scratch.drafts_of(chunk))
        scratch.keep(checked)
        tally.add(checked.outcomes)
        _show_progress(task, tally)
    if not (task.order.is_dry_run or tally.counts[REJECTED]):
        try:
            return _store_whole(task, scratch, since, tally)
        except _UndoError:
            tally = _Tally()
            for outcomes in _chunks(scratch.outcomes(), _REPORT_ROWS_AT_ONCE):
                tally.add(outcomes)
    if not task.order.is_dry_run:
        tally.undo()
    return _report_unstored(task, scratch, tally)


def _store_whole(task: Task, scratch: Scratch, since: int, tally: _Tally) -> Row:
    """All drafts in one transaction; those whose assets changed meanwhile, or that take a place, are checked again."""
    with task.change() as change:
        changed = _find_changed(change, since) | scratch.displacing
        for drafts in _chunks(scratch.drafts(), task.order.chunk_rows):
            checked = Checked([], drafts, [])
            if again := [row_of(draft) for draft in drafts if draft["amsid"] in changed]:
                checked = _check_again(task, change, drafts, again, scratch)
            store_checked(change, checked)
        for outcomes in _chunks(scratch.outcomes(), _REPORT_ROWS_AT_ONCE):
            _store_report(change.connection, task.upload_id, outcomes)
        task.database.refresh_statistics(change.connection)
        row = _touch(change.connection, task.upload_id, "applied", change.now, tally)
        task.finish(change.connection, row)
        return row


def _find_changed(change: Change, since: int) -> set[str]:
    """Assets of which anything was recorded since a ledger entry."""
    changed: set[str] = set()
    with change.database.seeing_everything(change.connection, change.reach):
        for table in (AGREEMENTS, EVIDENCE_ROWS):
            newer = or_(table.c.ledger_seq > since, table.c.closed_by_seq > since)
            changed |= set(change.connection.execute(select(table.c.amsid).where(newer)).scalars())
    return changed


def _check_again(task: Task, change: Change, drafts: list[Row], again: list[UploadRow], scratch: Scratch) -> Checked:
    checked = check_rows(task.database, change.connection, task.caller, again, ())
    if any(outcome["outcome"] == REJECTED for outcome in checked.outcomes):
        scratch.keep(checked)
        raise _UndoError
    lines = {row.line for row in again}
    scratch.keep(checked)
    kept = [draft for draft in drafts if draft["line"] not in lines]
    return Checked(checked.outcomes, [*kept, *checked.drafts], checked.displacements)


def _report_unstored(task: Task, scratch: Scratch, tally: _Tally) -> Row:
    """The report of a trial, or of a file of which nothing was stored, some thousand lines at a time."""
    for outcomes in _chunks(scratch.outcomes(), _REPORT_ROWS_AT_ONCE):
        with task.change() as change:
            _store_report(change.connection, task.upload_id, [_unstored(outcome, task.order) for outcome in outcomes])
        time.sleep(_PAUSE_SECONDS)
    with task.change() as change:
        state = "checked" if task.order.is_dry_run else REJECTED
        row = _touch(change.connection, task.upload_id, state, change.now, tally, _explain(task.order, tally))
        task.finish(change.connection, row)
        return row


def _unstored(outcome: Row, order: Order) -> Row:
    """An outcome without the agreement that it did not become."""
    if outcome["outcome"] == "accepted":
        return {**outcome, "outcome": "accepted" if order.is_dry_run else "valid", "agreement_id": None}
    return {**outcome, "agreement_id": None} if outcome.get(REPEATS) else outcome


def _is_rejected(order: Order, tally: _Tally) -> bool:
    """Whether nothing of the file is, or in a trial would be, taken."""
    if order.mode == Mode.PARTIAL:
        return tally.counts[REJECTED] > 0 and not (tally.counts["accepted"] or tally.counts["unchanged"])
    return tally.counts[REJECTED] > 0


def _explain(order: Order, tally: _Tally) -> str | None:
    rejected = tally.counts[REJECTED]
    if not _is_rejected(order, tally):
        return None
    outcome = "would be stored" if order.is_dry_run else "was stored"
    return f"{rejected} of {write_count(tally.counts['read'], 'row')} rejected, so nothing {outcome}"


def _store_in_chunks(task: Task, rows: Iterable[UploadRow]) -> Row:
    tally = _Tally()
    for chunk in _chunks(rows, task.order.chunk_rows):
        with task.change() as change:
            checked = check_rows(task.database, change.connection, task.caller, chunk, ())
            store_checked(change, checked)
            tally.add(checked.outcomes)
            _store_report(change.connection, task.upload_id, checked.outcomes)
            _touch(change.connection, task.upload_id, RUNNING, change.now, tally)
        time.sleep(_PAUSE_SECONDS)
    with task.change() as change:
        change.database.refresh_statistics(change.connection)
        partly = REJECTED if _is_rejected(task.order, tally) else "partly_applied"
        state = partly if tally.counts[REJECTED] else "applied"
        row = _touch(change.connection, task.upload_id, state, change.now, tally, _explain(task.order, tally))
        task.finish(change.connection, row)
        return row


def _show_progress(task: Task, tally: _Tally) -> None:
    """Now and then, so that the upload is not taken for an interrupted one; nothing is stored yet."""
    if time.monotonic() - tally.touched < _TOUCH_SECONDS:
        return
    tally.touched = time.monotonic()
    with task.change() as change:
        same = UPLOADS.c.upload_id == task.upload_id
        change.connection.execute(update(UPLOADS).where(same).values(touched_at=change.now, rows_read=tally.counts["read"]))


def _touch(connection: Connection, upload_id: str, state: str, moment: datetime, tally: _Tally, problem: str | None = None) -> Row:
    same = UPLOADS.c.upload_id == upload_id
    connection.execute(update(UPLOADS).where(same).values(state=state, touched_at=moment, problem=problem, **tally.as_columns()))
    return dict(connection.execute(select(UPLOADS).where(same)).mappings().one())


def _store_report(connection: Connection, upload_id: str, outcomes: list[Row]) -> None:
    if outcomes:
        names = [column.name for column in UPLOAD_ROWS.columns if column.name != "upload_id"]
        connection.execute(insert(UPLOAD_ROWS), [{"upload_id": upload_id, **{name: row[name] for name in names}} for row in outcomes])


def _chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    remaining = iter(rows)
    while chunk := list(islice(remaining, size)):
        yield chunk
