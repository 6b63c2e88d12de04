"""Bodies of the public REST API (`/api/v1`): requests and responses, the same on both sides of the console's wire to each service.

Field names are singular nouns in snake case. Times are RFC 3339 UTC. Ticket ids are the integers of `Ticket Id:`; all other ids are
opaque strings. `…In` is what a POST takes, `…Patch` what a PATCH takes (only the fields given change).
"""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from shared.events import Action, DeliveryState, OutcomeType

T = TypeVar("T")

Name = Annotated[str, Field(min_length=1, max_length=200)]
HostName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9._:-]+$")]
PortNumber = Annotated[int, Field(ge=1, le=65535)]


def _not_offered(neutral: object, what: str) -> BeforeValidator:
    """A field of the API that has one value so far: given back, it passes; set, it is refused with the reason."""

    def check(value: object) -> object:
        if value != neutral:
            raise ValueError(f"{what} is not offered yet; leave the field out")
        return neutral

    return BeforeValidator(check)


NoPush = Annotated[Literal[False], _not_offered(False, "push (IDLE)")]
NoOAuth = Annotated[None, _not_offered(None, "OAuth 2.0")]
NoMove = Annotated[None, _not_offered(None, "moving mails after scanning")]
NoPlusAddressing = Annotated[Literal[False], _not_offered(False, "plus addressing")]
NOT_OFFERED = frozenset({"oauth", "move_matched_to", "move_unmatched_to", "push", "plus_addressing"})
"""Fields with one value so far: no service stores them."""


class ApiModel(BaseModel):
    """Base of requests and responses: an unknown field in a request is an error that names it."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Problem(BaseModel):
    """RFC 9457 problem document."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""


class Page(BaseModel, Generic[T]):
    """One page of a list; `next` is the cursor of the following one, null on the last."""

    items: list[T]
    next: str | None = None


class Job(ApiModel):
    """Long work: polled at `/api/v1/jobs/{id}`."""

    id: str
    state: Literal["queued", "running", "done", "failed"]
    done: int = 0
    total: int | None = None
    result: dict[str, Any] | None = None


# --- Scanners (fetcher) -------------------------------------------------------------------------------------------------------


class SslType(StrEnum):
    """How the connection is secured."""

    NONE = "none"
    STARTTLS = "starttls"
    SSL = "ssl"


class SslMethod(StrEnum):
    """Whether the server's certificate is checked."""

    VALIDATE = "validate"
    NO_VALIDATE = "no_validate"


class ScannerFields(ApiModel):
    """What an administrator sets of a mailbox, without its password."""

    name: Name
    server: HostName
    port: PortNumber = 993
    protocol: Literal["imap4", "imap2"] = "imap4"
    username: Annotated[str, Field(min_length=1, max_length=320)]
    address: Annotated[str, Field(max_length=320)] = Field(
        default="", description="The mailbox's own address, from which answers go out; the user name where that is an address"
    )
    auth: Literal["password"] = "password"
    ssl_type: SslType = SslType.SSL
    ssl_method: SslMethod = SslMethod.VALIDATE
    parameters: dict[str, str] = {}
    pec: bool = False
    enabled: bool = True
    find: Literal["all", "unread"] = "all"
    after_scanning: Literal["none", "read"] = "none"
    spam_folder: Annotated[str, Field(max_length=500)] | None = None
    start_from: str = Field(default="now", description="`now`, `everything`, or an ISO 8601 duration of days such as `P7D`")
    interval_seconds: int = Field(default=60, ge=1, le=86_400)
    sender_id: str | None = Field(default=None, description="SMTP identity for answers")
    oauth: NoOAuth = None
    move_matched_to: NoMove = None
    move_unmatched_to: NoMove = None
    push: NoPush = False

    @field_validator("start_from")
    @classmethod
    def _known_start(cls, value: str) -> str:
        if value not in {"now", "everything"} and not re.fullmatch(r"P\d{1,4}D", value):
            raise ValueError("must be `now`, `everything` or a number of days such as `P7D`")
        return value


