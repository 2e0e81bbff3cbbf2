"""The verified rights of an FSP as the register has them now, in the form in which a query joins them with what was derived."""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import pyarrow as pa
from sqlalchemy import Connection, select

from fmar_spark.domain.markets import Parameter, Role
from fmar_spark.services.register.access import Reach, disputes_within
from fmar_spark.services.register.claims import claim_of
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.holdings import list_holdings, list_own
from fmar_spark.services.register.parties import split_list
from fmar_spark.services.register.records import Row, known_at
from fmar_spark.services.register.tables import DISPUTE, DISPUTES, LEDGER_HEAD, OVERRIDE
from fmar_spark.services.web.access import Caller

DISPUTE_TEXTS: Final = (
    "record_kind",
    "record_id",
    "record_run_id",
    "alleged_error",
    "evidence",
    "raised_by_party_id",
    "outcome",
    "outcome_reason",
)
VERIFIED_CLAIMS: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("fsp_id", "mpan_id", "amsid", "agreement_id", "market")),
        ("primacy_tier", pa.int32()),
        ("is_exclusive", pa.bool_()),
        ("valid_from_at", pa.timestamp("us", "UTC")),
        ("valid_to_at", pa.timestamp("us", "UTC")),
        ("asset_class", pa.string()),
        ("answered_classes", pa.list_(pa.string())),
    ]
)
"""A row for every right in force of a verified claim: ``asset_class`` is what the FSP said that the AMSID is, empty where it said
nothing; ``answered_classes`` are those that it has confirmed or corrected."""
DECLARED_SIZES: Final = pa.schema(
    [*((name, pa.string()) for name in ("mpan_id", "amsid", "asset_class", "direction")), ("declared_kw", pa.float64())]
)
"""Sizes that the FSP declares, in force."""
LIVE_DISPUTES: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("dispute_id", "fsp_id", "mpan_id", "amsid", *DISPUTE_TEXTS)),
        ("version", pa.int32()),
        ("raised_at", pa.timestamp("us", "UTC")),
        ("settled_at", pa.timestamp("us", "UTC")),
        ("parties", pa.list_(pa.string())),
    ]
)
"""Disputes as they stand; where there are many, those that are open and then the newest."""
_MOST_DISPUTES: Final = 10_000
_MOST_PORTFOLIOS: Final = 200


class Rights(NamedTuple):
    """What a party holds and which disputes concern it, as relations of a query."""

    relations: Mapping[str, pa.Table]
    """``verified_claims``, ``declared_sizes`` and ``live_disputes``."""
    mark: str
    """Digest of their content."""

    @property
    def mpan_ids(self) -> list[str]:
        """Meter points of the verified claims, each once, in order."""
        return list(dict.fromkeys(self.relations["verified_claims"].column("mpan_id").to_pylist()))


def _table(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([{name: row[name] for name in schema.names} for row in rows], schema=schema)


def _as_relations(rights: Sequence[Mapping[str, Any]], sizes: Sequence[Mapping[str, Any]], disputes: Sequence[Mapping[str, Any]]) -> Rights:
    relations = {
        "verified_claims": _table(rights, VERIFIED_CLAIMS),
        "declared_sizes": _table(sizes, DECLARED_SIZES),
        "live_disputes": _table(disputes, LIVE_DISPUTES),
    }
    digest = hashlib.sha256()
    for rows in relations.values():
        for batch in rows.to_batches():
            digest.update(batch.serialize())
    return Rights(relations, digest.hexdigest())


NO_RIGHTS: Final = _as_relations((), (), ())


class LiveRights:
    """Reads an FSP's rights from the register, again as soon as the register has changed or some seconds have passed."""

    def __init__(self, database: RegisterDatabase, seconds: float) -> None:
        """Nothing is read before the first question.

        Args:
            database: the register.
            seconds: how long rights are kept where nothing is recorded meanwhile: terms and evidence begin and end by themselves.
        """
        self._database = database
        self._seconds = seconds
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, caller: Caller) -> Rights:
        """What the caller's party holds, if it is an FSP, and the disputes that concern it."""
        reach = Reach(
            fsp_id=caller.party_id if Role.FSP in caller.roles else "",
            is_everything=Role.ADMINISTRATOR in caller.roles,
            party_id=caller.party_id,
        )
        recalled = self.recall(caller)
        if recalled is not None:
            return recalled
        mark = self._database.mark_state()
        known = self._known.get(caller.party_id)
        with self._database.reading(reach) as connection:
            seq = int(connection.execute(select(LEDGER_HEAD.c.seq)).scalar_one())
            if known is None or known.seq != seq or not self._is_fresh(known):
                read_at = time.monotonic()
                now = self._database.now(connection)
                known = _Known(mark, seq, read_at, _read(self._database, connection, reach, now))
        known = known._replace(mark=mark)
        self._keep(caller.party_id, known)
        return known.rights

    def recall(self, caller: Caller) -> Rights | None:
        """The same at once, if it is known that nothing has changed since it was read; else None."""
        known = self._known.get(caller.party_id)
        if known is None or known.mark is None or not self._is_fresh(known):
            return None
        return known.rights if known.mark == self._database.mark_state() else None

    def _is_fresh(self, known: "_Known") -> bool:
        return time.monotonic() - known.read_at <= self._seconds

    def _keep(self, party_id: str, known: "_Known") -> None:
        with self._lock:
            self._known.pop(party_id, None)
            self._known[party_id] = known
            if len(self._known) > _MOST_PORTFOLIOS:
                self._known.popitem(last=False)


class _Known(NamedTuple):
    mark: int | None
    """Of the register when it was last seen to be at ``seq``."""
    seq: int
    read_at: float
    rights: Rights


def _read(database: RegisterDatabase, connection: Connection, reach: Reach, now: datetime) -> Rights:
    disputes = _read_disputes(connection, reach)
    if not reach.fsp_id:
        return _as_relations((), (), disputes)
    rights = list_holdings(database, connection, reach, now)
    entitled = {claim_of(row) for row in rights}
    sizes: dict[tuple[str, ...], Any] = {}
    declared = list_own(connection, OVERRIDE, reach, now)
    for row in sorted(declared, key=lambda one: one["known_from_at"]):
        if row["parameter"] == Parameter.RATED_KW and claim_of(row) in entitled:
            sizes[(row["mpan_id"], row["amsid"], row["asset_class"], row["direction"])] = row["value"]
    sized = [dict(zip(DECLARED_SIZES.names, (*place, value), strict=True)) for place, value in sizes.items()]
    rights.sort(key=lambda row: (row["mpan_id"], row["amsid"], row["agreement_id"]))
    return _as_relations(rights, sized, disputes)


def _read_disputes(connection: Connection, reach: Reach) -> list[Row]:
    """Disputes that concern the party, as they stand."""
    within = disputes_within(reach, DISPUTES)
    standing = select(DISPUTES).where(within, known_at(DISPUTE, None))
    foremost = standing.order_by(DISPUTES.c.outcome.is_not(None), DISPUTES.c.dispute_id.desc()).limit(_MOST_DISPUTES)
    rows = [dict(row) for row in connection.execute(foremost).mappings()]
    first = select(DISPUTES.c.dispute_id, DISPUTES.c.known_from_at).where(within, DISPUTES.c.version == 1)
    raised_at = {row.dispute_id: row.known_from_at for row in connection.execute(first)}
    return [
        {
            **row,
            "raised_at": raised_at[row["dispute_id"]],
            "settled_at": row["known_from_at"] if row["outcome"] is not None else None,
            "parties": list(split_list(row["parties"])),
        }
        for row in rows
    ]
