"""Commands on a real Postgres: once each, alone or in batches, whatever they hold."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from shared.events import Action, ActionType, Candidate, CommandKind, Lookup
from shared.mail.model import Address, Attachment
from shared.topics import TICKET_COMMANDS
from tests.integration.tickets.rig import CREATE, NOON, REPLY, Rig, command, command_record, failure, mail, record, update
from tickets.adapters.tables import MESSAGING

pytestmark = pytest.mark.connected


async def test_a_mail_becomes_a_ticket(rig: Rig) -> None:
    one = command(mail(cc=[Address(address="boss@customer.example")]))
    await rig.carry_out(one)
    (ticket,) = await rig.tickets()
    assert (ticket["title"], ticket["description"], ticket["source"]) == ("The printer is on fire", "It burns.", "mail")
    assert (ticket["sender"], ticket["recipients"]) == ("anna@customer.example", ["help@company.example", "boss@customer.example"])
    outcome = await rig.outcome(one.mail_id)
    assert (outcome["type"], outcome["ticket_id"], outcome["rule_id"], outcome["key"]) == ("ticket", ticket["id"], "r-create", one.mail_id)
    (event,) = await rig.emitted("ticket.events")
    assert (event["type"], event["ticket_id"], event["actor"]) == ("created", ticket["id"], "mail")


async def test_the_same_command_three_times_is_one_ticket_and_one_outcome(rig: Rig) -> None:
    one = command()
    await rig.carry_out(one, one)
    await rig.carry_out(one)
    await rig.commands.on_records([record(TICKET_COMMANDS, one, "another-event-id")])
    assert len(await rig.tickets()) == 1
    assert len(await rig.emitted("mail.outcomes")) == 1
    assert len(await rig.emitted("ticket.events")) == 1


async def test_a_resend_repeats_the_stored_outcome(rig: Rig) -> None:
    one = command()
    await rig.carry_out(one)
    await rig.carry_out(one, resend=1)
    await rig.carry_out(one, resend=1)
    first, again = await rig.emitted("mail.outcomes")
    assert (again["ce_id"], again["ce_resend"]) == (first["ce_id"], "1")
    assert first["ticket_id"] == again["ticket_id"]
    assert len(await rig.tickets()) == 1


async def test_a_batch_sees_its_own_tickets(rig: Rig) -> None:
    first = command(mail(message_id="<a@x>"), [REPLY, CREATE])
    answer = command(mail(message_id="<b@x>", references=["<a@x>"]), [REPLY, CREATE])
    stranger = command(mail("eve@other.example", references=["<a@x>", "<b@x>"]), [REPLY, CREATE])
    await rig.carry_out(first, answer, stranger)
    linked, ticket = await rig.tickets()
    assert (ticket["message_count"], linked["message_count"]) == (2, 1)
    assert linked["linked_ticket_id"] == ticket["id"]
    assert (await rig.outcome(answer.mail_id))["type"] == "update"


@pytest.mark.parametrize("key", ["99999999999999999999999999", "0", "7", "no number", "", "-1", "٣", "1" * 5000])
async def test_a_key_that_names_no_ticket_passes(rig: Rig, key: str) -> None:
    one = command(candidates=[update(key), CREATE])
    await rig.carry_out(one)
    assert (await rig.outcome(one.mail_id))["rule_id"] == "r-create"


async def test_of_several_numbers_the_newest_ticket_is_meant(rig: Rig) -> None:
    await rig.carry_out(command(), command())
    answer = command(candidates=[update("2 1 9000")])
    await rig.carry_out(answer)
    assert (await rig.outcome(answer.mail_id))["ticket_id"] == 2


async def test_a_title_is_compared_without_re_and_blanks(rig: Rig) -> None:
    await rig.carry_out(command(mail(subject="Order  17")), command(mail(subject="RE: order 17")))
    answer = command(candidates=[update("Fwd: Re: ORDER 17", Lookup.TITLE)])
    await rig.carry_out(answer)
    assert (await rig.outcome(answer.mail_id))["ticket_id"] == 2


async def test_a_participant_reopens_a_closed_ticket_and_later_opens_a_linked_one(rig: Rig) -> None:
    await rig.carry_out(command())
    closed = (await rig.api.patch("/tickets/1", json={"status": "closed"})).json()
    assert closed["status"] == "closed"
    within = command(candidates=[update("1")], received_at=NOON)
    await rig.carry_out(within)
    assert (await rig.get("/tickets/1"))["status"] == "open"
    await rig.api.patch("/tickets/1", json={"status": "closed"})
    late = command(candidates=[update("1")], received_at=NOON + timedelta(days=3650))
    await rig.carry_out(late)
    assert (await rig.get("/tickets/1"))["status"] == "closed"
    assert (await rig.get("/tickets/2"))["linked_ticket_id"] == 1


async def test_a_deleted_ticket_passes(rig: Rig) -> None:
    await rig.carry_out(command())
    assert (await rig.api.delete("/tickets/1")).status_code == 204
    again, missing = command(candidates=[update("1")]), command(candidates=[update("1", create_when_missing=True)])
    await rig.carry_out(again, missing)
    assert (await rig.outcome(again.mail_id))["type"] == "unmatched"
    assert (await rig.outcome(missing.mail_id))["ticket_id"] == 2


async def test_ids_known_in_one_scanner_mean_nothing_in_another(rig: Rig) -> None:
    await rig.carry_out(command(mail(message_id="<a@x>")))
    other = command(mail(references=["<a@x>"]), [REPLY, CREATE], scanner_id="s2")
    await rig.carry_out(other)
    assert (await rig.outcome(other.mail_id))["ticket_id"] == 2


async def test_a_mail_that_comes_after_its_answer_joins_it(rig: Rig) -> None:
    answer = command(mail(message_id="<b@x>", references=["<a@x>"]), [REPLY, CREATE])
    await rig.carry_out(answer)
    question = command(mail(message_id="<a@x>"), [REPLY, CREATE], received_at=NOON - timedelta(days=1))
    await rig.carry_out(question)
    assert [message["mail_id"] for message in await rig.messages(1)] == [question.mail_id, answer.mail_id]


@pytest.mark.parametrize(
    ("kind", "action", "expected"),
    [
        (CommandKind.MAIL, ActionType.IGNORE, "ignored"),
        (CommandKind.MAIL, ActionType.ARCHIVE, "archived"),
        (CommandKind.MAIL, ActionType.LINK_SENDER, "unmatched"),
    ],
)
async def test_what_opens_no_ticket_has_its_outcome(rig: Rig, kind: CommandKind, action: ActionType, expected: str) -> None:
    one = command(candidates=[Candidate(rule_id="r", rule_name="R", action=Action(type=action))], kind=kind)
    await rig.carry_out(one)
    assert (await rig.outcome(one.mail_id))["type"] == expected
    assert await rig.tickets() == []


async def test_a_failed_mail_that_is_retried_supersedes_the_failure(rig: Rig) -> None:
    one = command()
    await rig.carry_out(failure(one, "it could not be decided"))
    assert (await rig.outcome(one.mail_id))["type"] == "failed"
    await rig.carry_out(one)
    outcome = await rig.outcome(one.mail_id)
    assert (outcome["type"], outcome["revision"]) == ("ticket", 2)
    await rig.carry_out(failure(one, "an old failure, late"))
    assert (await rig.outcome(one.mail_id))["type"] == "ticket"


async def test_a_later_run_keeps_the_ticket(rig: Rig) -> None:
    one = command()
    await rig.carry_out(one)
    await rig.carry_out(one.model_copy(update={"run": 2}))
    outcome = await rig.outcome(one.mail_id)
    assert (outcome["run"], outcome["type"], outcome["ticket_id"]) == (2, "ticket", 1)
    assert len(await rig.tickets()) == 1


async def test_odd_texts_are_kept_and_stop_nothing(rig: Rig) -> None:
    long = "ä" * 100_000
    nul = command(mail(subject="a\x00b", text="c\x00d", message_id="<n\x00@x>"), [update("\x00", Lookup.TITLE), CREATE])
    huge = command(
        mail(f"{long}@x.example", subject=long, references=[f"<{long}@{n}>" for n in range(3)]), [update(long, Lookup.TITLE), CREATE]
    )
    empty = command(mail(subject="  "))
    nobody = command(mail().model_copy(update={"from_": None, "message_id": None}), [REPLY, CREATE])
    await rig.carry_out(nul, huge, empty, nobody)
    titles = [ticket["title"] for ticket in await rig.tickets()]
    assert titles == ["The printer is on fire", "(no subject)", long, "a\ufffdb"]
    assert (await rig.get("/tickets/1"))["description"] == "c\ufffdd"
    again = command(mail(subject=f"Re: {long}"), [update(long, Lookup.TITLE, participants_only=False)])
    await rig.carry_out(again)
    assert (await rig.outcome(again.mail_id))["ticket_id"] == 2


async def test_a_command_that_cannot_be_carried_out_is_a_failed_mail_and_its_neighbours_are_done(rig: Rig) -> None:
    impossible = Attachment(part="2", name="a", type="a/b", size=10**30, sha256="0")
    good, bad, unreadable, last = command(), command(mail(attachments=[impossible])), command(), command()
    value = unreadable.model_dump_json(by_alias=True).replace("It burns.", "\\ud800").encode()
    records = [command_record(good), command_record(bad), record(TICKET_COMMANDS, unreadable, "odd", value=value), command_record(last)]
    await rig.commands.on_records(records)
    assert [ticket["message_count"] for ticket in await rig.tickets()] == [1, 1]
    for one in (bad, unreadable):
        outcome = await rig.outcome(one.mail_id)
        assert (outcome["type"], outcome["scanner_id"]) == ("failed", "s1")
    assert "out of range" in (await rig.outcome(bad.mail_id))["reason"]


async def test_a_dead_letter_that_is_dropped_says_so_and_a_later_command_still_counts(rig: Rig) -> None:
    bad = command(mail(attachments=[Attachment(part="2", name="a", type="a/b", size=10**30, sha256="0")]))
    await rig.carry_out(bad)
    async with rig.engine.connect() as conn:
        (letter,) = (await conn.execute(select(MESSAGING.dead_letters.c.id))).scalars().all()
    await rig.commands.dead_letters.drop(letter, "a broken sender")
    outcome = await rig.outcome(bad.mail_id)
    assert (outcome["type"], outcome["reason"], outcome["revision"]) == ("dropped", "a broken sender", 2)
    repaired = bad.model_copy(update={"mail": mail()})
    await rig.commands.on_records([record(TICKET_COMMANDS, repaired, "repaired")])
    outcome = await rig.outcome(bad.mail_id)
    assert (outcome["type"], outcome["revision"]) == ("ticket", 3)


async def test_racing_mails_of_one_conversation_make_one_ticket(rig: Rig, other_replica: Rig) -> None:
    for turn in range(10):
        root = f"<root{turn}@x>"
        first = command(mail(message_id=root), [REPLY, CREATE])
        second = command(mail(references=[root]), [REPLY, CREATE])
        await asyncio.gather(rig.carry_out(first), other_replica.carry_out(second))
    assert [ticket["message_count"] for ticket in await rig.tickets()] == [2] * 10


async def test_eight_writers_make_each_ticket_once(rig: Rig, other_replica: Rig) -> None:
    commands = [
        command(
            mail(f"p{n % 7}@x.example", subject=f"T{n % 20}", references=[f"<c{n % 20}@x>"]),
            [REPLY, update(f"T{n % 20}", Lookup.TITLE), CREATE],
        )
        for n in range(240)
    ]
    writers = [rig, other_replica] * 4
    # each command is delivered to two writers: a rebalance in the middle of a batch
    await asyncio.gather(*(writer.carry_out(*commands[n * 30 : n * 30 + 60], *commands[:30]) for n, writer in enumerate(writers)))
    tickets = await rig.tickets()
    assert sum(ticket["message_count"] for ticket in tickets) == 240
    outcomes = await rig.emitted("mail.outcomes")
    assert len(outcomes) == len({outcome["mail_id"] for outcome in outcomes}) == 240
    first = {ticket["title"] for ticket in tickets if ticket["linked_ticket_id"] is None}
    assert len(first) == len([ticket for ticket in tickets if ticket["linked_ticket_id"] is None]) == 20
