"""Numbers of the tickets that words and filters find, newest first, with bounded work whatever is sought.

An inverted index finds all matches of a common word before the newest fifty can be told. So the search goes back in steps: the newest
tickets are read one by one, which fills a page where the words are common; then comes one block of 65,536 numbers, of which the index
gives few where they are not; then larger blocks, up to a million, where they are rare. Where a large block holds more than can be sorted at
a glance, the steps begin anew with a small one. A ticket has the marks of its blocks among its words, so the index itself keeps to them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, bindparam, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY, TSVECTOR
from sqlalchemy.ext.asyncio import AsyncConnection

from tickets.adapters.search_store import stems_of
from tickets.adapters.tables import ticket_search, tickets
from tickets.domain.search_document import BLOCKS, Stems, block_mark
from tickets.domain.search_query import Term, query_of, telling, words_to_stem

READ_ONE_BY_ONE: Final = 2048
LARGE_LIMIT: Final = 4000
MAX_STEPS: Final = 32
"""Looks at the index for one page. The next page goes on from there; this one may be short, or empty."""


@dataclass(frozen=True)
class Sought:
    """Words, and filters: as conditions on tickets, and as marks that narrow what the index finds."""

    terms: Sequence[Term]
    stems: Stems
    conditions: Sequence[ColumnElement[bool]]
    marks: Sequence[str]


@dataclass(frozen=True)
class Found:
    """Numbers, newest first, and the number below which nothing was looked at; 1 at the end."""

    numbers: list[int]
    low: int


async def sought(conn: AsyncConnection, terms: Sequence[Term], conditions: Sequence[ColumnElement[bool]], marks: Sequence[str]) -> Sought:
    """With the stems of the words, without words that say nothing."""
    stemmed = await stems_of(conn, words_to_stem(terms))
    return Sought(telling(terms, stemmed.empty), stemmed.stems, conditions, marks)


async def search(conn: AsyncConnection, what: Sought, below: int | None, limit: int) -> Found:
    """The newest `limit` numbers below `below`."""
    newest = await conn.scalar(select(func.max(tickets.c.id))) or 0
    top = newest + 1 if below is None else min(below, newest + 1)
    found = await _one_by_one(conn, what, top, limit)
    return await _by_index(conn, what, found, limit)


async def _one_by_one(conn: AsyncConnection, what: Sought, top: int, limit: int) -> Found:
    low = max(top - READ_ONE_BY_ONE, 1)
    query = select(tickets.c.id).where(tickets.c.id >= low, tickets.c.id < top, *what.conditions)
    if what.terms:
        matches = func.coalesce(ticket_search.c.words, cast(literal(""), TSVECTOR)).bool_op("@@")(
            _tsquery(query_of(what.terms, what.stems, ()))
        )
        query = query.join(ticket_search, ticket_search.c.ticket_id == tickets.c.id)
        query = query.where(ticket_search.c.ticket_id >= low, ticket_search.c.ticket_id < top, matches)
    numbers = (await conn.execute(query.order_by(tickets.c.id.desc()).limit(limit))).scalars().all()
    return Found(list(numbers), low)


async def _by_index(conn: AsyncConnection, what: Sought, found: Found, limit: int) -> Found:
    """On from what was read one by one."""
    numbers, low, size = found.numbers, found.low, 0
    for _ in range(MAX_STEPS):
        if len(numbers) >= limit or low <= 1:
            break
        bits = BLOCKS[size]
        more = await (_large if size else _small)(conn, what, bits, low, limit - len(numbers))
        if more is None:
            size = 0
            continue
        numbers, low, size = [*numbers, *more], max((low - 1) >> bits << bits, 1), min(size + 1, len(BLOCKS) - 1)
    return Found(numbers, numbers[-1] if len(numbers) >= limit else low)


async def _small(conn: AsyncConnection, what: Sought, bits: int, low: int, limit: int) -> Sequence[int]:
    """In the block below `low`; Postgres sorts what its index finds there."""
    matches = _matches(what, bits, low).cte("matches").prefix_with("materialized", dialect="postgresql")
    query = select(tickets.c.id).join(matches, matches.c.ticket_id == tickets.c.id).where(*what.conditions)
    return (await conn.execute(query.order_by(tickets.c.id.desc()).limit(limit))).scalars().all()


async def _large(conn: AsyncConnection, what: Sought, bits: int, low: int, limit: int) -> Sequence[int] | None:
    """In the block below `low`; None where the index finds too many there."""
    matches = (await conn.execute(_matches(what, bits, low).limit(LARGE_LIMIT + 1))).scalars().all()
    if len(matches) > LARGE_LIMIT:
        return None
    listed = select(tickets.c.id).where(tickets.c.id == func.any(bindparam("numbers", type_=ARRAY(BigInteger))), *what.conditions)
    query = listed.order_by(tickets.c.id.desc()).limit(limit)
    return (await conn.execute(query, {"numbers": list(matches)})).scalars().all()


def _matches(what: Sought, bits: int, low: int) -> Any:
    query = query_of(what.terms, what.stems, [block_mark(bits, low - 1), *what.marks])
    words = ticket_search.c.words.bool_op("@@")(_tsquery(query))
    return select(ticket_search.c.ticket_id).where(words, ticket_search.c.ticket_id < low)


def _tsquery(query: str) -> ColumnElement[Any]:
    return cast(literal(query), TSQUERY)
