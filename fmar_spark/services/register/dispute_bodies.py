"""What requests and answers about disputes say."""

from typing import Annotated

from pydantic import AfterValidator, Field

from fmar_spark.domain.markets import Outcome, RecordKind
from fmar_spark.services.register.bodies import Amsid, Mpan, Version
from fmar_spark.services.web.models import RequestModel, check_text

Words = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(check_text)]


class NewDispute(RequestModel):
    """A record that a party says is wrong."""

    record_kind: RecordKind
    record_id: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[!-~]+$")] = Field(
        description="agreement_id, event_id or flag_id; the asset class of a detection or capability; the AMSID of delivery evidence."
    )
    mpan_id: Mpan
    amsid: Amsid
    alleged_error: Words = Field(description="What is wrong with it.")
    evidence: Words = Field(description="What shows that.")


class NewSettlement(RequestModel):
    """What becomes of a disputed record."""

    outcome: Outcome = Field(examples=["corrected"])
    outcome_reason: Words = Field(description="Why; of a correction also where the corrected record is found.")


class Dispute(Version):
    """One version of a dispute."""

    dispute_id: str
    record_kind: RecordKind
    record_id: str
    record_run_id: str = Field(description="Run that wrote the disputed record, or the version of a disputed agreement.")
    fsp_id: str
    mpan_id: str
    amsid: str
    alleged_error: str
    evidence: str
    raised_by_party_id: str
    outcome: Outcome | None = Field(examples=["corrected"])
    outcome_reason: str | None
