"""How a command is declared: its own options are a signature, the shared ones are added, and what it does is loaded when it runs.

A declaration imports no Spark, model or web framework, so that help and completion answer at once.
"""

import importlib
import inspect
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from typer import BadParameter, Option, Typer

from fmar_spark import clock
from fmar_spark.contracts.job import Job
from fmar_spark.errors import ConfigError, StoppedError
from fmar_spark.settings.run_options import RunOptions, require_lake

EXTRA_OF_PACKAGE: Final = {
    "pyspark": "spark",
    "delta": "spark",
    "deltalake": "report",
    "duckdb": "report",
    "plotly": "report",
    "mlflow": "train",
    "confluent_kafka": "kafka",
    "alembic": "serve",
    "fastapi": "serve",
    "httpx": "serve",
    "joserfc": "serve",
    "sqlalchemy": "serve",
    "uvicorn": "serve",
}
"""Which extra brings a package that a command may miss."""
Body = Callable[..., Any]


class Declared(NamedTuple):
    """A command: its options and help, where in ``commands`` its body stands, and how it is started."""

    options: Body
    module: str
    function: str
    start: Callable[[RunOptions, dict[str, Any]], int]
    shared: tuple[str, ...]
    """Options that it takes of those that commands share."""
    tables: str
    """What its help says of tables."""


JOBS: Final[dict[str, Job]] = {}
"""Every declared job by its name."""
DECLARED: Final[dict[str, Declared]] = {}
"""Every declared command by its words on the command line."""
NAMES: Final[dict[str, str]] = {}
"""What messages call a command: a job's name, else the command's own."""


def parse_date(text: str) -> date:
    """An argument that is a civil day."""
    try:
        return clock.parse_day(text)
    except ValueError as error:
        raise BadParameter(f"{text!r} found, YYYY-MM-DD wanted") from error


def existing_path(text: str) -> Path:
    """An argument that names a file or folder that exists."""
    path = Path(text)
    if not path.exists():
        raise BadParameter(f"{text}: no such file or folder")
    return path


def existing_zone(text: str) -> str:
    """An argument that names a time zone."""
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadParameter(f"{text!r} found, an IANA name such as Europe/London wanted") from error
    return text


def one_of(words: Sequence[str], meaning: str) -> Any:
    """An option with one of some words."""

    def choose(text: str) -> str:
        if text not in words:
            raise BadParameter(f"{text!r} found, one of {', '.join(words)} wanted")
        return text

    return Option(parser=choose, metavar="|".join(words), help=meaning)


SHARED: Final[dict[str, Any]] = {
    "lake": Annotated[str | None, Option(metavar="PATH", help="root of the lake (default: the setting lake.root)")],
    "env": Annotated[str, Option(metavar="NAME", help="overlay conf/NAME.yaml over conf/base.yaml")],
    "overrides": Annotated[
        list[str] | None, Option("--set", metavar="SECTION.KEY=VALUE", help="one setting for this run; may be repeated")
    ],
    "run_date": Annotated[
        date | None,
        Option(parser=parse_date, metavar="YYYY-MM-DD", help="day that the run stands for (default: the newest day with data)"),
    ],
}
"""Options that commands share, by their field of RunOptions."""
LAKE_AND_SETTINGS: Final = ("lake", "env", "overrides")
SETTINGS_ALONE: Final = ("env", "overrides")


def declare_job(group: Typer, command: str, job: Job) -> Callable[[Body], Body]:
    """``fmar COMMAND`` runs ``fmar_spark.commands.JOB.run(app, **options)``; the decorated function is its options and its help."""
    JOBS[job.name] = job
    reads, writes = (", ".join(table.full_name for table in tables) or "files only" for tables in (job.reads, job.writes))

    def start(options: RunOptions, given: dict[str, Any]) -> int:
        settings = options.load_settings()
        if job.needs_lake:
            require_lake(settings.lake.root)
        body = load_module(job.name).run
        status: int = load_module("fmar_spark.app").run_job(job, settings, options.run_date, lambda app: body(app, **given))
        return status

    return lambda options: _register(
        group, command, Declared(options, job.name, "run", start, tuple(SHARED), f"\n\nReads {reads}.\n\nWrites {writes}.")
    )


def declare_command(
    group: Typer, command: str, module: str, function: str = "run", shared: tuple[str, ...] = LAKE_AND_SETTINGS
) -> Callable[[Body], Body]:
    """``fmar COMMAND`` is ``fmar_spark.commands.MODULE.FUNCTION(options, **own)``, which gives the exit status."""

    def start(options: RunOptions, given: dict[str, Any]) -> int:
        status: int = getattr(load_module(module), function)(options, **given)
        return status

    return lambda options: _register(group, command, Declared(options, module, function, start, shared, ""))


def load_module(name: str) -> ModuleType:
    """A module of ``commands``, or any other by its whole name.

    Raises:
        ConfigError: it needs a package that is not installed.
    """
    try:
        return importlib.import_module(name if "." in name else f"fmar_spark.commands.{name}")
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing not in EXTRA_OF_PACKAGE:
            raise
        raise ConfigError(f"{missing}: not installed; pip install 'fmar-spark[{EXTRA_OF_PACKAGE[missing]}]'") from error


def _register(group: Typer, command: str, declared: Declared) -> Body:
    words = f"{group.info.name} {command}" if isinstance(group.info.name, str) else command
    DECLARED[words] = declared
    NAMES[words.split()[0]] = declared.module if declared.module in JOBS else words.split()[0]
    defaults = RunOptions()._asdict() | {"overrides": None}

    def call(**given: Any) -> int:
        taken = {name: given.pop(name) for name in declared.shared}
        try:
            return declared.start(RunOptions(**taken | {"overrides": tuple(taken["overrides"] or ())}), given)
        except KeyboardInterrupt as error:  # Typer would end without a word
            raise StoppedError("stopped") from error

    named = inspect.Parameter.KEYWORD_ONLY
    parameters = [one.replace(kind=named) for one in inspect.signature(declared.options).parameters.values()]
    parameters += [inspect.Parameter(name, named, default=defaults[name], annotation=SHARED[name]) for name in declared.shared]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # functions take one, says PEP 362
    call.__annotations__ = {one.name: one.annotation for one in parameters}
    call.__doc__ = inspect.cleandoc(declared.options.__doc__ or "") + declared.tables
    group.command(command)(call)
    return declared.options
