"""Lists of tickets: what they show, newest first, page by page, in a time that does not depend on how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from tickets.adapters.tables import tickets
from tickets.adapters.ticket_search import Found, search, sought
from tickets.adapters.ticket_store import selected
from tickets.domain.keys import MAX_BIGINT
from tickets.domain.labels import assignee_key, tag_key
from tickets.domain.search_document import filter_mark
from tickets.domain.search_query import number_sought, terms_of

STATUSES: Final = ("open", "in_progress", "waiting", "closed")
WALKED: Final = ({"scanner_id"}, {"assignee"}, {"contact_id"}, {"source"})
"""Filters that one index walks from the newest ticket on, alone or with a status; any others are found by the search."""


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
    attention: bool | None = None

    def values(self) -> dict[str, str | None]:
        """Columns of one value, as they are stored, with what they must be."""
        names = ("source", "scanner_id", "contact_id", "priority", "category")
        given = {name: _plain(value) for name in names if (value := getattr(self, name)) is not None}
        assignee = {"assignee": key} if (key := assignee_key(_plain(self.assignee or ""))) else {}
        return {**given, **({"assignee": None} if self.nobody else assignee)}

    def tag_key(self) -> str | None:
        """The tag as it is stored."""
        return None if self.tag is None else tag_key(_plain(self.tag))

    def statuses(self) -> tuple[str, ...]:
        """Each once; none where all are shown."""
        chosen = tuple(status for status in STATUSES if status in self.status)
        return () if chosen == STATUSES else chosen or self.status


@dataclass(frozen=True)
class Listed:
    """A page of a list, and the number below which the next one begins; None after the last."""

    rows: Sequence[Row[Any]]
    next: int | None


async def list_tickets(conn: AsyncConnection, wanted: Filter, before: int | None, limit: int) -> Listed:
    """Newest first, those with numbers below `before`; the ticket whose number is sought comes before all.

    A search for what is nowhere near goes on from page to page: one may be short, or empty, and not the last.
    """
    typed = _plain(wanted.q or "")
    number = number_sought(typed)
    first = await _listed(conn, wanted, number) if number else None
    found = await _numbers(conn, wanted, typed, before, limit + 2)
    numbers = [one for one in found.numbers if one != first]
    numbers = [first, *numbers] if first is not None and before is None else numbers
    return await _page(conn, numbers, found, first, limit)


async def _page(conn: AsyncConnection, numbers: Sequence[int], found: Found, first: int | None, limit: int) -> Listed:
    shown = numbers[:limit]
    rows = {row.id: row for row in await conn.execute(selected().where(tickets.c.id.in_(shown)))} if shown else {}
    ordered = [rows[number] for number in shown if number in rows]
    if len(numbers) > limit:
        return Listed(ordered, shown[-1] if shown[-1] != first else MAX_BIGINT)
    return Listed(ordered, found.low if found.low > 1 else None)


async def _listed(conn: AsyncConnection, wanted: Filter, number: int) -> int | None:
    """The number, where its ticket is shown by the filters."""
    return await conn.scalar(select(tickets.c.id).where(tickets.c.id == number, *_conditions(wanted)))


async def _numbers(conn: AsyncConnection, wanted: Filter, typed: str, before: int | None, limit: int) -> Found:
    terms = terms_of(typed)
    if not terms and typed.strip():
        return Found([], 1)
    if not terms and wanted.tag is None and _is_walked(wanted):
        return await _walk(conn, wanted, before, limit)
    return await search(conn, await sought(conn, terms, _conditions(wanted), _marks(wanted)), before, limit)


def _is_walked(wanted: Filter) -> bool:
    others = set(wanted.values())
    return not others if wanted.attention else not others or others in WALKED


async def _walk(conn: AsyncConnection, wanted: Filter, before: int | None, limit: int) -> Found:
    """By the index of the one filter; each status is walked by itself, since an index gives only one in order."""
    below = MAX_BIGINT if before is None else before
    one_by_one = wanted.statuses() or (STATUSES if wanted.values() or wanted.attention else ())
    conditions = [*_conditions(wanted, statuses=False), tickets.c.id < below]
    walks = [select(tickets.c.id).where(*conditions, tickets.c.status == status) for status in one_by_one] or [
        select(tickets.c.id).where(*conditions)
    ]
    newest = [walk.order_by(tickets.c.id.desc()).limit(limit).subquery() for walk in walks]
    together = union_all(*[select(walk.c.id) for walk in newest]).subquery()
    numbers = (await conn.execute(select(together.c.id).order_by(together.c.id.desc()).limit(limit))).scalars().all()
    return Found(list(numbers), 1)


def _conditions(wanted: Filter, *, statuses: bool = True) -> list[ColumnElement[bool]]:
    """All but the words."""
    found: list[ColumnElement[bool]] = [
        tickets.c[name].is_(None) if value is None else tickets.c[name] == value for name, value in wanted.values().items()
    ]
    if statuses and wanted.statuses():
        found.append(tickets.c.status.in_(wanted.statuses()))
    if wanted.attention is not None:
        found.append(tickets.c.attention.is_not(None) if wanted.attention else tickets.c.attention.is_(None))
    if (tag := wanted.tag_key()) is not None:
        found.append(tickets.c.tags.contains([tag]))
    return [*found, tickets.c.deleted_at.is_(None), tickets.c.merged_into.is_(None)]


def _marks(wanted: Filter) -> list[str]:
    """What narrows the index's work. Several statuses are left to the conditions."""
    tag, statuses = wanted.tag_key(), wanted.statuses()
    found = [filter_mark(name, value) for name, value in wanted.values().items()]
    found += [filter_mark("status", statuses[0])] if len(statuses) == 1 else []
    return found + ([filter_mark("tag", tag)] if tag is not None else [])


def _plain(text: str) -> str:
    """As Postgres takes it: without NUL and halves of surrogate pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
