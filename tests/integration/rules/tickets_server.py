"""Stands in for tickets: its `POST /resolutions` over real HTTP, by a simple idea of which candidate takes."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from shared.api import ResolutionsIn
from shared.events import Candidate, CommandKind, TicketCommand
from tests.kit.serving import Serving

OUTCOMES = {"create_ticket": "ticket", "link_sender": "link", "link_recipient": "link", "archive": "archived", "ignore": "ignored"}
STALL_S = 30


@dataclass
class Asked:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    commands: list[TicketCommand]


@dataclass
class Behaviour:
    """What the next requests meet: first the drops, then the status."""

    status: int = 200
    drops: int = 0
    """Connections closed without an answer."""
    stalled: bool = False
    asked: list[Asked] = field(default_factory=list)
    meanwhile: Callable[[], object] = object
    """Called before each answer, in the server's thread: what happens while tickets thinks."""
    spam: set[str] = field(default_factory=set)
    known_tickets: set[int] = field(default_factory=set)


class TicketsServer(Serving):
    """`url` is its base; `behaviour` may be changed at any time."""

    def __init__(self) -> None:
        self.behaviour = Behaviour()
        self.released = threading.Event()
        handler = type("Handler", (_Handler,), {"behaviour": self.behaviour, "released": self.released})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def asked(self) -> list[Asked]:
        """The requests so far."""
        return self.behaviour.asked


class _Handler(BaseHTTPRequestHandler):
    behaviour: Behaviour
    released: threading.Event

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.behaviour.stalled:
            self.released.wait(STALL_S)
        if self.behaviour.drops:
            self.behaviour.drops -= 1
            self.close_connection = True
            return
        commands = ResolutionsIn.model_validate_json(body).commands
        self.behaviour.asked.append(Asked(self.path, dict(self.headers.items()), body, commands))
        self.behaviour.meanwhile()
        self._answer({"items": [_resolution(command, self.behaviour) for command in commands]})

    def _answer(self, answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(self.behaviour.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class's name
        """Says nothing."""


def _resolution(command: TicketCommand, behaviour: Behaviour) -> dict[str, Any]:
    sender = command.mail.from_.address if command.mail and command.mail.from_ else ""
    if command.kind is CommandKind.OWN:
        return {"mail_id": command.mail_id, "outcome": "loop"}
    if command.kind.value in {"bounce", "receipt", "auto_reply"}:
        return {"mail_id": command.mail_id, "outcome": command.kind.value}
    if sender in behaviour.spam:
        return {"mail_id": command.mail_id, "outcome": "spam", "reason": "the sender is on the spam list"}
    for candidate in command.candidates:
        taken = _taken(candidate, behaviour)
        if taken is not None:
            return {"mail_id": command.mail_id, "rule_id": candidate.rule_id, "rule_name": candidate.rule_name, **taken}
    return {"mail_id": command.mail_id, "outcome": "unmatched", "reason": "no rule matched"}


def _taken(candidate: Candidate, behaviour: Behaviour) -> dict[str, Any] | None:
    """An update takes where its key is the number of a known ticket."""
    kind = candidate.action.type.value
    if kind != "update_ticket":
        return {"outcome": OUTCOMES[kind]}
    number = int(candidate.key) if candidate.key.isdigit() else 0
    return {"outcome": "update", "ticket_id": number} if number in behaviour.known_tickets else None
