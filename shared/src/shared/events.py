"""Every event and command of the system, in one scroll: what travels between the services.

Each model is the JSON body of one Kafka topic (see `shared.topics`); CloudEvents attributes travel beside it as
headers (see `shared.messaging.envelope`). Readers ignore unknown fields; a field is only ever added as optional, any other
change is a new version of the type. No event exceeds 1 MiB: texts are cut at 256 KiB and attachments travel as references.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Literal
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field

from shared.mail.model import Address, Attachment, DeliveryReport, Fold

NAMESPACE_ID = UUID("6d0c3a5e-4f53-5d0b-9a39-0b1c8f7c2f11")
"""Root of all name-based ids (RFC 9562, version 5). Changing it would give every mail a new identity."""


def derived_id(*parts: str | int) -> str:
    """An id that is a function of its parts, so that doing a thing twice is the same as doing it once.

    The parts are joined by U+001F, which no part contains in practice (ids, numbers, mailbox names).
    """
    return str(uuid5(NAMESPACE_ID, "\x1f".join(str(part) for part in parts)))


class EventModel(BaseModel):
    """Base of every event body: immutable, tolerant of fields a newer writer added."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class RawMail(EventModel):
    """Attributes of a `mail.raw` event, whose value is the mail's bytes exactly as IMAP gave them (`message/rfc822`).

    They travel as CloudEvents extension attributes (lower case, no underscore). The mail id is the event's `id`.
    """

    scanner_id: str = Field(description="Scanner that fetched the mail")
    folder: str = Field(description="Folder of the mail's first place, decoded from modified UTF-7")
    uid_validity: int = Field(description="UIDVALIDITY of that folder (RFC 9051, 2.3.1.1)")
    uid: int = Field(description="UID in that folder")
    received_at: datetime = Field(description="INTERNALDATE, UTC")
    size: int = Field(description="Length of the mail in bytes")
    sha256: str = Field(description="SHA-256 of the mail's bytes, hexadecimal")
    archive_key: str = Field(description="Where the archive holds the mail")
    conversation: str = Field(description="Conversation key, which is also the record's key")
    address: str = Field(default="", description="The mailbox's own address at fetch time, empty where it is not known")
    pec: bool = Field(default=False, description="The scanner's PEC flag at fetch time")
    data_ref: str | None = Field(default=None, description="Set when the value is empty: the archive holds the bytes (claim check)")


class Lookup(StrEnum):
    """How an update finds its ticket."""

    TICKET_ID = "ticket_id"
    TITLE = "title"
    EXTERNAL_CODE = "external_code"
    CONVERSATION = "conversation"


class ActionType(StrEnum):
    """What a rule does with a mail that matches."""

    CREATE_TICKET = "create_ticket"
    UPDATE_TICKET = "update_ticket"
    LINK_SENDER = "link_sender"
    LINK_RECIPIENT = "link_recipient"
    ARCHIVE = "archive"
    IGNORE = "ignore"


class Action(EventModel):
    """A rule's action with its options; an option an action type does not know is ignored by it."""

    type: ActionType
    lookup: Lookup = Field(default=Lookup.TICKET_ID, description="update_ticket: how the ticket is found")
    create_when_missing: bool = Field(default=False, description="update_ticket: open a ticket when none is found")
    participants_only: bool = Field(default=True, description="update_ticket: a stranger's mail opens a linked ticket instead")
    reopen_days: int = Field(
        default=30, ge=0, le=3650, description="update_ticket: days after closing within which a closed ticket reopens"
    )
    status: str | None = Field(default=None, max_length=40, description="Status the ticket gets")
    priority: str | None = Field(default=None, max_length=40, description="Priority the ticket gets")
    category: str | None = Field(default=None, max_length=200, description="Category the ticket gets")
    assignee: str | None = Field(default=None, max_length=320, description="Operator the ticket is given to, by mail address")
    tags: list[Annotated[str, Field(min_length=1, max_length=50)]] = Field(
        default=[], max_length=20, description="Tags the ticket gets besides those it has"
    )
    record: Literal["contact", "account", "lead"] | None = Field(
        default=None, description="link_…: sort of record the mail is filed with; null for the first that has the address"
    )
    create_lead: bool = Field(default=False, description="link_…: make a lead where no record has the address")
    acknowledge: bool = Field(default=False, description="create_ticket: send the customer an acknowledgement")


class Candidate(EventModel):
    """One matching rule's action, to be tried in its turn."""

    rule_id: str
    rule_name: str
    action: Action
    key: str = Field(default="", description="Ticket key captured by the rule's pattern; empty where it captured none")


