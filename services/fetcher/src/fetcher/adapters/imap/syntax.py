"""Strings and lists of the protocol (RFC 3501, 9), where imapclient does not take or give exactly the bytes."""

from __future__ import annotations

import imaplib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fetcher.domain.folder_names import encoded

_TOKEN = re.compile(rb'\s*(?:(?P<open>\()|(?P<close>\))|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<atom>[^\s()"]+))', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_LITERAL_SIZE = re.compile(rb"\{\d+\}$")


def quoted(value: bytes) -> bytes:
    """A quoted string, for a value without line breaks."""
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def quoted_name(name: str) -> bytes:
    """A folder's name as the argument of a command. Raises IMAP4.error."""
    try:
        return quoted(encoded(name))
    except ValueError as error:
        raise imaplib.IMAP4.error(str(error)) from None


def answer_text(answer: Sequence[object]) -> str:
    """What the server said with its OK, NO or BAD."""
    first = answer[0] if answer else b""
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(first)


def responses(data: Iterable[Any]) -> Iterator[list[Any]]:
    """Untagged responses as imaplib keeps them, one by one: strings as bytes, NIL as None, brackets as lists. Raises IMAP4.error."""
    nested = _Nested()
    for item in data:
        if isinstance(item, tuple):
            nested.read(_LITERAL_SIZE.sub(b"", item[0]))
            nested.put(item[1])
        elif item is not None:
            nested.read(item)
            yield nested.end()


class _Nested:
    def __init__(self) -> None:
        self._lists: list[list[Any]] = [[]]

    def put(self, value: bytes | None) -> None:
        self._lists[-1].append(value)

    def read(self, text: bytes) -> None:
        at, end = 0, len(text.rstrip())
        while at < end:
            token = _TOKEN.match(text, at)
            if token is None:
                raise imaplib.IMAP4.error(f"cannot be read: {text[:100]!r}")
            at = token.end()
            self._take(token)

    def _take(self, token: re.Match[bytes]) -> None:
        if token["open"]:
            self._lists.append([])
        elif token["close"]:
            if len(self._lists) == 1:
                raise imaplib.IMAP4.error("a bracket closes that was not opened")
            closed = self._lists.pop()
            self._lists[-1].append(closed)
        elif token["quoted"] is not None:
            self.put(_ESCAPED.sub(rb"\1", token["quoted"]))
        else:
            self.put(None if token["atom"].upper() == b"NIL" else token["atom"])

    def end(self) -> list[Any]:
        if len(self._lists) != 1:
            raise imaplib.IMAP4.error("a bracket does not close")
        done, self._lists = self._lists[0], [[]]
        return done
