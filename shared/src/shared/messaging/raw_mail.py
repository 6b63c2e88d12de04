"""`mail.raw`'s attributes as CloudEvents extension attributes, both ways."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from shared.clock import rfc3339
from shared.events import RawMail
from shared.messaging.envelope import Envelope

_NAMES = {
    "scanner_id": "scannerid",
    "folder": "folder",
    "uid_validity": "uidvalidity",
    "uid": "uid",
    "received_at": "receivedat",
    "size": "mailsize",
    "sha256": "sha256",
    "archive_key": "archivekey",
    "conversation": "conversation",
    "address": "address",
    "pec": "pec",
    "data_ref": "dataref",
}
_SAFE = " :/<>@+=,;!#$&'()*[]{}|^~`?"
_PLAIN = re.compile(r"[\w. :/<>@+=,;!#$&'()*\[\]{}|^~`?-]*", re.ASCII)
"""A value that percent-encoding would leave as it is, told without the cost of encoding it."""


def raw_mail_extensions(mail: RawMail) -> dict[str, str]:
    """Extension attributes, percent-encoded where a value may leave ASCII (CloudEvents Kafka binding, 3.2.3.2)."""
    values = {attribute: getattr(mail, name) for name, attribute in _NAMES.items()}
    values |= {"receivedat": rfc3339(mail.received_at), "pec": str(mail.pec).lower()}
    return {attribute: _encoded(str(value)) for attribute, value in values.items() if value is not None}


def _encoded(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else quote(value, safe=_SAFE)


def read_raw_mail(envelope: Envelope) -> RawMail:
    """Raises pydantic's ValidationError where an attribute is missing or wrong."""
    values = {field: unquote(envelope.extensions[name]) for field, name in _NAMES.items() if name in envelope.extensions}
    return RawMail.model_validate(values)
