"""A scripted IMAP server for what real ones do not do on demand: it answers by what a test tells it, and keeps what it was sent."""

from __future__ import annotations

import socketserver
from collections.abc import Callable, Iterable
from contextlib import suppress

from tests.kit.serving import Serving, TcpServer

Answer = Callable[[str, str, str], Iterable[bytes] | None]
"""(tag, command, arguments) → lines to send, perhaps without end; None to cut the connection."""


class ScriptedImap(Serving):
    """One thread per connection; `received` holds every line of every client."""

    def __init__(self, answer: Answer, greeting: bytes | None = b"* OK ready", capability: str = "IMAP4rev1") -> None:
        self.received: list[str] = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = 30

            def handle(self) -> None:
                with suppress(OSError):  # clients hang up when they have enough
                    self.talk()

            def talk(self) -> None:
                if greeting is not None:
                    self.wfile.write(greeting + b"\r\n")
                while line := self.rfile.readline():
                    outer.received.append(line.decode(errors="replace").strip())
                    tag, _, rest = outer.received[-1].partition(" ")
                    command, _, arguments = rest.partition(" ")
                    if command.upper() == "CAPABILITY":
                        answers: Iterable[bytes] | None = [f"* CAPABILITY {capability}".encode(), f"{tag} OK done".encode()]
                    elif command.upper() == "LOGOUT":
                        answers = [b"* BYE", f"{tag} OK done".encode()]
                    else:
                        answers = answer(tag, command.upper(), arguments)
                    if answers is None:
                        return
                    for one in answers:
                        self.wfile.write(one + b"\r\n")

        self._server = TcpServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])


def ok(tag: str, _command: str, _arguments: str) -> list[bytes] | None:
    """Says yes to everything."""
    return [f"{tag} OK done".encode()]


class Folder:
    """An INBOX whose mails may be bad: `None` cuts the connection when that UID's body is asked for."""

    def __init__(self, mails: dict[int, bytes | None], uid_validity: int = 7) -> None:
        self.mails = mails
        self.uid_validity = uid_validity

    def __call__(self, tag: str, command: str, arguments: str) -> list[bytes] | None:
        done = f"{tag} OK done".encode()
        if command in {"SELECT", "EXAMINE"}:
            exists, following = len(self.mails), max(self.mails, default=0) + 1
            lines = [f"* {exists} EXISTS", f"* OK [UIDVALIDITY {self.uid_validity}] ok", f"* OK [UIDNEXT {following}] ok"]
            return [*(line.encode() for line in lines), f"{tag} OK [READ-WRITE]".encode()]
        if command == "UID" and arguments.upper().startswith("SEARCH"):
            return [b"* SEARCH " + " ".join(map(str, sorted(self.mails))).encode(), done]
        if command == "UID" and arguments.upper().startswith("FETCH"):
            return self._fetch(done, arguments)
        return [done]

    def _fetch(self, done: bytes, arguments: str) -> list[bytes] | None:
        _, uids, items = arguments.split(" ", 2)
        answers: list[bytes] = []
        for number, uid in enumerate(sorted(self.mails), 1):
            if str(uid) not in uids.split(","):
                continue
            raw = self.mails[uid]
            if "RFC822.SIZE" in items.upper():
                size = len(raw or b"")
                answers.append(f'* {number} FETCH (UID {uid} RFC822.SIZE {size} INTERNALDATE "20-Nov-2026 10:00:00 +0000")'.encode())
            elif raw is None:
                return None
            else:
                answers.append(f"* {number} FETCH (UID {uid} BODY[] {{{len(raw)}}}\r\n".encode() + raw + b")")
        return [*answers, done]
