"""An SMTP server that keeps every mail it accepted."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Final, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.kit.mail import parse
from tests.kit.ports import free_port

ROUNDS: Final = 10


@dataclass(frozen=True)
class Accepted:
    """One accepted DATA."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        return parse(self.raw)


class ClosingController(Controller):
    """Closes what clients left open, which aiosmtpd's own leaves to the garbage collector."""

    def factory(self) -> SMTP:
        made = cast("SMTP", super().factory())  # type: ignore[no-untyped-call]  # aiosmtpd is half typed
        self.dialogues.append(made)
        return made

    def start(self) -> None:
        self.dialogues: list[SMTP] = []
        super().start()

    def stop(self, no_assert: bool = False) -> None:
        asyncio.run_coroutine_threadsafe(self._hang_up(), self.loop).result(5)
        super().stop(no_assert)

    async def _hang_up(self) -> None:
        """Take no more connections, and give those just taken a few rounds of the loop to become dialogues that can be cut."""
        if isinstance(self.server, asyncio.Server):
            self.server.close()
        for _ in range(ROUNDS):
            for dialogue in self.dialogues:
                if isinstance(dialogue.transport, asyncio.WriteTransport):
                    dialogue.transport.abort()
            await asyncio.sleep(0)


@dataclass
class SmtpSink:
    """Start it, give `port` to the sender under test, read `accepted`."""

    accepted: list[Accepted] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    _controller: ClosingController | None = None

    def start(self) -> None:
        self._controller = ClosingController(self, hostname="127.0.0.1", port=self.port, ready_timeout=10)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        """Called by aiosmtpd at the end of DATA."""
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        self.accepted.append(Accepted(envelope.mail_from or "", list(envelope.rcpt_tos), content))
        return "250 kept"
