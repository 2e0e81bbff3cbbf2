"""A version and its ledger entry may stop to name a meter point, once an entry behind it in the chain says what it reads now."""

from typing import Final

from alembic import op

revision = "0009_redaction"
down_revision = "0008_disputes"
branch_labels = None
depends_on = None

_CLOSING: Final = "OLD.known_to_at IS NULL AND NEW.known_to_at IS NOT NULL AND NEW.closed_by_seq IS NOT NULL"
_RECORDED: Final = "version change known_from_at recorded_by_party_id recorded_by_client_id ledger_seq fsp_id distributor_id"
_PERMANENT: Final = {
    "agreement_versions": "agreement_id market primacy_tier is_exclusive valid_from_at valid_to_at displaced_by_id",
    "override_versions": "override_id asset_class direction parameter value unit valid_from_at valid_to_at superseded_by_id",
    "confirmation_versions": "confirmation_id asset_class is_present verdict is_detected detected_probability tier model_version "
    "as_of_date provenance",
    "evidence_versions": "evidence_id basis valid_from_at valid_to_at",
    "dispute_versions": "dispute_id record_kind record_run_id raised_by_party_id parties outcome",
}
_NAMING: Final = {
    "agreement_versions": "mpan_id amsid consent_reference",
    "override_versions": "mpan_id amsid reason",
    "confirmation_versions": "mpan_id amsid",
    "evidence_versions": "mpan_id amsid reference",
    "dispute_versions": "mpan_id amsid record_id alleged_error evidence outcome_reason",
}
_LEDGER: Final = "seq recorded_at party_id client_id kind subject_id version change previous_hash hash"
_REFUSED: Final = "refused, nothing is rewritten or deleted"


def upgrade() -> None:
    """Whatever else would change a row is rejected as before."""
    if op.get_bind().dialect.name == "postgresql":
        _allow_on_postgresql()
    else:
        _allow_on_sqlite()


def _allow_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION fmar_refuse_unless_redacted() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE entry bigint; BEGIN "
        "IF TG_TABLE_NAME = 'ledger' THEN entry := OLD.seq; ELSE entry := OLD.ledger_seq; END IF; "
        "IF EXISTS (SELECT 1 FROM ledger WHERE kind = 'redaction' AND seq > entry AND strpos(body, '\"' || entry || '\":\"') > 0) THEN "
        f"RETURN NEW; END IF; RAISE EXCEPTION '%: % {_REFUSED}', TG_TABLE_NAME, TG_OP USING ERRCODE = '23514'; END $$"
    )
    for name, permanent in _PERMANENT.items():
        fixed = f"{_RECORDED} {permanent}"
        whole = f"{fixed} {_NAMING[name]}"
        closed = _differ("known_to_at closed_by_seq")
        op.execute(f"DROP TRIGGER {name}_only_close ON {name}")
        op.execute(
            f"CREATE TRIGGER {name}_only_close BEFORE UPDATE ON {name} FOR EACH ROW "
            f"WHEN ({_differ(fixed)} OR (NOT ({_CLOSING}) AND {closed})) EXECUTE FUNCTION fmar_refuse()"
        )
        op.execute(
            f"CREATE TRIGGER {name}_only_redact BEFORE UPDATE ON {name} FOR EACH ROW "
            f"WHEN (NOT ({_CLOSING}) OR {_differ(whole)}) EXECUTE FUNCTION fmar_refuse_unless_redacted()"
        )
    op.execute("DROP TRIGGER ledger_refuse ON ledger")
    op.execute("CREATE TRIGGER ledger_refuse BEFORE DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION fmar_refuse()")
    op.execute(f"CREATE TRIGGER ledger_fixed BEFORE UPDATE ON ledger FOR EACH ROW WHEN ({_differ(_LEDGER)}) EXECUTE FUNCTION fmar_refuse()")
    op.execute("CREATE TRIGGER ledger_only_redact BEFORE UPDATE ON ledger FOR EACH ROW EXECUTE FUNCTION fmar_refuse_unless_redacted()")


def _differ(columns: str) -> str:
    old, new = (", ".join(f"{version}.{column}" for column in columns.split()) for version in ("OLD", "NEW"))
    return f"ROW({old}) IS DISTINCT FROM ROW({new})"


def _allow_on_sqlite() -> None:
    for name, permanent in _PERMANENT.items():
        fixed = f"{_RECORDED} {permanent}".split()
        changes = _differ_sqlite([*fixed, *_NAMING[name].split()])
        is_redaction = f"{_is_redacted('OLD.ledger_seq')} AND NOT ({_differ_sqlite([*fixed, 'known_to_at', 'closed_by_seq'])})"
        op.execute(f"DROP TRIGGER {name}_only_close")
        _refuse_sqlite(f"{name}_only_close", name, f"(NOT ({_CLOSING}) OR {changes}) AND NOT ({is_redaction})")
    op.execute("DROP TRIGGER ledger_keep")
    _refuse_sqlite("ledger_keep", "ledger", f"{_differ_sqlite(_LEDGER.split())} OR NOT {_is_redacted('OLD.seq')}")


def _is_redacted(seq: str) -> str:
    behind = f"l.kind = 'redaction' AND l.seq > {seq}"
    return f"EXISTS (SELECT 1 FROM ledger l WHERE {behind} AND instr(l.body, '\"' || {seq} || '\":\"') > 0)"


def _differ_sqlite(columns: list[str]) -> str:
    return " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)


def _refuse_sqlite(trigger: str, table: str, condition: str) -> None:
    message = f"{table}: UPDATE {_REFUSED}"
    op.execute(
        f"CREATE TRIGGER {trigger} BEFORE UPDATE ON {table} FOR EACH ROW WHEN {condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )
