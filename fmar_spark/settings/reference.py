"""The settings as a document for people, rendered from their declarations."""

from pydantic import BaseModel

from fmar_spark.settings.sections import Settings


def render_settings() -> str:
    """Markdown: every setting by section, with its default and its meaning."""
    lines = [
        "# Settings",
        "",
        "Rendered from `fmar_spark/settings/sections.py` by `scripts/render_docs.py`; a test fails where the two differ.",
        "Each stands, first to last, in: these defaults, `conf/base.yaml`, `conf/NAME.yaml` (`--env NAME`, default `local`),",
        "`--set section.key=value`. A misspelt name or a value out of bounds stops the job with one line. Another folder than",
        "`conf`: the environment variable `FMAR_CONF`.",
    ]
    for name, field in Settings.model_fields.items():
        section = field.default
        if not isinstance(section, BaseModel):
            continue
        kind = type(section)
        lines += ["", f"## {name}", "", str(kind.__doc__).splitlines()[0], "", "| setting | default | meaning |", "|---|---|---|"]
        lines += [f"| {name}.{key} | `{inner.default!r}` | {inner.description} |" for key, inner in kind.model_fields.items()]
    return "\n".join(lines) + "\n"
