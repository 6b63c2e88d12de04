"""Dead letters, tokens, users, audit, status."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from shared.api.common import ApiModel, Name


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
