"""Takes messages from the DIP into a landing folder."""

import logging
import sys
from pathlib import Path

from fmar_spark.services.gateway.operation import open_gateway, run_gateway
from fmar_spark.settings.run_options import RunOptions


def run(options: RunOptions, host: str, port: int, landing: Path | None) -> int:
    """Serve until stopped.

    Raises:
        ConfigError: settings that contradict each other, or a folder that cannot be written to.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    settings = options.load_settings()
    if landing is not None:
        settings = settings.model_copy(update={"gateway": settings.gateway.model_copy(update={"landing": str(landing)})})
    parts = open_gateway(settings, options.env)
    own = parts.settings
    scheme = "https" if own.tls == "own" else "http"
    print(f"taking {', '.join(sorted(own.channels))} at {scheme}://{host}:{port}/dip/CHANNEL into {own.landing}", flush=True)
    run_gateway(parts, host, port)
    return 0
