"""What a fetcher may have open and under way at once: connections, working scans, bytes of mails in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from shared.observability import CONNECTIONS

KEPT_PART = 0.75
"""Of the connections as many may wait for news; the rest is for mailboxes that are looked at and left again."""
DOUBTFUL_PART = (1 - KEPT_PART) / 2
"""Mailboxes whose last scan failed may have as many: those that hang leave enough to those that are well."""


class _Permits:
    def __init__(self, most: int) -> None:
        self.all = asyncio.Semaphore(most)
        self.doubtful = asyncio.Semaphore(max(1, int(most * DOUBTFUL_PART)))


class Gate:
    """Connections, per fetcher and per server. Who waits, waits its turn."""

    def __init__(self, most: int, most_per_server: int) -> None:
        self._most = most
        self._most_per_server = min(most, most_per_server)
        self._everywhere = _Permits(most)
        self._servers: dict[str, _Permits] = {}
        self._kept: Counter[str] = Counter()

    async def enter(self, server: str, *, doubtful: bool = False) -> Pass:
        """Wait for a connection to be free; give the pass back by `leave`. `doubtful`: the last scan failed."""
        name = server.casefold()
        here, everywhere = self._servers.setdefault(name, _Permits(self._most_per_server)), self._everywhere
        one = Pass(name)
        # Always in this order: whoever waits further down holds only what its own kind, or its own server's, may be short of.
        if doubtful:
            await one.take(here.doubtful)
            await one.take(everywhere.doubtful)
        scarce = len(one.permits)
        await one.take(here.all)
        await one.take(everywhere.all)
        one.doubtful = one.permits[:scarce]
        CONNECTIONS.inc()
        return one

    def keep(self, one: Pass) -> bool:
        """After a scan that went well: whether the connection may stay open until the next; it is counted from then on."""
        one.prove()
        if one.kept:
            return True
        full = self._kept.total() >= self._most * KEPT_PART or self._kept[one.server] >= self._most_per_server * KEPT_PART
        if not full:
            one.kept = True
            self._kept[one.server] += 1
        return not full

    def leave(self, one: Pass) -> None:
        """The connection is closed. Once is enough, twice does no harm."""
        if not one.permits:
            return
        if one.kept:
            self._kept[one.server] -= 1
        CONNECTIONS.dec()
        one.give_back()


@dataclass
class Pass:
    """The right to one connection to a server."""

    server: str
    kept: bool = False
    permits: list[asyncio.Semaphore] = field(default_factory=list)
    doubtful: list[asyncio.Semaphore] = field(default_factory=list)
    """Those of the permits that only mailboxes whose last scan failed need."""

    async def take(self, permit: asyncio.Semaphore) -> None:
        """Cancelled meanwhile, it has given back all."""
        try:
            await permit.acquire()
        except BaseException:
            self.give_back()
            raise
        self.permits.append(permit)

    def prove(self) -> None:
        """The mailbox is well after all."""
        for permit in self.doubtful:
            self.permits.remove(permit)
            permit.release()
        self.doubtful.clear()

    def give_back(self) -> None:
        """All of it."""
        for permit in self.permits:
            permit.release()
        self.permits.clear()
        self.doubtful.clear()


class Slots:
    """Scans at work. A scan that waits long for its server lends its slot away, so that mailboxes that hang hold up no other."""

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)
        self._taking: set[asyncio.Task[Literal[True]]] = set()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Work in it."""
        async with self._free:
            yield

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[None]:
        """While waiting, within `slot`. Who is cancelled meanwhile does not wait for the slot to come back: it is taken back for it."""
        self._free.release()
        try:
            yield
            await self._free.acquire()
        except BaseException:
            taking = asyncio.ensure_future(self._free.acquire())
            self._taking.add(taking)
            taking.add_done_callback(self._taking.discard)
            raise


@dataclass
class ByteBudget:
    """Bytes of mails in memory, over all mailboxes. One mail above it passes alone."""

    most: int
    _used: int = 0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @asynccontextmanager
    async def take(self, size: int) -> AsyncIterator[None]:
        """Wait until so many bytes are free, first come, first served; they are given back at the end."""
        wanted = min(size, self.most)
        async with self._turn, self._changed:
            await self._changed.wait_for(lambda: self._used + wanted <= self.most)
            self._used += wanted
        try:
            yield
        finally:
            self._used -= wanted
            async with self._changed:
                self._changed.notify_all()
