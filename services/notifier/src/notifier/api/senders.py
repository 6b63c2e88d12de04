"""`/senders`: SMTP identities of mailboxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters import ledger
from notifier.adapters.senders import Senders, shown
from notifier.api.sender_values import check, columns, fields_of
from notifier.button import TestButton
from notifier.tokens import STORE
from shared.api import Page, Sender, SenderIn, SenderPatch, SenderTestIn, TestResult
from shared.events import derived_id
from shared.http import (
    Actor,
    Cursor,
    IdempotencyKey,
    IfMatch,
    Limit,
    ProblemError,
    check_if_match,
    decode_cursor,
    not_found,
    page,
    with_etag,
)
from shared.messaging.outbox import Outbox
from shared.oauth.settings import sealed_secrets
from shared.secrets import KeyRing


class _SendersApi:
    def __init__(self, outbox: Outbox, ring: KeyRing, senders: Senders, button: TestButton) -> None:
        self._outbox = outbox
        self._ring = ring
        self._senders = senders
        self._button = button

    async def list(self, limit: Limit = 50, cursor: Cursor = None) -> Page[Sender]:
        after = decode_cursor(cursor, 2)
        async with self._outbox.engine.connect() as conn:
            rows = await self._senders.page(conn, (str(after[0]), str(after[1])) if after else None, limit + 1)
            views = await _views(conn, rows)
        return page(views, limit, lambda sender: (sender.name, sender.id))

    async def create(self, body: SenderIn, response: Response, actor: Actor, key: IdempotencyKey = None) -> Sender:
        """The same key gives the same identity, once."""
        sender_id = derived_id("idempotency", actor, key) if key else str(uuid4())
        given = body.model_dump(mode="json", exclude={"password"})
        stored, oauth = columns(given), given["oauth"]
        check(stored, has_secret=bool(oauth and oauth["client_secret"]))
        async with self._outbox.transaction() as unit:
            secrets = await sealed_secrets(unit.conn, self._ring, STORE, sender_id, None, oauth)
            if await self._senders.create(unit.conn, sender_id, stored, body.password) and oauth is not None:
                await STORE.put_secrets(unit.conn, sender_id, secrets)
            await ledger.wake(unit.conn)
            made = await self._view(unit.conn, sender_id)
        with_etag(response, made.version)
        response.headers["Location"] = f"/api/v1/senders/{sender_id}"
        return made

    async def get(self, sender_id: str, response: Response) -> Sender:
        async with self._outbox.engine.connect() as conn:
            found = await self._view(conn, sender_id)
        with_etag(response, found.version)
        return found

    async def change(self, sender_id: str, body: SenderPatch, response: Response, if_match: IfMatch = None) -> Sender:
        """The fields given. Secrets of OAuth 2.0 left out stay, unless the client or the provider is another."""
        sent = body.model_dump(mode="json", exclude={"password"}, exclude_unset=True)
        given = {name: value for name, value in sent.items() if value is not None or name == "oauth"}
        if "limits" in given and body.limits is not None:
            given["limits"] = body.limits.model_dump()
        async with self._outbox.transaction() as unit:
            row = await self._row(unit.conn, sender_id, lock=True)
            check_if_match(if_match, row.version)
            secrets = await sealed_secrets(unit.conn, self._ring, STORE, sender_id, row.oauth, given.get("oauth", row.oauth))
            stored = columns(given)
            check(fields_of(shown(row)) | stored, has_secret=bool(secrets["client_secret"]))
            await self._senders.change(unit.conn, sender_id, stored, body.password)
            if "oauth" in given:
                await STORE.put_secrets(unit.conn, sender_id, secrets)
            await ledger.wake(unit.conn)
            changed = await self._view(unit.conn, sender_id)
        with_etag(response, changed.version)
        return changed

    async def remove(self, sender_id: str, if_match: IfMatch = None) -> None:
        async with self._outbox.engine.begin() as conn:
            row = await self._row(conn, sender_id, lock=True)
            check_if_match(if_match, row.version)
            users = await self._senders.users(conn, sender_id)
            if users:
                names = ", ".join(users)
                raise ProblemError(409, "Mailboxes answer through it", f"Choose another SMTP identity first for: {names}.", scanners=users)
            await self._senders.remove(conn, sender_id)

    async def test(self, sender_id: str, body: SenderTestIn | None = None) -> TestResult:
        """Connects, encrypts and signs in; with `to` a mail is sent there."""
        async with self._outbox.engine.connect() as conn:
            row = await self._row(conn, sender_id)
            address = row.address or await self._senders.some_address(conn, sender_id)
        return await self._button.press(row, address, body.to if body else None)

    async def _row(self, conn: AsyncConnection, sender_id: str, *, lock: bool = False) -> Row[Any]:
        """Somebody's own account is nobody else's business: it is found at `/me/sender` alone."""
        row = await self._senders.get(conn, sender_id, lock=lock)
        if row is None or row.owner is not None:
            raise not_found("sender", sender_id)
        return row

    async def _view(self, conn: AsyncConnection, sender_id: str) -> Sender:
        return (await _views(conn, [await self._row(conn, sender_id)]))[0]


def senders_router(outbox: Outbox, ring: KeyRing, senders: Senders, button: TestButton) -> APIRouter:
    """`/senders`."""
    api = _SendersApi(outbox, ring, senders, button)
    router = APIRouter(prefix="/senders")
    router.add_api_route("", api.list, methods=["GET"])
    router.add_api_route("", api.create, methods=["POST"], status_code=201)
    router.add_api_route("/{sender_id}", api.get, methods=["GET"])
    router.add_api_route("/{sender_id}", api.change, methods=["PATCH"])
    router.add_api_route("/{sender_id}", api.remove, methods=["DELETE"], status_code=204)
    router.add_api_route("/{sender_id}/test", api.test, methods=["POST"])
    return router


async def _views(conn: AsyncConnection, rows: Sequence[Row[Any]]) -> list[Sender]:
    tokens = await STORE.of(conn, [row.id for row in rows])
    return [shown(row, tokens.get(row.id)) for row in rows]
