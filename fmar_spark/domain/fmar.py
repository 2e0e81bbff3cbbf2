"""Code lists of the FMAR asset record as Elexon defines them (data definitions v1.1)."""

from enum import StrEnum
from typing import Final, NamedTuple


class AssetCategory(StrEnum):
    """What kind of asset a record is of (attribute AssetCategory)."""

    BESS = "BESS"
    SOLAR_PV = "SOLAR_PV"
    WIND_TURBINE = "WIND_TURBINE"
    EV_CHARGER = "EV_CHARGER"
    HEAT_PUMP = "HEAT_PUMP"
    ELECTRIC_BOILER = "ELECTRIC_BOILER"
    HVAC = "HVAC"
    REFRIGERATION = "REFRIGERATION"
    INDUSTRIAL_LOAD = "INDUSTRIAL_LOAD"
    CHP = "CHP"
    OTHER = "OTHER"


class EnergySource(StrEnum):
    """Where the energy of a generator or store comes from (attribute FuelType_EnergySource)."""

    SOLAR = "SOLAR"
    WIND = "WIND"
    HYDRO = "HYDRO"
    BIOMASS = "BIOMASS"
    BIOGAS = "BIOGAS"
    NATURAL_GAS = "NATURAL_GAS"
    DIESEL = "DIESEL"
    HYDROGEN = "HYDROGEN"
    GRID = "GRID"
    OTHER = "OTHER"


class DemandTechType(StrEnum):
    """What a demand asset turns electricity into (attribute FuelType_DemandTechType)."""

    EV = "EV"
    HEAT_PUMP = "HEAT_PUMP"
    HVAC = "HVAC"
    REFRIGERATION = "REFRIGERATION"
    ELECTRIC_BOILER = "ELECTRIC_BOILER"
    INDUSTRIAL_LOAD = "INDUSTRIAL_LOAD"
    OTHER = "OTHER"


class FmarCodes(NamedTuple):
    """What the class of an asset implies for its FMAR record; None where the class implies nothing."""

    category: AssetCategory
    energy_conversion_type: str | None = None
    """Free text in FMAR."""
    energy_source: EnergySource | None = None
    demand_tech_type: DemandTechType | None = None


class ConnectionStatus(StrEnum):
    """Whether the asset's connection is in use (attribute ConnectionStatus); the inactive codes are not used here."""

    CONNECTED = "CONNECTED"
    PENDING = "PENDING"
    DISCONNECTED = "DISCONNECTED"


class Firmness(StrEnum):
    """What the network operator promised the connection (attribute ConnectionType); the inactive codes are not used here."""

    FIRM = "FIRM"
    NON_FIRM = "NON_FIRM"
    DYNAMIC = "DYNAMIC"


class Provenance(StrEnum):
    """Where the value of an attribute comes from."""

    METER = "meter"
    """Derived from the half-hourly readings of the boundary meter, or from its class, which was."""
    DECLARED = "declared"
    """Stated in the register by the party that holds the right."""
    NETWORK = "network"
    """Standing data of the DIP, or connection data of the network operator."""
    UNKNOWN = "unknown"
    """Nobody has stated it and no meter shows it."""


class FmarAttribute(NamedTuple):
    """One attribute of FMAR's asset record as ``gold.fmar_assets`` holds it."""

    term: str
    """As Elexon's data definitions call it."""
    column: str
    type: str
    doc: str
    unit: str = ""
    is_measured: bool = False
    """It carries an interval and a probability where the meter answers it."""
    is_personal: bool = False


FMAR_ATTRIBUTES: Final = (
    FmarAttribute("AssetId", "asset_id", "string", "UUID, derived once and never used for another asset."),
    FmarAttribute("AssetName", "asset_name", "string", "Name that the FSP gave it."),
    FmarAttribute("OrganisationId", "organisation_id", "string", "FSP that holds the dispatch right in force."),
    FmarAttribute("RatedCapacity", "rated_capacity_kw", "double", "Rated power in the direction in which its class is sized.", "kW", True),
    FmarAttribute("AssetCategory", "asset_category", "string", "FMAR's category of the asset class.", "", True),
    FmarAttribute("EffectiveDate", "effective_date", "date", "First day of the dispatch right, else the day it appeared."),
    FmarAttribute("EnergyConversionType", "energy_conversion_type", "string", "Conversion that the class implies."),
    FmarAttribute("FuelType_EnergySource", "energy_source_type", "string", "Energy source that the class implies."),
    FmarAttribute("FuelType_DemandTechType", "demand_tech_type", "string", "Demand technology that the class implies."),
    FmarAttribute("Manufacturer", "manufacturer", "string", "Never observable at a meter."),
    FmarAttribute("AssetModel", "asset_model", "string", "Never observable at a meter."),
    FmarAttribute("SerialNumber", "serial_number", "string", "Never observable at a meter."),
    FmarAttribute(
        "CommissioningDate", "commissioning_date", "date", "Day it appeared; null with source meter = before the first reading.", "", True
    ),
    FmarAttribute("ConnectionStatus", "connection_status", "string", "CONNECTED, PENDING or DISCONNECTED."),
    FmarAttribute("GenCapacity", "gen_capacity_kw", "double", "Rated export.", "kW", True),
    FmarAttribute("DemandCapacity", "demand_capacity_kw", "double", "Rated import.", "kW", True),
    FmarAttribute(
        "InstalledCapacity", "installed_capacity_kw", "double", "PV: DC peak of the modules; others: the larger rated power.", "kW", True
    ),
    FmarAttribute("ConnectionType", "connection_type", "string", "FIRM, NON_FIRM or DYNAMIC."),
    FmarAttribute("DNOCode", "dno_code", "string", "Distribution network operator, in FMAR's code list."),
    FmarAttribute("ImportMPAN", "import_mpan_id", "string", "Import meter point of the boundary.", is_personal=True),
    FmarAttribute("ExportMPAN", "export_mpan_id", "string", "Export meter point linked to the boundary.", is_personal=True),
)
"""Elexon's data definitions v1.1 (Market Facilitator repository, CC BY 4.0, read in February 2026)."""
