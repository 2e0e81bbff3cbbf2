"""Operates a register: migrate, verify, import, export, evidence, claims, parties. A question that is not agreed to ends with status 2."""

import functools
import getpass
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from fmar_spark.commands.terminal import print_line, show_parts
from fmar_spark.domain.figures import write_count
from fmar_spark.domain.markets import Basis, ClaimState, Role
from fmar_spark.domain.mpan import is_mpan
from fmar_spark.errors import DONE, FAILED, WRONG_INPUT, ConfigError, FmarError, InputError
from fmar_spark.services.register.claims import Claim
from fmar_spark.services.register.database import RegisterDatabase, find_pending, migrate
from fmar_spark.services.register.ledger import Actor, verify_ledger
from fmar_spark.services.register.operation import (
    OPERATOR,
    PartyPlan,
    decide,
    describe_party_change,
    export_versions,
    find_claims,
    import_agreements,
    load_evidence,
    open_private,
    open_register,
    parse_anchor,
    set_party,
)
from fmar_spark.services.register.redaction import describe_kept, find_kept, redact_meter
from fmar_spark.services.register.uploads import Mode, Order
from fmar_spark.settings.run_options import RunOptions
from fmar_spark.settings.sections import RegisterSettings

NOT_AGREED = WRONG_INPUT
KINDS = ("agreement", "override", "confirmation", "party", "evidence")
P = ParamSpec("P")
R = TypeVar("R")


def report_database_errors(body: Callable[P, R]) -> Callable[P, R]:
    """An error of the database is one line without its statement, which may hold personal data."""

    @functools.wraps(body)
    def run(*given: P.args, **named: P.kwargs) -> R:
        try:
            return body(*given, **named)
        except SQLAlchemyError as error:
            raise FmarError(f"the database reports {type(error).__name__}; is it reachable, and the URL right?") from error

    return run


def choose_settings(options: RunOptions, database: str | None) -> RegisterSettings:
    """The register's settings, with another database where one is named."""
    settings = options.load_settings().agreements
    return settings.model_copy(update={"database_url": database}) if database else settings


@report_database_errors
def run_migrate(options: RunOptions, database: str | None, yes: bool) -> int:
    """Run pending steps."""
    register = RegisterDatabase(choose_settings(options, database))
    pending = find_pending(register)
    if not pending:
        print("register: the tables are up to date")
        return DONE
    if not agrees(yes, f"run {', '.join(pending)} on {register.engine.url.render_as_string()}"):
        return NOT_AGREED
    print(f"register: done: {', '.join(migrate(register))}")
    return DONE


@report_database_errors
def run_verify(options: RunOptions, anchor: list[str] | None, database: str | None) -> int:
    """Verify and print the end of the chain."""
    found = verify_ledger(open_register(choose_settings(options, database)), tuple(parse_anchor(text) for text in anchor or ()))
    for broken in found.breaks:
        print(f"BROKEN  {broken.table}: {broken.row}: {broken.reason}")
    entries = f"{found.entries} entries, {found.redacted} redacted"
    print(f"{'BROKEN' if found.breaks else 'whole'}: {entries}; keep this anchor outside: {found.head.seq}:{found.head.hash}")
    return FAILED if found.breaks else DONE


@report_database_errors
def run_import(options: RunOptions, file: Path, fsp: str, mode: str, dry_run: bool, database: str | None, yes: bool) -> int:
    """Take a file and report."""
    settings = choose_settings(options, database)
    order = Order(choose(Mode, mode, "--mode"), dry_run, settings.upload_chunk_rows)
    register = open_register(settings)
    if not dry_run and not agrees(yes, f"import {file} as agreements of {fsp} ({mode})"):
        return NOT_AGREED
    with show_parts("register import", "rows") as show:
        upload, rejected = import_agreements(register, settings, fsp, file, order, show)
    for row in rejected:
        print_line(f"line {row['line']}: {row['rule']}: {row['detail']}")
    counts = ", ".join(f"{upload[f'rows_{name}']} {name}" for name in ("accepted", "unchanged", "valid", "rejected"))
    print(f"{upload['state']}: {write_count(upload['rows_read'], 'row')}, {counts}; report {upload['upload_id']}")
    return FAILED if upload["rows_rejected"] else DONE


@report_database_errors
def run_export(options: RunOptions, kind: str, out: Path | None, database: str | None, yes: bool) -> int:
    """Write a CSV."""
    if kind not in KINDS:
        raise ConfigError(f"KIND: {kind!r} found, one of {', '.join(KINDS)} wanted")
    register = open_register(choose_settings(options, database))
    if out is None:
        export_versions(register, kind, sys.stdout)
        return DONE
    if out.exists() and not agrees(yes, f"replace {out}"):
        return NOT_AGREED
    with open_private(out) as file:
        count = export_versions(register, kind, file)
    print(f"{out}: {write_count(count, 'version')}")
    return DONE


