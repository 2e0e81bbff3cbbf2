"""Whether a read model has what this version asks of it: every table and column of every endpoint, under every scope."""

from pathlib import Path
from typing import Final

import duckdb

from fmar_spark.errors import InputError
from fmar_spark.services.capability.resources import RESOURCES, Resource
from fmar_spark.services.capability.rights import NO_RIGHTS
from fmar_spark.services.register.scopes import CONDITION_OF_SCOPE, Scope

ORIGINS: Final = "SELECT origin, meters FROM origins"
"""Examined meters by where their readings come from."""
ASSETS_OF_CLAIMS: Final = """
    SELECT DISTINCT a.asset_id FROM verified_claims c JOIN asset_ids a ON a.mpan_id = c.mpan_id AND c.asset_class IN ('', a.asset_class)
    {named} ORDER BY ALL
"""
"""Ids of the assets of verified claims, where ``named`` may bound the meter points: assets themselves are sorted by id."""
_NOBODY: Final = {"party_id": "", "distributor_ids": [""], "addresses": [""]}


def check_layout(path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """Nothing, if every endpoint can be answered from the file that is open.

    Raises:
        InputError: a table or a column is missing, or of another type.
    """
    cursor = connection.cursor()
    try:
        for name, rows in NO_RIGHTS.relations.items():
            cursor.register(name, rows)
        for query in (ORIGINS, ASSETS_OF_CLAIMS.format(named=""), *map(_ask_nothing, RESOURCES)):
            cursor.execute(f"{query} LIMIT 0", {name: value for name, value in _NOBODY.items() if f"${name}" in query})
    except duckdb.Error as error:
        raise InputError(f"{path}: another layout: {str(error).splitlines()[0]}; publish it again") from error
    finally:
        cursor.close()


def _ask_nothing(resource: Resource) -> str:
    conditions = (CONDITION_OF_SCOPE[Scope(scope)] for scope in resource.scopes)
    return f"SELECT {', '.join((*resource.fields, *conditions))} FROM {resource.table} t"
