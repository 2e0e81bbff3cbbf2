"""What the database itself refuses, whoever asks: rewriting the past, and on PostgreSQL overlapping rights and foreign rows."""

from typing import Final

from alembic import op

revision = "0002_guards"
down_revision = "0001_tables"
branch_labels = None
depends_on = None

_APPEND_ONLY: Final = ("ledger", "request_audit", "upload_rows")
_VERSIONED: Final = ("agreement_versions", "override_versions", "confirmation_versions", "party_versions", "client_versions")
_FSP_OWNED: Final = ("agreement_versions", "override_versions", "confirmation_versions")
_CLOSING: Final = "OLD.known_to_at IS NULL AND NEW.known_to_at IS NOT NULL AND NEW.closed_by_seq IS NOT NULL"
_KEEPS: Final = {
    "agreement_versions": "agreement_id version fsp_id mpan_id distributor_id amsid market primacy_tier is_exclusive "
    "valid_from_at valid_to_at",
    "override_versions": "override_id version fsp_id mpan_id distributor_id amsid asset_class direction parameter value unit reason "
    "valid_from_at valid_to_at superseded_by_id",
    "confirmation_versions": "confirmation_id version fsp_id mpan_id distributor_id amsid asset_class is_present verdict "
    "is_detected detected_probability tier model_version as_of_date provenance",
    "party_versions": "party_id version name roles distributor_ids is_active",
    "client_versions": "client_id version party_id is_active",
}
_KEPT_ALWAYS: Final = "change known_from_at recorded_by_party_id recorded_by_client_id ledger_seq"


def upgrade() -> None:
    """Guards stand on every table that must not forget."""
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
        _exclude_overlaps()
        _secure_rows()
    else:
        _guard_sqlite()


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION fmar_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '%: % refused, nothing is rewritten or deleted', TG_TABLE_NAME, TG_OP USING ERRCODE = '23514'; END $$"
    )
    for name in _APPEND_ONLY:
        op.execute(f"CREATE TRIGGER {name}_refuse BEFORE UPDATE OR DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION fmar_refuse()")
        op.execute(f"CREATE TRIGGER {name}_keep BEFORE TRUNCATE ON {name} FOR EACH STATEMENT EXECUTE FUNCTION fmar_refuse()")
    for name in _VERSIONED:
        same = _row_of(name, "OLD"), _row_of(name, "NEW")
        op.execute(f"CREATE TRIGGER {name}_refuse BEFORE DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION fmar_refuse()")
        op.execute(f"CREATE TRIGGER {name}_keep BEFORE TRUNCATE ON {name} FOR EACH STATEMENT EXECUTE FUNCTION fmar_refuse()")
        op.execute(
            f"CREATE TRIGGER {name}_only_close BEFORE UPDATE ON {name} FOR EACH ROW "
            f"WHEN (NOT ({_CLOSING}) OR ROW({same[0]}) IS DISTINCT FROM ROW({same[1]})) EXECUTE FUNCTION fmar_refuse()"
        )
    op.execute(
        "CREATE TRIGGER ledger_head_forward BEFORE UPDATE ON ledger_head FOR EACH ROW "
        "WHEN (NEW.seq <= OLD.seq OR NEW.recorded_at <= OLD.recorded_at) EXECUTE FUNCTION fmar_refuse()"
    )
    op.execute("CREATE TRIGGER ledger_head_refuse BEFORE DELETE ON ledger_head FOR EACH ROW EXECUTE FUNCTION fmar_refuse()")


