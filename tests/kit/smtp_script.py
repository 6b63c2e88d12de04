"""An SMTP server that does as it is told, line by line: aiosmtpd would know better than to misbehave so.

`answers` holds for each point of the dialogue what is done there, one after the other; where nothing is left the server is a good one.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tests.kit.ports import free_port

Point = Literal["banner", "ehlo", "starttls", "mail", "rcpt", "data", "content", "end", "rset"]
"""`content`: between 354 and the first octet of the mail. `end`: the mail is there, its 250 is not."""

HOLD: Final = "hold"
"""Say nothing until `go_on` is called; then answer as usual."""
CLOSE: Final = "close"
"""Hang up without an answer."""
SILENT: Final = "silent"
"""Never say anything again."""

_USUAL: Final[dict[str, str]] = {
    "banner": "220 smtp.test ESMTP",
    "starttls": "454 4.7.0 no TLS today",
    "mail": "250 2.1.0 OK",
    "rcpt": "250 2.1.5 OK",
    "data": "354 go ahead",
    "end": "250 2.0.0 OK: queued",
    "rset": "250 2.0.0 OK",
}
_SLOW_OCTETS: Final = 4
_SLOW_SECONDS: Final = 0.01


@dataclass(frozen=True)
class Got:
    """A mail the server got whole, and said 250 to if `taken`."""

    sender: str
    recipients: list[str]
    data: bytes
    taken: bool
    connection: int
    at: float

    @property
    def message_id(self) -> str:
        head = self.data.decode("utf-8", "replace").split("\r\n\r\n")[0].replace("\r\n ", " ")
        return next(line.partition(":")[2].strip() for line in head.split("\r\n") if line.lower().startswith("message-id:"))


@dataclass
class SmtpScript:
    """Start it, tell it what to do in `answers`, read `mails` and `lines`. A list of answers may hold replies and the constants above."""

    extensions: tuple[str, ...] = ("PIPELINING", "SIZE 50000000", "8BITMIME", "ENHANCEDSTATUSCODES")
    port: int = field(default_factory=free_port)
    answers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    most_mails: int | None = None
    """After so many mails on a connection it says 421 to the next one."""
    most_connections: int | None = None
    """To one more it says 421 at once."""
    chokes: bool = False
    """It offers PIPELINING and hangs up on commands that come in one piece."""
    trickling: bool = False
    """A few octets at a time."""
    mails: list[Got] = field(default_factory=list)
    lines: list[tuple[int, str]] = field(default_factory=list)
    """Number of the connection and command."""
    pieces: list[bytes] = field(default_factory=list)
    """What came in at once."""
    reached: list[str] = field(default_factory=list)
    """Points at which the server holds, or held."""
    most_at_once: int = 0
    connections: int = 0

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="smtp-script", daemon=True)
        self._thread.start()
        self._server: asyncio.Server | None = None
        self._open: set[_Session] = set()
        self._released = asyncio.Event()

    def start(self) -> None:
        self._do(self._listen())

    def kill(self) -> None:
        """Every connection is cut, and none is taken until the next `start`."""
        self._do(self._cut())

    def go_on(self) -> None:
        """What is held goes on."""
        self._loop.call_soon_threadsafe(self._released.set)

    def hang_up(self) -> None:
        """Close the connections as a server does that waited too long for a command."""
        self._do(self._say_good_bye())

    def stop(self) -> None:
        self.kill()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def taken(self) -> list[Got]:
        """Mails the server is responsible for: it said 250 to them."""
        return [one for one in self.mails if one.taken]

    def commands(self, verb: str) -> list[str]:
        """All that begin so."""
        return [line for _, line in self.lines if line.upper().startswith(verb)]

    def next_answer(self, point: str) -> str | None:
        script = self.answers[point]
        return script.pop(0) if script else None

    async def hold(self, point: str) -> None:
        self._released.clear()
        self.reached.append(point)
        await self._released.wait()

    def _do(self, doing: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(doing, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = [session.task for session in self._open]
        for session in list(self._open):
            session.writer.transport.abort()
            session.task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _say_good_bye(self) -> None:
        for session in list(self._open):
            with contextlib.suppress(ConnectionError):
                await session.say("421 4.4.2 smtp.test waited too long")
            session.writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        session = _Session(self, reader, writer, self.connections, task)
        self._open.add(session)
        self.most_at_once = max(self.most_at_once, len(self._open))
        try:
            if self.most_connections is not None and len(self._open) > self.most_connections:
                await session.say("421 4.7.0 too many connections")
                return
            await session.run()
        except (ConnectionError, asyncio.CancelledError, _HungUpError):
            pass
        finally:
            self._open.discard(session)
            writer.transport.abort()


class _HungUpError(Exception):
    """Either side closed the connection."""


@dataclass(eq=False)
class _Session:
    script: SmtpScript
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    task: asyncio.Task[Any]
    buffer: bytearray = field(default_factory=bytearray)
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)
    mails: int = 0

    async def run(self) -> None:
        await self._answer("banner")
        while True:
            line = (await self._until(b"\r\n")).decode("utf-8", "surrogateescape")
            self.script.lines.append((self.number, line))
            verb = line.partition(" ")[0].upper()
            if verb == "QUIT":
                await self.say("221 2.0.0 good-bye")
                return
            await self._command(verb, line)

    async def say(self, text: str) -> None:
        data = text.encode("utf-8", "surrogateescape") + b"\r\n"
        if not self.script.trickling:
            self.writer.write(data)
        else:
            for start in range(0, len(data), _SLOW_OCTETS):
                self.writer.write(data[start : start + _SLOW_OCTETS])
                await asyncio.sleep(_SLOW_SECONDS)
        await self.writer.drain()

    async def _command(self, verb: str, line: str) -> None:
        if verb in {"EHLO", "HELO"}:
            names = ["smtp.test", *self.script.extensions] if verb == "EHLO" else ["smtp.test"]
            await self._answer("ehlo", "\r\n".join([*(f"250-{name}" for name in names[:-1]), f"250 {names[-1]}"]))
        elif verb == "MAIL":
            await self._mail(line)
        elif verb == "RCPT":
            if self.sender is None:
                await self.say("503 5.5.1 MAIL first")
            elif (await self._answer("rcpt")).startswith("250"):
                self.recipients.append(_path(line))
        elif verb == "DATA":
            await self._data()
        elif verb == "RSET":
            self._forget()
            await self._answer("rset")
        elif verb == "STARTTLS":
            await self._answer("starttls")
        else:
            await self.say("502 5.5.2 what?")

    async def _mail(self, line: str) -> None:
        if self.script.most_mails is not None and self.mails >= self.script.most_mails:
            await self.say("421 4.7.0 enough mails on this connection")
            raise _HungUpError
        if self.sender is not None:
            await self.say("503 5.5.1 one mail at a time")
        elif (await self._answer("mail")).startswith("250"):
            self.sender = _path(line)

    async def _data(self) -> None:
        if not self.recipients and not self.script.answers["data"]:
            await self.say("554 5.5.1 no valid recipients")
            return
        if not (await self._answer("data")).startswith("354"):
            return
        await self._act(self.script.next_answer("content"), "content")
        content = await self._until(b".\r\n") if not self.recipients else (await self._until(b"\r\n.\r\n")) + b"\r\n"
        plain = content.replace(b"\r\n..", b"\r\n.")
        answer = await self._usual_or_scripted("end")
        taken = answer.startswith("250") and not self.writer.transport.is_closing() and not self.reader.at_eof()
        self.script.mails.append(Got(self.sender or "", list(self.recipients), plain, taken, self.number, time.monotonic()))
        self._forget()
        self.mails += 1
        await self.say(answer)

    def _forget(self) -> None:
        self.sender = None
        self.recipients = []

    async def _answer(self, point: str, usual: str | None = None) -> str:
        answer = await self._usual_or_scripted(point, usual)
        await self.say(answer)
        if answer.startswith("421"):
            raise _HungUpError
        return answer

    async def _usual_or_scripted(self, point: str, usual: str | None = None) -> str:
        scripted = await self._act(self.script.next_answer(point), point)
        return scripted or usual or _USUAL[point]

    async def _act(self, action: str | None, point: str) -> str | None:
        if action == HOLD:
            await self.script.hold(point)
            return None
        if action == CLOSE:
            raise _HungUpError
        if action == SILENT:
            await asyncio.Event().wait()
        return action

    async def _until(self, end: bytes) -> bytes:
        """What comes before `end`."""
        while (at := self.buffer.find(end)) < 0:
            piece = await self.reader.read(65536)
            if not piece:
                raise _HungUpError
            self.script.pieces.append(piece)
            if self.script.chokes and piece.startswith(b"MAIL") and piece.count(b"\r\n") > 1:
                raise _HungUpError
            self.buffer += piece
        found = bytes(self.buffer[:at])
        del self.buffer[: at + len(end)]
        return found


def _path(line: str) -> str:
    """The address between the angle brackets."""
    return line.partition("<")[2].partition(">")[0]
