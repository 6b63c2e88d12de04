"""Webhooks as they are set up. Their secrets leave this module only to sign, and once when they are made."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.http import ProblemError, not_found
from shared.secrets import KeyRing
from tickets.adapters.tables import webhooks
from tickets.domain.webhook_signature import SECRET_BYTES, secret_of

MOST_WEBHOOKS = 100
BOTH_SIGN = timedelta(hours=24)
"""After a change of the secret the old one signs too for so long."""


class WebhookSecrets:
    """Makes, seals and opens the secrets."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    def make(self, webhook_id: str) -> tuple[str, str]:
        """A new secret, and as it is stored."""
        secret = secret_of(os.urandom(SECRET_BYTES))
        return secret, self._ring.encrypt(secret, _place(webhook_id))

    def open(self, row: Row[Any]) -> str:
        """Raises SecretUnreadableError."""
        return self._ring.decrypt(row.secret, _place(row.id))

    def signing(self, row: Row[Any], at: datetime) -> list[str]:
        """Secrets that sign at this time, the newest first. Raises SecretUnreadableError."""
        former = row.previous_secret if row.previous_until is not None and at < row.previous_until else None
        return [self.open(row), *([self._ring.decrypt(former, _place(row.id))] if former else [])]


def _place(webhook_id: str) -> str:
    return f"webhook:{webhook_id}:secret"


async def list_webhooks(conn: AsyncConnection, after: tuple[datetime, str] | None, limit: int) -> Sequence[Row[Any]]:
    """Newest first."""
    query = select(webhooks).order_by(webhooks.c.created_at.desc(), webhooks.c.id.desc()).limit(limit)
    if after is not None:
        query = query.where(tuple_(webhooks.c.created_at, webhooks.c.id) < tuple_(*after))
    return (await conn.execute(query)).all()


async def get_webhook(conn: AsyncConnection, webhook_id: str, *, lock: bool = False) -> Row[Any]:
    """Raises ProblemError 404."""
    query = select(webhooks).where(webhooks.c.id == webhook_id.replace("\x00", ""))
    row = (await conn.execute(query.with_for_update() if lock else query)).first()
    if row is None:
        raise not_found("webhook", webhook_id)
    return row


async def add_webhook(conn: AsyncConnection, values: Mapping[str, Any]) -> bool:
    """Whether it is new. Raises ProblemError 409 where there are too many already."""
    count = await conn.scalar(select(func.count()).select_from(webhooks).where(webhooks.c.id != values["id"]))
    if (count or 0) >= MOST_WEBHOOKS:
        raise ProblemError(409, "Too many webhooks", f"There are {MOST_WEBHOOKS} webhooks already; delete one that is not needed.")
    statement = insert(webhooks).values(**values).on_conflict_do_nothing(index_elements=["id"]).returning(webhooks.c.id)
    return await conn.scalar(statement) is not None


async def change_webhook(conn: AsyncConnection, webhook_id: str, values: Mapping[str, Any]) -> None:
    """Nothing changes without values."""
    if values:
        changed = {**values, "version": webhooks.c.version + 1}
        await conn.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(changed))


async def delete_webhook(conn: AsyncConnection, webhook_id: str) -> None:
    await conn.execute(delete(webhooks).where(webhooks.c.id == webhook_id))


async def enabled_webhooks(conn: AsyncConnection) -> Sequence[Row[str, list[str]]]:
    """Those that are told, kept from being deleted until the transaction ends."""
    query = select(webhooks.c.id, webhooks.c.types).where(webhooks.c.enabled).order_by(webhooks.c.id).limit(MOST_WEBHOOKS)
    return (await conn.execute(query.with_for_update(read=True, key_share=True))).all()


async def note_success(conn: AsyncConnection, webhook_id: str) -> None:
    await conn.execute(
        update(webhooks).where(webhooks.c.id == webhook_id, webhooks.c.failing_since.is_not(None)).values(failing_since=None)
    )


async def note_failure(conn: AsyncConnection, webhook_id: str, at: datetime) -> Row[datetime | None, bool] | None:
    """Returns since when it only failed, and whether it is still switched on; None where it was deleted meanwhile."""
    since = func.coalesce(webhooks.c.failing_since, at)
    statement = update(webhooks).where(webhooks.c.id == webhook_id).values(failing_since=since)
    return (await conn.execute(statement.returning(webhooks.c.failing_since, webhooks.c.enabled))).first()
