"""The bytes of an IMAP connection, within bounds: a server can neither fill the memory nor hold a thread for ever.

imaplib bounds a line, but not the number of lines of an answer nor the size of a literal, and its socket can be closed by another
thread only when nobody reads from it.
"""

from __future__ import annotations

import imaplib
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO, Literal, cast

from imapclient import IMAPClient, SocketTimeout

from fetcher.adapters.imap.syntax import quoted_name

MOST_LINE = 1_000_000
"""Bytes of a line, as in imaplib."""
MOST_LINES = 200_000
"""Lines of the answer to one command."""
MOST_BYTES = 16 * 1024 * 1024
"""Bytes of the answer to one command, beyond twice those expected: some servers count a mail too small."""
READ_AT_ONCE = 65_536
LARGE_LITERAL = 2 * 1024 * 1024
"""A larger one is not read into memory where `spool` is set."""


class Wire:
    """What others may do to a connection while a thread works on it, and before it is open."""

    def __init__(self) -> None:
        """`expected`: bytes that the next answers should have."""
        self.expected = 0
        self.gone = False
        self._socket: socket.socket | None = None

    def attach(self, sock: socket.socket) -> None:
        """The socket to cut from now on. Raises ConnectionAbortedError after `cut`."""
        self._socket = sock
        if self.gone:
            self.cut()
            raise ConnectionAbortedError("given up before it was open")

    def cut(self) -> None:
        """Whoever reads or writes stops at once. Never waits: of a TLS socket only what is below is shut."""
        self.gone = True
        if self._socket is not None:
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class BoundedImap(imaplib.IMAP4):
    """imaplib's protocol over a bounded wire, and IDLE (RFC 2177) that needs no thread while it waits.

    Whatever passes a bound is an `abort`: the connection is of no use then.
    """

    def __init__(self, wire: Wire, host: str, port: int, context: ssl.SSLContext | None, timeout: float) -> None:
        """Connects, with TLS from the first byte where `context` is given."""
        self._wire = wire
        self._context = context
        self._ahead = bytearray()
        self._idling = b""
        self.spool: Callable[[int, Callable[[int], bytes]], bytes] | None = None
        """Gets the size of a large literal and what reads so many of its bytes; returns what imaplib shall take for it."""
        self.announced: frozenset[str] = frozenset()
        """Folders the server was asked to announce (NOTIFY), which holds as long as the connection."""
        self.unheard: frozenset[str] = frozenset()
        """Of these, those it does not announce."""
        self._allow()
        super().__init__(host, port, timeout)

    def _allow(self) -> None:
        self._lines_left = MOST_LINES
        self._bytes_left = MOST_BYTES + 2 * self._wire.expected

    def _create_socket(self, timeout: float | None) -> socket.socket:
        sock = socket.create_connection((self.host, self.port), timeout)
        try:
            self._wire.attach(sock)
            if self._context is None:
                return sock
            over_tls = self._context.wrap_socket(sock, server_hostname=self.host)
            self._wire.attach(over_tls)
        except BaseException:
            sock.close()
            raise
        return over_tls

    def starttls(self, ssl_context: ssl.SSLContext | None = None) -> tuple[Literal["OK"], list[None]]:
        """As imaplib does, with the new socket to be cut."""
        answer = super().starttls(ssl_context)
        self._wire.attach(self.sock)
        return answer

    # --- what imaplib reads and writes by -----------------------------------------------------------------------------------------

    def send(self, data: Any) -> None:
        """Each thing sent opens a new answer."""
        self._allow()
        super().send(data)

    def readline(self) -> bytes:
        self._lines_left -= 1
        if self._lines_left < 0:
            raise self.abort(f"the server sent more than {MOST_LINES:,} lines in one answer")
        line = self._first_ahead() if self._ahead else self._reader.readline(MOST_LINE + 1)
        if len(line) > MOST_LINE:
            raise self.abort(f"the server sent a line of more than {MOST_LINE:,} bytes")
        self._count(len(line))
        return line

    def read(self, size: int) -> bytes:
        self._count(size)
        if self.spool is not None and size > LARGE_LITERAL:
            return self.spool(size, self._piece)
        return self._piece(size)

    def _piece(self, size: int) -> bytes:
        self._count(0)
        data = bytes(self._ahead[:size])
        del self._ahead[:size]
        data = data + self._reader.read(size - len(data)) if data else self._reader.read(size)
        if len(data) < size:
            raise self.abort("the connection ended within a literal")
        return data

    def _count(self, size: int) -> None:
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise self.abort("the server sent many more bytes than were asked for")
        if self._wire.gone:
            raise self.abort("given up")

    @property
    def _reader(self) -> BinaryIO:
        return cast("BinaryIO", self.file)

    def _first_ahead(self) -> bytes:
        end = self._ahead.find(b"\n") + 1
        if not end:
            line = bytes(self._ahead) + self._reader.readline(MOST_LINE + 1)
            self._ahead.clear()
            return line
        line = bytes(self._ahead[:end])
        del self._ahead[:end]
        return line

    # --- IDLE ---------------------------------------------------------------------------------------------------------------------

    def begin_idle(self) -> list[bytes] | None:
        """Lines that came before the server agreed; None where it refuses. Until `end_idle` the socket does not block."""
        tag: bytes = self._new_tag()
        self.send(tag + b" IDLE\r\n")
        lines = []
        while not (line := self._line()).startswith(b"+"):
            if line.startswith(tag + b" "):
                del self.tagged_commands[tag]
                return None
            lines.append(line)
        self._idling = tag
        self.sock.setblocking(False)
        with suppress(ssl.SSLWantReadError):
            self._ahead += self._reader.read(len(self._reader.peek()))  # type: ignore[attr-defined]  # a BufferedReader
        return lines

    def heard(self) -> list[bytes]:
        """While idle: the lines that are complete, after one read; returns at once. Raises `abort` or OSError where IDLE is over."""
        with suppress(BlockingIOError, ssl.SSLWantReadError):
            data = self.sock.recv(READ_AT_ONCE)
            if not data:
                raise self.abort("the server closed the connection")
            self._ahead += data
        lines = self._ahead.splitlines(keepends=True)
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        if len(rest) > READ_AT_ONCE:
            raise self.abort("the server sent an endless line")
        self._ahead = bytearray(rest)
        for line in lines:
            if line.startswith((b"* BYE", self._idling)):
                raise self.abort(f"the server ended IDLE: {bytes(line[:100])!r}")
        return [bytes(line).rstrip(b"\r\n") for line in lines]

    def more_at_once(self) -> bool:
        """While idle: whether `heard` has more to give although the socket may stay silent (TLS reads ahead)."""
        return isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0

    def say_done(self) -> None:
        """End IDLE without waiting for the answer, which the next command reads over."""
        if self._idling:
            self._idling = b""
            self.send(b"DONE\r\n")

    def end_idle(self, timeout: float) -> list[bytes]:
        """After `begin_idle`: lines that came since the last `heard`. `timeout`: of each read from now on."""
        tag = self._idling
        self.sock.settimeout(timeout)
        self.say_done()
        lines = []
        while not (line := self._line()).startswith(tag + b" "):
            lines.append(line)
        self.tagged_commands.pop(tag, None)
        return lines

    def _line(self) -> bytes:
        return bytes(self._get_line())


class Client(IMAPClient):  # type: ignore[misc]  # published without types
    """imapclient over a bounded wire."""

    def __init__(self, wire: Wire, host: str, port: int, context: ssl.SSLContext | None, timeout: SocketTimeout) -> None:
        """Connects; `context` gives TLS from the first byte."""
        self._wire = wire
        super().__init__(host, port, ssl=context is not None, ssl_context=context, timeout=timeout)
        # imapclient formats every line for a debug log; without it reading is five times faster, and no mail reaches a log.
        self._imap.debug = 0

    def _create_IMAP4(self) -> BoundedImap:  # noqa: N802 -- imapclient's name
        return BoundedImap(self._wire, self.host, self.port, self.ssl_context, self._timeout.connect)

    def _normalise_folder(self, folder_name: str) -> bytes:
        """Its own takes no name whose bytes are no good modified UTF-7."""
        return quoted_name(folder_name)

    @property
    def wire(self) -> BoundedImap:
        """The connection below, for what imapclient does not do."""
        return cast("BoundedImap", self._imap)
