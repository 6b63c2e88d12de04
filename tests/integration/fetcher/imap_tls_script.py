"""A scripted IMAP server over TLS: of old versions, or with somebody in between who adds lines before the encryption begins."""

from __future__ import annotations

import socketserver
import ssl
import warnings
from dataclasses import dataclass, field
from typing import Self

from tests.kit.certificates import Certificate
from tests.kit.serving import Serving, TcpServer


@dataclass
class TlsImap(Serving):
    """Takes every password; `received` holds every line that came, as it was before encryption."""

    context: ssl.SSLContext
    starttls: bool = False
    """Else all is encrypted from the first byte."""
    before: bytes = b""
    """Lines in clear before the answer to STARTTLS, sent in one piece with it."""
    after: bytes = b""
    capability: str = "IMAP4rev1"
    """What it says once the connection is encrypted."""
    received: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        server = _Server(("127.0.0.1", 0), _Handler)
        server.script = self
        self.port = int(server.server_address[1])
        self._server = server
        return super().__enter__()


class _Server(TcpServer):
    script: TlsImap

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is what most tests want."""


class _Handler(socketserver.StreamRequestHandler):
    timeout = 30
    server: _Server

    def handle(self) -> None:
        script = self.server.script
        if not script.starttls:
            self._encrypt()
        self._say(b"* OK ready")
        while line := self.rfile.readline():
            script.received.append(line.decode(errors="replace").strip())
            tag, command, *_ = [*script.received[-1].split(), "", ""]
            if command.upper() == "STARTTLS":
                self.request.sendall(script.before + tag.encode() + b" OK begin\r\n" + script.after)
                self._encrypt()
            else:
                self._reply(tag.encode(), command.upper())

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def _reply(self, tag: bytes, command: str) -> None:
        if command == "CAPABILITY":
            encrypted = isinstance(self.request, ssl.SSLSocket)
            self._say(b"* CAPABILITY " + (self.server.script.capability.encode() if encrypted else b"IMAP4rev1 STARTTLS"))
        self._say(tag + b" OK done")

    def _encrypt(self) -> None:
        self.request = self.server.script.context.wrap_socket(self.request, server_side=True)
        self.setup()

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


def server_context(certificate: Certificate, newest: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """`newest`: the version of an old server that knows no later one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    if newest is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Python warns of TLS 1.0 and 1.1, which is what the test is about
            context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
            context.maximum_version = newest
    return context
