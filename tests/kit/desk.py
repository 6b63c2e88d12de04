"""A help desk's mailbox on a running system, and machines that write to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from email.message import EmailMessage
from typing import Any, Final
from uuid import uuid4

from tests.kit.api import CREATE_RULE, UPDATE_RULE, Api
from tests.kit.eventually import eventually
from tests.kit.mail import Mailbox, compose, parse, submit
from tests.kit.stack import MailServer
from tests.kit.system import System

SOON_S: Final = 60.0
PASSWORD: Final = "secret"
WAITING: Final = frozenset({"queued", "accepted", "delayed"})
ACKNOWLEDGE: Final = CREATE_RULE | {"action": {"type": "create_ticket", "acknowledge": True}}


class Desk:
    """Reads a new mailbox of `mails`' server; answers leave at once, and every ticket it opens is acknowledged if wanted."""

    def __init__(self, system: System, mails: MailServer, *, acknowledge: bool = True) -> None:
        self.api: Api = system.api
        self.address = f"help-{uuid4().hex[:8]}@desk.example"
        self.mailbox = new_mailbox(mails, self.address)
        self.scanner_id = self.api.add_mailbox(self.mailbox, mails.smtp_host, mails.smtp_port, rules=False)
        for rule in (UPDATE_RULE, ACKNOWLEDGE if acknowledge else CREATE_RULE):
            self.api.post(f"/scanners/{self.scanner_id}/rules", rule)
        assert self.api.request("PATCH", "/ticket-settings", json={"undo_seconds": 0}).is_success

    def mails(self) -> list[dict[str, Any]]:
        """What it read, newest first."""
        return self.api.all("/mails", scanner_id=self.scanner_id)

    def tickets(self) -> list[dict[str, Any]]:
        return self.api.all("/tickets", scanner_id=self.scanner_id)

    def outgoing(self) -> list[dict[str, Any]]:
        """What it wrote, of all of its tickets."""
        return [mail for ticket in self.tickets() for mail in self.api.all("/outgoing", ticket_id=ticket["id"])]

    def messages(self, ticket_id: int) -> list[dict[str, Any]]:
        return self.api.all(f"/tickets/{ticket_id}/messages")

    def told(self, ticket_id: int, field: str) -> list[str]:
        """What the ticket's history says became of a field."""
        entries = self.api.all(f"/tickets/{ticket_id}/history")
        return [str(change["after"]) for entry in entries for change in entry["changes"] if change["field"] == field]

    def outcome(self, message_id: str) -> dict[str, Any]:
        """What the mail of this Message-ID became, once that is known."""
        return eventually(lambda: self._outcome(message_id), SOON_S, what=f"an outcome of {message_id}")

    def at_rest(self) -> bool:
        """Whether all that lies in the mailbox was read and became something, and all it wrote has left."""
        mails = self.mails()
        if len(mails) != len(self.mailbox.mails()) or not all(mail["outcome"] for mail in mails):
            return False
        written = [one for ticket in self.tickets() for one in self.messages(ticket["id"]) if one["direction"] == "out"]
        return all(one["delivery"] not in WAITING for one in written)

    def _outcome(self, message_id: str) -> dict[str, Any] | None:
        found: list[dict[str, Any]] = self.api.get("/mails", scanner_id=self.scanner_id, message_id=message_id)["items"]
        return found[0]["outcome"] if found else None


def delivery_report(to: str, recipient: str, about: str, action: str = "failed", status: str = "5.1.1") -> EmailMessage:
    """A mail server's report (RFC 3464) to `to` of what became of the mail with Message-ID `about` for its recipient."""
    lines = (
        "From: Mail Delivery System <MAILER-DAEMON@mx.customer.example>",
        f"To: {to}",
        f"Subject: Delivery status ({action})",
        f"Message-ID: <{uuid4()}@mx.customer.example>",
        "Date: Tue, 24 Nov 2026 10:00:00 +0000",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
        "",
        "--b",
        "Content-Type: text/plain",
        "",
        "This is what became of your mail.",
        "--b",
        "Content-Type: message/delivery-status",
        "",
        "Reporting-MTA: dns; mx.customer.example",
        "",
        f"Final-Recipient: rfc822; {recipient}",
        f"Action: {action}",
        f"Status: {status}",
        "Diagnostic-Code: smtp; 550 5.1.1 no such user here",
        "",
        "--b",
        "Content-Type: text/rfc822-headers",
        "",
        f"Message-ID: {about}",
        "",
        "--b--",
        "",
    )
    return parse("\r\n".join(lines).encode())


def new_mailbox(mails: MailServer, address: str) -> Mailbox:
    mails.create_mail_user(address, PASSWORD)
    return Mailbox(mails.imap_host, mails.imap_port, address, PASSWORD)


class Machine(ABC):
    """A mailbox whose mails a machine takes up, each once: `run` it until nobody writes any more."""

    def __init__(self, mails: MailServer) -> None:
        self.address = f"anna-{uuid4().hex[:8]}@customer.example"
        self._inbox = new_mailbox(mails, self.address)
        self._mails = mails
        self.done = 0
        """Mails it took up."""

    def received(self) -> list[EmailMessage]:
        return self._inbox.mails()

    def at_rest(self) -> bool:
        """Takes up what is new; true where nothing was."""
        new = self.received()[self.done :]
        for mail in new:
            self.take_up(mail)
            self.done += 1
        return not new

    @abstractmethod
    def take_up(self, mail: EmailMessage) -> None:
        """What this machine does about a mail."""

    def write(self, mail: EmailMessage) -> None:
        submit(self._mails.smtp_host, self._mails.smtp_port, mail)


class Mute(Machine):
    """Somebody who takes mails and writes none by itself."""

    def take_up(self, mail: EmailMessage) -> None:
        """Nothing is done about it."""


class Responder(Machine):
    """Answers each mail, as of somebody on vacation; a rude one (`fields` empty) does not say that it is a machine.

    One that does not thread makes each answer look like a new question.
    """

    def __init__(self, mails: MailServer, *, threads: bool = True, **fields: str) -> None:
        super().__init__(mails)
        self._threads = threads
        self._fields = fields

    def take_up(self, mail: EmailMessage) -> None:
        about, fields = str(mail["Message-ID"]), dict(self._fields)
        if self._threads:
            fields |= {"in_reply_to": about, "references": about}
        subject = f"Re: {mail['Subject']}" if self._threads else f"Question {uuid4().hex[:6]}"
        self.write(compose(self.address, str(mail["From"]), subject, "I am away.\n", **fields))


class Forwarder(Machine):
    """Sends each mail on as it is (RFC 5322, 3.6.6) to whom it is told."""

    def __init__(self, mails: MailServer, to: str) -> None:
        super().__init__(mails)
        self._to = to

    def take_up(self, mail: EmailMessage) -> None:
        mail["Resent-From"], mail["Resent-To"] = self.address, self._to
        mail["Resent-Date"] = str(mail["Date"])
        self.write(mail)
