"""Serves the register of commercial agreements on this machine."""

import logging
import sys
from pathlib import Path

from fmar_spark.errors import ConfigError
from fmar_spark.services.capability.capability_app import add_reads
from fmar_spark.services.register.operation import open_register
from fmar_spark.services.register.register_app import build_app
from fmar_spark.services.register.sample import describe_sample, prepare_sample
from fmar_spark.services.web.server import run_server
from fmar_spark.services.web.signing_keys import DevelopmentIssuer
from fmar_spark.settings.run_options import RunOptions
from fmar_spark.settings.sections import Settings

SAMPLE_LAKE = Path("var/sample_lake")
ISSUERS = ("development", "configured")


def run(options: RunOptions, host: str, port: int, issuer: str, database: str | None) -> int:
    """Set up and serve until stopped.

    Raises:
        ConfigError: no such issuer, a development issuer outside local, or no register answers.
    """
    if issuer not in ISSUERS:
        raise ConfigError(f"--issuer: {issuer!r} found, one of {', '.join(ISSUERS)} wanted")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    for name in ("httpx", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    developing = DevelopmentIssuer(options.env) if issuer == "development" else None
    settings = choose_settings(options, database, is_sample=developing is not None and not options.lake)
    if developing is not None:
        prepare_sample(settings.agreements, None if options.lake else SAMPLE_LAKE)
        print(describe_sample(developing, settings.agreements.audience, f"http://{host}:{port}"), flush=True)
    else:
        open_register(settings.agreements).close()
    app = build_app(settings, options.env, developing)
    add_reads(app, settings)
    run_server(app, settings.agreements, host, port)
    return 0


def choose_settings(options: RunOptions, database: str | None, is_sample: bool) -> Settings:
    """Settings with what the command line changes."""
    settings = options.load_settings()
    changed = {"database_url": database} if database else {}
    update = {"agreements": settings.agreements.model_copy(update=changed)}
    if is_sample:
        return settings.model_copy(update=update | {"lake": settings.lake.model_copy(update={"root": str(SAMPLE_LAKE)})})
    return settings.model_copy(update=update)
