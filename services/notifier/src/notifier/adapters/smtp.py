"""One SMTP connection, used for many mails (RFC 5321), with its last lines kept for people."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiosmtplib
from aiosmtplib.response import SMTPResponse

from notifier.domain.headers import one_line
from notifier.domain.schedule import Result, Verdict
from shared.api import SslMethod, SslType

DETAIL_CHARS = 500
TRANSCRIPT_LINES = 12
QUIT_TIMEOUT_S = 5.0
VERBS = frozenset({b"EHLO", b"HELO", b"MAIL", b"RCPT", b"RSET", b"QUIT", b"NOOP", b"STARTTLS"})
NOT_ALLOWED = frozenset({454, 530, 534, 535, 538})
"""Authentication is missing or refused (RFC 4954, 6): the identity is wrong, not the mail."""


class ServerProblemError(Exception):
    """The server could not be used at all, or the connection broke: nothing was said about the mail. Try again later."""


@dataclass(frozen=True)
class Server:
    """How to reach and enter an SMTP server."""

    host: str
    port: int
    ssl_type: SslType
    ssl_method: SslMethod
    username: str | None = None
    password: str | None = None


@dataclass(frozen=True)
class Patience:
    """Seconds to wait for each part of a dialogue."""

    connect: float
    command: float
    data: float


class Connection:
    """`connect`, then `send` as often as wanted. After a ServerProblemError it is closed and of no more use. One user at a time."""

    def __init__(self, server: Server, patience: Patience) -> None:
        self._server = server
        self._patience = patience
        self._client = _Client(server, patience)
        self.steps: list[str] = []

    @property
    def open(self) -> bool:
        return self._client.is_connected

    @property
    def transcript(self) -> list[str]:
        """The dialogue's last lines; what was sent to log in is masked."""
        return list(self._client.transcript)

    async def connect(self) -> None:
        """Connection, TLS, log-in. Raises ServerProblemError, which says what to look at."""
        server = self._server
        where = f"{server.host}:{server.port}"
        try:
            greeting = await self._step(f"connect to {where}", self._client.connect(), "is the name, the port and the SSL type right?")
            self._client.note(greeting)
            await self._step("greeting (EHLO)", self._client.ehlo(), "is this an SMTP server?")
            if server.ssl_type is SslType.STARTTLS:
                await self._step("encryption (STARTTLS)", self._client.starttls(), "does it offer STARTTLS, and is its certificate valid?")
            if server.username:
                login = self._client.login(server.username, server.password or "")
                await self._step(f"log in as {server.username}", login, "are user name and password right?")
        except ServerProblemError:
            self._client.close()
            raise

    async def send(self, sender: str, recipients: Sequence[str], data: bytes) -> dict[str, Verdict]:
        """One mail; the verdict for each recipient. Raises ServerProblemError when the dialogue broke off: nobody knows what it took."""
        client, timeout = self._client, self._patience.command
        verdicts: dict[str, Verdict] = {}
        try:
            await client.mail(sender, timeout=timeout)
            for recipient in recipients:
                try:
                    await client.rcpt(recipient, timeout=timeout)
                except aiosmtplib.SMTPRecipientRefused as error:
                    verdicts[recipient] = _verdict(error, temporary=frozenset({552}))  # too many recipients (RFC 5321, 4.5.3.1.10)
            taken = [recipient for recipient in recipients if recipient not in verdicts]
            if taken:
                response = await client.data(data, timeout=self._patience.data)
                verdicts |= dict.fromkeys(taken, Verdict(Result.SENT, _words(response.code, response.message)))
            else:
                await client.rset(timeout=timeout)
        except aiosmtplib.SMTPResponseException as error:
            return verdicts | await self._refused(error, [one for one in recipients if one not in verdicts])
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            client.close()
            raise ServerProblemError(f"{self._server.host}:{self._server.port}: {_reason(error)}") from error
        return verdicts

    async def quit(self) -> None:
        """Say good-bye when the server still listens."""
        if self.open:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await self._client.quit(timeout=QUIT_TIMEOUT_S)
        self._client.close()

    async def _refused(self, error: aiosmtplib.SMTPResponseException, recipients: Sequence[str]) -> dict[str, Verdict]:
        """MAIL or DATA was refused, for all at once."""
        if error.code in NOT_ALLOWED:
            self._client.close()
            raise ServerProblemError(f"the server wants another log-in: {_words(error.code, error.message)}") from error
        if error.code == 421:
            self._client.close()
        elif self.open:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await self._client.rset(timeout=self._patience.command)
        return dict.fromkeys(recipients, _verdict(error))

    async def _step(self, name: str, doing: Any, advice: str) -> SMTPResponse:
        try:
            response: SMTPResponse = await doing
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            self.steps.append(f"{name}: failed")
            raise ServerProblemError(f"{name} failed: {_reason(error)}; {advice}") from error
        self.steps.append(f"{name}: ok")
        return response


class _Client(aiosmtplib.SMTP):
    """aiosmtplib's client, whose dialogue is noted."""

    def __init__(self, server: Server, patience: Patience) -> None:
        super().__init__(
            hostname=server.host,
            port=server.port,
            timeout=patience.connect,
            use_tls=server.ssl_type is SslType.SSL,
            start_tls=False,  # Connection does it as a step of its own, before the log-in
            tls_context=_context(server) if server.ssl_type is not SslType.NONE else None,
        )
        self.transcript: deque[str] = deque(maxlen=TRANSCRIPT_LINES)

    def note(self, response: SMTPResponse) -> None:
        self.transcript.extend(f"S: {_words(response.code, line)}" for line in response.message.split("\n"))

    async def execute_command(self, *args: bytes, timeout: Any = None) -> SMTPResponse:  # noqa: ASYNC109 -- aiosmtplib's signature
        shown = b" ".join(args).decode("utf-8", "replace") if args[0].upper() in VERBS else _masked(args)
        self.transcript.append(f"C: {shown}")
        response = await super().execute_command(*args, timeout=timeout or self.timeout)
        self.note(response)
        return response


def _masked(args: tuple[bytes, ...]) -> str:
    """AUTH and what follows it carry the password in base64."""
    return f"AUTH {args[1].decode('ascii', 'replace')} ***" if args[0].upper() == b"AUTH" and len(args) > 1 else "***"


def _context(server: Server) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if server.ssl_method is SslMethod.NO_VALIDATE:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _verdict(error: aiosmtplib.SMTPResponseException, temporary: frozenset[int] = frozenset()) -> Verdict:
    permanent = 500 <= error.code < 600 and error.code not in temporary
    return Verdict(Result.PERMANENT if permanent else Result.TEMPORARY, _words(error.code, error.message))


def _words(code: int, message: str) -> str:
    return one_line(f"{code} {message}")[:DETAIL_CHARS]


def _reason(error: BaseException) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _words(error.code, error.message)
    if isinstance(error, asyncio.TimeoutError):
        return f"no answer in time ({one_line(str(error))[:DETAIL_CHARS]})"
    return one_line(str(error.__cause__ or error) or type(error).__name__)[:DETAIL_CHARS]
