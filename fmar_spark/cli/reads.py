"""The read API: the job that publishes what it serves."""

from typer import Typer

from fmar_spark.cli.declaring import declare_job
from fmar_spark.contracts.audiences import AREA_AVAILABILITY, AREA_CAPABILITY, AREAS, ENVELOPES, FMAR_ASSETS, PORTFOLIO, SYSTEM_HEALTH
from fmar_spark.contracts.capability import ASSET_CHANGES, ASSET_DETECTIONS, AVAILABILITY, CAPABILITY
from fmar_spark.contracts.deliveries import (
    AREA_DELIVERIES,
    ASSET_VOLUMES,
    DELIVERY_CHECKS,
    DELIVERY_EVIDENCE,
    DISCREPANCIES,
    NOTICE_ATTEMPTS,
    NOTICES,
)
from fmar_spark.contracts.job import Job
from fmar_spark.contracts.profiles import METER_PROFILES
from fmar_spark.contracts.readings import LABELS, LEGAL_BASES, METER_POINTS

GROUP = Typer()


@declare_job(
    GROUP,
    "publish",
    Job(
        "publish_read_model",
        (
            *(ASSET_DETECTIONS, CAPABILITY, AVAILABILITY, ASSET_CHANGES, FMAR_ASSETS, PORTFOLIO, ENVELOPES),
            *(AREAS, AREA_CAPABILITY, AREA_AVAILABILITY, SYSTEM_HEALTH, DISCREPANCIES, METER_POINTS, METER_PROFILES, LEGAL_BASES, LABELS),
            *(ASSET_VOLUMES, DELIVERY_CHECKS, DELIVERY_EVIDENCE, AREA_DELIVERIES, NOTICES, NOTICE_ATTEMPTS),
        ),
        needs_lake=True,
    ),
)
def publish_read_model() -> None:
    """Publish what the read API serves: one immutable file of one moment of the lake, in the lake's folder _read_model.

    A service that is running takes the new file within seconds and keeps the old one where the new one cannot be used.
    """
