"""Tickets as the API reads and changes them. Changes of one row are guarded by its lock; versions rise with each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, cast, func, literal, or_, select, update
from sqlalchemy import Text as TextType
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.http import not_found
from tickets.adapters.tables import messages, records, tickets
from tickets.domain.keys import MAX_BIGINT
from tickets.domain.labels import tag_key


@dataclass(frozen=True)
class Filter:
    """What a list shows; None does not restrict. Deleted tickets are never listed."""

    q: str | None = None
    status: str | None = None
    source: str | None = None
    scanner_id: str | None = None
    contact_id: str | None = None
    assignee: str | None = None
    tag: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        exact = {
            "status": self.status,
            "source": self.source,
            "scanner_id": self.scanner_id,
            "contact_id": self.contact_id,
            "assignee": self.assignee and self.assignee.lower(),
        }
        found: list[ColumnElement[bool]] = [
            tickets.c[name] == value.replace("\x00", "") for name, value in exact.items() if value is not None
        ]
        if self.tag is not None:
            found.append(tickets.c.tags.contains([tag_key(self.tag.replace("\x00", ""))]))
        words = (self.q or "").replace("\x00", "").strip()
        return [*found, *([_contains(words)] if words else []), tickets.c.deleted_at.is_(None)]


def _contains(words: str) -> ColumnElement[bool]:
    """In title or sender, or equal to the number."""
    number = words.removeprefix("#")
    matches = [tickets.c.title.icontains(words, autoescape=True), tickets.c.sender.icontains(words, autoescape=True)]
    return or_(*matches, cast(tickets.c.id, TextType) == number)


def _selected() -> Select[Any]:
    count = select(func.count()).where(messages.c.ticket_id == tickets.c.id).scalar_subquery()
    columns: list[Any] = [tickets, records.c.name.label("contact_name"), count.label("message_count")]
    return select(*columns).outerjoin(records, records.c.id == tickets.c.contact_id)


async def list_tickets(conn: AsyncConnection, wanted: Filter, before: int | None, limit: int) -> Sequence[Row[Any]]:
    """Newest first, those with numbers below `before`."""
    query = _selected().where(*wanted.conditions()).order_by(tickets.c.id.desc()).limit(limit)
    rows: Sequence[Row[Any]] = (await conn.execute(query if before is None else query.where(tickets.c.id < before))).all()
    return rows


async def get_ticket(conn: AsyncConnection, ticket_id: int) -> Row[Any]:
    """Raises ProblemError 404, also for numbers no ticket can have."""
    row: Row[Any] | None = None
    if 0 < ticket_id <= MAX_BIGINT:
        row = (await conn.execute(_selected().where(tickets.c.id == ticket_id))).first()
    if row is None:
        raise not_found("ticket", ticket_id)
    return row


async def lock_ticket(conn: AsyncConnection, ticket_id: int) -> Row[Any]:
    """The row, locked for change. Raises ProblemError 404."""
    row = None
    if 0 < ticket_id <= MAX_BIGINT:
        row = (await conn.execute(select(tickets).where(tickets.c.id == ticket_id).with_for_update(key_share=True))).first()
    if row is None:
        raise not_found("ticket", ticket_id)
    return row


async def change_ticket(conn: AsyncConnection, ticket_id: int, values: Mapping[str, Any]) -> int:
    """Set the values; returns the new version."""
    raised = {"version": tickets.c.version + literal(1), "updated_at": func.now()}
    statement = update(tickets).where(tickets.c.id == ticket_id).values({**values, **raised}).returning(tickets.c.version)
    return int(await conn.scalar(statement) or 0)


async def insert_ticket(conn: AsyncConnection, values: Mapping[str, Any]) -> tuple[int, bool]:
    """Number of the ticket with this `idempotency_id`, and whether it was made now."""
    statement = insert(tickets).values(values).on_conflict_do_nothing(index_elements=[tickets.c.idempotency_id])
    made = await conn.scalar(statement.returning(tickets.c.id))
    if made is not None:
        return int(made), True
    return int(await conn.scalar(select(tickets.c.id).where(tickets.c.idempotency_id == values["idempotency_id"])) or 0), False
