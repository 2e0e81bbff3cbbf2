"""What serve does with a lake of one's own: publishes it, and lets sample parties hold agreements on its assets."""

import re
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from reads_world import write_reads_lake
from register_world import MPAN, settings_of
from report_world import write_table
from sqlalchemy import func, select

from fmar_spark.commands import serve
from fmar_spark.commands.serve import prepare_reads
from fmar_spark.contracts.deliveries import DISPATCH_EVENTS
from fmar_spark.domain.markets import ClaimState
from fmar_spark.domain.mpan import GSP_GROUP_OF_DISTRIBUTOR
from fmar_spark.engine.lake_sql import LakeRows
from fmar_spark.engine.model_file import FOLDER, MANIFEST, digest_file, read_manifest
from fmar_spark.errors import ConfigError
from fmar_spark.services.capability.sample import (
    DECLARED_IN_LAKE,
    OF_LAKE,
    OF_MODEL,
    REGISTER_FILE,
    describe_reads,
    fill_deliveries,
    list_guests,
)
from fmar_spark.services.capability.served_model import ModelSource
from fmar_spark.services.register.database import RegisterDatabase
from fmar_spark.services.register.operation import find_claims
from fmar_spark.services.register.sample import SAMPLE_PARTIES, describe_sample, plan_network, prepare_sample
from fmar_spark.services.register.tables import AGREEMENTS, LEDGER
from fmar_spark.services.web.signing_keys import DevelopmentIssuer
from fmar_spark.settings.run_options import RunOptions
from fmar_spark.settings.sections import LakeSettings, RegisterSettings, Settings


@pytest.fixture(scope="module")
def settings(quick_folder: Path) -> Settings:
    """A lake that was never published, and a sample register."""
    folder = quick_folder / "serve"
    write_reads_lake(folder / "lake")
    made = Settings(agreements=settings_of(f"sqlite:///{folder / 'register.db'}"), lake=LakeSettings(root=str(folder / "lake")))
    prepare_sample(made.agreements, None)
    prepare_reads(made)
    return made


def count_entries(settings: Settings) -> tuple[int, int]:
    with closing(RegisterDatabase(settings.agreements)) as database, database.engine.connect() as connection:
        counts = (connection.execute(select(func.count()).select_from(table)).scalar_one() for table in (AGREEMENTS, LEDGER))
        first, second = counts
        return int(first), int(second)


def test_sample_parties_hold_rights_to_assets_of_the_lake_most_of_them_verified(settings: Settings) -> None:
    agreements, _ = count_entries(settings)
    assert agreements > 60
    with closing(RegisterDatabase(settings.agreements)) as database:
        states = Counter(state for _, state in find_claims(database, None))
    assert states[ClaimState.VERIFIED] > 5 * states[ClaimState.CLAIMED] > 0
    assert read_manifest(Path(settings.lake.root) / FOLDER).rows["assets"] == 80


def test_a_second_start_publishes_only_what_is_new(settings: Settings) -> None:
    folder = Path(settings.lake.root) / FOLDER
    before = read_manifest(folder)
    entries = count_entries(settings)
    prepare_reads(settings)
    assert read_manifest(folder) == before
    assert count_entries(settings) == entries
    table = Path(settings.lake.root) / "gold" / "system_health"
    write_deltalake(str(table), DeltaTable(str(table)).to_pyarrow_table(), mode="overwrite")
    prepare_reads(settings)
    assert read_manifest(folder).versions["gold.system_health"] == 1


def test_a_folder_without_a_lake_is_left_alone(settings: Settings, tmp_path: Path) -> None:
    prepare_reads(settings.model_copy(update={"lake": LakeSettings(root=str(tmp_path))}))
    prepare_reads(settings.model_copy(update={"lake": LakeSettings(root="abfss://lake@x.dfs.core.windows.net")}))
    assert list(tmp_path.iterdir()) == []


def test_a_lake_that_is_named_and_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--lake: .*missing: no lake there"):
        serve.run(RunOptions(lake=str(tmp_path / "missing")), "127.0.0.1", 1, "development", f"sqlite:///{tmp_path / 'register.db'}")
    assert list(tmp_path.iterdir()) == []


def test_every_role_has_a_party_with_a_ready_token_and_a_line_to_paste() -> None:
    development = list_guests(DevelopmentIssuer("local"), "fmar-register")
    assert [guest.party_id for guest in development.guests] == [plan.party_id for plan in SAMPLE_PARTIES]
    roles = {role for plan in SAMPLE_PARTIES for role in plan.roles}
    lines = describe_reads("http://127.0.0.1:8000")
    named = {plan.party_id for plan in SAMPLE_PARTIES if f"${plan.party_id}" in lines}
    assert {role for plan in SAMPLE_PARTIES if plan.party_id in named for role in plan.roles} == roles


