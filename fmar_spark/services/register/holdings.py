"""The rights of an FSP to which derived values may be shown: in force, of verified claims, with what the FSP said of their assets."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from fmar_spark.services.register.access import Reach
from fmar_spark.services.register.claims import Claim, claim_of, find_entitled
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.records import Row, known_at, valid_at
from fmar_spark.services.register.tables import AGREEMENT, CONFIRMATION, OVERRIDE, Subject

_CLAIMS_AT_ONCE = 1000


def list_holdings(database: RegisterDatabase, connection: Connection, reach: Reach, now: datetime, mpan_id: str = "") -> list[Row]:
    """Agreements of the FSP with ``asset_class``, what it said that the asset is ('' where nothing), and ``answered_classes``.

    Args:
        database: the register.
        connection: to it, within ``reach``.
        reach: of the FSP.
        now: the moment at which rights are in force.
        mpan_id: those at one meter point alone.
    """
    terms = list_own(connection, AGREEMENT, reach, now, mpan_id)
    entitled: set[Claim] = set()
    for first in range(0, len(terms), _CLAIMS_AT_ONCE):
        entitled |= find_entitled(database, connection, reach, terms[first : first + _CLAIMS_AT_ONCE], now)
    answers = list_own(connection, CONFIRMATION, reach, None, mpan_id)
    said: dict[Claim, str] = {claim_of(row): row["asset_class"] for row in list_own(connection, OVERRIDE, reach, None, mpan_id)}
    said |= {claim_of(row): row["asset_class"] for row in answers if row["is_present"]}
    answered: dict[Claim, list[str]] = {}
    for row in answers:
        answered.setdefault(claim_of(row), []).append(row["asset_class"])
    return [
        {**row, "asset_class": said.get(claim_of(row), ""), "answered_classes": answered.get(claim_of(row), [])}
        for row in terms
        if claim_of(row) in entitled
    ]


def list_own(connection: Connection, subject: Subject, reach: Reach, moment: datetime | None, mpan_id: str = "") -> list[dict[str, Any]]:
    """The FSP's own versions as they are known now, those in force at a moment and at a meter point where these are given."""
    wanted = select(subject.table).where(subject.table.c.fsp_id == reach.fsp_id, known_at(subject, None))
    if moment is not None:
        wanted = wanted.where(valid_at(subject, moment))
    if mpan_id:
        wanted = wanted.where(subject.table.c.mpan_id == mpan_id)
    return [dict(row) for row in connection.execute(wanted).mappings()]
