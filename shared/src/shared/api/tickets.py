"""Tickets, messages, saved views, the spam list."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from shared.api.common import ApiModel, Name
from shared.api.registry import MailAddress, RecordRef
from shared.events import DeliveryState, OutgoingMode, TicketEventType
from shared.mail.model import Fold

Copies = Annotated[
    list[Annotated[str, Field(min_length=3, max_length=320)]],
    Field(max_length=100, description="Who gets a copy; null: all that `/answering` has ticked"),
]
AttachmentIds = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=36)]],
    Field(max_length=50, description="Ids of uploads of this ticket or of its attachments"),
]


class AttachmentView(ApiModel):
    """An attachment; opened from the archive when somebody downloads it."""

    id: str
    name: str
    type: str
    size: int
    inline: bool = False
    blocked: str | None = Field(default=None, description="Why it is not handed out, in plain words; it stays in the archive")


MAX_TAGS = 50
Assignee = Annotated[str, Field(max_length=320, description="Operator it is given to, by mail address, in lower case")]
Tags = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=50)]],
    Field(max_length=MAX_TAGS, description="In lower case, each once, in the order they were added"),
]
Watchers = Annotated[
    list[MailAddress], Field(max_length=50, description="Who gets a copy of each answer: those in Cc, and whom an operator added")
]
ExternalCode = Annotated[str, Field(max_length=200, description="The ticket's number in another system; a rule can look it up")]
TicketStatus = Literal["open", "in_progress", "waiting", "closed"]


class Ticket(ApiModel):
    """A ticket; `source` mail is the flame."""

    id: int
    title: str
    description: str
    status: TicketStatus
    priority: str
    category: str | None = None
    assignee: Assignee | None = None
    tags: Tags = []
    source: Literal["mail", "manual"]
    scanner_id: str | None = None
    sender: str | None = None
    recipients: list[str] = []
    contact: RecordRef | None = Field(default=None, description="The contact, else account, else lead, with the sender's address")
    external_code: ExternalCode | None = None
    watchers: list[str] = Field(default=[], description="Who gets a copy of each answer; mails may bring more than may be set at once")
    linked_ticket_id: int | None = Field(default=None, description="The ticket this one continues or points at")
    merged_into: int | None = Field(default=None, description="The ticket that has its messages now")
    attention: str | None = Field(default=None, description="What somebody must look at, in plain words: an answer that did not arrive")
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
    category: Annotated[str, Field(max_length=200)] | None = None
    assignee: Assignee | None = None
    tags: Tags = []
    watchers: Watchers = []
    external_code: ExternalCode | None = None
    contact_id: str | None = Field(default=None, max_length=36, description="Id of a contact, account or lead")


class TicketPatch(ApiModel):
    """PATCH /tickets/{id}. A null category, assignee, external_code or contact_id takes it away; `tags` and `watchers` replace all."""

    title: Name | None = None
    status: TicketStatus | None = None
    priority: Annotated[str, Field(max_length=40)] | None = None
    category: Annotated[str, Field(max_length=200)] | None = None
    assignee: Assignee | None = None
    tags: Tags | None = None
    watchers: Watchers | None = None
    external_code: ExternalCode | None = None
    contact_id: str | None = Field(default=None, max_length=36)
    attention: Literal[""] | None = Field(default=None, description="Blank: it was looked at")


class MergeIn(ApiModel):
    """POST /tickets/{id}/merge: its messages go to ticket `into`, and later answers follow."""

    into: int = Field(ge=1)


class SplitIn(ApiModel):
    """POST /tickets/{id}/split (201): the message becomes the first of a new ticket."""

    message_id: str = Field(min_length=1, max_length=36)
    title: Name | None = Field(default=None, description="Null: the subject of the message's mail, else the old ticket's title")


class FieldChange(ApiModel):
    """One field of a ticket before and after."""

    field: str
    before: str | list[str] | None = None
    after: str | list[str] | None = None


class TicketChange(ApiModel):
    """An entry of a ticket's history."""

    id: int
    at: datetime
    actor: str = Field(description="`mail`, `system`, or the operator")
    type: TicketEventType
    changes: list[FieldChange] = []
    mail_id: str | None = None
    message_id: str | None = None
    other_ticket_id: int | None = Field(default=None, description="The other ticket of a merge, a split or a link")


