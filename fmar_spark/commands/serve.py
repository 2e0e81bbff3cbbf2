"""Serves the register of commercial agreements, the read API and its pages on this machine."""

import logging
import sys
from contextlib import closing
from pathlib import Path

from fmar_spark.contracts.capability import ASSET_DETECTIONS
from fmar_spark.engine.model_file import find_folder
from fmar_spark.errors import ConfigError
from fmar_spark.services.capability.capability_app import add_reads
from fmar_spark.services.capability.pages.boundaries import read_boundaries
from fmar_spark.services.capability.sample import (
    AREA_OF_MODEL,
    DECLARED_IN_MODEL,
    OF_MODEL,
    REGISTER_FILE,
    add_network,
    describe_reads,
    fill_deliveries,
    fill_from_assets,
    list_guests,
)
from fmar_spark.services.capability.served_model import ModelSource, ServedModel
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.operation import PartyPlan, open_register
from fmar_spark.services.register.register_app import build_app
from fmar_spark.services.register.sample import DEFAULT_NETWORK_AREA, describe_sample, prepare_sample
from fmar_spark.services.web.problems import BusyError
from fmar_spark.services.web.server import run_server
from fmar_spark.services.web.signing_keys import DevelopmentIssuer
from fmar_spark.settings.run_options import RunOptions, is_address, require_lake
from fmar_spark.settings.sections import RegisterSettings, Settings
from fmar_spark.steps import publish_read_model

SAMPLE_LAKE = Path("var/sample_lake")
ISSUERS = ("development", "configured")


def run(options: RunOptions, host: str, port: int, issuer: str, database: str | None, areas: Path | None = None) -> int:
    """Set up and serve until stopped.

    Raises:
        ConfigError: no such issuer, a development issuer outside local, no such lake, boundaries that cannot be drawn, or no register
            answers.
    """
    if issuer not in ISSUERS:
        raise ConfigError(f"--issuer: {issuer!r} found, one of {', '.join(ISSUERS)} wanted")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    for name in ("httpx", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    shapes = read_boundaries(areas) if areas else None
    developing = DevelopmentIssuer(options.env) if issuer == "development" else None
    settings = choose_settings(options, database)
    if options.lake:
        require_lake(options.lake)
    development = None
    if developing is not None:
        has_lake = bool(options.lake) or (Path(settings.lake.root) / ASSET_DETECTIONS.layer / ASSET_DETECTIONS.name).is_dir()
        if not has_lake:
            settings = settings.model_copy(update={"lake": settings.lake.model_copy(update={"root": str(SAMPLE_LAKE)})})
        prepare_sample(settings.agreements, None if has_lake else SAMPLE_LAKE)
        declaring, gsp_group_id = prepare_reads(settings)
        development = list_guests(developing, settings.agreements.audience, declaring, gsp_group_id)
        print(describe_sample(developing, settings.agreements.audience, f"http://{host}:{port}", gsp_group_id), flush=True)
        print(describe_reads(f"http://{host}:{port}", gsp_group_id), flush=True)
    else:
        open_register(settings.agreements).close()
    app = build_app(settings, options.env, developing, hosts=(f"[{host}]" if ":" in host else host.lower(),))
    add_reads(app, settings, development, shapes)
    run_server(app, settings.agreements, host, port)
    return 0


def prepare_reads(settings: Settings) -> tuple[tuple[PartyPlan, ...], str]:
    """The lake's read model is of its newest tables, and parties hold agreements on assets in it.

    FSPs that declare deliveries there, and the GSP group whose network operator is the sample's: the one with the most published figures.
    """
    lake = settings.lake.root
    if is_address(lake) and not settings.reads.model_folder:
        return (), DEFAULT_NETWORK_AREA
    folder = find_folder(lake, settings.reads.model_folder)
    if not publish_read_model.publish_if_changed(lake, folder):
        return (), DEFAULT_NETWORK_AREA
    with closing(RegisterDatabase(settings.agreements)) as register:
        model = _open_model(lake, folder)
        published = model.find(AREA_OF_MODEL, {})
        gsp_group_id = published[0]["area_id"] if published else DEFAULT_NETWORK_AREA
        add_network(register, gsp_group_id)
        fill_from_assets(register, model.find(OF_MODEL, {}))
        return fill_deliveries(register, model.find(DECLARED_IN_MODEL, {})), gsp_group_id


def _open_model(lake: str, folder: Path) -> ServedModel:
    """The file that is published; made anew where it is of an older version's layout."""
    try:
        return ModelSource(folder, 0).current()
    except BusyError:
        publish_read_model.publish(lake, folder, None)
        return ModelSource(folder, 0).current()


def choose_settings(options: RunOptions, database: str | None) -> Settings:
    """Settings with what the command line changes; where neither names a register, the one that a demo's lake mirrors."""
    settings = options.load_settings()
    if not database and settings.agreements.database_url == RegisterSettings().database_url and not is_address(settings.lake.root):
        mirrored = Path(settings.lake.root) / REGISTER_FILE
        database = f"sqlite:///{mirrored}" if mirrored.exists() else None
    changed = {"database_url": database} if database else {}
    return settings.model_copy(update={"agreements": settings.agreements.model_copy(update=changed)})
