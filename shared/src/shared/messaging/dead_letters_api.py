"""The dead letters of a service over HTTP: list, retry, drop, and releasing the brake."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from sqlalchemy import Row, Table, select
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.api import DeadLetter, DropRequest, Page
from shared.http import Cursor, Limit, ProblemError, decode_cursor, not_found, page
from shared.messaging.consumer import Consumer
from shared.messaging.dead_letters import DeadLetterNotFoundError
from shared.messaging.tables import MessagingTables

VALUE_PREVIEW_BYTES = 2000


class _Letters:
    """The letters of all consumers of one service."""

    def __init__(self, consumers: Sequence[Consumer[Any]], engine: AsyncEngine, table: Table) -> None:
        self._consumers = consumers
        self._engine = engine
        self._table = table

    async def list(self, limit: Limit = 50, cursor: Cursor = None, state: str = "waiting") -> Page[DeadLetter]:
        query = select(self._table).where(self._table.c.state == state).order_by(self._table.c.id).limit(limit + 1)
        after = decode_cursor(cursor, 1)
        if after is not None:
            query = query.where(self._table.c.id > after[0])
        async with self._engine.connect() as conn:
            rows = (await conn.execute(query)).all()
        return page([_shown(row) for row in rows], limit, lambda letter: (letter.id,))

    async def retry(self, letter_id: str) -> dict[str, str]:
        letters = (await self._owner(letter_id)).dead_letters
        try:
            await letters.retry(letter_id)
        except DeadLetterNotFoundError as error:
            raise not_found("waiting dead letter", letter_id) from error
        except Exception as error:
            raise ProblemError(409, "It failed again", f"{type(error).__name__}: {error}"[:1000]) from error
        return {"id": letter_id, "state": "retried"}

    async def drop(self, letter_id: str, request: DropRequest) -> dict[str, str]:
        letters = (await self._owner(letter_id)).dead_letters
        try:
            await letters.drop(letter_id, request.reason)
        except DeadLetterNotFoundError as error:
            raise not_found("waiting dead letter", letter_id) from error
        return {"id": letter_id, "state": "dropped"}

    async def release_brake(self) -> dict[str, Sequence[str]]:
        braked = [consumer for consumer in self._consumers if consumer.braked]
        for consumer in braked:
            consumer.release_brake()
        return {"released": [consumer.name for consumer in braked]}

    async def _owner(self, letter_id: str) -> Consumer[Any]:
        async with self._engine.connect() as conn:
            name = await conn.scalar(select(self._table.c.consumer).where(self._table.c.id == letter_id))
        for consumer in self._consumers:
            if consumer.name == name:
                return consumer
        raise not_found("dead letter", letter_id)


def dead_letters_router(consumers: Sequence[Consumer[Any]], engine: AsyncEngine, tables: MessagingTables) -> APIRouter:
    """Paths below `/dead-letters`; letter ids are unique across services, the console asks each."""
    letters = _Letters(consumers, engine, tables.dead_letters)
    router = APIRouter(prefix="/dead-letters")
    router.add_api_route("", letters.list, methods=["GET"])
    router.add_api_route("/release-brake", letters.release_brake, methods=["POST"])
    router.add_api_route("/{letter_id}/retry", letters.retry, methods=["POST"])
    router.add_api_route("/{letter_id}/drop", letters.drop, methods=["POST"])
    return router


def _shown(row: Row[Any]) -> DeadLetter:
    return DeadLetter(
        id=row.id,
        service=row.consumer,
        topic=row.topic,
        partition=row.partition,
        offset=row.offset,
        key=(row.key or b"").decode("utf-8", "replace"),
        headers=row.headers,
        value_preview=(row.value or b"")[:VALUE_PREVIEW_BYTES].decode("utf-8", "replace"),
        event_id=row.event_id,
        mail_id=row.mail_id,
        error=row.error,
        service_version=row.service_version,
        tries=row.tries,
        state=row.state,
        created_at=row.created_at,
    )
