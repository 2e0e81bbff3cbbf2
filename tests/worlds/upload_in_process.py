"""Uploads a file as ALPHA in a process of its own that a test can kill: says how far it has read."""

from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from fmar_spark.domain.markets import Role
from fmar_spark.services.register.csv_rows import UploadRow, read_rows
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.uploads import Mode, Order, apply_upload
from fmar_spark.services.web.access import Caller
from fmar_spark.settings.sections import RegisterSettings


def upload(url: str, path: Path, mode: str, said: Connection) -> None:
    def reported() -> Iterator[UploadRow]:
        with path.open("rb") as file:
            for number, row in enumerate(read_rows(file, True)):
                if number == 2000:
                    said.send("2000 rows read")
                yield row

    settings = RegisterSettings(database_url=url, jwks_url="http://127.0.0.1:9/keys", issuer="x")
    caller = Caller("ALPHA", "alpha-client", frozenset({Role.FSP}), ())
    apply_upload(RegisterDatabase(settings), caller, reported(), Order(Mode(mode), False, 1000))
