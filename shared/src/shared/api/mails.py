"""Mails of the ledger (fetcher) and their decisions (rules)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from shared.api.common import ApiModel
from shared.events import OutcomeType


class MailOutcomeView(ApiModel):
    """What became of a mail."""

    type: OutcomeType
    run: int = 1
    revision: int = 1
    ticket_id: int | None = None
    rule_id: str | None = None
    rule_name: str | None = None
    reason: str | None = None


class Mail(ApiModel):
    """A line of the ledger. `outcome` is null while the mail is under way."""

    id: str
    scanner_id: str
    folder: str
    uid: int
    uid_validity: int
    state: Literal["seen", "published", "done"]
    message_id: str | None = None
    sender: str = ""
    recipients: list[str] = []
    subject: str = ""
    received_at: datetime | None = None
    size: int | None = None
    sha256: str | None = None
    kind: str | None = None
    duplicate_of: str | None = None
    outcome: MailOutcomeView | None = None


class ConditionTrace(ApiModel):
    """One condition as it was evaluated."""

    field: str
    operator: str
    value: str
    compared: str = Field(description="The mail's value, cut to 200 characters")
    matched: bool


class RuleTrace(ApiModel):
    """One rule as it was evaluated, and why the next one was reached."""

    rule_id: str
    rule_name: str
    matched: bool
    conditions: list[ConditionTrace] = []
    captures: dict[str, str] = {}
    note: str


class Decision(ApiModel):
    """GET /mails/{id}/decision: why the mail went where it went."""

    mail_id: str
    run: int
    scanner_id: str
    kind: str
    rule_set_version: int | None
    decided_at: datetime
    trace: list[RuleTrace]
    candidates: list[dict[str, Any]]
    outcome: MailOutcomeView | None = None