class ScannerIn(ScannerFields):
    """POST /scanners. Folder INBOX is selected until others are chosen."""

    password: str = Field(default="", max_length=1000, description="Write only")


class ScannerPatch(ApiModel):
    """PATCH /scanners/{id}: the fields given change. Another server or user starts a new mailbox generation with fresh cursors."""

    name: Name | None = None
    server: HostName | None = None
    port: PortNumber | None = None
    protocol: Literal["imap4", "imap2"] | None = None
    username: Annotated[str, Field(min_length=1, max_length=320)] | None = None
    address: Annotated[str, Field(max_length=320)] | None = None
    password: str | None = Field(default=None, max_length=1000, description="Write only")
    ssl_type: SslType | None = None
    ssl_method: SslMethod | None = None
    parameters: dict[str, str] | None = None
    pec: bool | None = None
    enabled: bool | None = None
    find: Literal["all", "unread"] | None = None
    after_scanning: Literal["none", "read"] | None = None
    spam_folder: Annotated[str, Field(max_length=500)] | None = None
    start_from: str | None = None
    interval_seconds: int | None = Field(default=None, ge=1, le=86_400)
    sender_id: str | None = None
    auth: Literal["password"] | None = None
    oauth: NoOAuth = None
    move_matched_to: NoMove = None
    move_unmatched_to: NoMove = None
    push: NoPush = False


class ScannerState(ApiModel):
    """How the mailbox is doing."""

    last_scan_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error: str | None = Field(default=None, description="In plain words, with what to do")
    next_scan_at: datetime | None = None


class Scanner(ScannerFields):
    """GET /scanners/{id}."""

    id: str
    version: int
    state: ScannerState
    created_at: datetime
    updated_at: datetime


class TestResult(ApiModel):
    """POST /scanners/{id}/test and /senders/{id}/test: every step that was tried, and precisely what failed."""

    __test__ = False  # pytest: this is no test class

    ok: bool
    message: str
    steps: list[str] = []


class Folder(ApiModel):
    """A folder as the server lists it; `name` is decoded from modified UTF-7."""

    name: str
    delimiter: str | None = None
    special_use: str | None = None
    selectable: bool = True
    selected: bool = False


class FolderList(ApiModel):
    """GET /scanners/{id}/folders."""

    items: list[Folder]
    next: None = Field(default=None, description="All are on one page")


class FolderSelection(ApiModel):
    """PUT /scanners/{id}/folders."""

    selected: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(max_length=1000)


# --- Mails (fetcher's ledger; decision in rules) --------------------------------------------------------------------------------


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


# --- Rules ----------------------------------------------------------------------------------------------------------------------


class ConditionField(StrEnum):
    """What a condition looks at."""

    FROM = "from"
    TO = "to"
    SUBJECT = "subject"
    BODY = "body"


class Operator(StrEnum):
    """How a condition compares; caseless by Unicode case folding, regex by RE2 with simple folding."""

    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    BEGINS_WITH = "begins_with"
    ENDS_WITH = "ends_with"
    REGEX = "regex"


class Condition(ApiModel):
    """One condition; a blank value is no condition."""

    field: ConditionField
    operator: Operator
    value: str = Field(default="", max_length=2000)


class RuleIn(ApiModel):
    """POST /scanners/{id}/rules; the rule is put last."""

    name: Name
    enabled: bool = True
    match: Literal["all", "any"] = "all"
    conditions: list[Condition] = Field(default=[], max_length=100)
    action: Action


class RulePatch(ApiModel):
    """PATCH /rules/{id}."""

    name: Name | None = None
    enabled: bool | None = None
    match: Literal["all", "any"] | None = None
    conditions: list[Condition] | None = Field(default=None, max_length=100)
    action: Action | None = None


class Rule(RuleIn):
    """A rule of a scanner. `version` is its rule set's."""

    id: str
    scanner_id: str
    builtin: bool = False
    position: int = Field(description="From 1; the first rule whose action takes wins")
    version: int


class RuleList(ApiModel):
    """GET /scanners/{id}/rules: all of them, in order."""

    items: list[Rule]
    version: int
    next: None = Field(default=None, description="All are on one page")


