"""The notifier over HTTP: SMTP identities and the outgoing ledger, by the public API's own paths and bodies."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Query, Response
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters import ledger
from notifier.adapters.senders import Senders, shown
from notifier.adapters.smtp import Connection, Patience, ServerProblemError
from notifier.domain.headers import mailbox
from shared.api import NOT_OFFERED, Outgoing, Page, Sender, SenderIn, SenderPatch, TestResult
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
    strip_none,
    with_etag,
)
from shared.messaging.outbox import Outbox
from shared.secrets import SecretUnreadableError


class _SendersApi:
    def __init__(self, outbox: Outbox, senders: Senders, patience: Patience) -> None:
        self._outbox = outbox
        self._senders = senders
        self._patience = patience

    async def list(self, limit: Limit = 50, cursor: Cursor = None) -> Page[Sender]:
        after = decode_cursor(cursor, 2)
        async with self._outbox.engine.connect() as conn:
            rows = await self._senders.page(conn, (str(after[0]), str(after[1])) if after else None, limit + 1)
        return page([shown(row) for row in rows], limit, lambda sender: (sender.name, sender.id))

    async def create(self, body: SenderIn, response: Response, actor: Actor, key: IdempotencyKey = None) -> Sender:
        """The same key gives the same identity, once."""
        sender_id = derived_id("idempotency", actor, key) if key else str(uuid4())
        values = _clean(body.model_dump(mode="json", exclude={"password", *NOT_OFFERED}))
        _check(values)
        async with self._outbox.transaction() as unit:
            await self._senders.create(unit.conn, sender_id, values, body.password)
            await ledger.wake(unit.conn)
            row = await self._row(unit.conn, sender_id)
        with_etag(response, row.version)
        response.headers["Location"] = f"/api/v1/senders/{sender_id}"
        return shown(row)

    async def get(self, sender_id: str, response: Response) -> Sender:
        async with self._outbox.engine.connect() as conn:
            row = await self._row(conn, sender_id)
        with_etag(response, row.version)
        return shown(row)

    async def change(self, sender_id: str, body: SenderPatch, response: Response, if_match: IfMatch = None) -> Sender:
        values = _clean(strip_none(body.model_dump(mode="json", exclude={"password", *NOT_OFFERED})))
        async with self._outbox.transaction() as unit:
            row = await self._row(unit.conn, sender_id, lock=True)
            check_if_match(if_match, row.version)
            _check(shown(row).model_dump(mode="json", exclude=set(NOT_OFFERED)) | values)
            await self._senders.change(unit.conn, sender_id, values, body.password)
            await ledger.wake(unit.conn)
            row = await self._row(unit.conn, sender_id)
        with_etag(response, row.version)
        return shown(row)

    async def remove(self, sender_id: str, if_match: IfMatch = None) -> None:
        async with self._outbox.engine.begin() as conn:
            row = await self._row(conn, sender_id, lock=True)
            check_if_match(if_match, row.version)
            users = await self._senders.users(conn, sender_id)
            if users:
                names = ", ".join(users)
                raise ProblemError(409, "Mailboxes answer through it", f"Choose another SMTP identity first for: {names}.", scanners=users)
            await self._senders.remove(conn, sender_id)

    async def test(self, sender_id: str) -> TestResult:
        """Connects, encrypts and logs in; no mail is sent."""
        async with self._outbox.engine.connect() as conn:
            row = await self._row(conn, sender_id)
        try:
            connection = Connection(self._senders.server(row), self._patience)
        except SecretUnreadableError as error:
            return TestResult(ok=False, message=str(error))
        try:
            await connection.connect()
        except ServerProblemError as error:
            return TestResult(ok=False, message=str(error), steps=[*connection.steps, *connection.transcript])
        finally:
            await connection.quit()
        return TestResult(ok=True, message=f"{row.server} takes mails of {row.name}", steps=connection.steps)

    async def _row(self, conn: AsyncConnection, sender_id: str, *, lock: bool = False) -> Row[Any]:
        row = await self._senders.get(conn, sender_id, lock=lock)
        if row is None:
            raise not_found("sender", sender_id)
        return row


def senders_router(outbox: Outbox, senders: Senders, patience: Patience) -> APIRouter:
    """`/senders`."""
    api = _SendersApi(outbox, senders, patience)
    router = APIRouter(prefix="/senders")
    router.add_api_route("", api.list, methods=["GET"])
    router.add_api_route("", api.create, methods=["POST"], status_code=201)
    router.add_api_route("/{sender_id}", api.get, methods=["GET"])
    router.add_api_route("/{sender_id}", api.change, methods=["PATCH"])
    router.add_api_route("/{sender_id}", api.remove, methods=["DELETE"], status_code=204)
    router.add_api_route("/{sender_id}/test", api.test, methods=["POST"])
    return router


class _OutgoingApi:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def list(
        self,
        limit: Limit = 50,
        cursor: Cursor = None,
        ticket_id: Annotated[int | None, Query(ge=1, le=2**62)] = None,
        state: Annotated[str | None, Query(max_length=20)] = None,
    ) -> Page[Outgoing]:
        """Newest first."""
        after = decode_cursor(cursor, 1)
        before = _position(after[0]) if after else None
        async with self._outbox.engine.connect() as conn:
            rows, people = await ledger.page(conn, ticket_id=ticket_id, state=state, before=before, limit=limit + 1)
        positions = {row.id: row.position for row in rows}
        return page([_outgoing(row, people[row.id]) for row in rows], limit, lambda item: (positions[item.id],))

    async def get(self, outgoing_id: str) -> Outgoing:
        async with self._outbox.engine.connect() as conn:
            return await self._shown(conn, outgoing_id)

    async def retry(self, outgoing_id: str) -> Outgoing:
        """Another try now for whom it has not reached. A mail being sent, sent to all or cancelled is left alone (409)."""
        async with self._outbox.transaction() as unit:
            row = await ledger.known(unit.conn, outgoing_id)
            if row is None:
                raise not_found("outgoing mail", outgoing_id)
            if row.state not in {"failed", "delayed", "queued"}:
                raise ProblemError(409, "Nothing to retry", f"The mail is {row.state}; only a failed or delayed one is tried again.")
            await ledger.try_again(unit, row)
            return await self._shown(unit.conn, outgoing_id)

    @staticmethod
    async def _shown(conn: AsyncConnection, outgoing_id: str) -> Outgoing:
        row = await ledger.known(conn, outgoing_id, lock=False)
        if row is None:
            raise not_found("outgoing mail", outgoing_id)
        return _outgoing(row, [one.address for one in await ledger.recipients_of(conn, [outgoing_id])])


def outgoing_router(outbox: Outbox) -> APIRouter:
    """`/outgoing`."""
    api = _OutgoingApi(outbox)
    router = APIRouter(prefix="/outgoing")
    router.add_api_route("", api.list, methods=["GET"])
    router.add_api_route("/{outgoing_id}", api.get, methods=["GET"])
    router.add_api_route("/{outgoing_id}/retry", api.retry, methods=["POST"])
    return router


def _outgoing(row: Row[Any], recipients: list[str]) -> Outgoing:
    return Outgoing(
        id=row.id,
        ticket_id=row.ticket_id,
        message_id=row.message_id,
        subject=row.subject,
        recipients=recipients,
        state=row.state,
        tries=row.tries,
        next_try_at=row.next_try_at,
        last_error=row.last_error,
        sent_at=row.sent_at,
        created_at=row.created_at,
    )


def _position(value: Any) -> int:
    if not isinstance(value, int):
        raise ProblemError(400, "Not a cursor of this list", "Use the `next` of the page before, unchanged.")
    return value


def _clean(values: dict[str, Any]) -> dict[str, Any]:
    """Postgres' text takes no NUL."""
    return {name: value.replace("\x00", "") if isinstance(value, str) else value for name, value in values.items()}


def _check(values: dict[str, Any]) -> None:
    """What the model alone cannot tell. Raises ProblemError 422."""
    for name in ("address", "reply_to"):
        if values[name] and mailbox(values[name]) is None:
            raise ProblemError(422, "Not a mail address", f"{name}: {values[name]!r} is no address that mail can be sent from.")
    if values["auth"] == "password" and not values["username"]:
        raise ProblemError(422, "A user name is missing", "username: auth `password` needs one; auth `none` logs in nowhere.")
