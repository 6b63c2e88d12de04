"""FETCH (RFC 3501, 6.4.5): sizes, dates and bytes of many mails.

The answers nearly all servers give are read here; imapclient's parser, which takes anything, takes four times as long and reads the
others. A large literal never is in memory as a whole.
"""

from __future__ import annotations

import hashlib
import imaplib
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from imapclient.response_parser import parse_fetch_response

from fetcher.adapters.imap.wire import Client
from fetcher.domain.mails import Listed, Spooled
from shared.mail.limits import MAX_HEADER_BLOCK

PIECE = 1024 * 1024
BEGINNING = MAX_HEADER_BLOCK + 2
"""Bytes of a large mail that are kept beside its file: its header block."""
_MONTHS = {name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_LISTED = re.compile(
    rb'\d+ \(UID (\d+) RFC822\.SIZE (\d+) INTERNALDATE "([ \d]\d)-(\w{3})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)"\)'
)
_UID = re.compile(rb"[ (]UID (\d+)(?=[ )])")
_BODY = re.compile(rb"[ (]BODY\[\] \{\d+\}$")


class LargeLiteral(bytes):
    """The beginning of a literal; the whole is in a file."""

    spooled: Spooled


def spool(size: int, read: Callable[[int], bytes]) -> LargeLiteral:
    """Read a literal of `size` bytes piece by piece into a temporary file. Raises what `read` raises, and OSError."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by who is done with the mail
    digest, left, beginning = hashlib.sha256(), size, b""
    try:
        while left:
            piece = read(min(left, PIECE))
            beginning = beginning or piece[:BEGINNING]
            digest.update(piece)
            file.write(piece)
            left -= len(piece)
    except BaseException:
        file.close()
        raise
    literal = LargeLiteral(beginning)
    literal.spooled = Spooled(file, size, digest.hexdigest())
    return literal


def listed(client: Client, uids: Sequence[int]) -> list[Listed]:
    """Size as the server counts it, and INTERNALDATE; a UID that is gone is left out. Ascending."""
    answer = _fetch(client, uids, "(RFC822.SIZE INTERNALDATE)")
    try:
        found = [_listed(item) for item in answer]
    except ValueError:
        found = [
            Listed(uid, int(data.get(b"RFC822.SIZE", 0)), _utc(data.get(b"INTERNALDATE"))) for uid, data in _parsed(client, answer).items()
        ]
    wanted = set(uids)
    return sorted((one for one in found if one.uid in wanted), key=lambda one: one.uid)


def bodies(client: Client, uids: Sequence[int]) -> dict[int, bytes]:
    """Whole mails, by UID; one that is gone is left out. A large one is a `LargeLiteral`."""
    client.wire.spool = spool
    try:
        answer = _fetch(client, uids, "(BODY.PEEK[])")
    finally:
        client.wire.spool = None
    found = _bodies(answer)
    if found is None:
        found = section(_parsed(client, answer), b"BODY[]")
    wanted = set(uids)
    return {uid: data for uid, data in found.items() if uid in wanted}


def section(answer: Mapping[int, Mapping[bytes, Any]], name: bytes) -> dict[int, bytes]:
    """A section of each mail of imapclient's answer, as bytes."""
    found: dict[int, bytes] = {}
    for uid, data in answer.items():
        value = data.get(name)
        if isinstance(value, bytes):
            found[uid] = value
        elif value is not None:  # a bare number or NIL between quotes
            found[uid] = str(value).encode()
    return found


def _fetch(client: Client, uids: Sequence[int], items: str) -> list[Any]:
    status, answer = client.wire.uid("FETCH", ",".join(map(str, uids)), items)
    if status != "OK":
        raise imaplib.IMAP4.error(f"fetch failed: {answer[0]!r}")
    return [one for one in answer if one is not None]


def _parsed(client: Client, answer: list[Any]) -> Mapping[int, Mapping[bytes, Any]]:
    found: Mapping[int, Mapping[bytes, Any]] = parse_fetch_response(answer, client.normalise_times, client.use_uid)
    return found


def _listed(item: Any) -> Listed:
    """Raises ValueError where the item is anything but what was asked for, in that order."""
    match = _LISTED.fullmatch(item) if isinstance(item, bytes) else None
    if match is None:
        raise ValueError
    uid, size, day, month, year, hour, minute, second, sign, hours, minutes = match.groups()
    there = datetime(int(year), _MONTHS.get(month.lower(), 0), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    ahead = timedelta(hours=int(hours), minutes=int(minutes))
    return Listed(int(uid), int(size), there - ahead if sign == b"+" else there + ahead)


def _utc(moment: object) -> datetime:
    if not isinstance(moment, datetime):
        return datetime.fromtimestamp(0, UTC)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _bodies(answer: list[Any]) -> dict[int, bytes] | None:
    """None where the answer has anything but bodies as literals, one to a line, and changes of flags."""
    found: dict[int, bytes] = {}
    literal: tuple[bytes, bytes] | None = None
    for item in answer:
        if isinstance(item, tuple):
            if literal is not None or not _BODY.search(item[0]):
                return None
            literal = item
        elif literal is not None:
            uids = _UID.findall(literal[0]) + _UID.findall(item)
            if len(uids) != 1 or not item.endswith(b")"):
                return None
            found[int(uids[0])], literal = literal[1], None
        elif b"BODY[" in item:
            return None
    return found if literal is None else None
