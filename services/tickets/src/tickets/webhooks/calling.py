"""One HTTP request to a receiver somebody else chose: bounded, without redirects, to public addresses only.

The name is looked up once; what is checked is what is connected to, so a name that changes its address meanwhile (DNS rebinding) gains
nothing. Host header and TLS name stay the URL's.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Final

import httpx

from shared.clock import Clock
from tickets.domain.public_addresses import is_public
from tickets.domain.webhook_schedule import Answer, retry_after

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Name and port → IP addresses. Raises OSError."""

MOST_PORT: Final = 65_535
MOST_ADDRESSES: Final = 4
MOST_ANSWER_BYTES: Final = 64 * 1024
ANSWER_SECONDS: Final = 2.0
"""For the text of a refusal, whose status is known already."""
MOST_WORDS: Final = 500
LOOKUPS_AT_ONCE: Final = 32
_SECRET: Final = re.compile(r"whsec_[A-Za-z0-9+/=_-]+")
_usual_trust = lru_cache(maxsize=1)(ssl.create_default_context)
"""Reading all authorities takes longer than a call."""
_lookups = ThreadPoolExecutor(LOOKUPS_AT_ONCE, thread_name_prefix="webhook-lookup")


class UnfitUrlError(Exception):
    """The URL is none that may be called; the text says why, and what to do."""


async def look_up(host: str, port: int) -> list[str]:
    """By the system's resolver, in threads of its own: a slow name server holds up nobody else's work. Raises OSError."""
    ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_lookups, ask)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Caller:
    """Calls receivers. `private` allows loopback and private networks; `trust` are the authorities of certificates."""

    def __init__(
        self, seconds: float, clock: Clock, *, private: bool = False, resolve: Resolve = look_up, trust: ssl.SSLContext | None = None
    ) -> None:
        self.seconds = seconds
        self._clock = clock
        self._private = private
        self._resolve = resolve
        self._trust = trust or _usual_trust()

    async def check(self, url: str) -> None:
        """Raises UnfitUrlError unless it may be called, as far as can be seen today."""
        try:
            async with asyncio.timeout(self.seconds):
                await self._addresses(parsed(url))
        except TimeoutError:
            raise UnfitUrlError("Its name could not be looked up in time; check the address and try again.") from None

    async def call(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """POST the body. Whatever goes wrong is told in the answer; within `seconds` for the whole."""
        deadline = asyncio.get_running_loop().time() + self.seconds
        async with httpx.AsyncClient(verify=self._trust, trust_env=False) as http:
            try:
                target = parsed(url)
                async with asyncio.timeout_at(deadline):
                    response = await self._send(http, target, headers, body)
            except UnfitUrlError as error:
                return Answer(None, str(error))
            except TimeoutError:
                return Answer(None, f"No answer within {self.seconds:g} seconds.")
            except (httpx.HTTPError, OSError) as error:
                return Answer(None, _trouble(target.host, error))
            try:
                return await self._answer(response, deadline)
            finally:
                await response.aclose()

    async def _send(self, http: httpx.AsyncClient, target: httpx.URL, headers: Mapping[str, str], body: bytes) -> httpx.Response:
        """To the first address that takes the connection. Raises the last one's error."""
        addresses = await self._addresses(target)
        for address in addresses:
            try:
                return await http.send(self._request(http, target, address, len(addresses), headers, body), stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if address == addresses[-1]:
                    raise
        raise UnfitUrlError(f"{target.host} has no address.")

    def _request(
        self, http: httpx.AsyncClient, target: httpx.URL, address: str, addresses: int, headers: Mapping[str, str], body: bytes
    ) -> httpx.Request:
        own = {"host": target.netloc.decode(), "content-type": "application/json", "user-agent": "MailConverter-Webhooks/1"}
        return http.build_request(
            "POST",
            target.copy_with(host=address),
            headers={**own, "accept-encoding": "identity", **headers},
            content=body,
            timeout=httpx.Timeout(self.seconds, connect=self.seconds / addresses),
            extensions={"sni_hostname": target.raw_host.decode()},
        )

    async def _addresses(self, target: httpx.URL) -> list[str]:
        """Where the name leads. Raises UnfitUrlError where it leads nowhere, or any of its ways to what is not the internet."""
        host, port = target.raw_host.decode(), target.port or (443 if target.scheme == "https" else 80)
        try:
            found = list(await self._resolve(host, port))[:MOST_ADDRESSES]
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or "not a name"
            raise UnfitUrlError(f"{target.host} cannot be found ({why}); check the address.") from None
        inner = next((address for address in found if not is_public(address)), None)
        if inner is not None and not self._private:
            raise UnfitUrlError(
                f"{target.host} leads to {inner}, which is not on the internet: webhooks to your own network are refused "
                "unless the setting WEBHOOK_PRIVATE_ADDRESSES of tickets allows them."
            )
        return found

    async def _answer(self, response: httpx.Response, deadline: float) -> Answer:
        status, now = response.status_code, self._clock()
        if 200 <= status < 300:
            return Answer(status)
        if 300 <= status < 400:
            return Answer(status, f"Answered {status}, a redirect, which is not followed: enter the address it leads to.")
        words = cleaned(await _read(response, deadline))
        told = f"Answered {status}: {words}" if words else f"Answered {status}."
        return Answer(status, told, retry_after(response.headers.get("retry-after"), now))


def parsed(url: str) -> httpx.URL:
    """Raises UnfitUrlError for what is no plain http or https URL."""
    try:
        target = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise UnfitUrlError(f"This is no address that can be called ({error}).") from None
    if target.scheme not in {"http", "https"} or not target.host:
        raise UnfitUrlError("Give an address that begins with https:// (or http://) and names a host.")
    if target.port is not None and not 0 < target.port <= MOST_PORT:
        raise UnfitUrlError(f"{target.port} is no port; give one from 1 to {MOST_PORT}, or leave it out.")
    if target.userinfo:
        raise UnfitUrlError("Leave user name and password out of the address: calls are signed, so the receiver can tell who calls.")
    return target


async def _read(response: httpx.Response, deadline: float) -> bytes:
    """Its beginning, as far as it comes soon; not decompressed."""
    found = bytearray()
    with contextlib.suppress(httpx.HTTPError, TimeoutError):
        async with asyncio.timeout_at(min(deadline, asyncio.get_running_loop().time() + ANSWER_SECONDS)):
            async for part in response.aiter_raw():
                found += part
                if len(found) >= MOST_ANSWER_BYTES:
                    break
    return bytes(found[:MOST_ANSWER_BYTES])


def cleaned(raw: bytes) -> str:
    """A receiver's words for people: one line, bounded, without control characters and without any webhook's secret."""
    text = _SECRET.sub("whsec_…", raw.decode("utf-8", "replace"))
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:MOST_WORDS]


def _trouble(host: str, error: Exception) -> str:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"The certificate of {host} is not valid: {cause.verify_message}."
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno in errno.errorcode:
            return f"{host} cannot be reached: {os.strerror(cause.errno)}."
    if isinstance(error, httpx.ConnectTimeout):
        return f"{host} did not take the connection in time."
    return f"{host} broke off: {cleaned(str(error).encode()) or type(error).__name__}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
