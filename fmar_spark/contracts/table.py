"""What a declared table is made of."""

from dataclasses import dataclass
from enum import StrEnum

from fmar_spark.domain.assets import ASSET_CLASSES
from fmar_spark.domain.words import Sensitivity
from fmar_spark.errors import ContractError


class Layer(StrEnum):
    """Folders of the lake, in the order of the data flow."""

    BRONZE = "bronze"
    """As reported by others."""
    SILVER = "silver"
    """Cleaned and keyed."""
    GOLD = "gold"
    """What people and the read API ask for."""
    OPS = "ops"
    """How the jobs ran."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name carries its unit as a suffix, and its type is written as Spark writes it."""

    name: str
    type: str
    doc: str
    unit: str = ""
    check: str = ""
    nullable: bool = True
    sensitivity: Sensitivity = Sensitivity.OPEN
    formerly: str = ""
    """Its name in lakes of an older version; a step that uses such a table rewrites it first."""
    backfill: str = ""
    """What rows of an older version, which lacked the column, have in it."""


@dataclass(frozen=True, slots=True)
class TableContract:
    """One table of the lake at ``<lake root>/<layer>/<name>``.

    Raises:
        ContractError: a column is declared twice, or a key column is undeclared or nullable.
    """

    name: str
    layer: Layer
    doc: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    job: str
    """The job that fills it, for the message that says what to run."""
    cluster_by: tuple[str, ...] = ()
    is_shared_log: bool = False
    """Append-only and written by several jobs: the only tables without a single writer."""

    def __post_init__(self) -> None:
        """Reject a contract that contradicts itself."""
        names = [column.name for column in self.columns]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ContractError(f"{self.full_name}: declared twice: {', '.join(sorted(twice))}")
        for name in self.key:
            if name not in names:
                raise ContractError(f"{self.full_name}: key column {name} is not declared")
            if self.column(name).nullable:
                raise ContractError(f"{self.full_name}: key column {name} is nullable")

    @property
    def full_name(self) -> str:
        """``layer.name``, as people write it."""
        return f"{self.layer}.{self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def searched(self) -> tuple[str, ...]:
        """Columns by which files are skipped: the meter point, the first column of the key and its dates, and what it is clustered by."""
        wanted = {"mpan_id", self.key[0], *self.cluster_by}
        wanted |= {name for name in self.key if self.column(name).type in {"date", "timestamp"}}
        return tuple(name for name in self.names if name in wanted)

    def column(self, name: str) -> Column:
        """The column of that name.

        Raises:
            ContractError: there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise ContractError(f"{self.full_name}: no column {name}")


def mpan_column(doc: str = "Meter point number of the boundary (13 digits).") -> Column:
    """The meter point, required, as every table spells it."""
    return Column("mpan_id", "string", doc, nullable=False, sensitivity=Sensitivity.PERSONAL)


def class_column() -> Column:
    """The asset class, required."""
    return Column("asset_class", "string", f"{', '.join(ASSET_CLASSES[:-1])} or {ASSET_CLASSES[-1]}.", nullable=False)


def run_columns() -> tuple[Column, ...]:
    """Which run and which day a derived row stands for."""
    return (
        Column("run_id", "string", "Run that wrote the row (ops.run_journal).", nullable=False),
        Column("as_of_date", "date", "Last local day with readings that the row rests on.", nullable=False),
    )
