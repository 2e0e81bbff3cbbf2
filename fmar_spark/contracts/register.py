"""Tables mirrored from the register of commercial agreements, and the view that joins them with what was detected."""

from typing import Final

from fmar_spark.contracts.table import Column, Layer, TableContract, class_column, mpan_column
from fmar_spark.domain.words import Sensitivity

_PLACE: Final = (
    Column("fsp_id", "string", "Market participant that holds the right.", nullable=False, sensitivity=Sensitivity.COMMERCIAL),
    mpan_column(),
    Column("amsid", "string", "Asset metering system id (P483).", nullable=False, sensitivity=Sensitivity.COMMERCIAL),
)
_VALIDITY: Final = (
    Column("valid_from_at", "timestamp", "First moment at which it holds.", nullable=False),
    Column("valid_to_at", "timestamp", "First moment at which it no longer holds; null = open; equal to the first = never in force."),
)
_VERSION: Final = (
    Column("change", "string", "created, amended, ended, superseded, displaced or settled.", nullable=False),
    Column("known_from_at", "timestamp", "When the register came to say so (transaction time).", nullable=False),
    Column("known_to_at", "timestamp", "When the next version replaced it; null = current."),
    Column("recorded_by_party_id", "string", "Party that recorded it.", nullable=False, sensitivity=Sensitivity.COMMERCIAL),
    Column("ledger_seq", "bigint", "Ledger entry that opened the version.", nullable=False),
    Column("closed_by_seq", "bigint", "Ledger entry that closed it; null = current."),
    Column("ledger_hash", "string", "Hash of the opening entry: anchors the register's chain outside the register.", nullable=False),
)


def _version_key(id_name: str, doc: str) -> tuple[Column, ...]:
    return (
        Column(id_name, "string", doc, nullable=False),
        Column("version", "int", "Counts from 1; corrections are new versions.", nullable=False),
    )


AGREEMENTS: Final = TableContract(
    name="agreements",
    layer=Layer.SILVER,
    doc="Every version of every dispatch right, as the register records it: what was true when, and what was known when.",
    key=("agreement_id", "version"),
    columns=(
        *_version_key("agreement_id", "Id that the register gave."),
        *_PLACE,
        Column("market", "string", "dso_local, neso_ancillary, neso_bm or wholesale.", nullable=False),
        Column("primacy_tier", "int", "Rank among the rights to one asset; 1 comes first.", nullable=False),
        Column("is_exclusive", "boolean", "No other right to the asset in that market at that time.", nullable=False),
        *_VALIDITY,
        *_VERSION,
        Column(
            "claim_state", "string", "How far the FSP's claim to the asset was proven at the last mirroring: claimed, verified, disputed."
        ),
    ),
    job="mirror_register",
)

OVERRIDES: Final = TableContract(
    name="overrides",
    layer=Layer.SILVER,
    doc="Every version of every capability parameter that an FSP declared; never replaces what was derived.",
    key=("override_id", "version"),
    columns=(
        *_version_key("override_id", "Id that the register gave."),
        *_PLACE,
        class_column(),
        Column("direction", "string", "import or export, seen from the boundary.", nullable=False),
        Column("parameter", "string", "Column of gold.capability that it speaks of.", nullable=False),
        Column("value", "double", "Declared value, in the row's unit.", nullable=False),
        Column("unit", "string", "kW, kWh, kWp, kW/min or minutes.", nullable=False),
        Column("reason", "string", "Why, in the FSP's words.", nullable=False, sensitivity=Sensitivity.COMMERCIAL),
        *_VALIDITY,
        Column("superseded_by_id", "string", "The later declaration that ended it."),
        *_VERSION,
    ),
    job="mirror_register",
)

