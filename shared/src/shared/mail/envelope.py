"""What the header block alone tells: cheap enough for the fetcher to ask of every mail. Never raises.

Needs nothing of the `mail` extra.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final, Protocol

from shared.mail.addresses import addresses
from shared.mail.dates import date_of
from shared.mail.fields import Fields, read_fields
from shared.mail.limits import MAX_ADDRESSES, MAX_HEADER_BLOCK, MAX_SUBJECT
from shared.mail.model import Address, Envelope
from shared.mail.references import message_id, message_ids
from shared.mail.words import decode_words

MAX_KEY: Final = 250
_DELIVERED: Final = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To")


@dataclass(frozen=True, slots=True)
class Head:
    """Of an envelope what a ledger keeps, without the cost of its model and of the fields left out."""

    subject: str
    from_: Address | None
    to: list[Address]
    cc: list[Address]
    message_id: str | None
    in_reply_to: list[str]
    references: list[str]


class Conversing(Protocol):
    """An `Envelope` or a `Head`."""

    @property
    def message_id(self) -> str | None: ...
    @property
    def in_reply_to(self) -> list[str]: ...
    @property
    def references(self) -> list[str]: ...


def head(raw: bytes) -> Head:
    """The same values as in `envelope`, of the same bytes."""
    fields = read_fields(normal(raw[: MAX_HEADER_BLOCK + 2]))
    return Head(
        subject=_subject(fields),
        from_=_from(fields),
        to=_addresses(fields, "To"),
        cc=_addresses(fields, "Cc"),
        message_id=message_id(fields.first("Message-ID")),
        in_reply_to=_ids(fields, "In-Reply-To"),
        references=_ids(fields, "References"),
    )


def envelope(raw: bytes) -> Envelope:
    """The envelope of a whole mail, or of its beginning as long as the header block is in it."""
    return Envelope.model_validate(read_envelope(read_fields(normal(raw[: MAX_HEADER_BLOCK + 2]))))


def normal(raw: bytes) -> bytes:
    """A mail whose lines all end in a bare CR becomes one that can be read; its length stays."""
    return raw.replace(b"\r", b"\n") if b"\r" in raw and b"\n" not in raw else raw


def conversation_key(mail: Conversing, mail_id: str) -> str:
    """Key of the mail's conversation: first of References, else In-Reply-To, else its own id, else the mail id; at most 250 characters."""
    ids = [*mail.references[:1], *mail.in_reply_to[:1], *([mail.message_id] if mail.message_id else []), mail_id]
    key = ids[0]
    return key if len(key) <= MAX_KEY else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32]


def read_envelope(fields: Fields) -> dict[str, Any]:
    """The values of `Envelope` by field name, for whoever has read the header block already."""
    date = fields.first("Date")
    when = date_of(date) if date else None
    found: dict[str, Any] = {
        "subject": _subject(fields),
        "from_": _from(fields),
        "sender": next(iter(_addresses(fields, "Sender")), None),
        "reply_to": _addresses(fields, "Reply-To"),
        "to": _addresses(fields, "To"),
        "cc": _addresses(fields, "Cc"),
        "delivered_to": list(
            dict.fromkeys(a.address for name in _DELIVERED if fields.all(name) for a in _addresses(fields, name) if a.address)
        ),
        "message_id": message_id(fields.first("Message-ID")),
        "in_reply_to": _ids(fields, "In-Reply-To"),
        "references": _ids(fields, "References"),
        "date": when,
    }
    found["defects"] = [*fields.defects, *_defects(fields, found, date)]
    return found


def _subject(fields: Fields) -> str:
    return decode_words(fields.first("Subject"))[:MAX_SUBJECT]


def _from(fields: Fields) -> Address | None:
    senders = _addresses(fields, "From")
    return next((a for a in senders if "@" in a.address), senders[0] if senders else None)


def _ids(fields: Fields, name: str) -> list[str]:
    return message_ids(" ".join(fields.all(name)))


def _addresses(fields: Fields, name: str) -> list[Address]:
    values = fields.all(name)
    if not values:
        return []
    found: list[Address] = []
    for value in values:
        found.extend(addresses(value))
        if len(found) >= MAX_ADDRESSES:
            break
    return found[:MAX_ADDRESSES]


def _defects(fields: Fields, found: dict[str, Any], date: str) -> list[str]:
    single = ("From", "Subject", "Date", "Message-ID")
    return [
        *(["no sender"] if found["from_"] is None else []),
        *(["date cannot be read"] if date and found["date"] is None else []),
        *(f"{name} is there more than once" for name in single if len(fields.all(name)) > 1),
        *(f"{name} may be cut at {MAX_ADDRESSES} addresses" for name in ("to", "cc", "reply_to") if len(found[name]) >= MAX_ADDRESSES),
    ]
