"""What a job declares of itself: its name and the tables that it reads and writes."""

from typing import NamedTuple

from fmar_spark.contracts.table import TableContract


class Job(NamedTuple):
    """A job, as the command line, the journal and the documents know it."""

    name: str
    reads: tuple[TableContract, ...] = ()
    writes: tuple[TableContract, ...] = ()
    needs_lake: bool = False
    """It works on what other jobs have written: a lake that does not exist is a mistake."""
