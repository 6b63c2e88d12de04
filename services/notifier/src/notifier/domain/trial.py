"""The mail of the test button: somebody sends it to themselves."""

from __future__ import annotations

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid

from notifier.domain.headers import MAX_NAME, mailbox, one_line

WORDS = "This mail shows that Mail Converter can send by this SMTP server. Nothing needs to be done about it."


def trial(sender: str, display_name: str, to: str, at: datetime) -> tuple[str, bytes]:
    """Message-ID and octets of a test mail between two addresses that `mailbox` knows as such. Raises ValueError for any other.

    It is marked so that nobody's vacation notice answers it (RFC 3834, 5).
    """
    author, recipient = mailbox(sender), mailbox(to)
    if author is None or recipient is None:
        raise ValueError("not a mail address")
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(one_line(display_name)[:MAX_NAME], addr_spec=author)
    mail["To"] = Address(addr_spec=recipient)
    mail["Subject"] = "Test of Mail Converter"
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = make_msgid(domain=author.rpartition("@")[2])
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail.set_content(WORDS + "\n")
    return str(mail["Message-ID"]), mail.as_bytes()
