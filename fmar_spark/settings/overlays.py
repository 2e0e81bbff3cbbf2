"""Builds the settings of a run: defaults, then base.yaml, then the environment's overlay, then --set.

Not by pydantic-settings: what it adds are sources that a run must not have. A variable of the environment or a .env file would change
answers without standing in any file or command line that the journal's digest can be traced to. The sections are pydantic's.
"""

import difflib
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from pydantic import ValidationError

from fmar_spark.errors import ConfigError, read_fault
from fmar_spark.settings.sections import Settings

CONF_VARIABLE = "FMAR_CONF"


def find_conf_dir() -> Path:
    """The folder of overlays: ``$FMAR_CONF``, else ``conf`` here, else beside the package."""
    named = os.environ.get(CONF_VARIABLE)
    if named:
        return Path(named)
    return find_shipped(Path("conf"), "base.yaml")


def find_shipped(path: Path, part: str = "") -> Path:
    """A relative path as it stands from here, where it (or ``part`` of it) is there; else beside the package, in its repository."""
    return path if (path / part).exists() else Path(__file__).resolve().parents[2] / path


def load_settings(environment: str, overrides: Sequence[str]) -> Settings:
    """Overlay defaults with base.yaml, the environment's YAML and ``section.key=value`` texts.

    Raises:
        ConfigError: an unknown environment, a misspelt key or a value out of bounds.
    """
    conf = find_conf_dir()
    merged: dict[str, dict[str, object]] = {}
    base = conf / "base.yaml"
    overlay = conf / f"{environment}.yaml"
    if base.exists():
        _overlay(merged, _load_yaml(base), str(base))
    if overlay.exists():
        _overlay(merged, _load_yaml(overlay), str(overlay))
    elif environment != "local":
        known = ", ".join(sorted(path.stem for path in conf.glob("*.yaml") if path.stem not in {"base", "access"}))
        raise ConfigError(f"env: {environment!r} found, one of {known or 'local'} wanted (files in {conf})")
    for text in overrides:
        _overlay(merged, _parse_override(text), "--set")
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        said = _suggest(place) if first["type"] == "extra_forbidden" else f"{first['input']!r} found; {read_fault(first)}"
        raise ConfigError(f"settings: {place}: {said}") from error


def digest_settings(settings: Settings) -> str:
    """Twelve hex digits that change when any setting does."""
    return hashlib.sha256(settings.model_dump_json().encode()).hexdigest()[:12]


def _suggest(place: str) -> str:
    """What may have been meant by a name that no setting has."""
    names = list(Settings.model_fields)
    for section, field in Settings.model_fields.items():
        names += [f"{section}.{key}" for key in type(field.default).model_fields]
    near = difflib.get_close_matches(place, names, n=1, cutoff=0.7)
    return f"no such setting; {near[0]} may be meant" if near else "no such setting; docs/settings.md lists them"


def _load_yaml(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {str(error).splitlines()[0]}") from error


def _overlay(merged: dict[str, dict[str, object]], layer: object, source: str) -> None:
    if not isinstance(layer, Mapping):
        raise ConfigError(f"{source}: a mapping of sections wanted")
    for section, values in layer.items():
        if not isinstance(values, Mapping):
            raise ConfigError(f"{source}: {section}: a mapping of keys wanted")
        merged.setdefault(str(section), {}).update({str(key): value for key, value in values.items()})


def _parse_override(text: str) -> dict[str, dict[str, object]]:
    name, equals, value = text.partition("=")
    section, dot, key = name.partition(".")
    if not (equals and dot and section and key):
        raise ConfigError(f"--set: {text!r} found, section.key=value wanted")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set: {text!r}: value is not readable") from error
    return {section: {key: parsed}}
