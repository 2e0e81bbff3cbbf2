"""Operates a register: migrate, verify, import, export, add-party. Exit 0 done, 1 failed or broken, 2 wrong arguments or not agreed to."""

import argparse
import getpass
import sys
from pathlib import Path

from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.exc import SQLAlchemyError

from fmar_spark.domain.markets import Basis, ClaimState, Role
from fmar_spark.errors import ConfigError, FmarError, InputError
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
from fmar_spark.services.register.uploads import Mode, Order
from fmar_spark.settings.overlays import load_settings
from fmar_spark.settings.sections import RegisterSettings

DONE, FAILED, WRONG = 0, 1, 2


def main(argv: list[str]) -> int:
    """Do what the command line asks."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    try:
        settings = load_settings(arguments.env, arguments.overrides).agreements
        if arguments.database:
            settings = settings.model_copy(update={"database_url": arguments.database})
        status: int = arguments.run(arguments, settings)
        return status
    except (ConfigError, InputError) as error:
        print(f"register: {error}", file=sys.stderr)
        return WRONG
    except FmarError as error:
        print(f"register: {error}", file=sys.stderr)
    except SQLAlchemyError as error:
        print(f"register: the database refused ({type(error).__name__}); is it reachable, and the URL right?", file=sys.stderr)
    return FAILED


def build_parser() -> argparse.ArgumentParser:
    """The commands and their arguments."""
    parser = argparse.ArgumentParser(prog="register", description=__doc__)
    parser.add_argument("--database", metavar="URL", help="the register (default: the setting agreements.database_url)")
    parser.add_argument("--env", default="local", metavar="NAME", help="overlay conf/NAME.yaml over conf/base.yaml")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="SECTION.KEY=VALUE", help="one setting")
    parser.add_argument("--yes", action="store_true", help="agree to every question, for scripts")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    migrating = commands.add_parser("migrate", help="bring the tables to the form that this code wants; asks")
    migrating.set_defaults(run=run_migrate)

    verifying = commands.add_parser("verify", help="prove that the ledger is whole, or name the rows that broke it")
    verifying.add_argument("--anchor", action="append", default=[], metavar="SEQ:HASH", help="an end of the chain that was kept outside")
    verifying.set_defaults(run=run_verify)

    importing = commands.add_parser("import", help="take a CSV of agreements on behalf of an FSP; asks")
    importing.add_argument("file", type=Path)
    importing.add_argument("--fsp", required=True, metavar="PARTY", help="whose agreements they are")
    importing.add_argument("--mode", choices=[str(mode) for mode in Mode], default=str(Mode.ALL_OR_NOTHING))
    importing.add_argument("--dry-run", action="store_true", help="check every row, store nothing but the report")
    importing.set_defaults(run=run_import)

    exporting = commands.add_parser("export", help="write every version of one kind as CSV")
    exporting.add_argument("kind", choices=["agreement", "override", "confirmation", "party", "evidence"])
    exporting.add_argument("--out", type=Path, metavar="FILE", help="default: standard output; asks before it replaces a file")
    exporting.set_defaults(run=run_export)

    loading = commands.add_parser("load-evidence", help="record allocations and consents from a CSV: what verifies claims; asks")
    loading.add_argument("file", type=Path, help="columns basis, mpan_id, reference and perhaps fsp_id, amsid, valid_from_at, valid_to_at")
    loading.add_argument("--dry-run", action="store_true", help="check every row, store nothing")
    loading.set_defaults(run=run_load_evidence)

    for name, meaning in (("approve", "verify an FSP's claim to an asset"), ("dispute", "mark an FSP's claim as contradicted")):
        deciding = commands.add_parser(name, help=f"{meaning}; asks")
        for field in ("fsp_id", "mpan_id", "amsid"):
            deciding.add_argument(field)
        deciding.add_argument("--reference", required=True, metavar="TEXT", help="what the decision rests on")
        deciding.set_defaults(run=run_decide, basis=Basis.APPROVAL if name == "approve" else Basis.DISPUTE)

    claiming = commands.add_parser("claims", help="list the claims that agreements in force stand on, with their state")
    claiming.add_argument("--state", choices=[str(state) for state in ClaimState], help="of one state alone")
    claiming.set_defaults(run=run_claims)

    adding = commands.add_parser("add-party", help="let a party take part, or change it; asks before it changes one")
    adding.add_argument("party_id", help="existing market participant id")
    adding.add_argument("--name", required=True)
    adding.add_argument("--role", action="append", required=True, choices=[str(role) for role in Role], help="may be repeated")
    adding.add_argument("--area", action="append", default=[], metavar="NN", help="distributor id of a network's MPANs; may be repeated")
    adding.add_argument("--client", action="append", default=[], metavar="ID", help="client that speaks for it; may be repeated")
    adding.set_defaults(run=run_add_party)
    return parser


def run_migrate(arguments: argparse.Namespace, settings: RegisterSettings) -> int:
    """Run pending steps."""
    database = RegisterDatabase(settings)
    pending = find_pending(database)
    if not pending:
        print("register: the tables are up to date")
        return DONE
    if not agrees(arguments, f"run {', '.join(pending)} on {database.engine.url.render_as_string()}"):
        return WRONG
    print(f"register: done: {', '.join(migrate(database))}")
    return DONE


def run_verify(arguments: argparse.Namespace, settings: RegisterSettings) -> int:
    """Verify and print the end of the chain."""
    found = verify_ledger(open_register(settings), tuple(parse_anchor(text) for text in arguments.anchor))
    for broken in found.breaks:
        print(f"BROKEN  {broken.table}: {broken.row}: {broken.reason}")
    print(f"{'BROKEN' if found.breaks else 'whole'}: {found.entries} entries; keep this anchor outside: {found.head.seq}:{found.head.hash}")
    return FAILED if found.breaks else DONE


def run_import(arguments: argparse.Namespace, settings: RegisterSettings) -> int:
    """Take a file and report."""
    database = open_register(settings)
    if not arguments.dry_run and not agrees(arguments, f"import {arguments.file} as agreements of {arguments.fsp} ({arguments.mode})"):
        return WRONG
    order = Order(Mode(arguments.mode), arguments.dry_run, settings.upload_chunk_rows)
    with Progress(TextColumn("rows"), MofNCompleteColumn(), TimeElapsedColumn(), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("rows", total=None)
        upload, refused = import_agreements(
            database, settings, arguments.fsp, arguments.file, order, lambda number: bar.update(task, completed=number)
        )
    for row in refused:
        print(f"line {row['line']}: {row['rule']}: {row['detail']}")
    counts = ", ".join(f"{upload[f'rows_{name}']} {name}" for name in ("accepted", "unchanged", "refused"))
    print(f"{upload['state']}: {upload['rows_read']} rows, {counts}; report {upload['upload_id']}")
    return FAILED if upload["rows_refused"] else DONE


def run_export(arguments: argparse.Namespace, settings: RegisterSettings) -> int:
    """Write a CSV."""
    database = open_register(settings)
    if arguments.out is None:
        export_versions(database, arguments.kind, sys.stdout)
        return DONE
    if arguments.out.exists() and not agrees(arguments, f"replace {arguments.out}"):
        return WRONG
    with open_private(arguments.out) as file:
        count = export_versions(database, arguments.kind, file)
    print(f"{arguments.out}: {count} versions")
    return DONE


def run_load_evidence(arguments: argparse.Namespace, settings: RegisterSettings) -> int:
    """Record a file of evidence and report."""
    database = open_register(settings)
    if not arguments.dry_run and not agrees(arguments, f"load {arguments.file} as evidence"):
        return WRONG
    counts, refused = load_evidence(database, settings, arguments.file, operator(), arguments.dry_run)
    for row in refused:
        print(f"line {row.line}: {row.rule}: {row.detail}")
    print(f"{'checked' if arguments.dry_run else 'loaded'}: {', '.join(f'{count} {outcome}' for outcome, count in counts.items())}")
    return FAILED if counts["refused"] else DONE


def run_decide(arguments: argparse.Namespace, settings: RegisterSettings) -> int:
    """Approve or dispute one claim."""
    claim = Claim(arguments.fsp_id, arguments.mpan_id, arguments.amsid)
    database = open_register(settings)
    if not agrees(arguments, f"record an {arguments.basis} of {claim.fsp_id}'s claim to {claim.amsid}"):
        return WRONG
    print(f"{claim.fsp_id} {claim.amsid}: {decide(database, claim, arguments.basis, arguments.reference, operator())}")
    return DONE


def run_claims(arguments: argparse.Namespace, settings: RegisterSettings) -> int:
    """List claims."""
    wanted = ClaimState(arguments.state) if arguments.state else None
    for claim, state in find_claims(open_register(settings), wanted):
        print(f"{state}  {claim.fsp_id}  {claim.mpan_id}  {claim.amsid}")
    return DONE


def operator() -> Actor:
    """On whose account changes are recorded."""
    return Actor(OPERATOR, getpass.getuser())


def run_add_party(arguments: argparse.Namespace, settings: RegisterSettings) -> int:
    """Add or change a party."""
    database = open_register(settings)
    roles = tuple(Role(role) for role in arguments.role)
    plan = PartyPlan(arguments.party_id, arguments.name, roles, tuple(arguments.area), tuple(arguments.client))
    changes = describe_party_change(database, plan)
    if changes and not agrees(arguments, f"change {plan.party_id}: {changes}"):
        return WRONG
    row = set_party(database, plan, operator())
    print(f"{row['party_id']}: version {row['version']}, {row['roles']}; clients {', '.join(plan.client_ids) or 'as they were'}")
    return DONE


def agrees(arguments: argparse.Namespace, what: str) -> bool:
    """Whether the operator wants it; without a terminal only --yes can say so."""
    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        print(f"register: would {what}; say --yes to agree without a terminal", file=sys.stderr)
        return False
    return input(f"{what}? [y/N] ").strip().lower() in {"y", "yes"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
