"""Writes a simulated fleet as a landing folder of DIP messages, with its truth beside it."""

import gzip
import multiprocessing
import signal
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as pq

from fmar_spark.pools import end_with_parent
from fmar_spark.simulate.deliveries import BLOCK, simulate_deliveries
from fmar_spark.simulate.faults import FILE_FAULTS, Delivery, Injection, check_faults, inject_faults
from fmar_spark.simulate.fleet import Fleet, Setting, prepare_setting, simulate_block
from fmar_spark.simulate.messages import (
    DayMessage,
    PeriodFormat,
    list_connections,
    list_day_messages,
    write_message,
    write_standing_messages,
)
from fmar_spark.simulate.network import NETWORK_FOLDER, write_network
from fmar_spark.simulate.permissions import draw_permissions
from fmar_spark.simulate.plan import BLOCK_METERS, FleetPlan, check_plan, open_stream
from fmar_spark.simulate.truth_tables import (
    tabulate_assets,
    tabulate_changes,
    tabulate_confusers,
    tabulate_events,
    tabulate_labels,
    tabulate_legal_bases,
    tabulate_meters,
    tabulate_weather,
)

TRUTH_FOLDER: Final = "_truth"
DELIVERIES_FOLDER: Final = "_deliveries"
EVENTS_FILE, VOLUMES_FILE = "events.csv", "volumes.csv"
DAYS_A_FILE: Final = 6
"""With a block of 128 meters, 800 to 1,500 messages a file."""
_DELIVERY_DAYS_A_FILE: Final = 60
"""Their meters are few."""
GZIP_LEVEL: Final = 1


class LandingSummary(NamedTuple):
    """What was written."""

    meters: int
    files: int
    messages: int
    """Good messages, standing data included; a duplicate counts again."""
    injected: dict[str, int]
    """Faults by name."""


class _Target(NamedTuple):
    """Where and how files are written."""

    folder: Path
    faults: tuple[str, ...]
    is_compressed: bool
    periods: PeriodFormat

    def write_messages(self, name: str, messages: Iterable[DayMessage]) -> None:
        """One file of consumption messages."""
        self.write(name, (write_message(message, self.periods) for message in messages))

    def write(self, name: str, texts: Iterable[str]) -> None:
        """One file that is a JSON array; the same name again replaces it."""
        body = ("[" + ",\n".join(texts) + "]").encode()
        ending = "json.gz" if self.is_compressed else "json"
        self.write_whole(f"{name}.{ending}", gzip.compress(body, GZIP_LEVEL, mtime=0) if self.is_compressed else body)

    def write_whole(self, name: str, content: bytes) -> None:
        """A file that is there whole or not at all: a reader never sees half of it, nor one left by a run that was killed."""
        path = self.folder / name
        unfinished = path.with_name(f".{path.name}.part")
        unfinished.write_bytes(content)
        unfinished.replace(path)

    def write_truth(self, table: pa.Table, name: str, part: str) -> None:
        """One part of a truth table."""
        folder = self.folder / TRUTH_FOLDER / name
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / f".{part}.part"
        pq.write_table(table, unfinished)
        unfinished.replace(folder / f"{part}.parquet")


@lru_cache(maxsize=1)
def _setting_of(plan: FleetPlan) -> Setting:
    return prepare_setting(plan)


def _write_truths(plan: FleetPlan, fleet: Fleet, target: _Target, block: int) -> None:
    permissions = draw_permissions(plan, block, fleet)
    part = f"b{block:05d}"
    target.write_truth(tabulate_assets(plan, fleet), "assets", part)
    target.write_truth(tabulate_events(plan, fleet), "events", part)
    target.write_truth(tabulate_changes(plan, fleet), "changes", part)
    target.write_truth(tabulate_confusers(fleet), "confusers", part)
    target.write_truth(tabulate_labels(fleet), "labels", part)
    target.write_truth(tabulate_meters(plan, fleet, permissions), "meters", part)
    target.write_truth(tabulate_legal_bases(plan, fleet, permissions), "legal_bases", part)


def _write_ledger(ledger: list[Injection], target: _Target, block: int) -> None:
    columns = {name: pa.array([getattr(entry, name) for entry in ledger], pa.string()) for name in Injection._fields}
    target.write_truth(pa.table(columns), "faults", f"b{block:05d}")


def _write_broken_files(messages: list[DayMessage], target: _Target) -> tuple[int, list[Injection]]:
    """Files that no reader should take as they are; returns how many, and what is wrong with them."""
    files = [file for name in target.faults if name in FILE_FAULTS for file in FILE_FAULTS[name](messages, name)]
    for file in files:
        target.write_whole(file.name, file.content)
    return len(files), [entry for file in files for entry in file.ledger]


def _write_network(target: _Target) -> None:
    """The network of all meters of the fleet, a folder beside the messages."""
    meters = pq.read_table(target.folder / TRUTH_FOLDER / "meters", columns=["mpan_id", "gsp_group_id"])
    files = write_network(list(zip(meters["mpan_id"].to_pylist(), meters["gsp_group_id"].to_pylist(), strict=True)))
    (target.folder / NETWORK_FOLDER).mkdir(exist_ok=True)
    for name, text in files.items():
        target.write_whole(f"{NETWORK_FOLDER}/{name}", text.encode())