CONFIRMATIONS: Final = TableContract(
    name="confirmations",
    layer=Layer.SILVER,
    doc="Every version of what FSPs answered to detections of medium confidence: labels that training may use.",
    key=("confirmation_id", "version"),
    columns=(
        *_version_key("confirmation_id", "Id that the register gave."),
        *_PLACE,
        class_column(),
        Column("is_present", "boolean", "What the FSP says.", nullable=False),
        Column("verdict", "string", "confirmed or corrected.", nullable=False),
        Column("is_detected", "boolean", "What the engine had said.", nullable=False),
        Column("detected_probability", "double", "present_probability of the answered detection.", nullable=False),
        Column("tier", "string", "Tier of the answered detection.", nullable=False),
        Column("model_version", "string", "Classifier that was answered.", nullable=False),
        Column("as_of_date", "date", "Day of the answered detection.", nullable=False),
        Column("provenance", "string", "Where the label comes from: fsp_confirmation.", nullable=False),
        *_VERSION,
    ),
    job="mirror_register",
)

DISPUTES: Final = TableContract(
    name="disputes",
    layer=Layer.SILVER,
    doc="Every version of every dispute of a record: what a party says is wrong, what shows it, and what was decided.",
    key=("dispute_id", "version"),
    columns=(
        *_version_key("dispute_id", "Id that the register gave."),
        *_PLACE,
        Column(
            "record_kind",
            "string",
            "What is disputed: agreement, detection, capability, delivery_check, delivery_evidence or flag.",
            nullable=False,
        ),
        Column(
            "record_id",
            "string",
            "Which one at the meter point: the id of an agreement, event or flag, else class or AMSID.",
            nullable=False,
        ),
        Column("record_run_id", "string", "Run that wrote the disputed record, or the version of an agreement.", nullable=False),
        Column("alleged_error", "string", "What is said to be wrong.", nullable=False, sensitivity=Sensitivity.COMMERCIAL),
        Column("evidence", "string", "What is said to show it.", nullable=False, sensitivity=Sensitivity.COMMERCIAL),
        Column("raised_by_party_id", "string", "Party that disputes.", nullable=False, sensitivity=Sensitivity.COMMERCIAL),
        Column("parties", "string", "Parties that it concerns, separated by commas.", nullable=False, sensitivity=Sensitivity.COMMERCIAL),
        Column("outcome", "string", "corrected or no_action_required; null = not settled."),
        Column("outcome_reason", "string", "Why; null = not settled.", sensitivity=Sensitivity.COMMERCIAL),
        *_VERSION,
    ),
    job="mirror_register",
)

FLEET: Final = TableContract(
    name="fleet",
    layer=Layer.GOLD,
    doc="Every asset that was detected, what it can do and who may dispatch it; without an agreement where nobody has registered it.",
    key=("mpan_id", "asset_class", "direction", "agreement_id"),
    columns=(
        mpan_column(),
        class_column(),
        Column("direction", "string", "import or export; empty where no capability was derived.", nullable=False),
        Column("agreement_id", "string", "Agreement in force; empty where nobody has registered the asset.", nullable=False),
        Column("is_registered", "boolean", "Somebody holds a right that can be to this asset.", nullable=False),
        Column(
            "link", "string", "asset: the FSP said which class the AMSID is; meter_point: only the place matches; none.", nullable=False
        ),
        Column("fsp_id", "string", "Who may dispatch it.", sensitivity=Sensitivity.COMMERCIAL),
        Column("amsid", "string", "Asset metering system id.", sensitivity=Sensitivity.COMMERCIAL),
        Column("claim_state", "string", "How far the claim behind the right is proven: claimed, verified, disputed."),
        Column("market", "string", "Market of the right."),
        Column("primacy_tier", "int", "Rank among the rights to one asset."),
        Column("is_exclusive", "boolean", "Exclusive in its market."),
        Column("valid_from_at", "timestamp", "First moment of the right."),
        Column("valid_to_at", "timestamp", "First moment after the right; null = open."),
        Column("present_probability", "double", "Calibrated: the asset is there on as_of_date."),
        Column("tier", "string", "Confidence in the detection."),
        Column("rated_kw", "double", "Derived size.", unit="kW"),
        Column("rated_kw_lower", "double", "Low end of the 80 % interval.", unit="kW"),
        Column("rated_kw_upper", "double", "High end of the 80 % interval.", unit="kW"),
        Column("declared_kw", "double", "Size that the FSP declares, in force; beside the derived one.", unit="kW"),
        Column("as_of_date", "date", "Day of the detection.", nullable=False),
        Column("run_id", "string", "Run that wrote the row (ops.run_journal).", nullable=False),
    ),
    job="mirror_register",
)