class CommandMail(EventModel):
    """The parsed mail as tickets needs it. Texts are cut at 256 KiB; the whole stays in the archive."""

    subject: str
    from_: Address | None = Field(default=None, alias="from")
    reply_to: list[Address] = []
    to: list[Address] = []
    cc: list[Address] = []
    message_id: str | None = None
    in_reply_to: list[str] = []
    references: list[str] = []
    date: datetime | None = None
    text: str = ""
    text_truncated: bool = False
    html: str | None = None
    html_truncated: bool = False
    attachments: list[Attachment] = []
    defects: list[str] = []
    folds: list[Fold] = Field(default=[], description="Quoted history and signature within `text`, in order")
    authentication: list[str] = Field(default=[], description="Results the mailbox's provider wrote, as `method=result`: `dmarc=fail`")
    unanswerable: str = Field(
        default="", max_length=200, description="The field that forbids automatic answers whatever the kind (RFC 3834, 2), as written"
    )


class CommandKind(StrEnum):
    """What tickets is asked to do with a mail."""

    MAIL = "mail"
    """Try the candidates in their order; the first that takes wins."""
    OWN = "own"
    """The mail carries our mark: outcome `loop` where its Message-ID is one of ours, else the mark is forged and it is a mail."""
    BOUNCE = "bounce"
    """A failed or delayed delivery: record the outcome; `report` says of which mail and recipient. No rule is asked."""
    RECEIPT = "receipt"
    """A delivery, read or PEC receipt: as a bounce."""
    AUTO_REPLY = "auto_reply"
    """A machine's answer: record the outcome. No rule is asked."""
    FAILURE = "failure"
    """The mail could not be decided: record the outcome in `failure`."""


class Failure(EventModel):
    """Why a mail has no decision."""

    outcome: Literal["failed", "dropped"]
    reason: str = Field(max_length=2000)


class TicketCommand(EventModel):
    """One per mail and run: what tickets shall try, in order (`ticket.commands`)."""

    mail_id: str
    run: int = Field(default=1, ge=1, description="Raised only by a person's explicit re-decision")
    kind: CommandKind
    scanner_id: str
    received_at: datetime = Field(description="INTERNALDATE, UTC: messages of a ticket are shown in this order")
    archive_key: str
    mail: CommandMail | None = Field(default=None, description="Missing only when kind is failure")
    mail_kind: str | None = Field(default=None, description="Kind of mail as the rules service told it (`mail`, `list`, `automatic`, …)")
    kind_reason: str = Field(default="", max_length=500, description="What told the kind, in plain words")
    report: DeliveryReport | None = Field(default=None, description="Of a bounce or a receipt")
    rule_set_version: int | None = None
    candidates: list[Candidate] = Field(default=[], description="Matching rules' actions up to the first that always takes")
    failure: Failure | None = None


class OutcomeType(StrEnum):
    """What became of a mail; every mail has exactly one current outcome once the pipeline is idle."""

    TICKET = "ticket"
    UPDATE = "update"
    LINK = "link"
    ARCHIVED = "archived"
    IGNORED = "ignored"
    UNMATCHED = "unmatched"
    SPAM = "spam"
    RECEIPT = "receipt"
    BOUNCE = "bounce"
    AUTO_REPLY = "auto_reply"
    LOOP = "loop"
    DUPLICATE = "duplicate"
    SKIPPED = "skipped"
    GONE = "gone"
    RELEASED = "released"
    """Was spam until its sender came off the list: the fetcher publishes it again, and what becomes of it then is its outcome."""
    FAILED = "failed"
    DROPPED = "dropped"


class MailOutcome(EventModel):
    """The mail's current outcome (`mail.outcomes`). Of two, the one with the greater (run, revision) holds."""

    mail_id: str
    scanner_id: str
    run: int = 1
    revision: int = Field(default=1, ge=1, description="Raised by each change of the outcome within a run")
    type: OutcomeType
    kind: str | None = Field(
        default=None, description="Kind of mail it turned out to be (`mail`, `own`); missing where it could not be read"
    )
    ticket_id: int | None = None
    rule_id: str | None = Field(default=None, description="Rule whose action took")
    rule_name: str | None = None
    reason: str | None = Field(default=None, description="In plain words, where the type alone does not say it")
    record_type: Literal["contact", "account", "lead"] | None = Field(default=None, description="Outcome link: sort of record")
    record_id: str | None = Field(default=None, description="Outcome link: the record the mail was filed with")
    at: datetime


class ScannerSettings(EventModel):
    """A scanner without its secrets (`scanners`, compacted; a tombstone deletes it)."""

    scanner_id: str
    version: int
    name: str
    enabled: bool = True
    address: str = Field(default="", description="The mailbox's own address, from which answers go out")
    sender_id: str | None = Field(default=None, description="SMTP identity for answers")
    pec: bool = False
    spam_folder: str | None = None


class TicketEventType(StrEnum):
    """What happened to a ticket."""

    CREATED = "created"
    UPDATED = "updated"
    COMMENTED = "commented"
    LINKED = "linked"
    SPAMMED = "spammed"
    RESTORED = "restored"
    DELETED = "deleted"
    DELIVERY = "delivery"
    MERGED = "merged"
    """Its messages went to another ticket, or another's came to it."""
    SPLIT = "split"
    """One of its messages became a ticket of its own, or it was made of one."""


