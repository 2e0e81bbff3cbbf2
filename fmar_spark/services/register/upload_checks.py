"""What becomes of each row of an upload: checked against what stands and against the file's own earlier rows, before anything is stored."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import Connection

from fmar_spark.services.register.access import reach_of
from fmar_spark.services.register.agreements import SENTENCES, displace, end_for, standing_rows
from fmar_spark.services.register.claims import find_states, weigh
from fmar_spark.services.register.csv_rows import RowFault, UploadRow
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.records import Change, Draft, Row
from fmar_spark.services.register.tables import AGREEMENT
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.identifiers import new_id
from fmar_spark.services.web.moments import format_moment

_SAID_ALREADY: Final = ("fsp_id", "mpan_id", "amsid", "market", "primacy_tier", "is_exclusive", "valid_from_at", "valid_to_at")
REPEATS: Final = "repeats"
"""Of an unchanged row: what says the same already is an earlier row of the file, not a stored agreement."""
_MOMENTS: Final = ("valid_from_at", "valid_to_at")


class Displacement(NamedTuple):
    """A term that gives way to a row."""

    standing: Row
    by: Row


class Checked(NamedTuple):
    """What a chunk of rows comes to."""

    outcomes: list[Row]
    """A line of the report each."""
    drafts: list[Row]
    """Agreements to be: what a row says, with its line, party and id."""
    displacements: list[Displacement]


def check_rows(
    database: RegisterDatabase, connection: Connection, caller: Caller, chunk: Sequence[UploadRow], earlier: Iterable[Row]
) -> Checked:
    """Hold each row against the register as the transaction sees it, and against ``earlier`` drafts of the same file."""
    reach, now = reach_of(caller), database.now(connection)
    found = standing_rows(database, connection, reach, sorted({row.values["amsid"] for row in chunk if row.values}))
    standing: dict[str, list[Row]] = {}
    for other in (*found, *earlier):
        standing.setdefault(other["amsid"], []).append(other)
    candidates = [{**row.values, "fsp_id": caller.party_id} for row in chunk if row.values]
    states = find_states(database, connection, reach, [*candidates, *found], now)
    checked = Checked([], [], [])
    for row in chunk:
        outcome = {"line": row.line, "outcome": "rejected", "agreement_id": None, **_describe_faults(row.faults)}
        if row.values is not None:
            values = {**row.values, "fsp_id": caller.party_id, "agreement_id": new_id(), "line": row.line}
            others = standing.setdefault(values["amsid"], [])
            same = next((other for other in others if _says_already(other, values)), None)
            if same is not None:
                outcome.update(outcome="unchanged", agreement_id=same["agreement_id"])
                outcome[REPEATS] = "line" in same
            else:
                weighing = weigh(values, others, states)
                outcome.update(_describe(weighing.conflict, values))
                if not weighing.conflict:
                    _admit(values, weighing.displaced, others, checked)
        checked.outcomes.append(outcome)
    return checked


def store_checked(change: Change, checked: Checked) -> None:
    """The chunk's agreements stand, and what gave way to them has ended."""
    for standing, by in checked.displacements:
        displace(change, [standing], by)
    names = (*_SAID_ALREADY, "consent_reference")
    change.create(AGREEMENT, [Draft(row["agreement_id"], {name: row[name] for name in names}) for row in checked.drafts])


