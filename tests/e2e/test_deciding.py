"""Rules on real mails: what each became and why, a draft tried before it is switched on, examples that a change would break."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import pytest

from tests.kit.eventually import eventually
from tests.kit.mail import Mailbox, compose
from tests.kit.stack import TestStack
from tests.kit.system import System

SOON_S = 30.0
NEWSLETTER = {
    "name": "Newsletters",
    "conditions": [{"field": "kind", "operator": "equals", "value": "list"}],
    "action": {"type": "archive"},
}
BOUNCE = (
    b"From: Mail Delivery System <MAILER-DAEMON@relay.example>\r\nTo: %s\r\nSubject: Undelivered Mail Returned to Sender\r\n"
    b"Message-ID: <%s@relay.example>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nYour mail could not be delivered.\r\n"
    b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; relay.example\r\n\r\n"
    b"Final-Recipient: rfc822; gone@customer.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    b"Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n"
    b"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <our-answer@desk.example>\r\n\r\n--b--\r\n"
)


class Desk:
    """A help desk's mailbox with the usual rules, and mails that became something."""

    def __init__(self, system: System, stack: TestStack) -> None:
        self.api = system.api
        self.address = f"help-{uuid4().hex[:8]}@desk.example"
        stack.create_mail_user(self.address, "secret")
        self.mailbox = Mailbox(stack.imap_host, stack.imap_port, self.address, "secret")
        self.scanner_id = system.api.add_mailbox(self.mailbox, stack.smtp_host, stack.smtp_port)
        self.rules = f"/scanners/{self.scanner_id}/rules"

    def write(self, subject: str, **headers: str) -> EmailMessage:
        """A customer's mail, put into the mailbox."""
        mail = compose("Anna <anna@customer.example>", self.address, subject, **headers)
        self.mailbox.append([mail.as_bytes()])
        return mail

    def outcome(self, subject: str) -> dict[str, Any]:
        """The line of the mail with that subject, once it has an outcome."""
        return eventually(lambda: self._done(subject), SOON_S, what=f"an outcome of {subject!r}")

    def _done(self, subject: str) -> dict[str, Any] | None:
        mails = self.api.get("/mails", scanner_id=self.scanner_id)["items"]
        return next((mail for mail in mails if mail["subject"] == subject and mail["outcome"]), None)

    def draft(self, *first: dict[str, Any]) -> list[dict[str, Any]]:
        """Today's rules as a draft, the given ones after the built-in one."""
        names = ("id", "name", "enabled", "match", "conditions", "action")
        today = [{name: rule[name] for name in names} for rule in self.api.get(self.rules)["items"]]
        return [today[0], *first, *today[1:]]

    def simulate(self, mails: dict[str, Any], *first: dict[str, Any]) -> dict[str, Any]:
        """The simulation of the draft on these mails, once it is done."""
        job = self.api.job("/rule-simulations", {"scanner_id": self.scanner_id, "rules": self.draft(*first), "mails": mails})
        assert job["state"] == "done", job
        found: dict[str, Any] = self.api.get(f"/rule-simulations/{job['result']['simulation_id']}")
        return found


@pytest.fixture
def desk(system: System, stack: TestStack) -> Desk:
    return Desk(system, stack)


