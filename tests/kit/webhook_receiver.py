"""A receiver of webhooks on loopback that answers by a script, and checks signatures in its own way."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

BLOCK_BYTES = 64


@dataclass(frozen=True)
class Call:
    """One request as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read

    def signed_by(self, secret: str) -> bool:
        """Whether one of its signatures is made with this secret."""
        content = b".".join([self.id.encode(), self.headers["webhook-timestamp"].encode(), self.body])
        made = base64.b64encode(_hmac_sha256(base64.b64decode(secret.partition("_")[2]), content)).decode()
        return f"v1,{made}" in self.headers["webhook-signature"].split(" ")


@dataclass(frozen=True)
class Reply:
    """What is answered. `wait` is waited for before; `cut` hangs up without an answer."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    wait: asyncio.Event | None = None
    cut: bool = False


class WebhookReceiver:
    """`async with` serves. Replies of `script` are given in turn, then `usual`; `calls` are all that came, in their order."""

    def __init__(self, *replies: Reply, usual: Reply | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.calls: list[Call] = []
        self.script = list(replies)
        self.usual = usual or Reply()
        self.called = asyncio.Event()
        self._tls = tls

    @property
    def url(self) -> str:
        return self.url_of("127.0.0.1")

    def url_of(self, host: str) -> str:
        """Its address under another name."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}/hook"

    async def __aenter__(self) -> Self:
        self._open: set[asyncio.StreamWriter] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await self._answer(await _read(reader), writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            self._open.discard(writer)
            writer.close()

    async def _answer(self, call: Call, writer: asyncio.StreamWriter) -> None:
        self.calls.append(call)
        self.called.set()
        reply = self.script.pop(0) if self.script else self.usual
        if reply.wait is not None:
            await reply.wait.wait()
        if reply.cut:
            writer.transport.abort()
            return
        lines = [f"HTTP/1.1 {reply.status} X", f"Content-Length: {len(reply.body)}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + reply.body)
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    return Call(head[0].split(" ")[1], headers, await reader.readexactly(int(headers["content-length"])))


def _hmac_sha256(key: bytes, content: bytes) -> bytes:
    """RFC 2104 by hand, so that the test does not repeat the code under test."""
    padded = (hashlib.sha256(key).digest() if len(key) > BLOCK_BYTES else key).ljust(BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + content).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).digest()
