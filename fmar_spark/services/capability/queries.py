"""Turns what a request asks into one query over what its caller sees: filters, an order, and a page by key.

Names in a query come from declarations, values are always parameters. Filters work on the caller's view, so that none can ask about
a field or row that is held back.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

from fmar_spark.services.capability.access import View
from fmar_spark.services.capability.resources import Resource
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.models import bad_cursor
from fmar_spark.services.web.problems import ForbiddenError

_MARK_CHARACTERS: Final = 16
_MOST_KEY_CHARACTERS: Final = 200
_FEW: Final = "WITH {table} AS MATERIALIZED (SELECT {fields} FROM main.{table} WHERE {named}) "
"""In front of a query over a table: DuckDB uses an index only where it is the one condition."""
Filters = Mapping[str, object]
"""Values by field; a name that ends in ``_min`` or ``_max`` bounds the field before it. None = not asked."""


class Question(NamedTuple):
    """A query with its values."""

    text: str
    parameters: dict[str, object]


class Part(NamedTuple):
    """Which of the rows that fit."""

    after: tuple[Any, ...] | None = None
    """Key of the last row of the page before."""
    limit: int | None = None
    """Most rows."""
    named: Sequence[str] | None = None
    """Rows with these values of the key's first column alone: a few of many are found in sorted rows without reading the others."""


WHOLE: Final = Part()


def ask(view: View, resource: Resource, filters: Filters, part: Part = WHOLE) -> Question:
    """The rows that a caller sees and asks for, in the order of their key.

    Args:
        view: what the caller sees.
        resource: of the same endpoint.
        filters: what must hold of the rows.
        part: which of them.

    Raises:
        ForbiddenError: a filter names a field that the caller does not see.
    """
    parameters: dict[str, object] = dict(view.parameters)
    conditions = []
    for name, value in filters.items():
        if value is None:
            continue
        field, sign = _field_of(name, view.fields, resource)
        parameters[f"filter_{name}"] = value
        conditions.append(f"{field} {sign} $filter_{name}")
    if part.after is not None:
        parameters |= {f"after_{place}": value for place, value in enumerate(part.after)}
        conditions.append(_goes_on(resource.key))
    few = ""
    if part.named is not None:
        parameters |= {f"named_{place}": value for place, value in enumerate(part.named)}
        named = f"{resource.key[0]} IN ({', '.join(f'$named_{place}' for place in range(len(part.named)))})"
        if resource.table.isidentifier():
            few = _FEW.format(table=resource.table, fields=", ".join(resource.fields), named=named)
        else:
            conditions.append(named)
    text = few + _narrow(view, conditions)
    if all(filters.get(name) is not None for name in resource.key):
        return Question(text, parameters)
    bound = "" if part.limit is None else f" LIMIT {part.limit:d}"
    return Question(f"{text} ORDER BY {', '.join(resource.key)}{bound}", parameters)


def _narrow(view: View, conditions: Sequence[str]) -> str:
    """The view's rows that meet conditions on its fields; one level of a query where that will do, since planning takes its time."""
    if view.is_plain:
        return " AND ".join([view.query, *conditions])
    return f"SELECT * FROM ({view.query})" + (f" WHERE {' AND '.join(conditions)}" if conditions else "")


def write_cursor(caller: Caller, resource: Resource, filters: Filters, row: Mapping[str, Any]) -> str:
    """Where the next page begins; of use to the same caller and the same question alone."""
    key = [str(value) if isinstance(value, date) else value for value in (row[name] for name in resource.key)]
    text = _mark(caller, resource, filters) + json.dumps(key, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode("ascii")


def read_cursor(cursor: str | None, caller: Caller, resource: Resource, filters: Filters) -> tuple[Any, ...] | None:
    """The key of the last row of the page before; None at the beginning.

    Raises:
        InvalidError: it was not given to this caller for this question.
    """
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode()
        key = json.loads(text[_MARK_CHARACTERS:])
        json.dumps(key, ensure_ascii=False).encode()  # JSON can hold half a character, which no database takes
    except (ValueError, binascii.Error, RecursionError) as error:
        raise bad_cursor() from error
    if text[:_MARK_CHARACTERS] != _mark(caller, resource, filters) or not isinstance(key, list) or len(key) != len(resource.key):
        raise bad_cursor()
    kinds = {column.name: int if column.type in {"int", "bigint"} else str for column in resource.columns}
    days = {column.name for column in resource.columns if column.type == "date"}
    for name, value in zip(resource.key, key, strict=True):
        is_small = abs(value) < 2**31 if isinstance(value, int) else len(str(value)) <= _MOST_KEY_CHARACTERS
        if type(value) is not kinds[name] or not is_small:
            raise bad_cursor()
    try:
        return tuple(date.fromisoformat(value) if name in days else value for name, value in zip(resource.key, key, strict=True))
    except ValueError as error:
        raise bad_cursor() from error


def _field_of(name: str, fields: tuple[str, ...], resource: Resource) -> tuple[str, str]:
    for ending, sign in (("_min", ">="), ("_max", "<=")):
        if name.endswith(ending) and name not in resource.fields:
            return _granted(name.removesuffix(ending), fields), sign
    return _granted(name, fields), "="


def _granted(name: str, fields: tuple[str, ...]) -> str:
    if name not in fields:
        raise ForbiddenError("field-not-allowed", f"none of the party's roles sees {name} here, so it cannot be searched by either")
    return name


def _goes_on(key: tuple[str, ...]) -> str:
    """Rows after a key, with a plain bound on its first column, by which parts of a file are passed over."""
    later = []
    for place, name in enumerate(key):
        same = [f"{earlier} = $after_{number}" for number, earlier in enumerate(key[:place])]
        later.append("(" + " AND ".join([*same, f"{name} > $after_{place}"]) + ")")
    return f"{key[0]} >= $after_0 AND ({' OR '.join(later)})"


def _mark(caller: Caller, resource: Resource, filters: Filters) -> str:
    asked = sorted((name, str(value)) for name, value in filters.items() if value is not None)
    text = json.dumps([caller.party_id, resource.name, asked])
    return hashlib.sha256(text.encode()).hexdigest()[:_MARK_CHARACTERS]
