"""One SMTP connection, used for many mails (RFC 5321), with its last lines kept for people."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

import aiosmtplib
from aiosmtplib.response import SMTPResponse

from notifier.adapters.by_token import TokenSource, sign_in
from notifier.adapters.dialogue import BrokenOffError, Dialogue, HalfSentError, Times, UnknownError
from notifier.adapters.wire import Wire, WireError, take_over
from notifier.domain.extensions import Letter, Offer
from notifier.domain.headers import one_line
from notifier.domain.replies import DETAIL_CHARS, Reply, alias
from notifier.domain.schedule import Result, Verdict
from shared.api import SslMethod, SslType

TRANSCRIPT_LINES = 12
QUIT_TIMEOUT_S = 5.0
VERBS = frozenset({b"EHLO", b"HELO", b"STARTTLS"})


class ServerProblemError(Exception):
    """The server could not be used at all, or the dialogue broke off before the mail was handed over. Try again later."""


class StaleError(ServerProblemError):
    """The server had enough of a connection that was good before. Try again at once, with a new one."""


class CutShortError(ServerProblemError):
    """The connection broke in the middle of the mail: the server cannot have it. Try again later, and not too often."""


class HandedOverError(ServerProblemError):
    """The connection broke after the mail was handed over: the server may have it. Try again later, and not too often."""


@dataclass(frozen=True)
class Server:
    """How to reach and enter an SMTP server."""

    host: str
    port: int
    ssl_type: SslType
    ssl_method: SslMethod
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tokens: TokenSource | None = field(default=None, repr=False)
    """Gives access tokens, which take the password's place."""


@dataclass(frozen=True)
class Patience:
    """Seconds to wait for each part of a dialogue."""

    connect: float
    command: float
    data: float


class Connection:
    """`connect`, then `send` as often as wanted. After a ServerProblemError it is closed and of no more use. One user at a time."""

    def __init__(self, server: Server, patience: Patience, *, pipelining: bool = True) -> None:
        self._server = server
        self._patience = patience
        self._client = _Client(server, patience)
        self._pipelining = pipelining
        self._wire: Wire | None = None
        self._dialogue: Dialogue | None = None
        self._mails = 0
        self.steps: list[str] = []

    @property
    def open(self) -> bool:
        return self._wire is not None and self._wire.open

    @property
    def grouped(self) -> bool:
        """Whether the last commands were sent in one piece."""
        return self._dialogue is not None and self._dialogue.grouped

    @property
    def transcript(self) -> list[str]:
        """The dialogue's last lines; what was sent to sign in is masked."""
        return list(self._client.transcript)

    async def connect(self) -> None:
        """Connection, TLS, sign-in. Raises ServerProblemError, which says what to look at."""
        server, client = self._server, self._client
        where = f"{server.host}:{server.port}"
        try:
            client.note(await self._step(f"connect to {where}", client.connect(), "is the name, the port and the SSL type right?"))
            client.timeout = self._patience.command  # aiosmtplib has one for everything
            await self._step("greeting (EHLO)", client.greet(), "is this an SMTP server?")
            if server.ssl_type is SslType.STARTTLS:
                await self._step("encryption (STARTTLS)", client.starttls(), "does it offer STARTTLS, and is its certificate valid?")
                await self._step("greeting (EHLO)", client.greet(), "does it speak SMTP once encrypted?")
            if server.tokens is not None:
                signing_in = sign_in(client, server.host, server.port, server.username or "", server.tokens)
                await self._step(f"sign in as {server.username}", signing_in, "is the account's access still granted?")
            elif server.username:
                signing_in = client.login(server.username, server.password or "")
                await self._step(f"log in as {server.username}", signing_in, "are user name and password right?")
            self._take_over()
        except ServerProblemError:
            client.close()
            raise

    async def send(self, letter: Letter, message_id: str = "") -> dict[str, Verdict]:
        """One mail; the verdict for each recipient. Raises ServerProblemError when the dialogue broke off."""
        if self._dialogue is None:
            raise ServerProblemError("not connected")
        used, self._mails = self._mails, self._mails + 1
        where = f"{self._server.host}:{self._server.port}"
        try:
            verdicts = await self._dialogue.send(letter)
        except HalfSentError as error:
            raise CutShortError(f"{where}: {_reason(error)}") from error
        except BrokenOffError as error:
            kind = StaleError if used else ServerProblemError
            raise kind(f"{where}: {_reason(error)}") from error
        except UnknownError as error:
            raise HandedOverError(f"{where}: {_reason(error)}; the server may have the mail") from error
        given = alias(self._dialogue.accepted, self._server.host, message_id) if self._dialogue.accepted else None
        return {one: replace(it, alias=given) if it.result is Result.SENT else it for one, it in verdicts.items()}

    async def quit(self) -> None:
        """Say good-bye when the server still listens."""
        if self._wire is not None and self._wire.open:
            with contextlib.suppress(WireError):
                self._wire.write([b"QUIT"])
                await self._wire.reply(QUIT_TIMEOUT_S)
        if self._wire is not None:
            self._wire.close()
        self._client.close()

    def abort(self) -> None:
        """Hang up in the middle of a dialogue."""
        if self._wire is not None:
            self._wire.abort()
        self._client.close()

    def _take_over(self) -> None:
        """From here on the connection is ours; aiosmtplib connected, encrypted and signed in."""
        transport = self._client.transport
        if transport is None or transport.is_closing():
            raise ServerProblemError("the server closed the connection after the sign-in")
        self._wire = take_over(transport, self._client.transcript.append)
        times = Times(self._patience.command, self._patience.data)
        self._dialogue = Dialogue(self._wire, Offer.of(self._client.esmtp_extensions), times, pipelining=self._pipelining)

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
            start_tls=False,  # Connection does it as a step of its own, before the sign-in
            tls_context=_context(server) if server.ssl_type is not SslType.NONE else None,
        )
        self.transcript: deque[str] = deque(maxlen=TRANSCRIPT_LINES)

    async def greet(self) -> SMTPResponse:
        """EHLO, or HELO where the server knows only that."""
        try:
            return await self.ehlo()
        except aiosmtplib.SMTPHeloError as error:
            if not 500 <= error.code < 600:
                raise
            return await self.helo()

    def note(self, response: SMTPResponse) -> None:
        self.transcript.extend(f"S: {Reply(response.code, line).words}" for line in response.message.split("\n"))

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


def _reason(error: BaseException) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return Reply(error.code, error.message).words
    if isinstance(error, asyncio.TimeoutError):
        return f"no answer in time ({one_line(str(error))[:DETAIL_CHARS]})"
    return one_line(str(error.__cause__ or error) or type(error).__name__)[:DETAIL_CHARS]
