"""What look-ups may ask in the query string."""

from typing import Annotated

from pydantic import Field

from fmar_spark.domain.assets import AssetClass
from fmar_spark.domain.markets import Market
from fmar_spark.services.register.bodies import Amsid, Form, Moment, Mpan, PartyId

Limit = Annotated[int | None, Field(ge=1, le=10_000, description="Rows of a page.")]
Cursor = Annotated[str | None, Field(max_length=256, description="next_cursor of the page before.")]


class PageForm(Form):
    """Which page."""

    cursor: Cursor = None
    limit: Limit = None


class KnownForm(Form):
    """As known when."""

    known_at: Moment | None = Field(None, description="As the register knew it at this moment; now, if left out.")


class AgreementSearch(PageForm):
    """Which agreements, in force when, as known when."""

    mpan_id: Mpan | None = None
    amsid: Amsid | None = None
    fsp_id: PartyId | None = None
    market: Market | None = None
    valid_at: Moment | None = Field(None, description="Who held rights at this moment.")
    known_at: Moment | None = Field(None, description="As the register knew it at this moment; now, if left out.")


class OverrideSearch(PageForm):
    """Which declarations, in force when, as known when."""

    mpan_id: Mpan | None = None
    amsid: Amsid | None = None
    fsp_id: PartyId | None = None
    valid_at: Moment | None = Field(None, description="In force at this moment.")
    known_at: Moment | None = Field(None, description="As the register knew it at this moment; now, if left out.")


class CapabilitySearch(Form):
    """One asset."""

    mpan_id: Mpan
    amsid: Amsid


class ConfirmationSearch(PageForm):
    """Which answers."""

    mpan_id: Mpan | None = None
    amsid: Amsid | None = None
    asset_class: AssetClass | None = None


class UploadForm(Form):
    """How a file is to be taken."""

    mode: str = Field("all_or_nothing", pattern="^(all_or_nothing|partial)$", description="Whether one bad row refuses the whole file.")
    dry_run: bool = Field(False, description="Judge every row and store nothing but the report.")


class ReportForm(Form):
    """Which rows of a report."""

    cursor: Cursor = None
    limit: Limit = None
    only_refused: bool = False
