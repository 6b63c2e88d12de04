"""Keeps the search: every changed ticket is read anew within about a second, by whichever replica is free.

A crash leaves what was taken in the queue. A ticket whose words Postgres refuses is found by its number and filters, and stops nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.messaging.errors import is_race, is_unavailable
from shared.observability import RETRIES, SEARCH_AGE, SEARCH_WAITING, get_logger
from tickets.adapters.search_queue import read_all_again, take, waiting
from tickets.adapters.search_store import Readable, choose_languages, known_languages, readable, remove, stems_of, write
from tickets.domain.search_document import BLOCKS, block_mark, filter_mark, read_words, vector

log = get_logger("search")

AT_ONCE: Final = 50
IDLE_SECONDS: Final = 0.5
MAX_PAUSE_SECONDS: Final = 30.0
LOOK_EVERY: Final = 10
"""Rounds between two looks at the queue's length."""


class UnknownLanguageError(Exception):
    """A setting names a language that Postgres has no stems for."""


class Search:
    """The loop of one replica over the queue."""

    def __init__(self, engine: AsyncEngine, languages: str) -> None:
        self._engine = engine
        self._languages = languages.split(",")

    async def prepare(self) -> None:
        """Remember the languages; with others than before all tickets are read anew. Raises UnknownLanguageError."""
        async with self._engine.begin() as conn:
            known = {*await known_languages(conn), "simple"}
            if unknown := [name for name in self._languages if name not in known]:
                message = f"SEARCH_LANGUAGES: this Postgres does not know {', '.join(unknown)}; it knows {', '.join(sorted(known))}"
                raise UnknownLanguageError(message)
            if await choose_languages(conn, sorted(set(self._languages))):
                await read_all_again(conn)

    async def run(self) -> None:
        """For ever; ends only by UnknownLanguageError, which stops the service."""
        pause, rounds, prepared = 1.0, 0, False
        while True:
            try:
                if not prepared:
                    await self.prepare()
                    prepared = True
                done = await self.step()
                if rounds % LOOK_EVERY == 0:
                    await self._look()
            except UnknownLanguageError:
                raise
            except Exception as error:  # noqa: BLE001 -- the outermost loop: count, log, go on
                RETRIES.labels("search", type(error).__name__).inc()
                log.warning("the search waits", error=str(error)[:300], seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, MAX_PAUSE_SECONDS)
                continue
            pause, rounds = 1.0, rounds + 1
            if done < AT_ONCE:
                await asyncio.sleep(IDLE_SECONDS)

    async def step(self) -> int:
        """One batch in one transaction; how many tickets it was."""
        async with self._engine.begin() as conn:
            numbers = await take(conn, AT_ONCE)
            found = await readable(conn, numbers) if numbers else []
            await remove(conn, set(numbers) - {one.row.id for one in found})
            try:
                async with conn.begin_nested():
                    await _keep(conn, found)
            except DBAPIError as error:
                _raise_passing(error)
                await _keep_each(conn, found)
        return len(numbers)

    async def _look(self) -> None:
        async with self._engine.connect() as conn:
            count, age = await waiting(conn)
        SEARCH_WAITING.set(count)
        SEARCH_AGE.set(age)


async def _keep(conn: AsyncConnection, found: Sequence[Readable]) -> None:
    words: Mapping[int, dict[str, list[int]]] = {one.row.id: await asyncio.to_thread(read_words, one.texts()) for one in found}
    stemmed = await stems_of(conn, {word for several in words.values() for word in several if "@" not in word})
    await write(conn, {one.row.id: vector(words[one.row.id], stemmed.stems, _marks(one)) for one in found})


async def _keep_each(conn: AsyncConnection, found: Sequence[Readable]) -> None:
    """One of them is refused; it keeps its number and its filters."""
    for one in found:
        try:
            async with conn.begin_nested():
                await _keep(conn, [one])
        except DBAPIError as error:
            _raise_passing(error)
            log.warning("a ticket's words are refused", ticket=one.row.id, error=str(error.orig)[:300])
            RETRIES.labels("search-ticket", type(error).__name__).inc()
            await write(conn, {one.row.id: vector({str(one.row.id): []}, {}, _marks(one))})


def _raise_passing(error: DBAPIError) -> None:
    """What another try may get over is for the loop."""
    if is_unavailable(error) or is_race(error):
        raise error


def _marks(one: Readable) -> list[str]:
    row = one.row
    names = ("status", "source", "scanner_id", "contact_id", "assignee", "priority", "category")
    blocks = [block_mark(bits, row.id) for bits in BLOCKS]
    return [*blocks, *(filter_mark(name, getattr(row, name)) for name in names), *(filter_mark("tag", tag) for tag in row.tags)]
