"""Rules tried on real mails: simulations, and examples that a set must keep."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from shared.api.common import ApiModel, Name
from shared.api.mails import RuleTrace
from shared.api.rules import RuleIn
from shared.events import OutcomeType, TicketCommand

MAX_SIMULATED: Final = 10_000
MAX_CHOSEN: Final = 1_000
MAX_PASTED_CHARS: Final = 3 * 1024 * 1024


class SimulationMails(ApiModel):
    """Which mails: exactly one of `last`, a time span, `ids`, `raw` and `raw_base64`."""

    last: int | None = Field(default=None, ge=1, le=MAX_SIMULATED, description="The newest so many decided mails of the scanner")
    since: AwareDatetime | None = Field(default=None, description="Received at or after; at most 10,000 mails, the newest")
    until: AwareDatetime | None = Field(default=None, description="Received before")
    ids: list[str] | None = Field(default=None, min_length=1, max_length=MAX_CHOSEN)
    raw: str | None = Field(default=None, min_length=1, max_length=MAX_PASTED_CHARS, description="A mail as text (RFC 5322)")
    raw_base64: str | None = Field(default=None, min_length=1, max_length=MAX_PASTED_CHARS, description="A mail's bytes, in base64")

    @model_validator(mode="after")
    def _one(self) -> Self:
        span = self.since is not None or self.until is not None
        given = [self.last is not None, span, self.ids is not None, self.raw is not None, self.raw_base64 is not None]
        if sum(given) != 1:
            raise ValueError("give exactly one of `last`, `since`/`until`, `ids`, `raw` and `raw_base64`")
        return self


class DraftRule(RuleIn):
    """A rule of a draft. `id` is that of a rule of today's set it stands for; a new rule has none."""

    id: str | None = Field(default=None, max_length=100)
    builtin: bool = Field(default=False, description="Told in answers; what is built in is known by its id")


class RuleSimulationIn(ApiModel):
    """POST /rule-simulations: 202 and a job. Without `rules` and `version` today's set is tried."""

    scanner_id: str
    rules: list[DraftRule] | None = Field(default=None, max_length=1000)
    version: int | None = Field(default=None, ge=1, description="An earlier version of the set instead of `rules`")
    mails: SimulationMails

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.rules is not None and self.version is not None:
            raise ValueError("give `rules` or `version`, not both")
        return self


class ResultSide(ApiModel):
    """What became of a mail, or would become of it."""

    outcome: OutcomeType
    rule_id: str | None = None
    rule_name: str | None = None
    ticket_id: int | None = Field(default=None, description="The ticket; null for one that would be opened")
    reason: str | None = None
    acknowledgement: str | None = Field(
        default=None, description="By a rule that acknowledges: whom it would go to, or why there would be none; limits are not asked"
    )


class SimulatedMail(ApiModel):
    """One mail of a simulation."""

    position: int = Field(description="From 1, newest first")
    mail_id: str | None = Field(default=None, description="Null for a pasted mail")
    subject: str = ""
    sender: str = ""
    received_at: datetime | None = None
    kind: str = ""
    before: ResultSide | None = Field(default=None, description="Null for a mail that has no outcome")
    after: ResultSide | None = Field(default=None, description="Null where the mail could not be tried; `note` says why")
    change: Literal["none", "rule", "outcome", "new", "failed"] = Field(
        description="none: the same result. rule: the same result by another rule. outcome: another result or ticket. "
        "new: there was no result before. failed: the mail could not be tried"
    )
    note: str = ""


class SimulatedMailDetail(SimulatedMail):
    """GET /rule-simulations/{id}/mails/{position}: with the whole trace."""

    kind_reason: str = ""
    trace: list[RuleTrace] = []


class SimulationTotal(ApiModel):
    """So many mails went this way, and would go that way."""

    before: OutcomeType | None
    after: OutcomeType | None
    change: Literal["none", "rule", "outcome", "new", "failed"]
    count: int


class RuleSimulation(ApiModel):
    """GET /rule-simulations/{id}. Kept for 7 days."""

    id: str
    scanner_id: str
    author: str
    created_at: datetime
    state: Literal["queued", "running", "done", "failed"]
    done: int = 0
    total: int | None = None
    error: str | None = Field(default=None, description="Why it failed, in plain words")
    base_version: int = Field(description="Version in force when it was asked for; applying it needs that this still is")
    version: int | None = Field(default=None, description="Version that was tried; null for a draft")
    rules: list[DraftRule] = Field(default=[], description="The rules that were tried")
    changed: int = Field(default=0, description="Mails with change `rule`, `outcome` or `new`")
    totals: list[SimulationTotal] = Field(default=[], description="Largest first")


class ExampleExpectation(ApiModel):
    """What a mail must become."""

    outcome: OutcomeType
    rule_id: str | None = Field(default=None, description="By this rule; null for whichever")


class ExampleIn(ApiModel):
    """POST /scanners/{id}/rules/examples: pin a mail to the set. Exactly one of `mail_id`, `raw` and `raw_base64`."""

    name: Name
    mail_id: str | None = Field(default=None, max_length=100)
    raw: str | None = Field(default=None, min_length=1, max_length=MAX_PASTED_CHARS)
    raw_base64: str | None = Field(default=None, min_length=1, max_length=MAX_PASTED_CHARS)
    expected: ExampleExpectation | None = Field(default=None, description="Null: what today's rules make of it")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in (self.mail_id, self.raw, self.raw_base64)) != 1:
            raise ValueError("give exactly one of `mail_id`, `raw` and `raw_base64`")
        return self


class Example(ApiModel):
    """A mail pinned to a rule set with what it must become."""

    id: str
    scanner_id: str
    name: str
    mail_id: str | None = None
    subject: str = ""
    sender: str = ""
    expected: ExampleExpectation
    rule_name: str | None = Field(default=None, description="Name of the expected rule today; null when none is named or it is gone")
    author: str
    created_at: datetime


class ExampleList(ApiModel):
    """GET /scanners/{id}/rules/examples: all of them, at most 100."""

    items: list[Example]
    next: None = None


class ExampleResult(ApiModel):
    """An example under a set of rules."""

    example: Example
    after: ResultSide | None = Field(description="Null where it could not be tried; `note` says why")
    holds: bool
    note: str = ""


class ExampleCheck(ApiModel):
    """POST /scanners/{id}/rules/examples/check: each example under today's set."""

    items: list[ExampleResult]


class ResolutionsIn(ApiModel):
    """POST /resolutions (tickets; read-only): which candidate would take, were each command carried out at its place in the history.

    Each stands for itself. What the mail itself did is left out, and what mails carried out after it did; a mail that tickets does
    not know is tried on what is there today.
    """

    commands: Annotated[list[TicketCommand], Field(max_length=500)]


class Resolution(ResultSide):
    """What a command would do."""

    mail_id: str


class ResolutionList(ApiModel):
    """In the order of the commands."""

    items: list[Resolution]
