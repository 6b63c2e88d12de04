"""An SMTP server that keeps every mail it accepted."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.kit.mail import parse
from tests.kit.ports import free_port


@dataclass(frozen=True)
class Accepted:
    """One accepted DATA."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        return parse(self.raw)


@dataclass
class SmtpSink:
    """Start it, give `port` to the sender under test, read `accepted`."""

    accepted: list[Accepted] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    _controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, ready_timeout=10)
        self._controller.start()

    def stop(self) -> None:
        if self._controller is not None:
            self._controller.stop()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's name
        """Called by aiosmtpd at the end of DATA."""
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        self.accepted.append(Accepted(envelope.mail_from or "", list(envelope.rcpt_tos), content))
        return "250 kept"
