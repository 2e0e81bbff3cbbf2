"""From meter readings to what each connection can do, on one machine: every job in order, a summary and a page."""

from importlib import import_module
from pathlib import Path
from typing import Any, Final

from fmar_spark.commands.stages import say
from fmar_spark.errors import ConfigError
from fmar_spark.settings.run_options import RunOptions

OWN_LAKE: Final = "lake_own"
SAID: Final = (
    "{meters:,} of these meters are simulated: made up with a known truth, to check the answers by. Two are measured London homes "
    "(Low Carbon London, UK Power Networks, CC BY 4.0)."
)


def run(options: RunOptions, meters: int, landing: Path, **own: Any) -> int:
    """Run the stages; the last line on standard output is the path of the page.

    Args:
        options: shared by all commands.
        meters: simulated import meters.
        landing: folder of the DIP messages.
        own: options of import_intervals, ``input`` among them: a user's own readings instead; None or False = not given.

    Raises:
        ConfigError: options that belong to own readings without any, or files and options that cannot be used.
        InputError: own files that cannot be read.
    """
    unused = [name for name, value in own.items() if value and not own["input"]]
    if unused:
        raise ConfigError(f"--{unused[0].replace('_', '-')}: goes with --input")
    if meters < 1:
        raise ConfigError(f"--meters: {meters} found, at least 1 wanted")
    status: int
    if own["input"]:
        say(f"your readings: {own['input']}")
        options = options if options.lake else options._replace(lake=OWN_LAKE)
        status = import_module("fmar_spark.commands.own_readings").run_stages(options, own)
    else:
        settings = options.load_settings()
        say(SAID.format(meters=meters))
        status = import_module("fmar_spark.commands.example_fleet").run_stages(options, settings, meters, landing)
    return status
