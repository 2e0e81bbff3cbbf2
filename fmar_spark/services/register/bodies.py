"""What requests may say and what answers say: forms with every field bounded, so that nothing else gets further."""

import math
import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, Final, Generic, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.json_schema import SkipJsonSchema

from fmar_spark.domain.assets import AssetClass
from fmar_spark.domain.markets import Market, Parameter, Role
from fmar_spark.domain.words import Direction

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
PARTY_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$"
AMSID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,39}$"
CLIENT_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_.:@/-]{0,127}$"
MPAN_PATTERN: Final = r"^[0-9]{13}$"
ID_PATTERN: Final = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"


def parse_moment(value: object) -> datetime:
    """A moment with a UTC offset, between 1990 and 2200, in UTC.

    Raises:
        ValueError: any other form; bare numbers and local times too.
    """
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, str) and _RFC_3339.fullmatch(value):
        moment = datetime.fromisoformat(value.upper())
    else:
        raise ValueError("a date and time with a UTC offset wanted, such as 2026-01-31T17:30:00Z")
    if moment.tzinfo is None or not EARLIEST.year < moment.year < LATEST.year:
        raise ValueError("a moment with a UTC offset between the years 1990 and 2200 wanted")
    return moment.astimezone(UTC)


def check_text(value: str) -> str:
    """Text that can be shown and stored anywhere.

    Raises:
        ValueError: it has control characters or nothing but blanks.
    """
    if _CONTROL.search(value) or not value.strip():
        raise ValueError("printable text wanted")
    return value.strip()


def check_finite(value: float) -> float:
    """A number.

    Raises:
        ValueError: infinite or not a number.
    """
    if not math.isfinite(value):
        raise ValueError("a finite number wanted")
    return value


Moment = Annotated[datetime, BeforeValidator(parse_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
Mpan = Annotated[str, Field(pattern=MPAN_PATTERN, description="Meter point, 13 digits.")]
Amsid = Annotated[str, Field(pattern=AMSID_PATTERN, description="Asset metering system id.")]
PartyId = Annotated[str, Field(pattern=PARTY_PATTERN, description="Existing market participant id.")]
ClientId = Annotated[str, Field(pattern=CLIENT_PATTERN, description="Client id in the issuer's tokens.")]
RecordId = Annotated[str, Field(pattern=ID_PATTERN, description="Id that the register gave.")]
DistributorId = Annotated[str, Field(pattern=r"^[0-9]{2}$", description="First two digits of the MPANs of a network.")]
Tier = Annotated[int, Field(ge=1, le=999, strict=True, description="Rank among the rights to one asset; 1 comes first.")]
Flag = Annotated[bool, Field(strict=True)]


class Form(BaseModel):
    """Base of all requests: a field too many is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NewAgreement(Form):
    """A dispatch right that the caller's party holds."""

    mpan_id: Mpan
    amsid: Amsid
    market: Market
    primacy_tier: Tier
    is_exclusive: Flag
    valid_from_at: Moment
    valid_to_at: Moment | None = Field(None, description="Exclusive; without it the term is open.")

    @model_validator(mode="after")
    def runs_forward(self) -> Self:
        """Terms end after they begin."""
        if self.valid_to_at is not None and self.valid_to_at <= self.valid_from_at:
            raise ValueError("valid_to_at must be later than valid_from_at")
        return self


class Amendment(Form):
    """What holds from now on; what is left out stays."""

    nullable: ClassVar[frozenset[str]] = frozenset()
    """Fields whose null says something."""

    @model_validator(mode="after")
    def says_something(self) -> Self:
        """An empty amendment is a mistake, and so is null where it says nothing."""
        if not self.model_fields_set:
            raise ValueError("at least one field wanted")
        for name in self.model_fields_set - self.nullable:
            if getattr(self, name) is None:
                raise ValueError(f"{name}: leave it out instead of null")
        return self


def _drop_default(schema: dict[str, Any]) -> None:
    """Left out is not null."""
    schema.pop("default", None)


_LEFT_OUT: Final[Any] = Field(default=None, json_schema_extra=_drop_default)


class AgreementAmendment(Amendment):
    """What an agreement says from now on; valid_to_at = null opens the term."""

    nullable: ClassVar[frozenset[str]] = frozenset({"valid_to_at"})
    primacy_tier: Tier | SkipJsonSchema[None] = _LEFT_OUT
    is_exclusive: Flag | SkipJsonSchema[None] = _LEFT_OUT
    valid_from_at: Moment | SkipJsonSchema[None] = _LEFT_OUT
    valid_to_at: Moment | None = _LEFT_OUT


class Ending(Form):
    """When a term or a declaration ends."""

    ends_at: Moment | None = Field(None, description="Exclusive; now, if left out. The beginning itself takes back a mistake.")


class NewOverride(Form):
    """A capability parameter as the FSP declares it."""

    mpan_id: Mpan
    amsid: Amsid
    asset_class: AssetClass
    direction: Direction
    parameter: Parameter
    value: Annotated[float, Field(ge=0, le=24e6), AfterValidator(check_finite)]
    unit: Annotated[str, Field(max_length=8)]
    reason: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(check_text)]
    valid_from_at: Moment
    valid_to_at: Moment | None = None


class NewConfirmation(Form):
    """What the FSP says of a detection of medium confidence."""

    mpan_id: Mpan
    amsid: Amsid
    asset_class: AssetClass
    is_present: Flag


class NewParty(Form):
    """A party that takes part."""

    party_id: PartyId
    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(check_text)]
    roles: Annotated[list[Role], Field(min_length=1, max_length=4)]
    distributor_ids: Annotated[list[DistributorId], Field(max_length=100)] = []


