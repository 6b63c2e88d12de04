"""What a request makes of a webhook's row."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from shared.api import WebhookIn, WebhookPatch
from shared.events import TicketEventType
from shared.http import ProblemError
from tickets.adapters.webhook_store import BOTH_SIGN, WebhookSecrets

FIRST_VERSION = 1


def created(at: datetime, webhook_id: str, request: WebhookIn, actor: str, secrets: WebhookSecrets) -> dict[str, Any]:
    """A new row, with a secret of its own. Raises ProblemError 422 for a blank name."""
    return {
        "id": webhook_id,
        "name": _name(request.name),
        "url": request.url,
        "secret": secrets.make(webhook_id)[1],
        "types": _types(request.types),
        "enabled": request.enabled,
        "created_by": actor,
        "created_at": at,
    }


def changed(at: datetime, row: Row[Any], request: WebhookPatch, secrets: WebhookSecrets) -> tuple[dict[str, Any], str | None]:
    """The columns that change, and the new secret where one was asked for. Raises ProblemError 422 for a blank name."""
    wanted = {
        "name": None if request.name is None else _name(request.name),
        "url": request.url,
        "types": None if request.types is None else _types(request.types),
        "enabled": request.enabled,
    }
    values: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None and value != getattr(row, name)}
    if values.get("enabled"):
        values |= {"disabled_reason": None}
    if "url" in values or values.get("enabled"):
        values |= {"failing_since": None}
    if not request.new_secret:
        return values, None
    secret, sealed = secrets.make(row.id)
    return values | {"secret": sealed, "previous_secret": row.secret, "previous_until": at + BOTH_SIGN}, secret


def _name(text: str) -> str:
    name = " ".join(text.replace("\x00", "").split())
    if not name:
        raise ProblemError(
            422, "The request is not valid", "name: must not be blank", errors=[{"field": "name", "message": "must not be blank"}]
        )
    return name


def _types(types: Sequence[TicketEventType]) -> list[str]:
    return list(dict.fromkeys(kind.value for kind in types))
