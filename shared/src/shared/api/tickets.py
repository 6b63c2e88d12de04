"""Tickets, messages, saved views, the spam list."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from shared.api.common import ApiModel, Name
from shared.api.registry import MailAddress, RecordRef
from shared.events import DeliveryState, TicketEventType
from shared.mail.model import Fold


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
    version: int = 1


class TicketSettingsPatch(ApiModel):
    """PATCH /ticket-settings: the fields given change."""

    status_names: dict[TicketStatus, Name] | None = None
    priorities: list[Name] | None = Field(default=None, min_length=1, max_length=20)
    categories: list[Name] | None = Field(default=None, max_length=200)


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
    created_at: datetime


class CommentIn(ApiModel):
    """POST /tickets/{id}/comments: on a mail ticket it goes out as an answer unless `internal`."""

    body: str = Field(min_length=1, max_length=100_000)
    internal: bool = False


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
