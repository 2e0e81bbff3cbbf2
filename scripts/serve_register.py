"""Serves the register of commercial agreements on this machine.

By default with sample data in var/, and with a development issuer that prints ready tokens and curl lines: that issuer is
refused in any environment but local. With --issuer configured the issuer of the settings is trusted, and nothing is filled in.
"""

import argparse
import logging
import sys
from pathlib import Path

import uvicorn

from fmar_spark.errors import FmarError
from fmar_spark.services.register.database import RegisterDatabase, migrate
from fmar_spark.services.register.operation import open_register
from fmar_spark.services.register.register_app import build_app
from fmar_spark.services.register.sample import SAMPLE_MPAN, SAMPLE_PARTIES, fill_register, write_sample_lake
from fmar_spark.services.web.signing_keys import DevelopmentIssuer
from fmar_spark.settings.overlays import load_settings
from fmar_spark.settings.sections import RegisterSettings, Settings

SAMPLE_LAKE = Path("var/sample_lake")


def main(argv: list[str]) -> int:
    """Set up and serve until stopped."""
    parser = argparse.ArgumentParser(prog="serve", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--issuer", choices=["development", "configured"], default="development")
    parser.add_argument("--database", metavar="URL", help="the register (default: the setting agreements.database_url)")
    parser.add_argument("--lake", metavar="PATH", help="lake with derived values (default: a sample of one meter point)")
    parser.add_argument("--env", default="local", metavar="NAME", help="overlay conf/NAME.yaml over conf/base.yaml")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="SECTION.KEY=VALUE", help="one setting")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    for name in ("httpx", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        issuer = DevelopmentIssuer(arguments.env) if arguments.issuer == "development" else None
        settings = choose_settings(arguments)
        if issuer is not None:
            prepare_sample(settings.agreements, is_lake_given=bool(arguments.lake))
            print(describe(issuer, settings.agreements, f"http://{arguments.host}:{arguments.port}"), flush=True)
        else:
            open_register(settings.agreements).close()
        app = build_app(settings, arguments.env, issuer)
    except FmarError as error:
        print(f"serve: {error}", file=sys.stderr)
        return 2
    # Our own line a request holds the route alone; uvicorn's would hold the query, and an MPAN with it.
    uvicorn.run(app, host=arguments.host, port=arguments.port, access_log=False, log_level="warning", server_header=False)
    return 0


def choose_settings(arguments: argparse.Namespace) -> Settings:
    """Settings with what the command line changes."""
    settings = load_settings(arguments.env, arguments.overrides)
    changed = {"database_url": arguments.database} if arguments.database else {}
    root = arguments.lake or (str(SAMPLE_LAKE) if arguments.issuer == "development" else settings.lake.root)
    return settings.model_copy(
        update={
            "agreements": settings.agreements.model_copy(update=changed),
            "lake": settings.lake.model_copy(update={"root": root}),
        }
    )


def prepare_sample(settings: RegisterSettings, is_lake_given: bool) -> None:
    """A migrated register with the sample in it."""
    database = RegisterDatabase(settings)
    migrate(database)
    fill_register(database)
    database.close()
    if not is_lake_given:
        write_sample_lake(SAMPLE_LAKE)


def describe(issuer: DevelopmentIssuer, settings: RegisterSettings, url: str) -> str:
    """Tokens and lines to paste."""
    lines = ["", "Tokens for 8 hours, worth nothing once this service stops:", ""]
    for plan in SAMPLE_PARTIES:
        token = issuer.sign(plan.client_ids[0], settings.audience)
        lines.append(f"export {plan.party_id}={token}   # {plan.name}, {', '.join(plan.roles)}")
    body = (
        f'{{"mpan_id": "{SAMPLE_MPAN}", "amsid": "AMS-BT-9", "market": "dso_local", "primacy_tier": 1, "is_exclusive": true, '
        '"valid_from_at": "2026-02-01T00:00:00Z"}'
    )
    lines += [
        "",
        "Then, for example:",
        "",
        f'curl -s -H "Authorization: Bearer $ALPHA" "{url}/v1/agreements?mpan_id={SAMPLE_MPAN}&valid_at=2026-03-04T17:30:00Z"',
        f"curl -s -H \"Authorization: Bearer $ALPHA\" -H 'Content-Type: application/json' -d '{body}' {url}/v1/agreements",
        f'curl -s -H "Authorization: Bearer $SOUTHERN" "{url}/v1/agreements?market=dso_local"',
        f'curl -s -H "Authorization: Bearer $OFFICE" {url}/v1/parties',
        f"curl -s {url}/health/ready; curl -s {url}/metrics; every endpoint: {url}/docs",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