class TicketSettings(ApiModel):
    """GET /ticket-settings: how the desk names things."""

    status_names: dict[TicketStatus, Name] = Field(description="What each status is called")
    priorities: list[Name] = Field(min_length=1, max_length=20, description="In order, lowest first")
    categories: list[Name] = Field(default=[], max_length=200, description="Offered; others may be written")
    undo_seconds: int = Field(default=10, ge=0, le=300, description="How long an answer waits, so that it can be taken back")
    automatic_per_sender: int = Field(default=3, ge=0, le=100, description="Automatic mails to one address in 24 hours")
    automatic_per_mailbox: int = Field(default=1000, ge=0, le=1_000_000, description="Automatic mails of one mailbox in 24 hours")
    acknowledge_unchecked: bool = Field(
        default=True, description="Acknowledge also where the mailbox's provider does not write whether the sender is authentic"
    )
    version: int = 1


class TicketSettingsPatch(ApiModel):
    """PATCH /ticket-settings: the fields given change."""

    status_names: dict[TicketStatus, Name] | None = None
    priorities: list[Name] | None = Field(default=None, min_length=1, max_length=20)
    categories: list[Name] | None = Field(default=None, max_length=200)
    undo_seconds: int | None = Field(default=None, ge=0, le=300)
    automatic_per_sender: int | None = Field(default=None, ge=0, le=100)
    automatic_per_mailbox: int | None = Field(default=None, ge=0, le=1_000_000)
    acknowledge_unchecked: bool | None = None


class TicketFilter(ApiModel):
    """What a list shows; what is left out does not restrict."""

    q: str | None = Field(default=None, max_length=500)
    status: list[TicketStatus] = []
    source: Literal["mail", "manual"] | None = None
    scanner_id: str | None = Field(default=None, max_length=100)
    contact_id: str | None = Field(default=None, max_length=36)
    assignee: str | None = Field(default=None, max_length=320, description="`me` for whoever looks, `nobody` for tickets without one")
    tag: str | None = Field(default=None, max_length=50)
    priority: str | None = Field(default=None, max_length=40)
    category: str | None = Field(default=None, max_length=200)
    attention: bool | None = Field(default=None, description="Only tickets somebody must look at")


class SavedView(ApiModel):
    """A filter with a name."""

    id: str
    name: str
    shared: bool
    owner: str
    filter: TicketFilter
    version: int = 1


class SavedViewIn(ApiModel):
    """POST /ticket-views."""

    name: Name
    shared: bool = False
    filter: TicketFilter


class SavedViewPatch(ApiModel):
    """PATCH /ticket-views/{id}: only by its owner. A shared one anybody may delete."""

    name: Name | None = None
    shared: bool | None = None
    filter: TicketFilter | None = None


class DeliveryView(ApiModel):
    """State of an answer for one recipient."""

    recipient: str
    state: DeliveryState
    detail: str = ""
    at: datetime


class MessageReport(ApiModel):
    """A mail that came back about a message: a bounce, a notice of delay, a receipt, an automatic reply."""

    kind: Literal["bounce", "delayed", "delivered", "read", "auto_reply"]
    recipient: str = Field(default="", description="Whom it is about, where the mail says so")
    detail: str = Field(default="", description="In plain words")
    mail_id: str
    at: datetime


