"""Mails of our own and the mailboxes they lie in, seen from the customer's side."""

from __future__ import annotations

import email
import imaplib
import smtplib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import policy
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

TIMEOUT_S = 30


def compose(sender: str, recipient: str, subject: str, body: str = "Hello.\n", **headers: str) -> EmailMessage:
    """A plain mail; a header's name is given with underscores (`in_reply_to`)."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain="customer.example")
    for name, value in headers.items():
        del message[name.replace("_", "-")]
        message[name.replace("_", "-").title()] = value
    message.set_content(body)
    return message


def with_attachment(message: EmailMessage, name: str, data: bytes, subtype: str = "pdf") -> EmailMessage:
    """The same mail with an attachment."""
    message.add_attachment(data, maintype="application", subtype=subtype, filename=name)
    return message


@dataclass(frozen=True)
class Mailbox:
    """An IMAP mailbox the test may look into and append to."""

    host: str
    port: int
    user: str
    password: str

    @contextmanager
    def session(self) -> Iterator[imaplib.IMAP4]:
        """A logged-in connection with INBOX selected."""
        client = imaplib.IMAP4(self.host, self.port, timeout=TIMEOUT_S)
        try:
            client.login(self.user, self.password)
            client.select("INBOX")
            yield client
        finally:
            client.logout()

    def append(self, mails: Iterable[bytes]) -> None:
        """Put mails into INBOX, in order."""
        with self.session() as client:
            for raw in mails:
                status, answer = client.append("INBOX", None, None, raw)
                assert status == "OK", answer

    def mails(self, folder: str = "INBOX") -> list[EmailMessage]:
        """All mails of a folder, parsed by the standard library; none where the folder is missing."""
        with self.session() as client:
            if client.select(folder, readonly=True)[0] != "OK":
                return []
            found = client.search(None, "ALL")[1][0].split()
            raws = [client.fetch(number.decode(), "(BODY.PEEK[])")[1][0] for number in found]
        return [parse(raw[1]) for raw in raws if isinstance(raw, tuple)]

    def flags(self) -> list[bytes]:
        """The FETCH FLAGS answer of each mail."""
        with self.session() as client:
            answer = client.fetch("1:*", "(FLAGS)")[1]
        return [line for line in answer if isinstance(line, bytes)]


def parse(raw: bytes) -> EmailMessage:
    """By the standard library's newest parser: an independent judge of what we send."""
    message = email.message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def submit(host: str, port: int, *messages: EmailMessage) -> None:
    """Hand mails to an SMTP server as a customer's mail program does."""
    with smtplib.SMTP(host, port, timeout=TIMEOUT_S) as client:
        for message in messages:
            client.send_message(message)
