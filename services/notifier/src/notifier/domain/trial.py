"""The mail of the test button: somebody sends it to themselves."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime, make_msgid

from notifier.domain import headers, structure
from shared.mail.model import Address

WORDS = "This mail shows that Mail Converter can send by this SMTP server. Nothing needs to be done about it."


def trial(sender: str, display_name: str, to: str, at: datetime) -> tuple[str, bytes]:
    """Message-ID and octets of a test mail between two addresses that `mailbox` knows as such. Raises ValueError for any other.

    It is marked so that nobody's vacation notice answers it (RFC 3834, 5).
    """
    author, recipient = headers.mailbox(sender), headers.mailbox(to)
    if author is None or recipient is None:
        raise ValueError("not a mail address")
    message_id = make_msgid(domain=author.rpartition("@")[2])
    lines = [
        headers.field("From", headers.address_tokens([Address(name=display_name, address=author)])),
        headers.field("To", headers.address_tokens([Address(address=recipient)])),
        "Subject: Test of Mail Converter",
        headers.field("Date", [format_datetime(at)]),
        headers.field("Message-ID", [message_id]),
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        "MIME-Version: 1.0",
    ]
    return message_id, "\r\n".join([*lines, ""]).encode("ascii") + structure.text_entity("plain", f"{WORDS}\n").octets()
