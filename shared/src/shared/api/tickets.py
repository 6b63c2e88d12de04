"""Tickets, messages, contacts, the spam list."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from shared.api.common import ApiModel, Name
from shared.events import DeliveryState
from shared.mail.model import Fold


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


MAX_TAGS = 50
Assignee = Annotated[str, Field(max_length=320, description="Operator it is given to, by mail address, in lower case")]
Tags = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=50)]],
    Field(max_length=MAX_TAGS, description="In lower case, each once, in the order they were added"),
]
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
    assignee: Assignee | None = None
    tags: Tags = []


class TicketPatch(ApiModel):
    """PATCH /tickets/{id}. A null category or assignee takes it away; `tags` replaces all of them."""

    title: Name | None = None
    status: TicketStatus | None = None
    priority: Annotated[str, Field(max_length=40)] | None = None
    category: Annotated[str, Field(max_length=200)] | None = None
    assignee: Assignee | None = None
    tags: Tags | None = None


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
