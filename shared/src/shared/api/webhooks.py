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
    previous_secret_until: datetime | None = Field(default=None, description="Until then the secret before signs too")
    failing_since: datetime | None = Field(default=None, description="Since then no call was taken; after five days it is switched off")
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
    """PATCH /webhooks/{id}. `new_secret` gives it another secret, shown in the answer; the one before signs too for 24 hours.

    Switching it off gives up what waits for it; switching it on forgets why it was switched off.
    """

    name: Name | None = None
    url: WebhookUrl | None = None
    types: WebhookTypes | None = None
    enabled: bool | None = None
    new_secret: bool = False


class WebhookData(ApiModel):
    """What happened. Read the ticket for all else: it may have changed since. A test has no ticket."""

    ticket_id: int | None = None
    title: str | None = None
    actor: str = Field(description="Who did it: `mail`, `system`, or the operator")
    message_id: str | None = Field(default=None, description="The ticket's message concerned")
    mail_id: str | None = None


class WebhookMessage(ApiModel):
    """The body of each call, signed as Standard Webhooks 1.0.0: headers `webhook-id`, `webhook-timestamp`, `webhook-signature`.

    The signature is `v1,` and the base64 of HMAC-SHA256 of `id.timestamp.body` under the bytes behind `whsec_`; while a secret is being
    changed there are two, separated by a blank. Refuse timestamps more than five minutes off. A call may come twice: the id is the
    same for every try of one change. Calls come in no promised order: compare `timestamp`. Answer 2xx within the time limit, 410 to be
    told no more. All else is tried again after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h. Redirects are not followed.
    """

    type: str = Field(description="`ticket.` and the change, such as `ticket.created`; `webhook.test` for a test")
    timestamp: datetime = Field(description="When it happened, not when it is told")
    data: WebhookData


class WebhookDelivery(ApiModel):
    """One change told, or to be told, to one receiver. Its id is the call's `webhook-id`."""

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
