"""Feeds damaged DIP messages and damaged interval files to the intake, and states that what went in came out: accepted or rejected.

python scripts/fuzz_intake.py --messages 100000 --tables 2000 --seed 1 [--folder DIR]

With --folder the files of messages are left there as a landing folder, so that `fmar ingest --landing DIR` can be compared with
what the decoder found of them; the last line says what its counts should be. Ends with 1 at the first disagreement.
"""

import argparse
import gzip
import json
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet

from fmar_spark.errors import FmarError
from fmar_spark.intake.dip.files import read_units
from fmar_spark.intake.dip.rows import FileDecoder
from fmar_spark.intake.dip.rules import DecodeRules
from fmar_spark.intake.intervals.files import find_files
from fmar_spark.intake.intervals.importing import import_files
from fmar_spark.intake.intervals.rows import ReadingRules
from fmar_spark.settings.bounds import whole_from
from fmar_spark.simulate.messages import DayMessage, StandingMessage, write_message, write_standing_message

MPANS: Final = ("2000056535971", "1900012374324", "1200023305967")
ODD_VALUES: Final = (
    *("null", "true", "[]", "{}", '""', "-1", "0", "1e999", "-0.0", "NaN", "9" * 40, "0.1e-400", "[[[[]]]]"),
    *('"\\u0000"', '"\\ud800"', '"\u00e9"', '"2026-02-30"', '"9999-12-31"', '"0001-01-01"', '"24:00"', '"23:61"'),
    *('"2026-03-29T01:30:00+99:00"', '"_Z"', '"AI "', '"ai"'),
)
ODD_BYTES: Final = (*(bytes([letter]) for letter in b'{}[]",\\\x00\xff1'), b"", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r\n")
ODD_CELLS: Final = (
    *("", "null", "NaN", "-1", "1e999", "1e39", "0,5", "1.234,5", '"', '"a\nb"', "9" * 40, "\x00"),
    *("2.00000000118e+12", "24:00", "2024-02-30"),
)
ODD_STAMPS: Final = (
    *("2024-01-01", "01/02/2024 00:30", "2024-03-31T01:30:00", "2024-01-01T00:07:00Z"),
    *("1969-12-31T23:30:00Z", "0", "now"),
)
VALUE: Final = re.compile(rb'(?<=:)(?:"(?:[^"\\]|\\.)*"|-?[0-9.]+|null|true|false)')
PAIR: Final = re.compile(rb'"[A-Za-z0-9]+":(?:"(?:[^"\\]|\\.)*"|-?[0-9.]+|null|true|false),?')
RULES: Final = DecodeRules()
MOST_ROWS: Final = 150
READ: Final = "read"


class Disagreement(Exception):  # noqa: N818 - what was found is no fault of the program that looks for it
    """What went in is not what came out."""


class Found(NamedTuple):
    """What the decoder made of some files."""

    files: int
    messages: int
    """Rows that it made: two where one is cut in two, one where two cannot be distinguished."""
    accepted: int
    rules: Counter[str]
    """Rejected messages by rule."""
    intact: int
    """Messages that were not damaged, in files that are plain arrays of messages."""
    lost: int
    """Of these, how many were not accepted: the message before did not end."""


def main() -> int:
    """Both intakes, one after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=whole_from(0), default=100_000, help="damaged DIP messages")
    parser.add_argument("--tables", type=whole_from(0), default=2_000, help="damaged CSV and Parquet files of intervals")
    parser.add_argument("--seed", type=whole_from(0), default=1)
    parser.add_argument("--folder", type=Path, help="leave the files of messages here")
    given = parser.parse_args()
    try:
        found = fuzz_messages(given.messages, given.seed, given.folder)
        print(f"messages: {given.messages:,} in {found.files:,} files, every file in the rows")
        print(f"  {found.messages:,} rows = {found.accepted:,} accepted + {found.rules.total():,} rejected")
        print("  by rule: " + ", ".join(f"{rule} {count:,}" for rule, count in found.rules.most_common()))
        print(f"  {found.intact:,} messages stood undamaged in plain arrays; {found.lost:,} of them were not accepted")
        outcomes, rows = fuzz_tables(given.tables, given.seed)
    except Disagreement as error:
        print(f"fuzz_intake: seed {given.seed}: {error}", file=sys.stderr)
        return 1
    print(f"tables: {outcomes.total():,} files = " + " + ".join(f"{count:,} {what}" for what, count in outcomes.most_common()))
    print("  rows of the files that were read: " + ", ".join(f"{name} {count:,}" for name, count in rows.items()))
    return 0


def fuzz_messages(messages: int, seed: int, folder: Path | None = None) -> Found:
    """Decode files of damaged messages until there were that many.

    Raises:
        Disagreement: a message is in no row or in two, or a file in none.
    """
    chance = random.Random(seed)
    decode = FileDecoder(RULES)
    every = Found(0, 0, 0, Counter(), 0, 0)
    made = 0
    while made < messages:
        texts = [write_damaged(chance) for _ in range(min(chance.randint(1, 200), messages - made))]
        made += len(texts)
        content = pack(chance, [text for text, _ in texts])
        is_plain = content == join(text for text, _ in texts)
        intact = {text for text, is_intact in texts if is_intact} if is_plain else set()
        name = f"fuzz-{every.files:06d}.json"
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        own = decode_file(decode, name, content, intact)
        every = add(every, own)
    return every


def add(one: Found, other: Found) -> Found:
    """Both together."""
    rules = one.rules + other.rules
    return Found(
        one.files + other.files,
        one.messages + other.messages,
        one.accepted + other.accepted,
        rules,
        one.intact + other.intact,
        one.lost + other.lost,
    )


def decode_file(decode: FileDecoder, name: str, content: bytes, intact: set[bytes]) -> Found:
    """What becomes of one file.

    Raises:
        Disagreement: its rows are not its messages, each once.
    """
    units = {unit.source: bytes(unit.raw) for unit in read_units(name, content, RULES)}
    batch = pa.record_batch({"source": [name], "length": [len(content)], "problem": pa.nulls(1, pa.string()), "content": [content]})
    rows = [row for decoded in decode([batch]) for row in decoded.select(["source", "rule", "reason"]).to_pylist()]
    if sorted(row["source"] for row in rows) != sorted(units) or not rows:
        raise Disagreement(f"{name}: {len(units)} messages, {len(rows)} rows")
    if any(row["rule"] is not None and not row["reason"] for row in rows):
        raise Disagreement(f"{name}: a message is rejected without a reason")
    accepted = {units[row["source"]] for row in rows if row["rule"] is None}
    rejected = Counter(row["rule"] for row in rows if row["rule"] is not None)
    return Found(1, len(rows), len(rows) - rejected.total(), rejected, len(intact), len(intact - accepted))


def write_damaged(chance: random.Random) -> tuple[bytes, bool]:
    """A message of readings or of standing data, damaged once or more as a rule; and whether it is as it should be."""
    mpan, day = chance.choice(MPANS), f"2026-0{chance.randint(1, 3)}-{chance.randint(1, 28):02d}"
    if chance.random() < 0.8:
        energies = tuple(chance.randint(0, 3000) for _ in range(48))
        reported_at = f"{day}T23:00:00+00:00"
        text = write_message(DayMessage(mpan, "_C", "AI", day, energies, "W", "2020-01-01", reported_at, version=chance.getrandbits(40)))
    else:
        reported_at = f"{day}T00:00:{chance.randint(0, 59):02d}+00:00"
        text = write_standing_message(StandingMessage(mpan, "_C", "I", True, 3000.0, "", "H", "W", "2020-01-01", reported_at))
    whole = damaged = text.encode()
    for _ in range(chance.choice((0, 1, 1, 1, 1, 2, 2, 5))):
        damaged = damage(chance, damaged)
    return damaged, damaged == whole


def damage(chance: random.Random, text: bytes) -> bytes:
    """One change: a value replaced, a pair lost or repeated, bytes changed, a stretch lost, moved or repeated, or the end cut off."""
    kind = chance.random()
    if kind < 0.45:
        places = list(VALUE.finditer(text))
        place = chance.choice(places) if places else None
        odd = chance.choice(ODD_VALUES).encode()
        return text if place is None else text[: place.start()] + odd + text[place.end() :]
    if kind < 0.6:
        pairs = list(PAIR.finditer(text))
        pair = chance.choice(pairs) if pairs else None
        times = chance.choice((0, 2, 50))
        return text if pair is None else text[: pair.start()] + pair.group() * times + text[pair.end() :]
    at = chance.randrange(len(text) + 1)
    if kind < 0.85:
        return text[:at] + chance.choice(ODD_BYTES) + text[at + chance.randint(0, 2) :]
    end = min(at + chance.randint(1, 400), len(text))
    if kind < 0.95:
        return text[:at] + text[at:end] * chance.choice((0, 2)) + text[end:]
    return text[:at]


def pack(chance: random.Random, texts: list[bytes]) -> bytes:
    """The file: an array as a rule, sometimes with a byte order mark, two arrays, one array in another, compressed, or cut off."""
    content = join(texts)
    kind = chance.random()
    if kind < 0.05:
        content = b"\xef\xbb\xbf" + content
    elif kind < 0.1:
        content += content[: chance.randint(1, 300)]
    elif kind < 0.13:
        content = b"[" + content + b"]"
    elif kind < 0.18:
        content = content[: chance.randrange(1, len(content))]
    elif kind < 0.3:
        content = gzip.compress(content, 1, mtime=0)
        if chance.random() < 0.3:
            content = damage(chance, content)
    return content or b" "


def join(texts: Iterable[bytes]) -> bytes:
    """A plain array of messages."""
    return b"[" + b",".join(texts) + b"]"


def fuzz_tables(tables: int, seed: int) -> tuple[Counter[str], dict[str, int]]:
    """Import damaged files of intervals, each by itself and all of ten as a folder; what became of them, and of the rows of those read.

    Raises:
        Disagreement: rows or energies in are not rows or energies out, or the error is no line.
    """
    chance = random.Random(seed)
    outcomes: Counter[str] = Counter()
    rows = dict.fromkeys(("rows_read", "rows_kept", "rows_quarantined", "rows_duplicate", "rows_unread"), 0)
    for first in range(0, tables, 10):
        with tempfile.TemporaryDirectory(prefix="fmar_fuzz_") as folder:
            source, staging = Path(folder) / "files", Path(folder) / "staged"
            for place in (source, staging):
                place.mkdir()
            for number in range(first, min(first + 10, tables)):
                write_damaged_table(chance, source / f"t{number:05d}")
            for outcome, counts in [import_one(path, staging) for path in sorted(source.iterdir())]:
                outcomes[outcome] += 1
                rows = {name: count + counts.get(name, 0) for name, count in rows.items()}
            check_folder(source, staging)
    return outcomes, rows


def check_folder(folder: Path, staging: Path) -> None:
    """Import all files of a folder at once.

    Raises:
        Disagreement: a file is neither read nor rejected.
    """
    outcome, counts = import_one(folder, staging)
    if outcome == READ and counts["files_read"] + counts.get("files_rejected", 0) != len(list(folder.iterdir())):
        raise Disagreement(f"{json.dumps(counts)}: a file is neither read nor rejected")


def import_one(path: Path, staging: Path) -> tuple[str, dict[str, int]]:
    """Whether a file or folder was read or rejected as a whole, and the counts."""
    try:
        intake = import_files(find_files(path), staging, ReadingRules()).intake
    except FmarError as error:
        if len(str(error).splitlines()) != 1:
            raise Disagreement(f"{path.name}: {error!r} is no line") from error
        return f"rejected as {type(error).__name__}", {}
    counts, kwh = intake.counts, intake.kwh
    named = ("rows_kept", "rows_quarantined", "rows_duplicate", "rows_unread")
    if counts["rows_read"] != sum(counts.get(name, 0) for name in named):
        raise Disagreement(f"{path.name}: {json.dumps(counts)}: rows read are not kept + rejected + repeated + unread")
    if abs(kwh["read"] - kwh["held"] - kwh["rejected"] - kwh["repeated"]) > 1e-3 * max(kwh["read"], 1.0):
        raise Disagreement(f"{path.name}: {json.dumps(kwh)}: energy read is not held + rejected + repeated")
    return READ, counts


def write_damaged_table(chance: random.Random, stem: Path) -> None:
    """A CSV, compressed CSV or Parquet file of up to three series, with cells and bytes changed."""
    columns: dict[str, list[str]] = {"series_id": [], "timestamp_utc": [], "kwh_import": []}
    step = chance.choice((15, 30, 60))
    for series in range(chance.randint(1, 3)):
        for row in range(chance.randint(2, MOST_ROWS)):
            minutes = row * step
            columns["series_id"].append(f"meter {series}")
            columns["timestamp_utc"].append(f"2024-03-{29 + minutes // 1440:02d}T{minutes // 60 % 24:02d}:{minutes % 60:02d}:00Z")
            columns["kwh_import"].append(f"{chance.random():.3f}")
    for _ in range(chance.choice((0, 1, 3, 30))):
        name = chance.choice(tuple(columns))
        odd = ODD_STAMPS if name == "timestamp_utc" and chance.random() < 0.5 else ODD_CELLS
        columns[name][chance.randrange(len(columns[name]))] = chance.choice(odd)
    kind = chance.random()
    path = stem.with_suffix(".csv" if kind < 0.6 else ".csv.gz" if kind < 0.7 else ".parquet")
    if path.suffix == ".parquet":
        write_parquet(chance, columns, path)
    else:
        lines = [",".join(columns), *(",".join(row) for row in zip(*columns.values(), strict=True))]
        text = chance.choice(("\n", "\r\n")).join([*lines, ""]).encode()
        for _ in range(chance.choice((0, 0, 1, 3))):
            text = damage(chance, text)
        path.write_bytes(gzip.compress(text, 1, mtime=0) if path.suffix == ".gz" else text)
    if chance.random() < 0.15:
        path.write_bytes(damage(chance, path.read_bytes()))


def write_parquet(chance: random.Random, columns: dict[str, list[str]], path: Path) -> None:
    """Columns as text, or as the types that Arrow takes them for."""
    table = pa.table(columns)
    if chance.random() < 0.7:
        sink = pa.BufferOutputStream()
        arrow_csv.write_csv(table, sink)
        table = arrow_csv.read_csv(pa.BufferReader(sink.getvalue()))
    arrow_parquet.write_table(table, path, compression=chance.choice(("none", "zstd")))


if __name__ == "__main__":
    sys.exit(main())
