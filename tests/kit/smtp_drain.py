"""An SMTP server that takes mails as fast as it can and forgets them, as a process of its own: `python -m tests.kit.smtp_drain <port>`."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Final, cast

from tests.kit.eventually import eventually
from tests.kit.ports import free_port, listens

EHLO: Final = b"250-drain.test\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250 8BITMIME\r\n"
END: Final = b"\r\n.\r\n"


class Drain(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._buffer = b""
        self._in_mail = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(b"220 drain.test ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Called by the event loop. Answers to commands that came together leave together."""
        self._buffer += data
        answers: list[bytes] = []
        while (found := self._next()) is not None:
            answers.append(self._answer(found))
        if answers:
            self._transport.write(b"".join(answers))
        if answers and answers[-1].startswith(b"221"):
            self._transport.close()

    def _next(self) -> bytes | None:
        """The next command, or the next mail."""
        found, end, rest = self._buffer.partition(END if self._in_mail else b"\r\n")
        if not end:
            return None
        self._buffer = rest
        return found

    def _answer(self, line: bytes) -> bytes:
        if self._in_mail:
            self._in_mail = False
            return b"250 2.0.0 OK: drained\r\n"
        verb = line[:4].upper()
        if verb == b"DATA":
            self._in_mail = True
            return b"354 go ahead\r\n"
        return {b"EHLO": EHLO, b"QUIT": b"221 2.0.0 good-bye\r\n"}.get(verb, b"250 2.0.0 OK\r\n")


@contextlib.contextmanager
def draining() -> Iterator[int]:
    """The port on loopback."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "tests.kit.smtp_drain", str(port)])
    try:
        eventually(lambda: listens(port), 30)
        yield port
    finally:
        process.terminate()
        process.wait(10)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Drain, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