class Scratch:
    """A file on disk, gone with the process, that holds what was checked of an upload until it is stored."""

    def __init__(self) -> None:
        """Empty."""
        self.displacing: set[str] = set()
        """Assets on which other terms give way."""
        self._file = sqlite3.connect("", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "CREATE TABLE outcomes (line INTEGER PRIMARY KEY, body TEXT NOT NULL)",
            "CREATE TABLE drafts (line INTEGER PRIMARY KEY, amsid TEXT NOT NULL, body TEXT NOT NULL)",
            "CREATE INDEX drafts_amsid ON drafts (amsid)",
        ):
            self._file.execute(statement)

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Everything is forgotten."""
        self._file.close()

    def keep(self, checked: Checked) -> None:
        """Hold a chunk; a line that is held already is replaced."""
        outcomes = [(row["line"], json.dumps(row)) for row in checked.outcomes]
        drafts = [(row["line"], row["amsid"], json.dumps(row, default=format_moment)) for row in checked.drafts]
        self._file.execute("BEGIN")
        self._file.executemany("INSERT OR REPLACE INTO outcomes VALUES (?, ?)", outcomes)
        self._file.executemany("INSERT OR REPLACE INTO drafts VALUES (?, ?, ?)", drafts)
        self._file.execute("COMMIT")
        self.displacing |= {found.by["amsid"] for found in checked.displacements}

    def drafts_of(self, chunk: Sequence[UploadRow]) -> list[Row]:
        """Drafts of the assets that a chunk names."""
        amsids = sorted({row.values["amsid"] for row in chunk if row.values})
        marks = ", ".join("?" * len(amsids))
        return [_restore(body) for (body,) in self._file.execute(f"SELECT body FROM drafts WHERE amsid IN ({marks})", amsids)]

    def drafts(self) -> Iterator[Row]:
        """Every draft in the order of the file."""
        return (_restore(body) for (body,) in self._file.execute("SELECT body FROM drafts ORDER BY line"))

    def outcomes(self) -> Iterator[Row]:
        """Every line of the report in the order of the file."""
        return (json.loads(body) for (body,) in self._file.execute("SELECT body FROM outcomes ORDER BY line"))


def row_of(draft: Row) -> UploadRow:
    """The row that a draft was made of, to be checked again."""
    names = (*_SAID_ALREADY, "consent_reference")
    return UploadRow(draft["line"], {name: draft[name] for name in names if name != "fsp_id"})


def _restore(body: str) -> Row:
    row: Row = json.loads(body)
    return {**row, **{name: datetime.fromisoformat(row[name]) for name in _MOMENTS if row[name] is not None}}


def _says_already(other: Row, values: Row) -> bool:
    """Whether a term says all that the row says; a consent that the row leaves out may be there."""
    is_same = all(other[name] == values[name] for name in _SAID_ALREADY)
    return is_same and values["consent_reference"] in (None, other["consent_reference"])


def _describe(conflict: Any, values: Row) -> Row:
    if not conflict:
        return {"outcome": "accepted", "agreement_id": values["agreement_id"]}
    term = conflict.term
    until = format_moment(term.valid_to_at) if term.valid_to_at else "open"
    detail = f"{SENTENCES[conflict.rule]}: {term.market} from {format_moment(term.valid_from_at)} to {until}"
    return _describe_faults((RowFault(str(conflict.rule), detail),))


def _describe_faults(faults: Sequence[RowFault]) -> Row:
    """The first fault, and all of them, as a line of the report has them."""
    if not faults:
        return dict.fromkeys(("rule", "detail", "faults"))
    listed = json.dumps([{"rule": fault.rule, "detail": fault.detail} for fault in faults])
    return {"rule": faults[0].rule, "detail": faults[0].detail[:500], "faults": listed}


def _admit(values: Row, displaced: list[Row], others: list[Row], checked: Checked) -> None:
    gone = {other["agreement_id"] for other in displaced}
    others[:] = [other for other in others if other["agreement_id"] not in gone]
    for other in displaced:
        others.append({**other, **end_for(other, values)})
    # A term that an earlier row has cut already is cut once, where the first of them begins.
    cut = {found.standing["agreement_id"]: number for number, found in enumerate(checked.displacements)}
    for other in displaced:
        number = cut.get(other["agreement_id"])
        if number is None:
            checked.displacements.append(Displacement(other, values))
        elif values["valid_from_at"] < checked.displacements[number].by["valid_from_at"]:
            checked.displacements[number] = Displacement(checked.displacements[number].standing, values)
    others.append(values)
    checked.drafts.append(values)
