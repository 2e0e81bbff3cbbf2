"""Reads a person's list of meters."""

from pathlib import Path
from typing import Final

from fmar_spark.errors import InputError

HEADINGS: Final = frozenset({"mpan_id", "series_id"})


def read_meter_names(path: Path) -> tuple[str, ...]:
    """The MPANs or series ids of a file, one a line, each once; of a CSV the first field, without its heading.

    Raises:
        InputError: it cannot be read, or names none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--meters: {path}: {error}") from error
    fields = (line.partition(",")[0].strip().strip('"') for line in lines)
    names = tuple(dict.fromkeys(field for field in fields if field and field not in HEADINGS))
    if not names:
        raise InputError(f"--meters: {path}: no meters listed; MPANs or series ids, one a line, wanted")
    return names