class PartyAmendment(Amendment):
    """What holds of a party from now on."""

    name: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(check_text)] | SkipJsonSchema[None] = _LEFT_OUT
    roles: Annotated[list[Role], Field(min_length=1, max_length=4)] | SkipJsonSchema[None] = _LEFT_OUT
    distributor_ids: Annotated[list[DistributorId], Field(max_length=100)] | SkipJsonSchema[None] = _LEFT_OUT
    is_active: Flag | SkipJsonSchema[None] = _LEFT_OUT


class Appointment(Form):
    """Whether a client speaks for a party."""

    is_active: Flag = True


class Told(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(from_attributes=False, extra="ignore")


class VersionTold(Told):
    """What every version says of itself."""

    version: int
    change: str
    known_from_at: datetime
    known_to_at: datetime | None
    recorded_by_party_id: str
    recorded_by_client_id: str = Field(default="", description="Shown to the party itself and the administrator.")


class AgreementTold(VersionTold):
    """One version of an agreement."""

    agreement_id: str
    fsp_id: str
    mpan_id: str
    amsid: str
    market: Market
    primacy_tier: int
    is_exclusive: bool
    valid_from_at: datetime
    valid_to_at: datetime | None


class OverrideTold(VersionTold):
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


class ComparedOverride(OverrideTold):
    """A declaration beside what the engine derives."""

    derived_value: float | None = Field(None, description="From gold.capability; null where nothing was derived.")
    derived_as_of_date: date | None = None


class ConfirmationTold(VersionTold):
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


class PartyTold(VersionTold):
    """One version of a party."""

    party_id: str
    name: str
    roles: list[Role]
    distributor_ids: list[str]
    is_active: bool


class ClientTold(VersionTold):
    """One version of an appointment."""

    client_id: str
    party_id: str
    is_active: bool


class UploadTold(Told):
    """How an upload stands."""

    upload_id: str
    mode: str
    is_dry_run: bool
    state: str = Field(description="running, applied, partly_applied, refused, checked or interrupted.")
    rows_read: int
    rows_accepted: int
    rows_unchanged: int
    rows_refused: int
    problem: str | None
    started_at: datetime
    touched_at: datetime


class UploadRowTold(Told):
    """What became of one row."""

    line: int
    outcome: str = Field(description="accepted, unchanged or refused.")
    agreement_id: str | None
    rule: str | None
    detail: str | None


class FaultTold(Told):
    """One fault of a request."""

    pointer: str
    detail: str


class ProblemTold(Told):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FaultTold] | None = None
    conflict: dict[str, Any] | None = None


T = TypeVar("T", bound=Told)


class Page(Told, Generic[T]):
    """Some rows, and where the next ones begin."""

    items: list[T]
    next_cursor: str | None = Field(None, description="Give it as cursor to see the rows after these; null at the end.")
