"""What requests may say and what answers say: every field bounded, so that nothing else gets further."""

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from fmar_spark.domain.assets import AssetClass
from fmar_spark.domain.markets import RANGE_OF_PARAMETER, Basis, ClaimState, Market, Parameter, Role
from fmar_spark.domain.words import Direction
from fmar_spark.services.web.models import (
    Amendment,
    AnswerModel,
    Cursor,
    Limit,
    PageQuery,
    QueryFlag,
    RequestModel,
    check_finite,
    check_text,
)
from fmar_spark.services.web.moments import Moment

PARTY_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$"
AMSID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,39}$"
CLIENT_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_.:@/-]{0,127}$"
MPAN_PATTERN: Final = r"^[0-9]{13}$"
Mpan = Annotated[str, Field(pattern=MPAN_PATTERN, description="Meter point, 13 digits.")]
Amsid = Annotated[str, Field(pattern=AMSID_PATTERN, description="Asset metering system id.")]
PartyId = Annotated[str, Field(pattern=PARTY_PATTERN, description="Existing market participant id.")]
ClientId = Annotated[str, Field(pattern=CLIENT_PATTERN, description="Client id in the issuer's tokens.")]
ConsentReference = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(check_text)]
DistributorId = Annotated[str, Field(pattern=r"^[0-9]{2}$", description="First two digits of the MPANs of a network.")]
Tier = Annotated[int, Field(ge=1, le=999, strict=True, description="Rank among the rights to one asset; 1 comes first.")]
Flag = Annotated[bool, Field(strict=True)]


class NewAgreement(RequestModel):
    """A dispatch right that the caller's party holds."""

    mpan_id: Mpan
    amsid: Amsid
    market: Market
    primacy_tier: Tier
    is_exclusive: Flag
    valid_from_at: Moment
    valid_to_at: Moment | None = Field(None, description="Exclusive; without it the term is open.")
    consent_reference: ConsentReference | None = Field(None, description="The customer's consent that the FSP relies on.")

    @model_validator(mode="after")
    def runs_forward(self) -> Self:
        """Terms end after they begin."""
        if self.valid_to_at is not None and self.valid_to_at <= self.valid_from_at:
            raise ValueError("valid_to_at must be later than valid_from_at")
        return self


def _drop_default(schema: dict[str, Any]) -> None:
    """Left out is not null."""
    schema.pop("default", None)


_LEFT_OUT: Final[Any] = Field(default=None, json_schema_extra=_drop_default)


class AgreementAmendment(Amendment):
    """What an agreement says from now on; valid_to_at = null opens the term."""

    nullable: ClassVar[frozenset[str]] = frozenset({"valid_to_at", "consent_reference"})
    primacy_tier: Tier | SkipJsonSchema[None] = _LEFT_OUT
    is_exclusive: Flag | SkipJsonSchema[None] = _LEFT_OUT
    valid_from_at: Moment | SkipJsonSchema[None] = _LEFT_OUT
    valid_to_at: Moment | None = _LEFT_OUT
    consent_reference: ConsentReference | None = _LEFT_OUT


class Ending(RequestModel):
    """When a term or a declaration ends."""

    valid_to_at: Moment | None = Field(None, description="Exclusive; now, if left out. The beginning itself takes back a mistake.")


Unit = Literal["kW", "kWh", "kWp", "kW/min", "minutes"]
_UNITS: Final = "That of the parameter: " + ", ".join(f"{name} in {allowed.unit}" for name, allowed in RANGE_OF_PARAMETER.items()) + "."


class NewOverride(RequestModel):
    """A capability parameter as the FSP declares it."""

    mpan_id: Mpan
    amsid: Amsid
    asset_class: AssetClass
    direction: Direction
    parameter: Parameter
    value: Annotated[float, Field(ge=0, le=24e6), AfterValidator(check_finite)]
    unit: Unit = Field(description=_UNITS)
    reason: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(check_text)]
    valid_from_at: Moment
    valid_to_at: Moment | None = None


class NewConfirmation(RequestModel):
    """What the FSP says of a detection of medium confidence."""

    mpan_id: Mpan
    amsid: Amsid
    asset_class: AssetClass
    is_present: Flag


class NewEvidence(RequestModel):
    """What supports or contradicts an FSP's claim to an asset."""

    basis: Basis
    fsp_id: PartyId | Literal[""] = Field("", description="Whose claim; consents alone may leave it out: whoever names the reference.")
    mpan_id: Mpan
    amsid: Amsid | Literal[""] = Field("", description="Which asset; consents alone may leave it out: any at the meter point.")
    reference: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(check_text)] = Field(
        description="Of the allocation, consent or decision; a consent counts for the agreements that name it."
    )
    valid_from_at: Moment | None = Field(None, description="Now, if left out.")
    valid_to_at: Moment | None = None


class NewParty(RequestModel):
    """A party that takes part."""

    party_id: PartyId
    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(check_text)]
    roles: Annotated[list[Role], Field(min_length=1, max_length=4)]
    distributor_ids: Annotated[list[DistributorId], Field(max_length=100, default_factory=list)]


class PartyAmendment(Amendment):
    """What holds of a party from now on."""

    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(check_text)] | SkipJsonSchema[None] = _LEFT_OUT
    roles: Annotated[list[Role], Field(min_length=1, max_length=4)] | SkipJsonSchema[None] = _LEFT_OUT
    distributor_ids: Annotated[list[DistributorId], Field(max_length=100)] | SkipJsonSchema[None] = _LEFT_OUT
    is_active: Flag | SkipJsonSchema[None] = _LEFT_OUT


