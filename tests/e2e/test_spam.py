"""A domain on the spam list and off it again, through all services: what it removed comes back, what it held is read after all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pytest

from tests.kit.eventually import eventually
from tests.kit.mail import Mailbox, compose, submit
from tests.kit.stack import TestStack
from tests.kit.system import System

SOON_S = 60.0


def outcomes(system: System, scanner_id: str) -> Mapping[str, tuple[str, int | None]]:
    """Subject → outcome and ticket, of the mails that are no longer under way."""
    mails: list[dict[str, Any]] = system.api.all("/mails", scanner_id=scanner_id)
    return {one["subject"]: (one["outcome"]["type"], one["outcome"].get("ticket_id")) for one in mails if one["outcome"]}


@pytest.mark.timeout(300)
def test_what_a_domain_held_back_becomes_tickets_when_it_comes_off_the_list(system: System, stack: TestStack) -> None:
    mark, api = uuid4().hex[:8], system.api
    help_desk, domain = f"help-{mark}@desk.example", f"shop-{mark}.example"
    stack.create_mail_user(help_desk, "secret")
    mailbox = Mailbox(stack.imap_host, stack.imap_port, help_desk, "secret")
    scanner_id = api.add_mailbox(mailbox, stack.smtp_host, stack.smtp_port)

    submit(stack.smtp_host, stack.smtp_port, compose(f"offers@{domain}", help_desk, "Cheap chairs"))
    eventually(lambda: "Cheap chairs" in outcomes(system, scanner_id), SOON_S)
    (ticket,) = api.all("/tickets", scanner_id=scanner_id)
    job = api.job("/tickets/spam", {"ticket_ids": [ticket["id"]], "listing": "domain"})
    assert (job["state"], job["result"]["spammed"]) == ("done", 1)

    submit(stack.smtp_host, stack.smtp_port, compose(f"news@mail.{domain}", help_desk, "Cheap tables"))
    held = {"Cheap chairs": ("spam", ticket["id"]), "Cheap tables": ("spam", None)}
    eventually(lambda: outcomes(system, scanner_id) == held, SOON_S, what="both mails to be spam")
    (entry,) = api.all("/spam-senders", q=domain)
    assert (entry["address"], entry["kind"], entry["hits"]) == (f"@{domain}", "domain", 1)

    answer = api.request("DELETE", f"/spam-senders/{entry['id']}", params={"restore": "true"})
    assert answer.status_code == 202, answer.text

    def all_tickets() -> bool:
        return [kind for kind, _ in outcomes(system, scanner_id).values()] == ["ticket", "ticket"]

    eventually(all_tickets, SOON_S, what="both mails to have tickets")
    assert {one["title"] for one in api.all("/tickets", scanner_id=scanner_id)} == {"Cheap chairs", "Cheap tables"}
    assert outcomes(system, scanner_id)["Cheap chairs"] == ("ticket", ticket["id"])
