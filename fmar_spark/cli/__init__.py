"""The command ``fmar``: what every command takes and says of itself."""

import signal
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from typer import BadParameter, Exit, Typer, TyperException
from typer.main import get_command

from fmar_spark.cli import consent, deliveries, demo, gateway, housekeeping, jobs, network, pages, reads, register
from fmar_spark.cli.declaring import NAMES
from fmar_spark.engine.interrupts import plain_signals
from fmar_spark.errors import DONE, INTERRUPTED, WRONG_INPUT, FmarError, escape_controls

GROUPS: Final = (
    demo.GROUP,
    jobs.GROUP,
    consent.GROUP,
    deliveries.GROUP,
    network.GROUP,
    pages.GROUP,
    reads.GROUP,
    gateway.GROUP,
    housekeeping.GROUP,
    register.GROUP,
    register.REGISTER,
)
EPILOG: Final = "Exit status: 0 done, 1 failed, 2 wrong arguments or settings, 130 stopped by Ctrl-C or SIGTERM."


@cache
def build_program() -> Any:
    """The command with all its sub-commands, ready to be run; built once a process."""
    program = Typer(
        name="fmar",
        help="Flexible-asset register for Great Britain: what every connection can do, derived from its meter.",
        epilog=EPILOG,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    for group in GROUPS:
        program.add_typer(group)
    return get_command(program)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status.

    A wrong argument, like any error that a user can correct, is one line on standard error.
    """
    words = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    name = NAMES.get(words[0], "fmar")
    try:
        with plain_signals((signal.SIGINT,)):
            status = build_program().main(words, prog_name="fmar", standalone_mode=False)
    except Exit as left:
        return left.exit_code
    except TyperException as error:
        return report(name, describe_usage(error), WRONG_INPUT)
    except FmarError as error:
        return report(name, str(error), error.exit_status)
    except KeyboardInterrupt:
        return report(name, "stopped", INTERRUPTED)
    return status if isinstance(status, int) else DONE


def describe_usage(error: TyperException) -> str:
    """What is wrong with the arguments: the option, what was found, what was wanted."""
    parameter = getattr(error, "param", None)
    if isinstance(error, BadParameter) and parameter is not None and error.message:
        return f"{max(parameter.opts, key=len)}: {error.message}"
    return str(getattr(error, "format_message", lambda: str(error))()).rstrip(".")


def report(name: str, line: str, status: int) -> int:
    """Say it on standard error and hand the status on."""
    sys.stderr.write(escape_controls(f"{name}: {line}") + "\n")
    return status