class RuleOrder(ApiModel):
    """PUT /scanners/{id}/rules/order: exactly the set's ids, else 409."""

    rule_ids: list[str]


class RuleSetVersion(ApiModel):
    """One version of a scanner's rules."""

    version: int
    author: str
    created_at: datetime
    note: str = ""


# --- Tickets --------------------------------------------------------------------------------------------------------------------


class AttachmentView(ApiModel):
    """An attachment; opened from the archive when somebody downloads it."""

    id: str
    name: str
    type: str
    size: int
    inline: bool = False


class Contact(ApiModel):
    """A contact of the registry."""

    id: str
    name: str
    addresses: list[str]
    version: int = 1
    created_at: datetime


class ContactIn(ApiModel):
    """POST /contacts."""

    name: Name
    addresses: list[Annotated[str, Field(min_length=3, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]] = Field(min_length=1, max_length=50)


class ContactPatch(ApiModel):
    """PATCH /contacts/{id}."""

    name: Name | None = None
    addresses: list[Annotated[str, Field(min_length=3, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]] | None = Field(
        default=None, min_length=1, max_length=50
    )


class ContactRef(ApiModel):
    """The contact a ticket is connected to."""

    id: str
    name: str


TicketStatus = Literal["open", "in_progress", "waiting", "closed"]


class Ticket(ApiModel):
    """A ticket; `source` mail is the flame."""

    id: int
    title: str
    description: str
    status: TicketStatus
    priority: str
    category: str | None = None
    source: Literal["mail", "manual"]
    scanner_id: str | None = None
    sender: str | None = None
    recipients: list[str] = []
    contact: ContactRef | None = None
    linked_ticket_id: int | None = Field(default=None, description="The ticket this one continues or points at")
    attachments: list[AttachmentView] = []
    message_count: int = 0
    deleted: bool = False
    version: int
    created_at: datetime
    updated_at: datetime


class TicketIn(ApiModel):
    """POST /tickets: a manual ticket."""

    title: Name
    description: str = Field(default="", max_length=100_000)
    priority: str = Field(default="normal", max_length=40)


class TicketPatch(ApiModel):
    """PATCH /tickets/{id}."""

    title: Name | None = None
    status: TicketStatus | None = None
    priority: Annotated[str, Field(max_length=40)] | None = None
    category: Annotated[str, Field(max_length=200)] | None = None


class DeliveryView(ApiModel):
    """State of an answer for one recipient."""

    recipient: str
    state: DeliveryState
    detail: str = ""
    at: datetime


class Message(ApiModel):
    """A message of a ticket. `html` is sanitised, with remote images taken out."""

    id: str
    kind: Literal["mail", "comment", "note", "reply"]
    direction: Literal["in", "out"]
    sender: str
    text: str
    html: str | None = None
    attachments: list[AttachmentView] = []
    mail_id: str | None = None
    message_id: str | None = None
    delivery: DeliveryState | None = Field(default=None, description="The worst of `deliveries`")
    deliveries: list[DeliveryView] = []
    created_at: datetime


class CommentIn(ApiModel):
    """POST /tickets/{id}/comments: on a mail ticket it goes out as an answer unless `internal`."""

    body: str = Field(min_length=1, max_length=100_000)
    internal: bool = False


class SpamRequest(ApiModel):
    """POST /tickets/spam (202, a job)."""

    ticket_ids: list[int] = Field(min_length=1, max_length=1000)


class SpamSender(ApiModel):
    """An entry of the spam list."""

    id: str
    address: str
    created_by: str
    created_at: datetime
    hits: int = 0
    last_hit_at: datetime | None = None


class SpamSenderIn(ApiModel):
    """POST /spam-senders."""

    address: Annotated[str, Field(min_length=3, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]


# --- Senders and outgoing mails (notifier) ------------------------------------------------------------------------------------


class SenderFields(ApiModel):
    """An SMTP identity, without its password."""

    name: Name
    server: HostName
    port: PortNumber = 587
    ssl_type: SslType = SslType.STARTTLS
    ssl_method: SslMethod = SslMethod.VALIDATE
    auth: Literal["none", "password"] = "password"
    username: Annotated[str, Field(max_length=320)] = ""
    address: Annotated[str, Field(max_length=320)] = Field(default="", description="Where blank, the mailbox's own address")
    display_name: Annotated[str, Field(max_length=200)] = ""
    reply_to: Annotated[str, Field(max_length=320)] = ""
    signature: Annotated[str, Field(max_length=10_000)] = ""
    plus_addressing: NoPlusAddressing = False

    @model_validator(mode="before")
    @classmethod
    def _auth_by_user_name(cls, values: Any) -> Any:
        """Who gives neither means a server that wants no login."""
        if isinstance(values, dict) and "auth" not in values and not values.get("username"):
            return {**values, "auth": "none"}
        return values


class SenderIn(SenderFields):
    """POST /senders."""

    password: str = Field(default="", max_length=1000, description="Write only")


class SenderPatch(ApiModel):
    """PATCH /senders/{id}."""

    name: Name | None = None
    server: HostName | None = None
    port: PortNumber | None = None
    ssl_type: SslType | None = None
    ssl_method: SslMethod | None = None
    auth: Literal["none", "password"] | None = None
    username: Annotated[str, Field(max_length=320)] | None = None
    password: str | None = Field(default=None, max_length=1000, description="Write only")
    address: Annotated[str, Field(max_length=320)] | None = None
    display_name: Annotated[str, Field(max_length=200)] | None = None
    reply_to: Annotated[str, Field(max_length=320)] | None = None
    signature: Annotated[str, Field(max_length=10_000)] | None = None
    plus_addressing: NoPlusAddressing = False


class Sender(SenderFields):
    """GET /senders/{id}."""

    id: str
    version: int
    created_at: datetime
    updated_at: datetime


class Outgoing(ApiModel):
    """GET /outgoing: the notifier's ledger."""

    id: str
    ticket_id: int
    message_id: str
    subject: str
    recipients: list[str]
    state: Literal["queued", "sending", "sent", "delayed", "failed", "cancelled"]
    tries: int
    next_try_at: datetime | None = None
    last_error: str | None = None
    sent_at: datetime | None = None
    created_at: datetime


# --- Running it -----------------------------------------------------------------------------------------------------------------


class DeadLetter(ApiModel):
    """An event that could not be handled."""

    id: str
    service: str = Field(description="Consumer: service and topic")
    topic: str
    partition: int
    offset: int
    key: str
    headers: dict[str, str]
    value_preview: str
    event_id: str | None
    mail_id: str | None
    error: str
    service_version: str
    tries: int
    state: str
    created_at: datetime


class DropRequest(ApiModel):
    """Give an event up, with the reason that becomes the mail's outcome."""

    reason: str = Field(min_length=3, max_length=1000)


class TokenIn(ApiModel):
    """POST /tokens."""

    name: Name
    role: Literal["operator", "administrator"] = "operator"


class Token(ApiModel):
    """An API token; `token` is shown once, at its making."""

    id: str
    name: str
    role: Literal["operator", "administrator"]
    created_at: datetime
    last_used_at: datetime | None = None
    token: str | None = None


class UserIn(ApiModel):
    """POST /users."""

    email: Annotated[str, Field(min_length=3, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]
    name: Name
    role: Literal["operator", "administrator"] = "operator"
    password: str = Field(min_length=10, max_length=200)


class User(ApiModel):
    """A console user."""

    id: str
    email: str
    name: str
    role: Literal["operator", "administrator"]
    created_at: datetime
    last_sign_in_at: datetime | None = None


class AuditEntry(ApiModel):
    """Who changed what."""

    id: str
    at: datetime
    actor: str
    action: str
    target: str
    status: int


class ServiceStatus(ApiModel):
    """Readiness of one service as the console sees it."""

    name: str
    ready: bool
    checks: dict[str, str] = {}


class Status(ApiModel):
    """GET /status."""

    ready: bool
    version: str
    services: list[ServiceStatus]