def test_the_sample_network_operator_and_the_lines_are_of_an_area_with_published_figures(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    write_reads_lake(folder)
    table = folder / "gold" / "area_capability"
    rows = DeltaTable(str(table)).to_pyarrow_table().to_pylist()
    rows = [{**row, "is_suppressed": row["is_suppressed"] or row["area_id"] == "_H"} for row in rows]
    write_deltalake(str(table), pa.Table.from_pylist(rows, DeltaTable(str(table)).to_pyarrow_table().schema), mode="overwrite")
    made = Settings(agreements=settings_of(f"sqlite:///{tmp_path / 'register.db'}"), lake=LakeSettings(root=str(folder)))
    prepare_sample(made.agreements, None)
    _, area = prepare_reads(made)
    assert area in {row["area_id"] for row in rows if row["area_level"] == "gsp_group" and not row["is_suppressed"]}
    network = plan_network(area)
    assert {GSP_GROUP_OF_DISTRIBUTOR[number] for number in network.distributor_ids} == {area}
    development = list_guests(DevelopmentIssuer("local"), "fmar-register", (), area)
    assert [guest.party_id for guest in development.guests if "its own areas" in guest.words] == [network.party_id]
    printed = describe_reads("http://x", area) + describe_sample(DevelopmentIssuer("local"), "fmar-register", "http://x", area)
    assert f"Bearer ${network.party_id}" in printed
    assert f"export {network.party_id}=" in printed
    assert not {"SOUTHERN", "_H/"} & set(re.findall(r"SOUTHERN|_H/", printed))


def test_the_rights_of_the_demo_are_to_the_assets_that_serving_its_lake_would_choose(settings: Settings) -> None:
    lake = Path(settings.lake.root)
    of_model = ModelSource(lake / FOLDER, 0).current().find(OF_MODEL, {})
    assert LakeRows(lake).rows(OF_LAKE) == of_model


def test_whoever_declares_deliveries_holds_a_verified_right_from_the_first_event(tmp_path: Path) -> None:
    first = datetime(2025, 11, 3, 16, 30, tzinfo=UTC)
    event = {"mpan_id": MPAN, "amsid": "9800000000020", "fsp_id": "FSP09", "market": "dso_local", "end_at": first, "is_newest": True}
    events = [{**event, "event_id": f"E{day}", "start_at": first + timedelta(days=day)} for day in (3, 0)]
    write_table(tmp_path, DISPATCH_EVENTS, [*events, {**event, "event_id": "E9", "fsp_id": "a name", "start_at": first}])
    made = settings_of(f"sqlite:///{tmp_path / 'register.db'}")
    prepare_sample(made, None)
    with closing(RegisterDatabase(made)) as database:
        for _ in range(2):
            plans = fill_deliveries(database, LakeRows(tmp_path).rows(DECLARED_IN_LAKE))
        states = {claim.fsp_id: state for claim, state in find_claims(database, None) if claim.amsid == event["amsid"]}
        with database.engine.connect() as connection:
            begin = connection.execute(select(AGREEMENTS.c.valid_from_at).where(AGREEMENTS.c.amsid == event["amsid"])).scalars().all()
    assert [plan.party_id for plan in plans] == ["FSP09"]
    assert states == {"FSP09": ClaimState.VERIFIED}
    assert begin == [first]


def test_a_lake_that_mirrors_a_register_is_served_with_it(settings: Settings, tmp_path: Path) -> None:
    options = RunOptions(lake=str(tmp_path))
    assert serve.choose_settings(options, None).agreements.database_url == RegisterSettings().database_url
    (tmp_path / REGISTER_FILE).parent.mkdir()
    (tmp_path / REGISTER_FILE).touch()
    assert serve.choose_settings(options, None).agreements.database_url == f"sqlite:///{tmp_path / REGISTER_FILE}"
    assert serve.choose_settings(options, "sqlite:///other.db").agreements.database_url == "sqlite:///other.db"


def test_a_file_of_an_older_layout_is_published_anew(settings: Settings) -> None:
    folder = Path(settings.lake.root) / FOLDER
    manifest = read_manifest(folder)
    with duckdb.connect(str(folder / manifest.file)) as connection:
        connection.execute("ALTER TABLE area_capability DROP COLUMN share_appeared")
    digest = digest_file(folder / manifest.file)
    size = (folder / manifest.file).stat().st_size
    (folder / MANIFEST).write_text(manifest.model_copy(update={"sha256": digest, "bytes": size}).model_dump_json(), encoding="utf-8")
    prepare_reads(settings)
    assert ModelSource(folder, 0).current().manifest.published_at > manifest.published_at
