"""Webhooks: changes of tickets told to other systems, signed as Standard Webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from shared.api.common import ApiModel, Name
from shared.events import TicketEventType

WebhookTypes = Annotated[list[TicketEventType], Field(max_length=30, description="Changes that are told; empty for all")]
WebhookUrl = Annotated[str, Field(min_length=8, max_length=2000, pattern=r"^https?://[^\s]+$")]


class Webhook(ApiModel):
    """A receiver. Its secret is shown once, when it is made or changed."""

    id: str
    name: str
    url: str
    types: list[TicketEventType] = []
    enabled: bool = True
    secret: str | None = Field(default=None, description="`whsec_…`, only in the answer that made it")
    failing_since: datetime | None = None
    disabled_reason: str | None = Field(default=None, description="Why it was switched off by itself")
    version: int = 1
    created_by: str
    created_at: datetime


class WebhookIn(ApiModel):
    """POST /webhooks."""

    name: Name
    url: WebhookUrl
    types: WebhookTypes = []
    enabled: bool = True


class WebhookPatch(ApiModel):
    """PATCH /webhooks/{id}. `new_secret` gives it another secret, shown in the answer."""

    name: Name | None = None
    url: WebhookUrl | None = None
    types: WebhookTypes | None = None
    enabled: bool | None = None
    new_secret: bool = False


class WebhookDelivery(ApiModel):
    """One change told, or to be told, to one receiver."""

    id: str
    webhook_id: str
    type: str
    ticket_id: int | None = None
    state: Literal["waiting", "delivered", "failed"]
    tries: int
    next_try_at: datetime | None = None
    status: int | None = Field(default=None, description="HTTP status of the last answer")
    error: str | None = None
    created_at: datetime
    delivered_at: datetime | None = None