def _write_block(plan: FleetPlan, target: _Target, block: int) -> LandingSummary:
    """All files of one block: standing data, consumption by days, what comes later, and the truth."""
    fleet = simulate_block(_setting_of(plan), block)
    permissions = draw_permissions(plan, block, fleet)
    rng = open_stream(plan.seed, block, "faults")
    connections = list_connections(fleet)
    standing = write_standing_messages(plan, fleet, permissions)
    target.write(f"standing-b{block:05d}", standing)
    files, count = 1, len(standing)
    held_back: list[DayMessage] = []
    ledger: list[Injection] = []
    for first in range(0, plan.days, DAYS_A_FILE):
        days = range(first, min(first + DAYS_A_FILE, plan.days))
        messages = list_day_messages(plan, fleet, permissions, days, connections)
        if block == 0 and first == 0 and set(target.faults) & set(FILE_FAULTS) and messages:
            broken, entries = _write_broken_files(messages, target)
            files, ledger = files + broken, ledger + entries
        delivery = inject_faults(rng, messages, target.faults) if target.faults else Delivery(messages, [], [])
        held_back += delivery.held_back
        ledger += delivery.ledger
        if delivery.messages:
            target.write_messages(f"consumption-b{block:05d}-d{first:04d}", delivery.messages)
            files, count = files + 1, count + len(delivery.messages)
    if held_back:
        target.write_messages(f"later-b{block:05d}", held_back)
        files, count = files + 1, count + len(held_back)
    _write_truths(plan, fleet, target, block)
    if ledger:
        _write_ledger(ledger, target, block)
    if block == 0:
        target.write_truth(tabulate_weather(plan, fleet), "weather", "all")
    return LandingSummary(len(fleet.mpan_id), files, count, dict(Counter(entry.fault for entry in ledger)))


def _share(job: Callable[[int], LandingSummary], blocks: Iterable[int], workers: int) -> list[LandingSummary]:
    """The blocks' results, by processes that share them and that end with this one: Ctrl-C is this one's to answer."""
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), end_with_parent) as pool:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the processes that begin here inherit it
        futures = [pool.submit(job, block) for block in blocks]
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            return [future.result() for future in futures]
        except KeyboardInterrupt:
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def write_deliveries(plan: FleetPlan, out_dir: Path, meters: int) -> LandingSummary:
    """The messages of meters with dispatch events, what their FSPs declare, and what they truly delivered, beside a landed fleet.

    Args:
        plan: of the fleet, which stays as it is.
        out_dir: its landing folder; declarations go to ``_deliveries`` inside it, the truth to ``_truth``.
        meters: how many.
    """
    made = simulate_deliveries(plan, meters)
    target = _Target(Path(out_dir), (), is_compressed=False, periods=PeriodFormat.TIME)
    permissions = draw_permissions(made.plan, BLOCK, made.fleet)
    connections = list_connections(made.fleet)
    standing = write_standing_messages(made.plan, made.fleet, permissions)
    part = f"b{BLOCK:05d}"
    (target.folder / DELIVERIES_FOLDER).mkdir(parents=True, exist_ok=True)
    target.write(f"standing-{part}", standing)
    files, count = 1, len(standing)
    for first in range(0, plan.days, _DELIVERY_DAYS_A_FILE):
        days = range(first, min(first + _DELIVERY_DAYS_A_FILE, plan.days))
        messages = list_day_messages(made.plan, made.fleet, permissions, days, connections)
        target.write_messages(f"consumption-{part}-d{first:04d}", messages)
        files, count = files + 1, count + len(messages)
    target.write_truth(tabulate_meters(made.plan, made.fleet, permissions), "meters", part)
    target.write_truth(tabulate_legal_bases(made.plan, made.fleet, permissions), "legal_bases", part)
    target.write_truth(_forget_assets(tabulate_labels(made.fleet)), "labels", part)
    target.write_truth(made.truth, "deliveries", part)
    for name, table in ((EVENTS_FILE, made.events), (VOLUMES_FILE, made.volumes)):
        arrow_csv.write_csv(table, target.folder / DELIVERIES_FOLDER / name)
    return LandingSummary(len(made.fleet.mpan_id), files, count, {})


def _forget_assets(labels: pa.Table) -> pa.Table:
    """Labels that say where the readings come from and nothing of assets: the dispatched ones are no asset class."""
    columns = [
        pa.nulls(labels.num_rows, field.type) if pa.types.is_boolean(field.type) or pa.types.is_floating(field.type) else labels[field.name]
        for field in labels.schema
    ]
    return pa.table(columns, schema=labels.schema)


def write_landing(
    plan: FleetPlan,
    out_dir: Path,
    faults: list[str] | None = None,
    *,
    is_compressed: bool = False,
    workers: int = 1,
    periods: PeriodFormat = PeriodFormat.TIME,
) -> LandingSummary:
    """The landing folder of a plan is written: the same plan again writes the same files.

    Args:
        plan: the fleet.
        out_dir: landing folder; the truth and the weather go to ``_truth`` inside it, the network to ``_network``.
        faults: names from ``fmar_spark.simulate.faults.FAULTS``.
        is_compressed: gzip each file.
        workers: processes that share the blocks; the files do not depend on it.
        periods: how the ends of the half-hours are written.

    Raises:
        ConfigError: a plan without meters or days, or an unknown fault.
    """
    check_plan(plan)
    target = _Target(Path(out_dir), check_faults(list(faults or [])), is_compressed, periods)
    target.folder.mkdir(parents=True, exist_ok=True)
    blocks = range(-(-plan.meters // BLOCK_METERS))
    job = partial(_write_block, plan, target)
    parts = _share(job, blocks, workers) if workers > 1 and len(blocks) > 1 else [job(block) for block in blocks]
    _write_network(target)
    injected: Counter[str] = Counter()
    for part in parts:
        injected.update(part.injected)
    return LandingSummary(
        meters=sum(part.meters for part in parts),
        files=sum(part.files for part in parts),
        messages=sum(part.messages for part in parts),
        injected=dict(injected),
    )
