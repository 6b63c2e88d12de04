"""`/me/sender`: the SMTP account that somebody's personal answers leave by."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters import ledger
from notifier.adapters.senders import Senders, shown
from notifier.api.sender_values import check, columns
from notifier.button import TestButton
from shared.api import PersonalSender, PersonalSenderIn, SenderFields, SenderTestIn, TestResult
from shared.events import derived_id
from shared.http import Acting, Actor, ProblemError, invalid
from shared.messaging.outbox import Outbox

OWNER_CHARS = 400


class _PersonalApi:
    def __init__(self, outbox: Outbox, senders: Senders, button: TestButton) -> None:
        self._outbox = outbox
        self._senders = senders
        self._button = button

    async def get(self, actor: Actor) -> PersonalSender:
        async with self._outbox.engine.connect() as conn:
            return _view(await self._row(conn, actor))

    async def put(self, body: PersonalSenderIn, actor: Actor) -> PersonalSender:
        """All fields; a password left out stays as long as server and user name do."""
        if body.auth == "oauth2":
            raise invalid([("auth", "oauth2 is for the SMTP identities of mailboxes: use `password` or `none`")])
        if body.plus_addressing:
            raise invalid([("plus_addressing", "is for the SMTP identities of mailboxes: a personal answer names no ticket")])
        owner = actor[:OWNER_CHARS]
        stored = columns(body.model_dump(mode="json", exclude={"password"}))
        check(stored, has_secret=False)
        async with self._outbox.transaction() as unit:
            known = await self._senders.own(unit.conn, owner, lock=True)
            _check_password(body, known)
            if known is None:
                await self._senders.create(unit.conn, derived_id("personal", owner), stored | {"owner": owner}, body.password or "")
            else:
                await self._senders.change(unit.conn, known.id, stored, body.password)
            await ledger.wake(unit.conn)
            return _view(await self._row(unit.conn, actor))

    async def remove(self, actor: Actor) -> None:
        """What still waits for it leaves by the mailbox's identity. Done also where there is none: who asks twice wants the same."""
        async with self._outbox.transaction() as unit:
            known = await self._senders.own(unit.conn, actor[:OWNER_CHARS])
            if known is not None:
                await self._senders.remove(unit.conn, known.id)
                await ledger.wake(unit.conn)

    async def test(self, who: Acting, body: SenderTestIn | None = None) -> TestResult:
        """As `/senders/{id}/test`; the mail is from the account's own address, else from the caller's."""
        async with self._outbox.engine.connect() as conn:
            row = await self._row(conn, who.actor)
        return await self._button.press(row, row.address or who.address, body.to if body else None)

    async def _row(self, conn: AsyncConnection, actor: str) -> Row[Any]:
        row = await self._senders.own(conn, actor[:OWNER_CHARS])
        if row is None:
            raise ProblemError(404, "No own SMTP account", "Personal answers leave by the mailbox's SMTP server. PUT /me/sender sets one.")
        return row


def personal_router(outbox: Outbox, senders: Senders, button: TestButton) -> APIRouter:
    """`/me/sender`."""
    api = _PersonalApi(outbox, senders, button)
    router = APIRouter(prefix="/me/sender")
    router.add_api_route("", api.get, methods=["GET"])
    router.add_api_route("", api.put, methods=["PUT"])
    router.add_api_route("", api.remove, methods=["DELETE"], status_code=204)
    router.add_api_route("/test", api.test, methods=["POST"])
    return router


def _check_password(body: PersonalSenderIn, known: Row[Any] | None) -> None:
    """Raises ProblemError 422: a saved password goes to the server it was given for, and to no other."""
    if body.auth != "password" or body.password:
        return
    if known is None or known.password is None or (known.server, known.username) != (body.server, body.username):
        raise invalid([("password", "is needed: none is saved for this server and user name")])


def _view(row: Row[Any]) -> PersonalSender:
    fields = shown(row).model_dump(include=set(SenderFields.model_fields))
    return PersonalSender(**fields, id=row.id, version=row.version)
