"""Answers to FETCH, as servers write them; and large literals, which go into a file."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from fetcher.adapters.imap import fetch as imap_fetch
from fetcher.adapters.imap.fetch import LargeLiteral, bodies, listed, spool
from fetcher.adapters.imap.wire import Client
from fetcher.domain.mails import Listed


class Answering:
    """A client whose server gives one answer."""

    normalise_times = False
    use_uid = True

    def __init__(self, answer: list[Any]) -> None:
        self.answer = answer
        self.wire = self
        self.spool: Any = None

    def uid(self, *_: str) -> tuple[str, list[Any]]:
        return "OK", self.answer


def client(answer: list[Any]) -> Client:
    return cast("Client", Answering(answer))


MOMENT = datetime(2026, 11, 20, 9, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    [
        b'1 (UID 5 RFC822.SIZE 120 INTERNALDATE "20-Nov-2026 10:00:05 +0100")',
        b'1 (INTERNALDATE "20-Nov-2026 07:30:05 -0130" RFC822.SIZE 120 UID 5)',
        b'1 (FLAGS (\\Seen) UID 5 RFC822.SIZE 120 INTERNALDATE "20-Nov-2026 09:00:05 +0000")',
    ],
)
def test_sizes_and_dates_are_read_in_any_order(line: bytes) -> None:
    assert listed(client([line]), [5, 6]) == [Listed(5, 120, MOMENT)]


@pytest.mark.parametrize(
    "answer",
    [
        [(b"1 (UID 5 BODY[] {3}", b"abc"), b")"],
        [(b"1 (BODY[] {3}", b"abc"), b" UID 5)"],
        [(b"1 (FLAGS (\\Seen) BODY[] {3}", b"abc"), b" UID 5)", b"2 (FLAGS (\\Seen) UID 6)"],
        [b'1 (UID 5 BODY[] "abc")'],
        [(b"7 (UID 9 BODY[] {3}", b"not"), b")", (b"1 (UID 5 BODY[] {3}", b"abc"), b")"],
    ],
)
def test_a_mail_is_read_however_the_server_writes_it_and_no_foreign_one(answer: list[Any]) -> None:
    assert bodies(client(answer), [5, 6]) == {5: b"abc"}


def test_a_large_literal_is_in_a_file_and_only_its_beginning_in_memory() -> None:
    raw = bytes(range(256)) * 12_000
    literal = spool(len(raw), io.BytesIO(raw).read)
    assert isinstance(literal, LargeLiteral)
    assert bytes(literal) == raw[: imap_fetch.BEGINNING]
    spooled = literal.spooled
    spooled.file.seek(0)
    assert spooled.file.read() == raw
    assert (spooled.size, spooled.sha256) == (len(raw), hashlib.sha256(raw).hexdigest())
    spooled.file.close()