class TicketEvent(EventModel):
    """A change of a ticket (`ticket.events`), for live pages and webhooks."""

    ticket_id: int
    type: TicketEventType
    title: str
    actor: str = Field(description="Who did it: `mail`, or the operator")
    message_id: str | None = Field(default=None, description="The ticket's message concerned")
    mail_id: str | None = None
    at: datetime


class Quoted(EventModel):
    """The customer's message an answer quotes."""

    sender: str
    at: datetime
    text: str
    html: str = Field(default="", description="Sanitised by tickets, images as `cid:` of inline `parts`; blank: quoted from `text`")


class OutgoingMode(StrEnum):
    """What a mail of ours is."""

    INFO = "info"
    """An operator's answer, from the mailbox's own address."""
    PERSONAL = "personal"
    """An operator's answer from an address of their own: no token, no mark, no templates of the mailbox."""
    ACKNOWLEDGEMENT = "acknowledgement"
    """The machine's answer to the mail that opened a ticket (RFC 3834: `Auto-Submitted: auto-replied`)."""
    NOTICE = "notice"
    """To the assignee: an answer did not arrive (`Auto-Submitted: auto-generated`)."""


class OutgoingPart(EventModel):
    """A file that goes along, or an image of the quoted history. Its bytes are in the archive."""

    name: str
    content_type: str
    size: int = Field(ge=0, description="Octets, decoded")
    archive_key: str
    part: str | None = Field(default=None, description="Part number within the archived mail; null: the archived bytes are the file")
    content_id: str | None = Field(default=None, description="Without brackets; set: shown in place where `quoted.html` names it")


class OutgoingMail(EventModel):
    """Send one answer, or cancel it (`mail.outgoing`). `outgoing_id` is the ticket message's id."""

    outgoing_id: str
    type: Literal["send", "cancel"] = "send"
    ticket_id: int
    scanner_id: str | None = None
    mode: OutgoingMode = OutgoingMode.INFO
    author: Address | None = Field(default=None, description="The operator's name, and their own address where they have one")
    operator: str | None = Field(default=None, description="Who wrote it, as `X-Actor`: whose own SMTP account a personal answer takes")
    message_id: str = Field(default="", description="Message-ID given by tickets, with angle brackets")
    in_reply_to: str | None = None
    references: list[str] = []
    to: list[Address] = []
    cc: list[Address] = []
    title: str = Field(default="", description="The ticket's title; the notifier writes the Subject from it")
    text: str = Field(default="", description="Blank for an acknowledgement: the notifier writes it from its template")
    quoted: Quoted | None = None
    parts: list[OutgoingPart] = Field(default=[], max_length=100)
    not_before: datetime | None = None


class DeliveryState(StrEnum):
    """How far an answer came for one recipient."""

    QUEUED = "queued"
    ACCEPTED = "accepted"
    SENT = "sent"
    DELAYED = "delayed"
    FAILED = "failed"
    BOUNCED = "bounced"
    DELIVERED = "delivered"
    READ = "read"
    """A receipt says it was displayed (RFC 8098)."""
    CANCELLED = "cancelled"
    TOO_LATE = "too_late"


class MailDelivery(EventModel):
    """State of one outgoing mail for one recipient (`mail.deliveries`)."""

    outgoing_id: str
    ticket_id: int
    message_id: str
    recipient: str
    state: DeliveryState
    sequence: int = Field(default=1, description="Rises with each state of this outgoing mail; a lower one is older news")
    detail: str = Field(default="", description="The server's answer or the reason, without secrets")
    alias: str | None = Field(default=None, description="Message-ID the server gave it instead of ours, with angle brackets")
    text: str | None = Field(default=None, max_length=20_000, description="What an acknowledgement said, once the notifier wrote it")
    at: datetime


class Erasure(EventModel):
    """Remove all that is kept about an address (`privacy.erasures`, compacted).

    Each service removes its part and reports. When all have, the same key is written again without the address, so that compaction
    forgets it: from then on mails of before are known by the digest alone.
    """

    erasure_id: str
    address: str | None = Field(default=None, description="The address as it was given; missing once all have reported")
    digest: str = Field(description="`address_digest` of it: mails from it received before `before` are refused from now on")
    before: datetime = Field(description="Mails received until then are meant")


class ErasureReport(EventModel):
    """What one service removed (`privacy.reports`)."""

    erasure_id: str
    service: str
    removed: dict[str, int] = Field(default={}, description="What, as one word → how many")
    kept: list[str] = Field(default=[], description="What is kept and until when, in plain words")
    mail_ids: list[str] = Field(default=[], max_length=10_000, description="By the fetcher: the mails it removed")
    more: bool = Field(default=False, description="By the fetcher: another report names further mails")
    at: datetime


def address_digest(address: str) -> str:
    """SHA-256 of the folded address, hexadecimal: tells whether an address is the one erased, without keeping it.

    Whoever guesses an address can check the guess; it is a pseudonym, not anonymity.
    """
    return sha256(f"mailconverter erasure {address.strip().casefold()}".encode()).hexdigest()
