"""The sandbox: a mailbox, its rules and three mails, so that a newcomer sees the main job without a mailbox of their own.

It is set up through the public REST API, as a person would. GreenMail forgets all mails when it stops, so a file in the data folder
notes how far the set-up came: nothing is made twice, and no mail comes again as a second ticket.
"""

from __future__ import annotations

import time
from typing import Any

from local import http, jsonfile
from local.errors import StackError
from local.greenmail import GreenMail
from local.home import Home
from local.mails import MAILBOX, first_mails, submit
from local.ports import LOOPBACK
from local.services import service_token

PASSWORD = "sandbox"  # noqa: S105 - a server on loopback that keeps nothing
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


class Client:
    """The console's REST API as an administrator. Its token is made by the console's internal interface and kept."""

    def __init__(self, console: str, home: Home) -> None:
        self.console = console
        self.home = home

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
            headers = {"Authorization": f"Bearer {self.home.secret(TOKEN_SECRET, self._new_token)}"}
            try:
                return http.call(method, f"{self.console}/api/v1{path}", body, headers)
            except http.AnswerError as error:
                if error.status != 401 or attempt == 2:
                    raise
                self.home.forget_secret(TOKEN_SECRET)  # somebody deleted it in the console
        return None

    def _new_token(self) -> str:
        body = {"name": "sandbox", "role": "administrator"}
        answer = http.call("POST", f"{self.console}/internal/tokens", body, {"X-Service-Token": service_token(self.home)})
        return str(answer["token"])


def may_be_wanted(home: Home) -> bool:
    """Whether to start the mail server at once: it was seeded, or the installation is new."""
    return home.seeded_file.exists() or not (home.path / "postgres" / "PG_VERSION").exists()


def is_wanted(home: Home, client: Client) -> bool:
    """It was seeded before, or no mailbox is configured."""
    return home.seeded_file.exists() or not client.call("GET", "/scanners")["items"]


def seed(home: Home, client: Client, mail: GreenMail) -> bool:
    """Make what is not there yet; True when the three mails were sent now. An interrupted set-up goes on where it stopped."""
    done = jsonfile.read(home.seeded_file)
    if "sender_id" not in done:
        done["sender_id"] = _make_sender(client, mail)
        _note(home, done, mail)
    if "scanner_id" not in done:
        done["scanner_id"] = _make_scanner(client, mail, done["sender_id"])
        _note(home, done, mail)
    _follow_ports(home, client, mail, done)
    if not done.get("rules"):
        _make_rules(client, done["scanner_id"])
        _note(home, done | {"rules": True}, mail)
        done["rules"] = True
    if done.get("mails"):
        return False
    for sender, message in first_mails(MAILBOX):
        submit(LOOPBACK, mail.smtp_port, sender, [MAILBOX], message)
    _note(home, done | {"mails": True}, mail)
    return True


def _note(home: Home, done: dict[str, Any], mail: GreenMail) -> None:
    done |= {"imap_port": mail.port, "smtp_port": mail.smtp_port}
    jsonfile.write(home.seeded_file, done)


def _make_sender(client: Client, mail: GreenMail) -> str:
    body = {
        "name": "Sandbox",
        "server": LOOPBACK,
        "port": mail.smtp_port,
        "ssl_type": "none",
        "auth": "none",
        "address": MAILBOX,
        "display_name": "Sandbox Help Desk",
    }
    return str(client.call_when_known("POST", "/senders", body)["id"])


def _make_scanner(client: Client, mail: GreenMail, sender_id: str) -> str:
    body = {
        "name": "Sandbox mailbox",
        "server": LOOPBACK,
        "port": mail.port,
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


def _follow_ports(home: Home, client: Client, mail: GreenMail, done: dict[str, Any]) -> None:
    """The mail server's ports are remembered; where another program took one meanwhile, scanner and sender learn the new one."""
    if (done.get("imap_port"), done.get("smtp_port")) == (mail.port, mail.smtp_port):
        return
    client.call_when_known("PATCH", f"/scanners/{done['scanner_id']}", {"port": mail.port})
    client.call_when_known("PATCH", f"/senders/{done['sender_id']}", {"port": mail.smtp_port})
    _note(home, done, mail)