@report_database_errors
def run_load_evidence(options: RunOptions, file: Path, dry_run: bool, database: str | None, yes: bool) -> int:
    """Record a file of evidence and report."""
    settings = choose_settings(options, database)
    register = open_register(settings)
    if not dry_run and not agrees(yes, f"load {file} as evidence"):
        return NOT_AGREED
    counts, rejected = load_evidence(register, settings, file, operator(), dry_run)
    for row in rejected:
        print(f"line {row.line}: {'; '.join(f'{fault.rule}: {fault.detail}' for fault in row.faults)}")
    print(f"{'checked' if dry_run else 'loaded'}: {', '.join(f'{count} {outcome}' for outcome, count in counts.items())}")
    return FAILED if counts["rejected"] else DONE


@report_database_errors
def run_subject(options: RunOptions, mpan_id: str, redact: bool, database: str | None, yes: bool) -> int:
    """Report, or redact. The meter point is not repeated: what is printed may be logged."""
    settings = choose_settings(options, database)
    register = open_register(settings)
    mpan_id = "".join(mpan_id.split())
    if not is_mpan(mpan_id):
        raise InputError(f"mpan_id: {write_count(len(mpan_id), 'character')} found, a meter point of 13 digits wanted")
    kept = find_kept(register, settings, mpan_id)
    if not redact:
        print(describe_kept(kept, settings))
        return DONE
    if not agrees(yes, f"replace the meter point and its assets by random names in {write_count(kept.versions, 'version')}, for good"):
        return NOT_AGREED
    versions = redact_meter(register, settings, mpan_id, datetime.now(UTC).date(), operator())
    print(f"redacted: {write_count(versions, 'version')} and the ledger entries of {'it' if versions == 1 else 'them'}")
    return DONE


@report_database_errors
def run_approve(options: RunOptions, fsp_id: str, mpan_id: str, amsid: str, reference: str, database: str | None, yes: bool) -> int:
    """Approve one claim."""
    return record_decision(open_register(choose_settings(options, database)), Claim(fsp_id, mpan_id, amsid), Basis.APPROVAL, reference, yes)


@report_database_errors
def run_dispute(options: RunOptions, fsp_id: str, mpan_id: str, amsid: str, reference: str, database: str | None, yes: bool) -> int:
    """Dispute one claim."""
    return record_decision(open_register(choose_settings(options, database)), Claim(fsp_id, mpan_id, amsid), Basis.DISPUTE, reference, yes)


def record_decision(register: RegisterDatabase, claim: Claim, basis: Basis, reference: str, yes: bool) -> int:
    """The administrator's word on a claim stands in the register, once agreed to."""
    if not agrees(yes, f"record an {basis} of {claim.fsp_id}'s claim to {claim.amsid}"):
        return NOT_AGREED
    print(f"{claim.fsp_id} {claim.amsid}: {decide(register, claim, basis, reference, operator())}")
    return DONE


@report_database_errors
def run_claims(options: RunOptions, state: ClaimState | None, database: str | None) -> int:
    """List claims."""
    for claim, found in find_claims(open_register(choose_settings(options, database)), state):
        print(f"{found}  {claim.fsp_id}  {claim.mpan_id}  {claim.amsid}")
    return DONE


@report_database_errors
def run_add_party(
    options: RunOptions,
    party_id: str,
    name: str,
    role: list[Role],
    area: list[str] | None,
    client: list[str] | None,
    database: str | None,
    yes: bool,
) -> int:
    """Add or change a party."""
    register = open_register(choose_settings(options, database))
    plan = PartyPlan(party_id, name, tuple(role), tuple(area or ()), tuple(client or ()))
    changes = describe_party_change(register, plan)
    if changes and not agrees(yes, f"change {plan.party_id}: {changes}"):
        return NOT_AGREED
    row = set_party(register, plan, operator())
    print(f"{row['party_id']}: version {row['version']}, {row['roles']}; clients {', '.join(plan.client_ids) or 'as they were'}")
    return DONE


def operator() -> Actor:
    """On whose account changes are recorded."""
    return Actor(OPERATOR, getpass.getuser())


def choose(kind: type[Mode], text: str, option: str) -> Mode:
    """The member of that name.

    Raises:
        ConfigError: there is none.
    """
    try:
        return kind(text)
    except ValueError as error:
        raise ConfigError(f"{option}: {text!r} found, one of {', '.join(kind)} wanted") from error


def agrees(yes: bool, what: str) -> bool:
    """Whether the operator wants it; without a terminal only --yes can say so."""
    if yes:
        return True
    if not sys.stdin.isatty():
        print(f"register: would {what}; say --yes to agree without a terminal", file=sys.stderr)
        return False
    return input(f"{what}? [y/N] ").strip().lower() in {"y", "yes"}
