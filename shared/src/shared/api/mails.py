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
    record_type: Literal["contact", "account", "lead"] | None = None
    record_id: str | None = None


class Place(ApiModel):
    """Where the mail was seen. One mail may be in several folders, and moves with its outcome."""

    folder: str
    uid_validity: int | None = None
    uid: int | None = Field(default=None, description="Null where we moved it and the server did not say its new UID")
    mail_id: str = Field(description="Line of the ledger: the mail's own for its first place, that of a duplicate for a further one")
    moved: bool = Field(default=False, description="We moved the mail there ourselves")
    current: bool = Field(default=True, description="False where we moved it away again")


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
    move_to: str | None = Field(default=None, description="Folder the mail is about to be moved to")
    move_error: str | None = Field(default=None, description="Why it could not be moved, in plain words")
    places: list[Place] = Field(default=[], description="GET /mails/{id} alone: every place it was seen at")
    outcome: MailOutcomeView | None = None


class ConditionTrace(ApiModel):
    """One condition as it was evaluated."""

    field: str
    header: str | None = None
    operator: str
    value: str
    compared: str = Field(description="The mail's value, cut to 200 characters")
    matched: bool


class RuleTrace(ApiModel):
    """One rule as it was evaluated, and why the next one was reached."""

    rule_id: str
    rule_name: str
    matched: bool
    took: bool = Field(default=False, description="Its action is what became of the mail")
    match: Literal["all", "any"] = "all"
    conditions: list[ConditionTrace] = []
    captures: dict[str, str] = {}
    note: str


class Decision(ApiModel):
    """GET /mails/{id}/decision: why the mail went where it went."""

    mail_id: str
    run: int
    scanner_id: str
    kind: str
    kind_reason: str = Field(default="", description="What told the kind; empty for an ordinary mail")
    rule_set_version: int | None
    decided_at: datetime
    trace: list[RuleTrace]
    candidates: list[dict[str, Any]]
    outcome: MailOutcomeView | None = None


class LedgerCheckIn(ApiModel):
    """POST /ledger: compare mailboxes, ledger and outcomes; a job, whose result is a LedgerReport."""

    scanner_id: str | None = Field(default=None, description="One mailbox; all where it is left out")
    repair: bool = Field(default=False, description="Queue again what is missing")


class LedgerFinding(ApiModel):
    """One thing that should not be."""

    what: Literal["gap", "overdue", "double", "unreadable"] = Field(
        description="gap: a mail in the mailbox without a line. overdue: published without outcome for too long. "
        "double: one mail published under two ids. unreadable: a folder or mailbox that could not be compared"
    )
    scanner_id: str
    folder: str = ""
    uid: int | None = None
    mail_id: str | None = None
    detail: str = Field(description="In plain words, with what to do")
    repaired: bool = Field(default=False, description="It was queued again")


class LedgerFolder(ApiModel):
    """A folder compared."""

    scanner_id: str
    folder: str
    in_mailbox: int = Field(description="UIDs on the server within the scanner's start")
    in_ledger: int = Field(description="Lines of this folder in its present life (UIDVALIDITY)")
    gone: int = Field(description="Lines whose UID the server has no more: moved or deleted since")


class LedgerReport(ApiModel):
    """What a check of the ledger found."""

    folders: list[LedgerFolder] = Field(description="At most 10,000")
    folder_count: int = Field(description="All that were compared, also those not listed")
    findings: list[LedgerFinding] = Field(description="At most 1,000")
    finding_count: int = Field(description="All of them, also those not listed")
