"""Serves the register of commercial agreements on this machine.

By default with sample data in var/, and with a development issuer that prints ready tokens and curl lines: that issuer is
refused in any environment but local. With --issuer configured the issuer of the settings is trusted, and nothing is filled in.
"""

import argparse
import logging
import sys
from pathlib import Path

from fmar_spark.errors import FmarError
from fmar_spark.services.register.operation import open_register
from fmar_spark.services.register.register_app import build_app
from fmar_spark.services.register.sample import (
    describe_sample,
    prepare_sample,
)
from fmar_spark.services.web.server import run_server
from fmar_spark.services.web.signing_keys import DevelopmentIssuer
from fmar_spark.settings.overlays import load_settings
from fmar_spark.settings.sections import Settings

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
            prepare_sample(settings.agreements, None if arguments.lake else SAMPLE_LAKE)
            print(describe_sample(issuer, settings.agreements.audience, f"http://{arguments.host}:{arguments.port}"), flush=True)
        else:
            open_register(settings.agreements).close()
        app = build_app(settings, arguments.env, issuer)
    except FmarError as error:
        print(f"serve: {error}", file=sys.stderr)
        return 2
    run_server(app, settings.agreements, arguments.host, arguments.port)
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
