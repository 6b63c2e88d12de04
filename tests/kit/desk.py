"""A help desk's mailbox on a running system, and machines that write to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from email.message import EmailMessage
from typing import Any, Final
from uuid import uuid4

from tests.kit.api import CREATE_RULE, UPDATE_RULE, Api
from tests.kit.eventually import eventually
from tests.kit.mail import Mailbox, compose, submit
from tests.kit.stack import TestStack
from tests.kit.system import System

SOON_S: Final = 60.0
ACKNOWLEDGE: Final = CREATE_RULE | {"action": {"type": "create_ticket", "acknowledge": True}}


class Desk:
    """Reads a new mailbox of `mails`' server; answers leave at once, and every ticket it opens is acknowledged if wanted."""

    def __init__(self, system: System, mails: TestStack, *, acknowledge: bool = True) -> None:
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

    def outcome(self, message_id: str) -> dict[str, Any]:
        """What the mail of this Message-ID became, once that is known."""
        return eventually(lambda: self._outcome(message_id), SOON_S, what=f"an outcome of {message_id}")

    def at_rest(self) -> bool:
        """Whether all that lies in the mailbox was read and became something, and all it wrote has left."""
        mails = self.mails()
        read = len(mails) == len(self.mailbox.mails()) and all(mail["outcome"] for mail in mails)
        return read and all(mail["state"] == "sent" for mail in self.outgoing())

    def _outcome(self, message_id: str) -> dict[str, Any] | None:
        found: list[dict[str, Any]] = self.api.get("/mails", scanner_id=self.scanner_id, message_id=message_id)["items"]
        return found[0]["outcome"] if found else None


def new_mailbox(mails: TestStack, address: str) -> Mailbox:
    mails.create_mail_user(address, "secret")
    return Mailbox(mails.imap_host, mails.imap_port, address, "secret")


class Machine(ABC):
    """A mailbox whose mails a machine takes up, each once: `run` it until nobody writes any more."""

    def __init__(self, mails: TestStack) -> None:
        self.address = f"anna-{uuid4().hex[:8]}@customer.example"
        self._inbox = new_mailbox(mails, self.address)
        self._mails = mails
        self._done = 0

    def received(self) -> list[EmailMessage]:
        return self._inbox.mails()

    def at_rest(self) -> bool:
        """Takes up what is new; true where nothing was."""
        new = self.received()[self._done :]
        for mail in new:
            self.take_up(mail)
            self._done += 1
        return not new

    @abstractmethod
    def take_up(self, mail: EmailMessage) -> None:
        """What this machine does about a mail."""

    def write(self, mail: EmailMessage) -> None:
        submit(self._mails.smtp_host, self._mails.smtp_port, mail)


class Responder(Machine):
    """Answers each mail, as of somebody on vacation; a rude one (`fields` empty) does not say that it is a machine."""

    def __init__(self, mails: TestStack, **fields: str) -> None:
        super().__init__(mails)
        self._fields = fields

    def take_up(self, mail: EmailMessage) -> None:
        about = str(mail["Message-ID"])
        answer = compose(
            self.address, str(mail["From"]), f"Re: {mail['Subject']}", "I am away.\n", in_reply_to=about, references=about, **self._fields
        )
        self.write(answer)


class Forwarder(Machine):
    """Sends each mail on as it is (RFC 5322, 3.6.6) to whom it is told."""

    def __init__(self, mails: TestStack, to: str) -> None:
        super().__init__(mails)
        self._to = to

    def take_up(self, mail: EmailMessage) -> None:
        mail["Resent-From"], mail["Resent-To"] = self.address, self._to
        mail["Resent-Date"] = str(mail["Date"])
        self.write(mail)
