"""Code lists of the FMAR asset record as Elexon defines them (data definitions v1.1)."""

from enum import StrEnum
from typing import NamedTuple


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
