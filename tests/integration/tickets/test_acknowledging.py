"""Acknowledgements: sent in the transaction that opens the ticket, never to machines, within the limits, and an operator sees why not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import text

from shared.events import Action, ActionType, Candidate, DeliveryState, MailDelivery, TicketCommand
from shared.mail.model import Address
from shared.observability import REGISTRY
from tests.integration.tickets.returning import bounce, sent
from tests.integration.tickets.rig import NOON, OWN, REPLY, Rig, command, command_record, mail

pytestmark = pytest.mark.connected

ANNA = "anna@customer.example"
ACKNOWLEDGED = Candidate(rule_id="r", rule_name="R", action=Action(type=ActionType.CREATE_TICKET, acknowledge=True))

CONTENT = ("in_reply_to", "references", "unanswerable", "subject", "message_id", "authentication", "reply_to")


def written(sender: str = ANNA, candidates: tuple[Candidate, ...] = (ACKNOWLEDGED,), **fields: Any) -> TicketCommand:
    """A mail of just now."""
    content = {name: fields.pop(name) for name in CONTENT if name in fields}
    return command(mail(sender, **content), candidates, **{"mail_kind": "mail", "received_at": datetime.now(UTC), **fields})


async def told(rig: Rig, ticket_id: int) -> list[str]:
    """What the history says of acknowledgements that were not sent."""
    entries = (await rig.get(f"/tickets/{ticket_id}/history"))["items"]
    return [change["after"] for entry in entries for change in entry["changes"] if change["field"] == "acknowledgement"]


def limited(registry: CollectorRegistry = REGISTRY) -> float:
    labels = {"mode": "acknowledgement", "result": "limited"}
    return registry.get_sample_value("mailconverter_automatic_mails_total", labels) or 0.0


async def test_the_mail_that_opens_a_ticket_is_acknowledged_as_an_answer_to_it(rig: Rig) -> None:
    one = written(message_id="<question@customer.example>", references=["<root@customer.example>"])
    await rig.carry_out(one)
    (out,) = await sent(rig, "acknowledgement")
    assert (out["to"], out["ticket_id"], out["scanner_id"]) == ([{"name": "Anna", "address": ANNA}], 1, "s1")
    assert (out["in_reply_to"], out["references"]) == (
        "<question@customer.example>",
        ["<root@customer.example>", "<question@customer.example>"],
    )
    assert (out["text"], out.get("quoted"), out["title"]) == ("", None, "The printer is on fire")
    assert out["message_id"].endswith(f"@{OWN.partition('@')[2]}>")
    first, second = await rig.messages(1)
    assert (first["kind"], second["kind"], second["sender"], second["delivery"]) == ("mail", "reply", "system", "queued")
    assert (await rig.get("/tickets/1"))["status"] == "open"
    assert (await rig.get("/tickets/1/history"))["items"][0]["actor"] == "system"


async def test_what_its_template_made_of_it_is_shown_once_it_was_written(rig: Rig) -> None:
    await rig.carry_out(written())
    (out,) = await sent(rig, "acknowledgement")
    common: dict[str, Any] = {
        "outgoing_id": out["outgoing_id"],
        "ticket_id": 1,
        "message_id": out["message_id"],
        "recipient": ANNA,
        "at": NOON,
    }
    await rig.report(MailDelivery(**common, state=DeliveryState.ACCEPTED, sequence=1, text="We have got your mail."))
    await rig.report(MailDelivery(**common, state=DeliveryState.SENT, sequence=2, text="Another text."))
    acknowledgement = (await rig.messages(1))[1]
    assert (acknowledgement["text"], acknowledgement["delivery"]) == ("We have got your mail.", "sent")


async def test_the_customers_answer_to_it_is_put_on_the_ticket_and_not_acknowledged_again(rig: Rig) -> None:
    await rig.carry_out(written())
    (out,) = await sent(rig, "acknowledgement")
    answer = written(candidates=(REPLY, ACKNOWLEDGED), in_reply_to=[out["message_id"]])
    await rig.carry_out(answer)
    assert (await rig.outcome(answer.mail_id))["type"] == "update"
    assert len(await sent(rig, "acknowledgement")) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"received_at": NOON}, "the mail is from 01 Nov 2026, too old to be acknowledged"),
        ({"mail_kind": "list"}, "it was sent to many"),
        ({"sender": OWN}, "the sender is a mailbox of ours"),
        ({"unanswerable": "X-Auto-Response-Suppress: All"}, "it bears the field X-Auto-Response-Suppress: All"),
    ],
)
async def test_the_history_says_why_there_is_none(rig: Rig, fields: dict[str, Any], words: str) -> None:
    await rig.carry_out(written(**fields))
    assert await sent(rig, "acknowledgement") == []
    assert await told(rig, 1) == [f"not sent: {words}"]


async def test_a_replayed_mail_is_not_acknowledged(rig: Rig) -> None:
    one = command_record(written())
    await rig.commands.on_records([replace(one, headers={**one.headers, "ce_replay": "r1"})])
    assert await sent(rig, "acknowledgement") == []
    assert await told(rig, 1) == ["not sent: the mail is replayed"]


async def test_the_same_mail_again_is_acknowledged_once(rig: Rig) -> None:
    one = written()
    await rig.carry_out(one, one)
    await rig.carry_out(one, resend=1)
    assert len(await sent(rig, "acknowledgement")) == 1


async def test_a_bounce_of_an_acknowledgement_flags_and_sends_nothing(rig: Rig) -> None:
    assigned = ACKNOWLEDGED.model_copy(update={"action": ACKNOWLEDGED.action.model_copy(update={"assignee": "olga@company.example"})})
    await rig.carry_out(written(candidates=(assigned,)))
    (out,) = await sent(rig, "acknowledgement")
    await rig.carry_out(bounce(out["message_id"]))
    assert f"{ANNA} did not get the acknowledgement" in (await rig.get("/tickets/1"))["attention"]
    assert await sent(rig, "notice") == []


async def test_a_sender_gets_as_many_a_day_as_the_settings_allow(rig: Rig) -> None:
    before = limited()
    await rig.carry_out(*[written(ANNA.upper() if number % 2 else ANNA) for number in range(5)], written("ben@customer.example"))
    to = [out["to"][0]["address"].lower() for out in await sent(rig, "acknowledgement")]
    assert (to.count(ANNA), to.count("ben@customer.example")) == (3, 1)
    assert await told(rig, 4) == ["not sent: 3 automatic mails went to this address in 24 hours, as many as the settings allow"]
    assert limited() - before == 2
    async with rig.engine.begin() as conn:
        await conn.execute(text("update automatic_mails set at = at - interval '25 hours'"))
    await rig.carry_out(written())
    assert len(await sent(rig, "acknowledgement")) == 5
    async with rig.engine.connect() as conn:
        assert await conn.scalar(text("select count(*) from automatic_mails")) == 1, "what is no longer counted is forgotten"


async def test_a_mailbox_sends_as_many_a_day_as_the_settings_allow(rig: Rig) -> None:
    await rig.api.patch("/ticket-settings", json={"automatic_per_mailbox": 2})
    await rig.add_scanner("s2", "sales@company.example")
    await rig.carry_out(*[written(f"p{number}@customer.example") for number in range(4)], written(scanner_id="s2"))
    assert [out["scanner_id"] for out in await sent(rig, "acknowledgement")] == ["s1", "s1", "s2"]
    assert await told(rig, 3) == ["not sent: the mailbox sent 2 automatic mails in 24 hours, as many as the settings allow"]


async def test_replicas_that_count_at_once_do_not_exceed_a_limit(rig: Rig, other_replica: Rig) -> None:
    mails = [written() for _ in range(24)]
    turns = [(rig, other_replica)[number % 2].carry_out(*mails[number * 3 : number * 3 + 3]) for number in range(8)]
    await asyncio.gather(*turns)
    assert len(await rig.tickets()) == 24
    assert len(await sent(rig, "acknowledgement")) == 3


async def test_none_at_all_may_leave_where_the_limit_is_nought(rig: Rig) -> None:
    await rig.api.patch("/ticket-settings", json={"automatic_per_sender": 0})
    await rig.carry_out(written())
    assert await sent(rig, "acknowledgement") == []


async def test_a_simulation_says_whom_it_would_go_to_or_why_there_would_be_none(rig: Rig) -> None:
    items = await rig.resolve(written(), written(mail_kind="list"), written(candidates=(REPLY,)))
    assert [item["acknowledgement"] for item in items] == [f"to {ANNA}", "none: it was sent to many", None]
    assert await sent(rig, "acknowledgement") == []


async def test_it_goes_to_who_wrote_whatever_reply_to_says(rig: Rig) -> None:
    await rig.carry_out(written(reply_to=[Address(address="victim@other.example")]))
    assert [out["to"][0]["address"] for out in await sent(rig, "acknowledgement")] == [ANNA]


async def test_who_answers_one_of_ours_gets_none_whatever_rule_comes_first(rig: Rig) -> None:
    await rig.carry_out(written())
    (out,) = await sent(rig, "acknowledgement")
    await rig.carry_out(written("robot@machine.example", in_reply_to=[out["message_id"]]))
    assert len(await sent(rig, "acknowledgement")) == 1
    assert await told(rig, 2) == ["not sent: it answers a mail of ours"]


async def test_a_mail_that_comes_round_again_gets_none(rig: Rig) -> None:
    again = "<round@customer.example>"
    await rig.carry_out(written(message_id=again), written(message_id=again))
    await rig.carry_out(written(message_id=again))
    await rig.add_scanner("s2", "sales@company.example")
    await rig.carry_out(written(scanner_id="s2", message_id=again))
    assert [out["ticket_id"] for out in await sent(rig, "acknowledgement")] == [1, 4], "another mailbox got it for the first time"
    assert await told(rig, 2) == await told(rig, 3) == ["not sent: the same mail is on a ticket already"]


async def test_many_tags_of_one_address_are_one_address_for_the_limit(rig: Rig) -> None:
    senders = [f"robot+{number}@machine.example" for number in range(5)]
    await rig.carry_out(
        *[written(sender) for sender in senders], *[written(f"a@{domain}") for domain in ("gmail.com", "googlemail.com") * 2]
    )
    to = [out["to"][0]["address"] for out in await sent(rig, "acknowledgement")]
    assert to == [*senders[:3], "a@gmail.com", "a@googlemail.com", "a@gmail.com"]


async def test_mails_that_nobody_checked_get_none_where_the_settings_say_so(rig: Rig) -> None:
    assert (await rig.get("/ticket-settings"))["acknowledge_unchecked"] is True
    changed = await rig.api.patch("/ticket-settings", json={"acknowledge_unchecked": False})
    assert changed.json()["acknowledge_unchecked"] is False
    await rig.carry_out(written(), written(authentication=["spf=pass"]))
    assert [out["ticket_id"] for out in await sent(rig, "acknowledgement")] == [2]
    assert await told(rig, 1) == [
        "not sent: the mailbox's provider does not write whether the sender is authentic, and the settings ask for that"
    ]
    (item,) = await rig.resolve(written())
    assert item["acknowledgement"].startswith("none: the mailbox's provider")


async def test_a_simulation_of_an_old_mail_says_what_would_have_been_then(rig: Rig) -> None:
    (item,) = await rig.resolve(written(received_at=NOON))
    assert item["acknowledgement"] == f"to {ANNA}"