@pytest.mark.timeout(240)
def test_each_mail_is_explained_and_a_draft_is_tried_before_it_is_switched_on(desk: Desk) -> None:
    api = desk.api
    question = desk.write("Where is my order?")
    asked = desk.outcome("Where is my order?")
    desk.write("Re: Where is my order?", references=str(question["Message-ID"]), in_reply_to=str(question["Message-ID"]))
    desk.write("Our autumn offers", list_id="<offers.shop.example>", precedence="list")
    desk.write("Out of office", auto_submitted="auto-replied")
    desk.mailbox.append([BOUNCE % (desk.address.encode(), uuid4().hex.encode())])

    # What each became, and why.
    ticket_id = asked["outcome"]["ticket_id"]
    answered = desk.outcome("Re: Where is my order?")
    assert (answered["outcome"]["type"], answered["outcome"]["ticket_id"]) == ("update", ticket_id)
    offers = desk.outcome("Our autumn offers")
    assert offers["outcome"]["type"] == "ticket"
    assert desk.outcome("Out of office")["outcome"]["type"] == "auto_reply"
    bounce = desk.outcome("Undelivered Mail Returned to Sender")
    assert bounce["outcome"]["type"] == "bounce"
    assert "gone@customer.example" in bounce["outcome"]["reason"]
    why = api.get(f"/mails/{asked['id']}/decision")
    assert [(rule["rule_name"], rule["matched"], rule["took"]) for rule in why["trace"]] == [
        ("Reply to a known conversation", True, False),
        ("Answers by number", False, False),
        ("Everything else", True, True),
    ]
    assert why["trace"][1]["conditions"][0]["compared"] == "Where is my order?"
    assert api.get(f"/mails/{bounce['id']}/decision")["kind"] == "bounce"

    # A draft on the mails there are: one would change, the others would become what they became, as if later mails had not come.
    tickets = len(api.all("/tickets", scanner_id=desk.scanner_id))
    tried = desk.simulate({"last": 50}, NEWSLETTER)
    assert (tried["total"], tried["changed"]) == (5, 1)
    changed = api.all(f"/rule-simulations/{tried['id']}/mails", change="outcome")
    assert [(mail["subject"], mail["before"]["outcome"], mail["after"]["outcome"]) for mail in changed] == [
        ("Our autumn offers", "ticket", "archived")
    ]
    detail = api.get(f"/rule-simulations/{tried['id']}/mails/{changed[0]['position']}")
    assert next(rule["matched"] for rule in detail["trace"] if rule["rule_name"] == "Newsletters")
    assert {(total["before"], total["after"]): total["count"] for total in tried["totals"]} == {
        ("ticket", "ticket"): 1,
        ("ticket", "archived"): 1,
        ("update", "update"): 1,
        ("auto_reply", "auto_reply"): 1,
        ("bounce", "bounce"): 1,
    }
    pasted = compose("Berta <berta@customer.example>", desk.address, f"Once more, Ticket Id: {ticket_id}").as_string()
    one = api.all(f"/rule-simulations/{desk.simulate({'raw': pasted})['id']}/mails")
    assert (one[0]["change"], one[0]["after"]["rule_name"]) == ("new", "Answers by number")

    # It touched nothing, until it is switched on.
    assert len(api.all("/tickets", scanner_id=desk.scanner_id)) == tickets
    assert "Newsletters" not in [rule["name"] for rule in api.get(desk.rules)["items"]]
    api.post(f"/rule-simulations/{tried['id']}/apply")
    assert [rule["name"] for rule in api.get(desk.rules)["items"]][1] == "Newsletters"
    desk.write("Our winter offers", list_id="<offers.shop.example>")
    assert desk.outcome("Our winter offers")["outcome"]["type"] == "archived"

    # What was decided before keeps its own version's reasons.
    assert len(api.get(f"/mails/{asked['id']}/decision")["trace"]) == 3


@pytest.mark.timeout(180)
def test_a_change_that_breaks_an_example_is_asked_about(desk: Desk) -> None:
    api = desk.api
    desk.write("A printer on fire")
    mail = desk.outcome("A printer on fire")
    example = api.post(f"{desk.rules}/examples", {"name": "Fire is a ticket", "mail_id": mail["id"]})
    assert example["expected"]["outcome"] == "ticket"
    ignoring = {"name": "No printers", "conditions": [{"field": "subject", "operator": "contains", "value": "PRINTER"}]}
    api.post(desk.rules, ignoring | {"action": {"type": "ignore"}})  # comes after the rule that takes everything
    rules = [rule["id"] for rule in api.get(desk.rules)["items"]]

    order = {"rule_ids": [rules[-1], *rules[:-1]]}
    refused = api.request("PUT", f"{desk.rules}/order", json=order)
    assert refused.status_code == 409
    broken = refused.json()["broken"]
    assert [(one["example"]["name"], one["after"]["outcome"]) for one in broken] == [("Fire is a ticket", "ignored")]
    assert [rule["id"] for rule in api.get(desk.rules)["items"]] == rules

    assert api.request("PUT", f"{desk.rules}/order", params={"accept_broken": "true"}, json=order).status_code == 200
    checked = api.post(f"{desk.rules}/examples/check")["items"]
    assert [one["holds"] for one in checked] == [False]
