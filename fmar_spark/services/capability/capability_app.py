"""Adds the read side to a running register: the same tokens, limits, problem documents and audit, one more set of routes."""

from typing import Final

from fastapi import FastAPI

from fmar_spark.engine.model_file import find_folder
from fmar_spark.report.operations_page import OPERATIONS_PAGE, find_folder_of
from fmar_spark.services.capability import routes_areas, routes_assets, routes_deliveries, routes_portfolio
from fmar_spark.services.capability.access import Views, load_matrix
from fmar_spark.services.capability.answers import AnswerMemory
from fmar_spark.services.capability.pages import (
    area_pages,
    boundaries,
    delivery_pages,
    dispute_pages,
    frame,
    market_pages,
    oidc,
    operations_pages,
    portfolio_pages,
    session,
)
from fmar_spark.services.capability.reading import Reads
from fmar_spark.services.capability.resources import RESOURCES
from fmar_spark.services.capability.rights import LiveRights
from fmar_spark.services.capability.routes_kept import KeptRoute
from fmar_spark.services.capability.served_model import ModelSource
from fmar_spark.services.register.service import Service
from fmar_spark.settings.overlays import find_conf_dir
from fmar_spark.settings.sections import Settings

ROUTERS: Final = (
    *(routes_assets.router, routes_areas.router, routes_portfolio.router, routes_portfolio.health_router),
    *(routes_deliveries.router, delivery_pages.router, dispute_pages.router),
    *(frame.router, session.router, oidc.router, area_pages.router, portfolio_pages.router, market_pages.router, operations_pages.router),
)


def add_reads(
    app: FastAPI, settings: Settings, development: session.Development | None = None, shapes: boundaries.Shapes | None = None
) -> Reads:
    """The application answers reads too, from the lake's read model as soon as there is one.

    Args:
        app: a register, as ``build_app`` makes it.
        settings: its settings; section ``reads``, and ``lake.root``.
        development: ready tokens for the sign-in page, on one's own machine.
        shapes: boundaries of the GSP groups; tiles stand for them otherwise.

    Raises:
        ConfigError: the matrix of who sees what, or what the settings say of the issuer, cannot be used.
    """
    register: Service = app.state.service
    matrix = load_matrix(find_conf_dir(), RESOURCES)
    reads = Reads(
        matrix=matrix,
        views=Views(matrix),
        models=ModelSource(
            find_folder(settings.lake.root, settings.reads.model_folder), settings.reads.check_seconds, settings.reads.threads
        ),
        rights=LiveRights(register.database, settings.reads.rights_seconds),
        parts=register.parts,
        answers=AnswerMemory(settings.reads.answers_bytes),
    )
    app.state.reads = reads
    app.state.development = development
    app.state.operations_page = find_folder_of(settings.lake.root, settings.monitoring.folder) / OPERATIONS_PAGE
    app.state.shapes = shapes
    app.state.oidc = oidc.open_client(settings.reads)
    registered = len(app.router.routes)
    for router in ROUTERS:
        app.include_router(router)
    app.router.routes[:] = [KeptRoute(), *app.router.routes[registered:], *app.router.routes[:registered]]
    app.title = "Flexible-asset register"
    app.summary = "Who holds dispatch rights on which asset, and what the meters show that it can do."
    return reads
