"""SMTP identities and outgoing mails (notifier)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from shared.api.common import ApiModel, HostName, Name, NoPlusAddressing, PortNumber
from shared.api.scanners import SslMethod, SslType


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
