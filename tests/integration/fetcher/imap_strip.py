"""A server in front of a real one that hides some of its capabilities, and keeps what it was sent."""

from __future__ import annotations

import re
import socket
import socketserver
import threading
from collections.abc import Collection
from contextlib import suppress

from tests.kit.serving import Serving, TcpServer

_COPYUID = re.compile(rb"\[COPYUID [^\]]*\] ")
_CAPABILITIES = re.compile(rb"^(?:\* CAPABILITY|\S+ OK \[CAPABILITY) [^\]\r\n]*", re.MULTILINE)


class StrippedImap(Serving):
    """In front of 127.0.0.1:`port`; `commands` holds every command line of every client.

    `cut_at` is a command at which it ends the connection. Where MOVE and UIDPLUS are hidden it tells no COPYUID either.
    """

    def __init__(self, port: int, hidden: Collection[str], cut_at: str | None = None) -> None:
        self.commands: list[str] = []
        outer, words = self, [f" {name}".encode() for name in hidden]

        class Handler(socketserver.StreamRequestHandler):
            timeout = 30

            def handle(self) -> None:
                with socket.create_connection(("127.0.0.1", port), timeout=30) as real:
                    back = threading.Thread(target=self._answers, args=(real,), daemon=True)
                    back.start()
                    while line := self.rfile.readline():
                        outer.commands.append(line.decode(errors="replace").strip())
                        if cut_at is not None and cut_at in outer.commands[-1]:
                            break
                        real.sendall(line)
                    real.shutdown(socket.SHUT_WR)
                    back.join(5)

            def _answers(self, real: socket.socket) -> None:
                with suppress(OSError), real.makefile("rb") as answers:
                    for line in answers:
                        told = _COPYUID.sub(b"", line) if {"MOVE", "UIDPLUS"} <= set(hidden) else line
                        self.wfile.write(_CAPABILITIES.sub(_without, told))

        def _without(found: re.Match[bytes]) -> bytes:
            line = found[0] + b" "
            for word in words:
                line = line.replace(word + b" ", b" ")
            return line.rstrip()

        self._server = TcpServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
