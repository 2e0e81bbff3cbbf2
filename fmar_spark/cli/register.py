"""The register of commercial agreements: its service on this machine, and its operator's commands."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, Typer

from fmar_spark.cli.declaring import SETTINGS_ALONE, declare_command, existing_path
from fmar_spark.domain.markets import ClaimState, Role

GROUP = Typer()
REGISTER = Typer(name="register", help="Operate the register of agreements: migrate, verify, import, export, evidence, parties.")
Database = Annotated[str | None, Option(metavar="URL", help="the register (default: the setting agreements.database_url)")]
Yes = Annotated[bool, Option("--yes", help="agree to the question, for scripts")]
FspId = Annotated[str, Argument(help="market participant id of the FSP")]
MpanId = Annotated[str, Argument(help="the meter point")]
Amsid = Annotated[str, Argument(help="the asset")]
Reference = Annotated[str, Option(metavar="TEXT", help="what the decision rests on")]


@declare_command(GROUP, "serve", "serve")
def serve(
    host: Annotated[str, Option(help="address to listen on (default: this machine alone)")] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65535, help="port to listen on")] = 8000,
    issuer: Annotated[str, Option(metavar="development|configured", help="whose tokens are trusted")] = "development",
    database: Database = None,
    areas: Annotated[
        Path | None, Option(parser=existing_path, metavar="FILE", help="GeoJSON boundaries of the GSP groups, for the map of areas")
    ] = None,
) -> None:
    """Serve the register, the read API and its pages on this machine.

    By default with sample parties in var/, on the lake of the settings where there is one (else on a sample of derived values), and
    with a development issuer that prints ready tokens and curl lines: that issuer works in the environment local alone. With
    --issuer configured the issuer of the settings is trusted, and nothing is filled in.
    """


@declare_command(REGISTER, "migrate", "register", "run_migrate", SETTINGS_ALONE)
def migrate(database: Database = None, yes: Yes = False) -> None:
    """Bring the tables to the state that this version wants; asks."""


@declare_command(REGISTER, "verify", "register", "run_verify", SETTINGS_ALONE)
def verify(
    anchor: Annotated[list[str] | None, Option(metavar="SEQ:HASH", help="an end of the chain that was kept outside")] = None,
    database: Database = None,
) -> None:
    """Prove that the ledger is whole, or name the rows that broke it."""


@declare_command(REGISTER, "import", "register", "run_import", SETTINGS_ALONE)
def import_agreements(
    file: Annotated[Path, Argument(help="CSV of agreements")],
    fsp: Annotated[str, Option(metavar="PARTY", help="whose agreements they are")],
    mode: Annotated[str, Option(metavar="all_or_nothing|partial", help="what happens to good rows beside bad ones")] = "all_or_nothing",
    dry_run: Annotated[bool, Option("--dry-run", help="check every row, store nothing but the report")] = False,
    database: Database = None,
    yes: Yes = False,
) -> None:
    """Take a CSV of agreements on behalf of an FSP; asks."""


@declare_command(REGISTER, "export", "register", "run_export", SETTINGS_ALONE)
def export(
    kind: Annotated[str, Argument(metavar="KIND", help="agreement, override, confirmation, party or evidence")],
    out: Annotated[Path | None, Option(metavar="FILE", help="default: standard output; asks before it replaces a file")] = None,
    database: Database = None,
    yes: Yes = False,
) -> None:
    """Write every version of one kind as CSV."""


@declare_command(REGISTER, "load-evidence", "register", "run_load_evidence", SETTINGS_ALONE)
def load_evidence(
    file: Annotated[
        Path,
        Argument(
            parser=existing_path,
            metavar="FILE",
            help="columns basis, mpan_id, reference and perhaps fsp_id, amsid, valid_from_at, valid_to_at",
        ),
    ],
    dry_run: Annotated[bool, Option("--dry-run", help="check every row, store nothing")] = False,
    database: Database = None,
    yes: Yes = False,
) -> None:
    """Record allocations and consents from a CSV: what verifies claims; asks."""


@declare_command(REGISTER, "subject", "register", "run_subject", SETTINGS_ALONE)
def subject(
    mpan_id: MpanId,
    redact: Annotated[bool, Option("--redact", help="replace it and its assets by random names, once nothing requires it; asks")] = False,
    database: Database = None,
    yes: Yes = False,
) -> None:
    """Say what the register keeps about a meter point, why and until when; or name it no more from then on."""


@declare_command(REGISTER, "approve", "register", "run_approve", SETTINGS_ALONE)
def approve(fsp_id: FspId, mpan_id: MpanId, amsid: Amsid, reference: Reference, database: Database = None, yes: Yes = False) -> None:
    """Verify an FSP's claim to an asset; asks."""


@declare_command(REGISTER, "dispute", "register", "run_dispute", SETTINGS_ALONE)
def dispute(fsp_id: FspId, mpan_id: MpanId, amsid: Amsid, reference: Reference, database: Database = None, yes: Yes = False) -> None:
    """Mark an FSP's claim as contradicted; asks."""


@declare_command(REGISTER, "claims", "register", "run_claims", SETTINGS_ALONE)
def claims(
    state: Annotated[ClaimState | None, Option(help="of one state alone")] = None,
    database: Database = None,
) -> None:
    """List the claims that agreements in force stand on, with their state."""


@declare_command(REGISTER, "add-party", "register", "run_add_party", SETTINGS_ALONE)
def add_party(
    party_id: Annotated[str, Argument(help="existing market participant id")],
    name: Annotated[str, Option(help="name of the party")],
    role: Annotated[list[Role], Option(help="may be repeated")],
    area: Annotated[list[str] | None, Option(metavar="NN", help="distributor id of a network's MPANs; may be repeated")] = None,
    client: Annotated[list[str] | None, Option(metavar="ID", help="client that speaks for it; may be repeated")] = None,
    database: Database = None,
    yes: Yes = False,
) -> None:
    """Let a party take part, or change it; asks before it changes one."""
