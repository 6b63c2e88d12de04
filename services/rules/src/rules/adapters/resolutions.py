"""Asking tickets which rule would take (`POST /resolutions`): read-only, bounded in time and size, nothing is carried out."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from typing import Any, Final

import httpx
from pydantic import ValidationError

from rules.settings import RulesSettings
from shared.api import Resolution, ResolutionList
from shared.events import TicketCommand
from shared.http import ACTOR_HEADER, SERVICE_TOKEN_HEADER
from shared.observability import get_logger

log = get_logger("resolutions")

MAX_COMMANDS: Final = 200
MAX_BYTES: Final = 4 * 1024 * 1024
"""Of one call; a command alone is below 1 MiB."""
CONNECT_TIMEOUT_S: Final = 3.0
_UNASKED: Final = "so which rule would take cannot be told"
_DROPPED: Final = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.CloseError)
_EMPTY: Final[dict[str, Any]] = {"text": "", "html": None, "folds": [], "attachments": []}


class UnresolvedError(Exception):
    """Tickets gave no answer; the text says why, for a person."""


def encode(command: TicketCommand) -> bytes:
    """The command as it is asked about: without the mail's text and files, which no lookup of a ticket reads."""
    slim = command if command.mail is None else command.model_copy(update={"mail": command.mail.model_copy(update=_EMPTY)})
    return slim.model_dump_json(by_alias=True, exclude_none=True).encode()


class Resolutions:
    """Tickets' read-only answers. A client lives as long as one question: there is none to close, and none whose connections grew old."""

    def __init__(self, settings: RulesSettings) -> None:
        self._url = settings.tickets_url.rstrip("/") + "/resolutions"
        self._timeout_s = settings.tickets_timeout_seconds
        self._headers = {
            SERVICE_TOKEN_HEADER: settings.service_token.get_secret_value(),
            ACTOR_HEADER: "system",
            "Content-Type": "application/json",
        }
        self._tls = ssl.create_default_context()  # reading the system's certificates for every client would cost more than asking

    async def ask(self, commands: Sequence[bytes]) -> list[Resolution]:
        """What each encoded command would do, in their order. Raises UnresolvedError."""
        found: list[Resolution] = []
        if not commands:
            return found
        async with self._client() as client:
            for body in _bodies(commands):
                found += await self._ask(client, body)
        if len(found) != len(commands):
            raise UnresolvedError(f"tickets left out some of the mails it was asked about, {_UNASKED}")
        return found

    def _client(self) -> httpx.AsyncClient:
        """Follows no redirect and reads no proxy from the environment."""
        timeout = httpx.Timeout(self._timeout_s, connect=min(CONNECT_TIMEOUT_S, self._timeout_s))
        return httpx.AsyncClient(headers=self._headers, timeout=timeout, follow_redirects=False, trust_env=False, verify=self._tls)

    async def _ask(self, client: httpx.AsyncClient, body: bytes) -> list[Resolution]:
        try:
            answer = await self._post(client, body)
        except (httpx.HTTPError, TimeoutError) as error:
            log.warning("tickets is away", error=f"{type(error).__name__}: {error}"[:300])
            raise UnresolvedError(f"tickets does not answer, {_UNASKED}") from error
        if answer.status_code != httpx.codes.OK:
            log.warning("tickets refused", status=answer.status_code, answer=answer.text[:300])
            raise UnresolvedError(f"tickets answered with status {answer.status_code}, {_UNASKED}")
        try:
            return ResolutionList.model_validate_json(answer.content).items
        except ValidationError as error:
            raise UnresolvedError(f"tickets answered what this service does not understand, {_UNASKED}") from error

    async def _post(self, client: httpx.AsyncClient, body: bytes) -> httpx.Response:
        """Nothing is changed by asking, so a question whose connection broke is asked once more. Raises HTTPError, TimeoutError."""
        async with asyncio.timeout(2 * self._timeout_s):  # an answer that trickles resets httpx's own clock with each byte
            try:
                return await client.post(self._url, content=body)
            except _DROPPED:
                return await client.post(self._url, content=body)


def _bodies(commands: Sequence[bytes]) -> Iterator[bytes]:
    """Requests of at most so many commands and bytes."""
    waiting: list[bytes] = []
    size = 0
    for command in commands:
        if waiting and (len(waiting) == MAX_COMMANDS or size + len(command) > MAX_BYTES):
            yield _body(waiting)
            waiting, size = [], 0
        waiting.append(command)
        size += len(command)
    yield _body(waiting)


def _body(commands: Sequence[bytes]) -> bytes:
    return b'{"commands":[' + b",".join(commands) + b"]}"
