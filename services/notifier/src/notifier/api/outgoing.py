"""`/outgoing`: the ledger of mails that leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.adapters import ledger, queue
from notifier.domain.schedule import OPEN
from shared.api import Outgoing, OutgoingDetail, OutgoingRecipient, OutgoingTry, Page
from shared.archive import Archive, BlobNotFoundError
from shared.events import DeliveryState, OutgoingMode
from shared.http import Cursor, Limit, ProblemError, decode_cursor, not_found, page
from shared.messaging.outbox import Outbox

SHOWN_TRIES = 100
SAME = (
    *("id", "ticket_id", "scanner_id", "message_id", "subject", "state"),
    *("tries", "next_try_at", "last_error", "sent_at", "created_at"),
)


class _OutgoingApi:
    def __init__(self, outbox: Outbox, archive: Archive) -> None:
        self._outbox = outbox
        self._archive = archive

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

    async def get(self, outgoing_id: str) -> OutgoingDetail:
        """With its recipients and tries."""
        async with self._outbox.engine.connect() as conn:
            row = await _found(conn, outgoing_id)
            people = await ledger.recipients_of(conn, [outgoing_id])
            tries = await ledger.tries_of(conn, outgoing_id, SHOWN_TRIES)
            first = await queue.waits_for(conn, outgoing_id) if row.state in ledger.BEFORE_SENDING else None
        retryable = ledger.retry_refusal(row, people, self._outbox.clock()) is None
        return _detail(row, people, tries).model_copy(update={"waits_for": first, "retryable": retryable})

    async def raw(self, outgoing_id: str) -> Response:
        """The bytes that every try sends (message/rfc822). 409 before they are made, 410 when they were erased."""
        async with self._outbox.engine.connect() as conn:
            row = await _found(conn, outgoing_id)
        if row.mime_key is None:
            raise ProblemError(409, "Not made yet", "The mail's bytes are made when its first try begins. Ask again then.")
        try:
            data = await self._archive.get(row.mime_key)
        except BlobNotFoundError as error:
            raise ProblemError(410, "The bytes are gone", "They were erased, or are missing in the archive.") from error
        headers = {
            "Content-Disposition": f'attachment; filename="{row.id}.eml"',
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox",
        }
        return Response(data, media_type="message/rfc822", headers=headers)

    async def retry(self, outgoing_id: str) -> Outgoing:
        """Another try now for whom it has not reached. Not (409) while it is sent or can be taken back, nor when all have it."""
        async with self._outbox.transaction() as unit:
            row = await _found(unit.conn, outgoing_id, lock=True)
            people = await ledger.recipients_of(unit.conn, [outgoing_id])
            if (refusal := ledger.retry_refusal(row, people, self._outbox.clock())) is not None:
                raise ProblemError(409, "Nothing to retry", refusal)
            await ledger.try_again(unit, row)
            return _outgoing(await _found(unit.conn, outgoing_id), [one.address for one in people])


def outgoing_router(outbox: Outbox, archive: Archive) -> APIRouter:
    """`/outgoing`."""
    api = _OutgoingApi(outbox, archive)
    router = APIRouter(prefix="/outgoing")
    router.add_api_route("", api.list, methods=["GET"])
    router.add_api_route("/{outgoing_id}", api.get, methods=["GET"])
    router.add_api_route("/{outgoing_id}/raw", api.raw, methods=["GET"])
    router.add_api_route("/{outgoing_id}/retry", api.retry, methods=["POST"])
    return router


async def _found(conn: AsyncConnection, outgoing_id: str, *, lock: bool = False) -> Row[Any]:
    row = await ledger.known(conn, outgoing_id, lock=lock)
    if row is None:
        raise not_found("outgoing mail", outgoing_id)
    return row


def _outgoing(row: Row[Any], recipients: Sequence[str]) -> Outgoing:
    return Outgoing(**_facts(row), recipients=list(recipients))


def _detail(row: Row[Any], people: Sequence[Row[Any]], tries: Sequence[Row[Any]]) -> OutgoingDetail:
    return OutgoingDetail(
        **_facts(row),
        recipients=[one.address for one in people],
        people=[OutgoingRecipient(address=one.address, state=DeliveryState(one.state), detail=one.detail, at=one.at) for one in people],
        history=[OutgoingTry(**{name: getattr(one, name) for name in OutgoingTry.model_fields}) for one in tries],
        aliases=row.aliases,
        made=row.mime_key is not None,
        cancellable=row.state in ledger.BEFORE_SENDING and any(one.state in OPEN for one in people),
    )


def _facts(row: Row[Any]) -> dict[str, Any]:
    """What list and page show alike."""
    facts = {name: getattr(row, name) for name in SAME}
    return facts | {"mode": OutgoingMode(row.event.get("mode", OutgoingMode.INFO))}


def _position(value: Any) -> int:
    if not isinstance(value, int):
        raise ProblemError(400, "Not a cursor of this list", "Use the `next` of the page before, unchanged.")
    return value