def _exclude_overlaps() -> None:
    """The second check behind domain/terms.py: the same rules as constraints over current versions.

    They compare 64 bits of a digest, which GiST handles as a number, instead of two texts: a collision, which nobody can aim
    at, could only refuse a write, never let one through.
    """
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.execute(
        "CREATE FUNCTION fmar_key(what text) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS "
        "$$ SELECT ('x' || substr(md5(what), 1, 16))::bit(64)::bigint $$"
    )
    term = "tstzrange(valid_from_at, valid_to_at) WITH &&"
    exclusive = f"fmar_key(market || ' ' || amsid) WITH =, {term}"
    for name, parts, where in (
        ("exclusive_alone", exclusive, "is_exclusive"),
        ("exclusive_beside_shared", f"{exclusive}, (is_exclusive::int) WITH <>", "true"),
        ("shared_primacy", f"fmar_key(primacy_tier::text || ' ' || amsid) WITH =, {term}", "NOT is_exclusive"),
    ):
        op.execute(
            f"ALTER TABLE agreement_versions ADD CONSTRAINT {name} EXCLUDE USING gist ({parts}) WHERE (known_to_at IS NULL AND {where})"
        )
    op.execute("ALTER TABLE agreement_versions ADD CONSTRAINT term_forward CHECK (valid_to_at IS NULL OR valid_to_at >= valid_from_at)")
    op.execute("ALTER TABLE override_versions ADD CONSTRAINT override_forward CHECK (valid_to_at IS NULL OR valid_to_at >= valid_from_at)")


def _secure_rows() -> None:
    """Row security from the settings that every transaction makes; without them nothing is seen."""
    everything = "current_setting('fmar.scope', true) = 'all'"
    own = "(fsp_id = current_setting('fmar.fsp_id', true) AND fsp_id <> '')"
    concerns = (
        "market = ANY (string_to_array(current_setting('fmar.markets', true), ',')) OR (market = 'dso_local' AND "
        "distributor_id = ANY (string_to_array(current_setting('fmar.distributor_ids', true), ',')))"
    )
    reached = (
        "EXISTS (SELECT 1 FROM agreement_versions a WHERE a.fsp_id = override_versions.fsp_id AND a.mpan_id = override_versions.mpan_id "
        "AND a.amsid = override_versions.amsid AND a.known_to_at IS NULL)"
    )
    ways = {"agreement_versions": f" OR {concerns}", "override_versions": f" OR {reached}", "confirmation_versions": ""}
    for name in _FSP_OWNED:
        op.execute(f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY")
        rules = f"{everything} OR current_setting('fmar.scope', true) = 'rules' OR {own}{ways[name]}"
        op.execute(f"CREATE POLICY {name}_seen ON {name} FOR SELECT USING ({rules})")
        op.execute(f"CREATE POLICY {name}_added ON {name} FOR INSERT WITH CHECK ({everything} OR {own})")
        op.execute(f"CREATE POLICY {name}_closed ON {name} FOR UPDATE USING ({everything} OR {own}) WITH CHECK ({everything} OR {own})")


def _guard_sqlite() -> None:
    for name in (*_APPEND_ONLY, *_VERSIONED):
        _refuse_sqlite(f"{name}_refuse", "DELETE", name)
    for name in _APPEND_ONLY:
        _refuse_sqlite(f"{name}_keep", "UPDATE", name)
    for name in _VERSIONED:
        differs = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in _columns_of(name))
        _refuse_sqlite(f"{name}_only_close", "UPDATE", name, f"NOT ({_CLOSING}) OR {differs}")
    _refuse_sqlite("ledger_head_forward", "UPDATE", "ledger_head", "NEW.seq <= OLD.seq OR NEW.recorded_at <= OLD.recorded_at")
    _refuse_sqlite("ledger_head_refuse", "DELETE", "ledger_head")


def _refuse_sqlite(trigger: str, act: str, table: str, condition: str = "") -> None:
    when = f"WHEN {condition} " if condition else ""
    message = f"{table}: {act} refused, nothing is rewritten or deleted"
    op.execute(f"CREATE TRIGGER {trigger} BEFORE {act} ON {table} FOR EACH ROW {when}BEGIN SELECT RAISE(ABORT, '{message}'); END")


def _columns_of(name: str) -> list[str]:
    return f"{_KEEPS[name]} {_KEPT_ALWAYS}".split()


def _row_of(name: str, version: str) -> str:
    return ", ".join(f"{version}.{column}" for column in _columns_of(name))
