"""Connections to one server, kept for the next mail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from notifier.adapters.smtp import Connection, CutShortError, HandedOverError, ServerProblemError, StaleError
from notifier.domain.extensions import Letter
from notifier.domain.schedule import Verdict
from shared.observability import get_logger
from shared.secrets import SecretUnreadableError

log = get_logger("pool")


class EnoughError(Exception):
    """The server allows no further connection beside those that are open."""


class Pool:
    """`take` a connection and `send` over it, which gives it back; or `put_back` what was not used."""

    def __init__(self, connection: Callable[[bool], Connection], *, pipelining: bool) -> None:
        self._connection = connection
        self.pipelining = pipelining
        """Turned off when the server stumbled over commands in one piece."""
        self.open = 0
        self._free: list[Connection] = []
        self._connecting = asyncio.Lock()
        self._refused: ServerProblemError | None = None

    async def take(self) -> Connection:
        """An open connection. Raises EnoughError, or ServerProblemError when there is none to be had at all."""
        while self._free:
            connection = self._free.pop()
            if connection.open:
                return connection
            self.open -= 1
        try:
            return await self._connect()
        except ServerProblemError as error:
            if self.open:
                raise EnoughError from error
            raise

    def put_back(self, connection: Connection) -> None:
        """For the next mail, when it is still good."""
        if connection.open:
            self._free.append(connection)
        else:
            connection.abort()
            self.open -= 1

    async def send(self, connection: Connection, letter: Letter, message_id: str) -> dict[str, Verdict]:
        """The dialogue; where the server had enough of the connection, over a new one. Raises ServerProblemError."""
        try:
            return await self._over(connection, letter, message_id)
        except StaleError:
            return await self._over(await self._connect(), letter, message_id)

    async def close(self) -> None:
        for connection in self._free:
            await connection.quit()

    async def _over(self, connection: Connection, letter: Letter, message_id: str) -> dict[str, Verdict]:
        try:
            return await connection.send(letter, message_id)
        except asyncio.CancelledError:
            connection.abort()
            raise
        except ServerProblemError as error:
            if connection.grouped and not isinstance(error, CutShortError | HandedOverError | StaleError) and self.pipelining:
                self.pipelining = False
                log.warning("the server's commands are sent one by one from now on", reason=str(error))
            raise
        finally:
            self.put_back(connection)

    async def _connect(self) -> Connection:
        """One after the other, so that it shows how many the server allows. Raises ServerProblemError, also for an unreadable password."""
        async with self._connecting:
            if self._refused is not None:
                raise ServerProblemError(str(self._refused))
            try:
                connection = self._connection(self.pipelining)
                await connection.connect()
            except (ServerProblemError, SecretUnreadableError) as error:
                problem = ServerProblemError(str(error))
                self._refused = None if self.open else problem
                raise problem from error
            self.open += 1
            return connection
