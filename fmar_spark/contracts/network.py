"""Tables of the distribution network and of what each meter point is connected to."""

from typing import Final

from fmar_spark.contracts.table import Column, Layer, TableContract, mpan_column
from fmar_spark.domain.network import LEVELS

_VALID_FROM: Final = Column("valid_from_date", "date", "First day on which it holds.", nullable=False)
_VALID_TO: Final = Column("valid_to_date", "date", "First day on which it no longer holds; null = open.")
_SOURCE: Final = Column("source", "string", "File that it came from.", nullable=False)


def branch_columns() -> tuple[Column, ...]:
    """The nodes above a meter point, one column a level, as every table spells them."""
    return tuple(Column(f"{level}_id", "string", f"{level.heading} that feeds it; null where it is not known.") for level in LEVELS)


NETWORK_NODES: Final = TableContract(
    name="network_nodes",
    layer=Layer.SILVER,
    doc="One row per network node and stretch of time with the same parent, name and place.",
    key=("node_id", "valid_from_date"),
    columns=(
        Column("node_id", "string", "Id of the node, unique in Great Britain; leading zeros count.", nullable=False),
        _VALID_FROM,
        _VALID_TO,
        Column("level", "string", f"{', '.join(LEVELS[:-1])} or {LEVELS[-1]}.", nullable=False),
        Column("name", "string", "What its operator calls it.", nullable=False),
        Column("dno_code", "string", "Distribution network operator, in FMAR's code list."),
        Column("parent_id", "string", "Node that feeds it; null for a grid supply point."),
        Column("latitude", "double", "North positive, WGS84.", unit="degree"),
        Column("longitude", "double", "East positive, WGS84.", unit="degree"),
        _SOURCE,
    ),
    job="load_network",
)

NETWORK_ZONES: Final = TableContract(
    name="network_zones",
    layer=Layer.SILVER,
    doc="One row per constraint zone, node in it and stretch of time.",
    key=("zone_id", "node_id", "valid_from_date"),
    columns=(
        Column("zone_id", "string", "Id of the zone.", nullable=False),
        Column("node_id", "string", "Node whose meter points are in the zone.", nullable=False),
        _VALID_FROM,
        _VALID_TO,
        Column("name", "string", "What its operator calls it.", nullable=False),
        _SOURCE,
    ),
    job="load_network",
)

CONNECTIONS: Final = TableContract(
    name="connections",
    layer=Layer.SILVER,
    doc="One row per meter point and stretch of time: where it is connected, and on what terms.",
    key=("mpan_id", "valid_from_date"),
    columns=(
        mpan_column("Meter point number, import or export (13 digits)."),
        _VALID_FROM,
        _VALID_TO,
        Column("node_id", "string", "Lowest node that feeds it; null where only its terms are known."),
        *branch_columns(),
        Column("dno_code", "string", "Distribution network operator, in FMAR's code list."),
        Column("standard", "string", "G98, G99 or G100: the engineering recommendation that it is connected under; null where not stated."),
        Column("firmness", "string", "FIRM, NON_FIRM or DYNAMIC; null where not stated."),
        Column("connection_status", "string", "CONNECTED or PENDING; null where not stated."),
        Column("connected_date", "date", "Day on which it was connected."),
        Column("max_import_kw", "double", "Agreed import capacity.", unit="kW"),
        Column("max_export_kw", "double", "Agreed export capacity: more is a matter of safety, never capability.", unit="kW"),
        Column("registered_kw", "double", "Generation and storage registered with the operator.", unit="kW"),
        Column("registered_storage_kwh", "double", "Storage registered with the operator.", unit="kWh"),
        Column("energy_source", "string", "Energy source registered with the operator, in its words."),
        Column("poc_voltage_kv", "double", "Voltage at the point of connection.", unit="kV"),
        Column("latitude", "double", "North positive, WGS84.", unit="degree"),
        Column("longitude", "double", "East positive, WGS84.", unit="degree"),
        Column("ecr_source", "string", "File and line of the Embedded Capacity Register; null where it is not in one."),
        _SOURCE,
    ),
    job="load_network",
)
