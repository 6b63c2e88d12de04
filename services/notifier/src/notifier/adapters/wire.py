"""The lines of an SMTP connection: commands out, whole replies in, in their order and within bounds."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NoReturn, cast

from notifier.domain.replies import Reply

MAX_LINE: Final = 8 * 1024
"""RFC 5321, 4.5.3.1.5 says 512; longer ones are met."""
MAX_REPLY_LINES: Final = 100
MAX_WAITING: Final = 256 * 1024
"""Octets of replies nobody has read yet: a hundred recipients refused at length."""
CLOSING: Final = 421

_LINE: Final = re.compile(rb"(\d{3})(?:([ -])(.*))?", re.DOTALL)


class WireError(Exception):
    """The connection is of no more use; the text says what happened, in plain words."""


class Wire(asyncio.Protocol):
    """Takes over a connected transport. One user at a time; after a WireError it is closed."""

    def __init__(self, transport: asyncio.Transport, note: Callable[[str], None]) -> None:
        self._transport = transport
        self._note = note
        self._rest = bytearray()
        self._lines: deque[bytes] = deque()
        self._waiting = 0
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._lost: str | None = None
        self._whole = False
        transport.set_protocol(self)
        transport.set_write_buffer_limits(high=1, low=0)  # so that `_room` tells whether anything waits to be sent

    @property
    def open(self) -> bool:
        """Whether the next command can be sent. A server that spoke unasked says good-bye: 421, before it closes an idle connection."""
        return self._lost is None and not self._transport.is_closing() and not self._lines and not self._rest

    def write(self, commands: Sequence[bytes]) -> None:
        """Several commands in one piece (RFC 2920). Raises WireError for one that holds a line end."""
        if any(b"\r" in one or b"\n" in one or b"\0" in one for one in commands):
            self._fail("a command with a line end in it was not sent")
        self._check()
        for one in commands:
            self._note(f"C: {one.decode('utf-8', 'replace')}")
        self._transport.write(b"".join(one + b"\r\n" for one in commands))

    @property
    def handed_over(self) -> bool:
        """Whether the mail may have left to its end. Where it did not, the server has nothing it could deliver (RFC 5321, 4.1.1.4)."""
        return self._whole and self._room.is_set()

    async def content(self, blocks: Iterable[bytes], seconds: float) -> None:
        """The mail itself. Returns when the system has it, or when the server answers before that or hangs up: its reply is to be read.

        `seconds` are for each piece that leaves (RFC 5321, 4.5.3.2.5): however long a large mail takes, it goes as long as it moves.
        """
        self._check()
        self._whole = False
        for block in blocks:
            if self._lost is not None or self._lines or self._transport.is_closing():
                return
            self._transport.write(block)
            await self._taken(seconds)
        self._whole = True

    async def _taken(self, seconds: float) -> None:
        """Return when the system has all that was written, or there is something to read."""
        left = self._transport.get_write_buffer_size()
        while not self._room.is_set() and self._lost is None and not self._lines:
            self._news.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._news.wait()
            except TimeoutError:
                before, left = left, self._transport.get_write_buffer_size()
                if left >= before:
                    self._fail(f"the server took no more of the mail for {seconds:g} seconds")

    async def reply(self, seconds: float) -> Reply:
        """The next whole reply, however slowly it trickles in, within `seconds`. Raises WireError."""
        try:
            async with asyncio.timeout(seconds):
                reply = await self._reply()
        except TimeoutError:
            self._fail(f"no answer in time ({seconds:g} seconds)")
        for line in reply.text.split("\n"):
            self._note(f"S: {Reply(reply.code, line).words}")
        return reply

    def check_silence(self) -> None:
        """Raises WireError when the server answered more than it was asked: what it says next would be about something else."""
        if self._lines:
            self._fail(f"the server gives more answers than it was asked for: {_shown(self._lines[0])}")

    def close(self) -> None:
        self._lost = self._lost or "the connection is closed"
        self._transport.close()

    def abort(self) -> None:
        """Close without sending what waits to be sent: half a mail must not be followed by its end."""
        self._lost = self._lost or "the connection is closed"
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        *lines, rest = (bytes(self._rest) + data).split(b"\n")
        self._rest[:] = rest
        self._lines.extend(line.rstrip(b"\r") for line in lines)
        self._waiting += sum(map(len, lines))
        if len(rest) > MAX_LINE or self._waiting > MAX_WAITING:
            self._lost = "the server's answers do not end"
            self._transport.abort()
        self._news.set()

    def eof_received(self) -> None:
        """Called by the event loop."""
        self._lose(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._lose(exc)

    def pause_writing(self) -> None:
        """Called by the event loop."""
        self._room.clear()

    def resume_writing(self) -> None:
        """Called by the event loop."""
        self._room.set()
        self._news.set()

    def _lose(self, exc: Exception | None) -> None:
        self._lost = self._lost or (f"the connection was lost: {exc}" if exc else "the server closed the connection")
        self._news.set()

    async def _reply(self) -> Reply:
        texts: list[str] = []
        code: int | None = None
        while True:
            line = await self._line()
            found = _LINE.fullmatch(line)
            if found is None or code not in {None, int(found[1])} or len(texts) >= MAX_REPLY_LINES:
                self._fail(f"the server's answer is none: {_shown(line)}")
            code = int(found[1])
            texts.append((found[3] or b"").decode("utf-8", "replace").strip())
            if found[2] != b"-":
                return Reply(code, "\n".join(texts))

    async def _line(self) -> bytes:
        """What came before the connection was lost is read all the same."""
        while not self._lines:
            self._check()
            self._news.clear()
            await self._news.wait()
        line = self._lines.popleft()
        self._waiting -= len(line)
        return line

    def _check(self) -> None:
        if self._lost is not None:
            self._fail(self._lost)

    def _fail(self, reason: str) -> NoReturn:
        self.abort()
        raise WireError(reason)


def take_over(transport: asyncio.BaseTransport, note: Callable[[str], None]) -> Wire:
    """The connection of another protocol, which is told nothing more."""
    return Wire(cast("asyncio.Transport", transport), note)


def _shown(line: bytes) -> str:
    return repr(line[:80].decode("ascii", "replace"))
