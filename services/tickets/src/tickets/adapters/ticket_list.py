"""Lists of tickets: what they show, newest first, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, cast, or_
from sqlalchemy import Text as TextType
from sqlalchemy.ext.asyncio import AsyncConnection

from tickets.adapters.tables import tickets
from tickets.adapters.ticket_store import selected
from tickets.domain.labels import assignee_key, tag_key


@dataclass(frozen=True)
class Filter:
    """What a list shows; the defaults restrict nothing. Deleted tickets and those that are part of another are never listed."""

    q: str | None = None
    status: tuple[str, ...] = ()
    source: str | None = None
    scanner_id: str | None = None
    contact_id: str | None = None
    assignee: str | None = None
    nobody: bool = False
    """Only tickets without assignee."""
    tag: str | None = None
    priority: str | None = None
    category: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """All but the words."""
        exact = {
            "source": self.source,
            "scanner_id": self.scanner_id,
            "contact_id": self.contact_id,
            "assignee": assignee_key(self.assignee),
            "priority": self.priority,
            "category": self.category,
        }
        found: list[ColumnElement[bool]] = [tickets.c[name] == _plain(value) for name, value in exact.items() if value is not None]
        if self.status:
            found.append(tickets.c.status.in_([_plain(status) for status in self.status]))
        if self.nobody:
            found.append(tickets.c.assignee.is_(None))
        if self.tag is not None:
            found.append(tickets.c.tags.contains([tag_key(_plain(self.tag))]))
        return [*found, tickets.c.deleted_at.is_(None), tickets.c.merged_into.is_(None)]


@dataclass(frozen=True)
class Listed:
    """A page of a list, and the number below which the next one begins; None after the last."""

    rows: Sequence[Row[Any]]
    next: int | None


async def list_tickets(conn: AsyncConnection, wanted: Filter, before: int | None, limit: int) -> Listed:
    """Newest first, those with numbers below `before`."""
    words = _plain(wanted.q or "").strip()
    conditions = [*wanted.conditions(), *([_contains(words)] if words else [])]
    query = selected().where(*conditions).order_by(tickets.c.id.desc()).limit(limit + 1)
    rows = (await conn.execute(query if before is None else query.where(tickets.c.id < before))).all()
    return Listed(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)


def _contains(words: str) -> ColumnElement[bool]:
    """In title or sender, or equal to the number."""
    number = words.removeprefix("#")
    matches = [tickets.c.title.icontains(words, autoescape=True), tickets.c.sender.icontains(words, autoescape=True)]
    return or_(*matches, cast(tickets.c.id, TextType) == number)


def _plain(text: str) -> str:
    return text.replace("\x00", "")
