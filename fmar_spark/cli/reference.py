"""The commands as a document for people, rendered from their declarations."""

from typing import Any, Final

from fmar_spark.cli.declaring import DECLARED, JOBS, SHARED

HIDDEN: Final = {"help"}
BEGIN: Final = """# Commands

Rendered from the declarations in `fmar_spark/cli/` by `scripts/render_docs.py`; a test fails where the two differ.
`fmar NAME --help` says the same, `fmar --install-completion` completes names and options in your shell. Exit status: 0 done,
1 failed, 2 wrong arguments or settings, with one line that names them.

Every command takes `--lake PATH`, `--env NAME` and `--set SECTION.KEY=VALUE`; every job `--run-date YYYY-MM-DD` too: the day that the
run stands for (default: the newest day with data); the same day again gives the same tables. A job is also a file for spark-submit.
"""


def render_commands(program: Any) -> str:
    """Markdown: every command with its own options, and the tables of every job."""
    lines = [BEGIN]
    for words, declared in DECLARED.items():
        command = program
        for word in words.split():
            command = command.commands[word]
        lines += [f"## fmar {words}", "", *(declared.options.__doc__ or "").strip().splitlines()[:1], ""]
        job = JOBS.get(declared.module)
        if job is not None:
            lines += [f"`jobs/{job.name}.py`", "", "| reads | writes |", "|---|---|", f"| {_names(job.reads)} | {_names(job.writes)} |", ""]
        own = [one for one in command.params if one.name not in {*SHARED, *HIDDEN}]
        if own:
            lines += ["| option | meaning |", "|---|---|", *(_describe(one) for one in own), ""]
    return "\n".join(lines).rstrip() + "\n"


def _names(tables: tuple[Any, ...]) -> str:
    return ", ".join(f"`{table.full_name}`" for table in tables) or "-"


def _describe(one: Any) -> str:
    is_argument = one.param_type_name == "argument"
    name = one.metavar if is_argument else max(one.opts, key=len)
    value = "" if is_argument or one.is_flag else f" {one.metavar or one.name.upper()}"
    note = ["required"] if one.required else [f"default: {one.default}"] if one.default not in (None, False, "", [], ()) else []
    return f"| `{name}{value}` | {one.help or ''}{f' ({note[0]})' if note else ''} |".replace("  ", " ")
