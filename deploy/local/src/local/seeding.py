"""What the sandbox holds: a mailbox, its rules and three mails, made through the public REST API, as a person would.

The embedded stack and the containers share it, so it uses the standard library only. GreenMail forgets all mails when it stops; a file
notes how far the set-up came: nothing is made twice, and no mail comes again as a second ticket.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from local import http, jsonfile
from local.errors import StackError
from local.mails import MAILBOX, first_mails, submit

PASSWORD = "sandbox"  # noqa: S105 - a mail server that keeps nothing and that only this machine reaches
CUSTOMERS = ("anna.keller@lakeside.example", "bruno@northwind-bikes.example", "carla.conti@studio-conti.example")
USERS = dict.fromkeys((MAILBOX, *CUSTOMERS), PASSWORD)
TOKEN_SECRET = "sandbox_token"  # noqa: S105 - a key in the secrets file
PATIENCE_SECONDS = 20.0
"""A new scanner reaches the other services by an event; until then they do not know it."""

TICKET_NUMBER = r"Ticket Id: (?P<ticket>\d+)"
UPDATE_RULE = {
    "name": "An answer that names its ticket",
    "conditions": [{"field": "subject", "operator": "regex", "value": TICKET_NUMBER}],
    "action": {"type": "update_ticket", "lookup": "ticket_id"},
}
CREATE_RULE = {"name": "Everything else opens a ticket", "conditions": [], "action": {"type": "create_ticket"}}


class Keeper(Protocol):
    """Where secrets and the note of what was made are kept."""

    @property
    def seeded_file(self) -> Path: ...

    def secret(self, name: str, make: Callable[[], str]) -> str: ...

    def forget_secret(self, name: str) -> None: ...


@dataclass(frozen=True)
class MailServer:
    """Where the services find the sandbox mail server."""

    host: str
    imap_port: int
    smtp_port: int


class Client:
    """The console's REST API as an administrator. Its token is made by the console's internal interface and kept."""

    def __init__(self, console: str, keeper: Keeper, service_token: str) -> None:
        self.console = console
        self.keeper = keeper
        self.service_token = service_token

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Raises StackError with the server's reason."""
        try:
            return self._call(method, path, body)
        except (http.AnswerError, OSError) as error:
            message = f"the sandbox could not be set up: {error}; MAILCONVERTER_SANDBOX=0 starts without it"
            raise StackError(message) from error

    def call_when_known(self, method: str, path: str, body: dict[str, Any]) -> Any:
        """As `call`, waiting while the service does not know the scanner yet (404) or is not ready (503)."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._call(method, path, body)
            except (http.AnswerError, OSError) as error:
                again = not isinstance(error, http.AnswerError) or error.status in {404, 409, 502, 503}
                if not again or time.monotonic() > deadline:
                    message = f"the sandbox could not be set up: {error}; MAILCONVERTER_SANDBOX=0 starts without it"
                    raise StackError(message) from error
            time.sleep(0.2)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        for attempt in (1, 2):
            headers = {"Authorization": f"Bearer {self.keeper.secret(TOKEN_SECRET, self._new_token)}"}
            try:
                return http.call(method, f"{self.console}/api/v1{path}", body, headers)
            except http.AnswerError as error:
                if error.status != 401 or attempt == 2:
                    raise
                self.keeper.forget_secret(TOKEN_SECRET)  # somebody deleted it in the console
        return None

    def _new_token(self) -> str:
        body = {"name": "sandbox", "role": "administrator"}
        answer = http.call("POST", f"{self.console}/internal/tokens", body, {"X-Service-Token": self.service_token})
        return str(answer["token"])


def is_wanted(client: Client) -> bool:
    """It was seeded before, or no mailbox is configured."""
    return client.keeper.seeded_file.exists() or not client.call("GET", "/scanners")["items"]


def seed(client: Client, mail: MailServer, submit_to: tuple[str, int] | None = None) -> bool:
    """Make what is not there yet; True when the three mails were sent now. An interrupted set-up goes on where it stopped.

    `submit_to` is the SMTP server as this process reaches it, where that differs from how the services do.
    """
    file = client.keeper.seeded_file
    done = jsonfile.read(file)
    if "sender_id" not in done:
        done["sender_id"] = _make_sender(client, mail)
        _note(file, done, mail)
    if "scanner_id" not in done:
        done["scanner_id"] = _make_scanner(client, mail, done["sender_id"])
        _note(file, done, mail)
    _follow_ports(client, mail, done)
    if not done.get("rules"):
        _make_rules(client, done["scanner_id"])
        _note(file, done | {"rules": True}, mail)
        done["rules"] = True
    if done.get("mails"):
        return False
    host, port = submit_to or (mail.host, mail.smtp_port)
    for sender, message in first_mails(MAILBOX):
        submit(host, port, sender, [MAILBOX], message)
    _note(file, done | {"mails": True}, mail)
    return True


def _note(file: Path, done: dict[str, Any], mail: MailServer) -> None:
    done |= {"imap_port": mail.imap_port, "smtp_port": mail.smtp_port}
    jsonfile.write(file, done)


def _make_sender(client: Client, mail: MailServer) -> str:
    body = {
        "name": "Sandbox",
        "server": mail.host,
        "port": mail.smtp_port,
        "ssl_type": "none",
        "auth": "none",
        "address": MAILBOX,
        "display_name": "Sandbox Help Desk",
    }
    return str(client.call_when_known("POST", "/senders", body)["id"])


def _make_scanner(client: Client, mail: MailServer, sender_id: str) -> str:
    body = {
        "name": "Sandbox mailbox",
        "server": mail.host,
        "port": mail.imap_port,
        "ssl_type": "none",
        "username": MAILBOX,
        "password": PASSWORD,
        "address": MAILBOX,
        "find": "all",
        "after_scanning": "read",
        "start_from": "everything",
        "interval_seconds": 2,
        "sender_id": sender_id,
    }
    scanner_id = str(client.call_when_known("POST", "/scanners", body)["id"])
    client.call_when_known("PUT", f"/scanners/{scanner_id}/folders", {"selected": ["INBOX"]})
    return scanner_id


def _make_rules(client: Client, scanner_id: str) -> None:
    """After the built-in rule. A rule of the name that is there already (an interrupted set-up) is left alone."""
    path = f"/scanners/{scanner_id}/rules"
    known = {rule["name"] for rule in client.call("GET", path).get("items", [])}
    for rule in (UPDATE_RULE, CREATE_RULE):
        if rule["name"] not in known:
            client.call_when_known("POST", path, rule)


def _follow_ports(client: Client, mail: MailServer, done: dict[str, Any]) -> None:
    """The mail server's ports are remembered; where another program took one meanwhile, scanner and sender learn the new one."""
    if (done.get("imap_port"), done.get("smtp_port")) == (mail.imap_port, mail.smtp_port):
        return
    client.call_when_known("PATCH", f"/scanners/{done['scanner_id']}", {"port": mail.imap_port})
    client.call_when_known("PATCH", f"/senders/{done['sender_id']}", {"port": mail.smtp_port})
    _note(client.keeper.seeded_file, done, mail)
