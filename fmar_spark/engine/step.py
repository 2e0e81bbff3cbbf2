"""What every step runs with: the tables that it declares and no others, and no second run of it on the same lake."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from fmar_spark.contracts.table import TableContract
from fmar_spark.engine.leases import lease_step
from fmar_spark.engine.locks import lock_step
from fmar_spark.engine.migrations import migrate_tables
from fmar_spark.engine.store import StepTables, TableStore
from fmar_spark.settings.run_options import is_address

P = ParamSpec("P")
R = TypeVar("R")
Step = Callable[Concatenate[TableStore, P], R]


def limit_tables(reads: tuple[TableContract, ...], writes: tuple[TableContract, ...]) -> Callable[[Step[P, R]], Step[P, R]]:
    """Decorates a step's ``run``: whoever calls it, the step works with a store that knows only the tables it declares.

    Tables that another version wrote have today's columns before the step begins. A step runs once at a time on a lake.
    """

    def decorate(run: Step[P, R]) -> Step[P, R]:
        tables = StepTables(run.__module__.rpartition(".")[2], reads, writes)

        @wraps(run)
        def run_limited(store: TableStore, /, *args: P.args, **kwargs: P.kwargs) -> R:
            with _keep_alone(store, tables.step):
                migrate_tables(store, dict.fromkeys((*reads, *writes)))
                return run(store.for_step(tables), *args, **kwargs)

        return run_limited

    return decorate


def _keep_alone(store: TableStore, step: str) -> AbstractContextManager[None]:
    return lease_step(store.spark, store.root, step) if is_address(store.root) else lock_step(store.root, step)