class Message(ApiModel):
    """A message of a ticket. `html` is sanitised, with remote images taken out."""

    id: str
    kind: Literal["mail", "comment", "note", "reply"]
    direction: Literal["in", "out"]
    sender: str
    text: str
    folds: list[Fold] = Field(default=[], description="Quoted history and signature within `text`, in order, to be shown folded")
    html: str | None = None
    attachments: list[AttachmentView] = []
    mail_id: str | None = Field(default=None, description="The mail it was made of; GET /mails/{id}/decision says why it is here")
    message_id: str | None = None
    delivery: DeliveryState | None = Field(default=None, description="The worst of `deliveries`")
    deliveries: list[DeliveryView] = []
    mode: OutgoingMode | None = Field(default=None, description="Of a message that left as a mail")
    recipients: list[str] = Field(default=[], description="To, of a message that left as a mail")
    cc: list[str] = []
    reports: list[MessageReport] = Field(default=[], description="What came back about it, oldest first; at most 50")
    undo_until: datetime | None = Field(default=None, description="Until then `…/cancel` surely takes it back")
    created_at: datetime


class CommentIn(ApiModel):
    """POST /tickets/{id}/comments: on a mail ticket it goes out as an answer unless `internal`."""

    body: str = Field(min_length=1, max_length=100_000)
    internal: bool = False
    cc: Copies | None = None
    attachments: AttachmentIds = []


class ReplyIn(ApiModel):
    """POST /tickets/{id}/replies: an answer by mail. `personal` leaves from the operator's own address, and is answered there."""

    body: str = Field(min_length=1, max_length=100_000)
    mode: Literal["info", "personal"] = "info"
    cc: Copies | None = None
    attachments: AttachmentIds = []
    quote: bool = Field(default=True, description="Whether the customer's last message is quoted")


class Upload(ApiModel):
    """POST /tickets/{id}/uploads?name=…, the file as the body: kept for a draft or an answer, removed after 7 days in neither."""

    id: str
    name: str
    type: str
    size: int


class DraftIn(ApiModel):
    """PUT /tickets/{id}/draft: what whoever asks is writing there."""

    body: str = Field(default="", max_length=100_000)
    mode: Literal["info", "personal", "note"] = "info"
    cc: Copies | None = None
    attachments: AttachmentIds = []
    quote: bool = Field(default=True, description="Whether the customer's last mail is to be quoted")


class Draft(DraftIn):
    """GET /tickets/{id}/draft. An answer or a note sent removes it; taking an answer back brings it back."""

    files: list[AttachmentView] = Field(default=[], description="The `attachments` that are still there")
    version: int
    updated_at: datetime


class CopyChoice(ApiModel):
    """Somebody who may get a copy."""

    address: str
    name: str = ""
    ticked: bool = Field(description="Gets one unless `cc` says otherwise")


class Answering(ApiModel):
    """GET /tickets/{id}/answering: what an answer written now would be."""

    sender: str = Field(description="The mailbox's own address")
    to: list[str] = []
    copies: list[CopyChoice] = []
    subject: str = ""
    quoted: str = Field(default="", description="The text that would be quoted")
    personal_sender: str | None = Field(default=None, description="The operator's own address")
    refusal: str | None = Field(default=None, description="Why no answer can leave, in plain words")
    personal_refusal: str | None = Field(default=None, description="Why no personal answer can leave, in plain words")
    writing: list[str] = Field(default=[], description="Other operators (actors) who changed a draft here in the last five minutes")
    files_limit: int = Field(default=50 * 1024 * 1024, description="Bytes that the files of one answer may have together")
    files_blocked: list[str] = Field(default=[], description="Endings and media types of files that no answer takes along")
    undo_seconds: int


class SpamRequest(ApiModel):
    """POST /tickets/spam (202, a job)."""

    ticket_ids: list[int] = Field(min_length=1, max_length=1000)
    listing: Literal["address", "domain", "none"] = Field(default="address", description="What of each sender goes on the spam list")


class SpamSender(ApiModel):
    """An entry of the spam list: an address, or a domain with all below it (`@shop.example`)."""

    id: str
    address: str
    kind: Literal["address", "domain"] = "address"
    created_by: str
    created_at: datetime
    hits: int = 0
    last_hit_at: datetime | None = None


class SpamSenderIn(ApiModel):
    """POST /spam-senders: an address, or a domain as `@shop.example` or `shop.example`."""

    address: Annotated[str, Field(min_length=3, max_length=320, pattern=r"^[^@\s]*@?[^@\s]+$")]
