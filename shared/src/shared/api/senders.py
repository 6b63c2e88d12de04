"""SMTP identities and outgoing mails (notifier)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from shared.api.common import ApiModel, HostName, Name, PortNumber
from shared.api.scanners import OAuthFields, OAuthIn, OAuthState, SslMethod, SslType
from shared.events import DeliveryState, OutgoingMode

SenderAuth = Literal["none", "password", "oauth2"]
MailAddress = Annotated[str, Field(max_length=320)]


class SenderLimits(ApiModel):
    """What a server puts up with; providers cut off who sends faster."""

    connections: Annotated[int, Field(ge=1, le=20)] = Field(default=4, description="At a time, over all replicas of the notifier")
    per_minute: Annotated[int, Field(ge=1, le=100_000)] | None = Field(default=None, description="Recipients a minute; null: no limit")


class SenderFields(ApiModel):
    """An SMTP identity, without its password."""

    name: Name
    server: HostName
    port: PortNumber = 587
    ssl_type: SslType = SslType.STARTTLS
    ssl_method: SslMethod = SslMethod.VALIDATE
    auth: SenderAuth = "password"
    oauth: OAuthFields | None = Field(default=None, description="Needed with auth oauth2")
    username: Annotated[str, Field(max_length=320)] = ""
    address: Annotated[str, Field(max_length=320)] = Field(default="", description="Where blank, the mailbox's own address")
    display_name: Annotated[str, Field(max_length=200)] = ""
    reply_to: Annotated[str, Field(max_length=320)] = ""
    signature: Annotated[str, Field(max_length=10_000)] = ""
    plus_addressing: bool = Field(
        default=False,
        description="Customers answer to `<mailbox>+<ticket>@…`: known even where a mail program drops all ids",
    )
    limits: SenderLimits = SenderLimits()

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
    oauth: OAuthIn | None = None


class SenderPatch(ApiModel):
    """PATCH /senders/{id}."""

    name: Name | None = None
    server: HostName | None = None
    port: PortNumber | None = None
    ssl_type: SslType | None = None
    ssl_method: SslMethod | None = None
    auth: SenderAuth | None = None
    oauth: OAuthIn | None = None
    username: Annotated[str, Field(max_length=320)] | None = None
    password: str | None = Field(default=None, max_length=1000, description="Write only")
    address: Annotated[str, Field(max_length=320)] | None = None
    display_name: Annotated[str, Field(max_length=200)] | None = None
    reply_to: Annotated[str, Field(max_length=320)] | None = None
    signature: Annotated[str, Field(max_length=10_000)] | None = None
    plus_addressing: bool | None = None
    limits: SenderLimits | None = None


class Sender(SenderFields):
    """GET /senders/{id}."""

    id: str
    oauth_state: OAuthState | None = None
    version: int
    created_at: datetime
    updated_at: datetime


class SenderTestIn(ApiModel):
    """POST /senders/{id}/test: without `to` it connects and signs in; with it a mail is sent there."""

    to: MailAddress | None = None


class PersonalSender(SenderFields):
    """GET and PUT /me/sender: the SMTP account of whoever asks. Their personal answers leave by it.

    They are from its `address` and `display_name`, where blank from the user's own, and come back to `reply_to` where it is set.
    """

    id: str = ""
    version: int = 1


class PersonalSenderIn(SenderFields):
    """PUT /me/sender. A password left out stays; `oauth2` and `plus_addressing` are for mailboxes' identities only (422)."""

    password: str | None = Field(default=None, max_length=1000, description="Write only")


class Outgoing(ApiModel):
    """GET /outgoing: the notifier's ledger."""

    id: str
    ticket_id: int
    mode: OutgoingMode = OutgoingMode.INFO
    scanner_id: str | None = None
    message_id: str
    subject: str
    recipients: list[str]
    state: Literal["queued", "sending", "sent", "delayed", "failed", "cancelled"]
    tries: int
    next_try_at: datetime | None = None
    last_error: str | None = None
    sent_at: datetime | None = None
    created_at: datetime


class OutgoingRecipient(ApiModel):
    """How far a mail came for one recipient."""

    address: str
    state: DeliveryState
    detail: str = ""
    at: datetime


class OutgoingTry(ApiModel):
    """One dialogue with the SMTP server."""

    number: int
    started_at: datetime
    ended_at: datetime
    instance: str = Field(description="The notifier that tried")
    state: str
    detail: str = Field(description="The server's words")


class OutgoingDetail(Outgoing):
    """GET /outgoing/{id}. GET /outgoing/{id}/raw gives the bytes that were sent."""

    people: list[OutgoingRecipient] = []
    history: list[OutgoingTry] = Field(default=[], description="The newest 100 tries, newest first")
    aliases: list[str] = Field(default=[], description="Message-IDs that servers gave it instead")
    made: bool = Field(default=False, description="Whether its bytes are made: `/outgoing/{id}/raw` has them")
    waits_for: str | None = Field(default=None, description="Id of an earlier answer of its ticket that goes first")
    retryable: bool = Field(default=False, description="Whether `/outgoing/{id}/retry` would try it again now")
    cancellable: bool = Field(default=False, description="Whether taking the answer back can still keep it from somebody")
