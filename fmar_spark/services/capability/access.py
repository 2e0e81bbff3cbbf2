"""Who sees what: one declared matrix of roles, endpoints, fields and rows, and the one way by which every answer keeps to it.

An endpoint reads nothing but what ``view_of`` gives: a query that has the granted fields of the rows in scope and no others, so that
filters, orders and counts cannot reach what is held back either.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from fmar_spark.domain.markets import Role
from fmar_spark.errors import ConfigError, read_fault
from fmar_spark.services.capability.resources import Resource
from fmar_spark.services.register.scopes import CONDITION_OF_SCOPE, Scope, list_addresses
from fmar_spark.services.web.access import Caller
from fmar_spark.services.web.problems import ForbiddenError

FILE: Final = "access.yaml"
EVERY_GROUP: Final = "all"
_MOST_VIEWS: Final = 10_000


class Grant(BaseModel):
    """What one role sees of one endpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    rows: Scope
    fields: tuple[str, ...]
    """Names of groups of fields; ``all`` = each of them."""


class Rules(BaseModel):
    """Of one endpoint: its fields in groups, so that each of them was decided about, and the roles that see any."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    groups: dict[str, tuple[str, ...]]
    roles: dict[Role, Grant]

    def fields_of(self, role: Role) -> tuple[str, ...]:
        """Fields that the role sees; none where it sees no row."""
        grant = self.roles.get(role)
        if grant is None:
            return ()
        names = tuple(self.groups) if EVERY_GROUP in grant.fields else grant.fields
        return tuple(field for name in names for field in self.groups[name])


class Matrix(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    endpoints: dict[str, Rules]


class View(NamedTuple):
    """What one caller sees of one endpoint."""

    fields: tuple[str, ...]
    query: str
    """Rows in scope with exactly ``fields``; ``$party_id``, ``$distributor_ids`` and ``$addresses`` stand for the caller's."""
    parameters: Mapping[str, object]
    needs_claims: bool
    """The query names a relation of the register: ``verified_claims``, or ``live_disputes``."""
    is_by_claims: bool
    """Every row in scope belongs to a verified claim of the caller."""
    is_plain: bool
    """The query ends in a condition on its own fields, to which others can be added."""


def load_matrix(conf: Path, resources: Iterable[Resource]) -> Matrix:
    """The matrix of a folder of settings, checked against the endpoints and fields that there are.

    Raises:
        ConfigError: it cannot be read, names what does not exist, or leaves a field or an endpoint undecided.
    """
    path = conf / FILE
    try:
        matrix = Matrix.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {str(error).splitlines()[0]}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{path}: {'.'.join(str(part) for part in first['loc'])}: {read_fault(first)}") from error
    known = {resource.name: resource for resource in resources}
    _compare(path, "endpoints", set(matrix.endpoints), set(known))
    for name, rules in matrix.endpoints.items():
        _check(path, name, rules, known[name])
    return matrix


def view_of(matrix: Matrix, resource: Resource, caller: Caller) -> View:
    """The rows and fields of an endpoint that the caller's roles grant; of several roles, what any of them grants.

    Raises:
        ForbiddenError: none of them grants any.
    """
    rules = matrix.endpoints[resource.name]
    granting = [role for role in Role if role in caller.roles and role in rules.roles]
    if not granting:
        raise ForbiddenError("role-not-allowed", f"none of the party's roles sees {resource.name}")
    scope_of = {role: rules.roles[role].rows for role in granting}
    fields_of = {role: set(rules.fields_of(role)) for role in granting}
    scopes = tuple(dict.fromkeys(scope_of.values()))
    shown = tuple(name for name in resource.fields if any(name in fields for fields in fields_of.values()))
    parameters: dict[str, object] = {}
    if Scope.OWN_NETWORKS in scopes:
        parameters["distributor_ids"] = list(caller.distributor_ids)
    if {Scope.OWN, Scope.OWN_PROVEN, Scope.CONCERNED} & set(scopes):
        parameters["party_id"] = caller.party_id
    if Scope.NOTIFIED in scopes:
        parameters["addresses"] = list_addresses(caller)
    if len(scopes) == 1:
        query = f"SELECT {', '.join(shown)} FROM {resource.table} t WHERE {CONDITION_OF_SCOPE[scopes[0]]}"
    else:
        marks = ", ".join(f"({CONDITION_OF_SCOPE[scope]}) AS _{scope}" for scope in scopes)
        scopes_of = {name: [f"_{scope_of[role]}" for role in granting if name in fields_of[role]] for name in shown}
        selected = ", ".join(f"CASE WHEN {' OR '.join(scopes_of[name])} THEN {name} END AS {name}" for name in shown)
        within = " OR ".join(f"_{scope}" for scope in scopes)
        query = f"SELECT {selected} FROM (SELECT t.*, {marks} FROM {resource.table} t) WHERE {within}"
    has_claims = "verified_claims" in query
    is_plain = len(scopes) == 1
    return View(shown, query, parameters, has_claims or "live_disputes" in query, is_plain and has_claims, is_plain)


class Views:
    """Views by endpoint and caller: the matrix stays as it is while a service runs, so each is worked out once."""

    def __init__(self, matrix: Matrix) -> None:
        """None is known yet."""
        self._matrix = matrix
        self._known: dict[tuple[str, Caller], View] = {}

    def find(self, resource: Resource, caller: Caller) -> View:
        """What ``view_of`` says."""
        view = self._known.get((resource.name, caller))
        if view is None:
            view = view_of(self._matrix, resource, caller)
            if len(self._known) >= _MOST_VIEWS:
                self._known.clear()
            self._known[resource.name, caller] = view
        return view


def may_see(matrix: Matrix, resource: Resource, caller: Caller) -> bool:
    """Whether any of the caller's roles sees anything of an endpoint."""
    return any(role in matrix.endpoints[resource.name].roles for role in caller.roles)


def _check(path: Path, name: str, rules: Rules, resource: Resource) -> None:
    grouped = [field for fields in rules.groups.values() for field in fields]
    twice = sorted({field for field in grouped if grouped.count(field) > 1})
    if twice:
        raise ConfigError(f"{path}: {name}: in two groups: {', '.join(twice)}; one wanted")
    _compare(path, f"{name}: fields", set(grouped), set(resource.fields))
    for role, grant in rules.roles.items():
        unknown = sorted(set(grant.fields) - set(rules.groups) - {EVERY_GROUP})
        if unknown:
            raise ConfigError(f"{path}: {name}: {role}: no group {', '.join(unknown)}; one of {', '.join(rules.groups)} wanted")
        if not set(resource.key) <= set(rules.fields_of(role)):
            raise ConfigError(f"{path}: {name}: {role}: pages are kept apart by {', '.join(resource.key)}; all of them wanted")
        if grant.rows not in resource.scopes:
            raise ConfigError(f"{path}: {name}: {role}: rows: {grant.rows} found, one of {', '.join(resource.scopes)} wanted")


def _compare(path: Path, what: str, found: set[str], wanted: set[str]) -> None:
    if found != wanted:
        raise ConfigError(f"{path}: {what}: {', '.join(sorted(found ^ wanted))}: on one side only; the matrix decides about each of them")
