"""`mail.raw`'s attributes as CloudEvents extension attributes, both ways."""

from __future__ import annotations

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


def raw_mail_extensions(mail: RawMail) -> dict[str, str]:
    """Extension attributes, percent-encoded where a value may leave ASCII (CloudEvents Kafka binding, 3.2.3.2)."""
    values = mail.model_dump(exclude_none=True) | {"received_at": rfc3339(mail.received_at), "pec": str(mail.pec).lower()}
    return {_NAMES[name]: quote(str(value), safe=" :/<>@+=,;!#$&'()*[]{}|^~`?") for name, value in values.items()}


def read_raw_mail(envelope: Envelope) -> RawMail:
    """Raises pydantic's ValidationError where an attribute is missing or wrong."""
    values = {field: unquote(envelope.extensions[name]) for field, name in _NAMES.items() if name in envelope.extensions}
    return RawMail.model_validate(values)