class Appointment(RequestModel):
    """Whether a client speaks for a party."""

    is_active: Flag = True


class Version(AnswerModel):
    """What every version says of itself."""

    version: int
    change: str
    known_from_at: datetime
    known_to_at: datetime | None
    recorded_by_party_id: str
    recorded_by_client_id: str = Field(default="", description="Shown to the party itself and the administrator.")


class Agreement(Version):
    """One version of an agreement, and how far the claim behind it is proven now."""

    agreement_id: str
    fsp_id: str
    mpan_id: str
    amsid: str
    market: Market
    primacy_tier: int
    is_exclusive: bool
    valid_from_at: datetime
    valid_to_at: datetime | None
    consent_reference: str | None = Field(None, description="Shown to the party itself and the administrator.")
    displaced_by_id: str | None = Field(None, description="The verified agreement that took the place of this one.")
    claim_state: ClaimState


class Override(Version):
    """One version of a declaration."""

    override_id: str
    fsp_id: str
    mpan_id: str
    amsid: str
    asset_class: AssetClass
    direction: Direction
    parameter: Parameter
    value: float
    unit: str
    reason: str
    valid_from_at: datetime
    valid_to_at: datetime | None
    superseded_by_id: str | None
    source: str = Field("fsp_declared", description="Always fsp_declared: it never replaces what was derived.")


class ComparedOverride(Override):
    """A declaration beside what the engine derives."""

    claim_state: ClaimState
    derived_value: float | None = Field(
        None, description="From gold.capability; null where nothing was derived, or the FSP has no verified claim and right in force."
    )
    derived_as_of_date: date | None = None


class Confirmation(Version):
    """One version of an answer to a detection."""

    confirmation_id: str
    fsp_id: str
    mpan_id: str
    amsid: str
    asset_class: AssetClass
    is_present: bool
    verdict: str
    is_detected: bool
    detected_probability: float
    tier: str
    model_version: str
    as_of_date: str
    provenance: str


class Evidence(Version):
    """One version of a piece of evidence."""

    evidence_id: str
    basis: Basis
    fsp_id: str
    mpan_id: str
    amsid: str
    reference: str
    valid_from_at: datetime
    valid_to_at: datetime | None


class Party(Version):
    """One version of a party."""

    party_id: str
    name: str
    roles: list[Role]
    distributor_ids: list[str]
    is_active: bool


class Client(Version):
    """One version of an appointment."""

    client_id: str
    party_id: str
    is_active: bool


UploadState = Literal["running", "applied", "partly_applied", "rejected", "checked", "interrupted"]


class Upload(AnswerModel):
    """How an upload stands."""

    upload_id: str
    mode: str
    is_dry_run: bool
    state: UploadState
    rows_read: int
    rows_accepted: int = Field(description="Stored; in a trial: would be.")
    rows_unchanged: int
    rows_valid: int = Field(description="Nothing is wrong with them, and they are not stored because others are rejected.")
    rows_rejected: int
    problem: str | None
    started_at: datetime
    touched_at: datetime


class RowFaultShown(AnswerModel):
    """One fault of a row."""

    rule: str = Field(description="The column, or the rule that the row breaks.")
    detail: str


class UploadRowResult(AnswerModel):
    """What became of one row."""

    line: int
    outcome: str = Field(description="accepted, unchanged, valid (not stored because others are rejected) or rejected.")
    agreement_id: str | None = Field(description="Null where the row became none.")
    rule: str | None = Field(description="Of the first fault.")
    detail: str | None = Field(description="Of the first fault.")
    faults: list[RowFaultShown] = Field(description="Everything that is wrong with the row.")


class KnownQuery(RequestModel):
    """As known when."""

    known_at: Moment | None = Field(None, description="As the register knew it at this moment; now, if left out.")


class AgreementSearch(PageQuery):
    """Which agreements, in force when, as known when."""

    mpan_id: Mpan | None = None
    amsid: Amsid | None = None
    fsp_id: PartyId | None = None
    market: Market | None = None
    valid_at: Moment | None = Field(None, description="Who held rights at this moment.")
    known_at: Moment | None = Field(None, description="As the register knew it at this moment; now, if left out.")


class OverrideSearch(PageQuery):
    """Which declarations, in force when, as known when."""

    mpan_id: Mpan | None = None
    amsid: Amsid | None = None
    fsp_id: PartyId | None = None
    valid_at: Moment | None = Field(None, description="In force at this moment.")
    known_at: Moment | None = Field(None, description="As the register knew it at this moment; now, if left out.")


class CapabilitySearch(RequestModel):
    """One asset."""

    mpan_id: Mpan
    amsid: Amsid


class EvidenceSearch(PageQuery):
    """Which evidence."""

    basis: Basis | None = None
    fsp_id: PartyId | None = None
    mpan_id: Mpan | None = None
    amsid: Amsid | None = None


class ConfirmationSearch(PageQuery):
    """Which answers."""

    mpan_id: Mpan | None = None
    amsid: Amsid | None = None
    asset_class: AssetClass | None = None


class UploadQuery(RequestModel):
    """How a file is to be taken."""

    mode: str = Field("all_or_nothing", pattern="^(all_or_nothing|partial)$", description="Whether one bad row rejects the whole file.")
    dry_run: QueryFlag = Field(False, description="Check every row and store nothing but the report.")


class UploadSearch(PageQuery):
    """Which uploads."""

    state: UploadState | None = None


class ReportQuery(RequestModel):
    """Which rows of a report."""

    cursor: Cursor = None
    limit: Limit = None
    only_rejected: QueryFlag = False
