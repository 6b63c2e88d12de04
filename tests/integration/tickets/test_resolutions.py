"""`POST /resolutions`: what a command would do at its place in the history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, func, select, text
from sqlalchemy.exc import DBAPIError

from shared.events import Action, ActionType, Candidate, CommandKind, Lookup, TicketCommand
from shared.mail.model import Address
from tests.integration.tickets.history import History
from tests.integration.tickets.rig import CREATE, REPLY, Rig, command, mail, update
from tickets.adapters.past import READ_ONLY
from tickets.adapters.tables import METADATA

pytestmark = pytest.mark.connected


async def resolve_one(rig: Rig, one: TicketCommand, *candidates: Candidate) -> tuple[str, str | None, int | None]:
    (item,) = await rig.resolve(one.model_copy(update={"candidates": list(candidates)}) if candidates else one)
    return item["outcome"], item["rule_id"], item["ticket_id"]


async def rows(rig: Rig) -> dict[str, int]:
    async with rig.engine.connect() as conn:
        return {table.name: await conn.scalar(select(func.count()).select_from(table)) or 0 for table in METADATA.sorted_tables}


@contextmanager
def statements(rig: Rig) -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []

    def note(*args: Any) -> None:
        sent.append(" ".join(args[2].split()))

    event.listen(rig.engine.sync_engine, "before_cursor_execute", note)
    yield sent
    event.remove(rig.engine.sync_engine, "before_cursor_execute", note)


@pytest.mark.parametrize("seed", range(6))
async def test_each_mail_of_a_history_with_its_own_candidates_becomes_what_it_became(rig: Rig, seed: int) -> None:
    history = History(rig, seed)
    await history.live(batches=20)
    commands = list(history.commands.values())
    before = await rows(rig)
    resolved = await rig.resolve(*commands)
    assert await rows(rig) == before
    outcomes = {event["mail_id"]: event for event in await rig.emitted("mail.outcomes")}
    for one, item in zip(commands, resolved, strict=True):
        outcome = outcomes[one.mail_id]
        expected = {name: outcome.get(name) for name in ("mail_id", "rule_id", "rule_name", "reason")}
        expected |= {"outcome": outcome["type"], "ticket_id": outcome.get("ticket_id") if outcome["type"] != "ticket" else None}
        expected["acknowledgement"] = None
        assert item == expected, (one.mail_id, one.candidates)


async def test_what_the_mail_itself_did_is_left_out(rig: Rig) -> None:
    first = command(mail(message_id="<a@x>", subject="Order 17"), [REPLY, CREATE])
    await rig.carry_out(first)
    for tried in [update("1"), update("Order 17", Lookup.TITLE), REPLY]:
        assert await resolve_one(rig, first, tried, CREATE) == ("ticket", "r-create", None)
        assert await resolve_one(rig, first, tried) == ("unmatched", None, None)


async def test_what_later_mails_did_is_left_out_and_what_earlier_ones_did_is_there(rig: Rig) -> None:
    first, second, third = (command(mail(f"p{n}@x.example", subject="Order 17", message_id=f"<{n}@x>")) for n in range(3))
    for one in (first, second, third):
        await rig.carry_out(one)
    by_title = update("Order 17", Lookup.TITLE, participants_only=False)
    assert [await resolve_one(rig, one, by_title, CREATE) for one in (first, second, third)] == [
        ("ticket", "r-create", None),
        ("update", "r-update", 1),
        ("update", "r-update", 2),
    ]
    assert await resolve_one(rig, second, update("3"), CREATE) == ("ticket", "r-create", None)
    assert await resolve_one(rig, third, update("2"), CREATE) == ("ticket", "r-update", None)


async def test_a_later_participant_was_a_stranger_before(rig: Rig) -> None:
    await rig.carry_out(command())
    early, late = (command(mail("eve@other.example"), [update("1", participants_only=only_known)]) for only_known in (True, False))
    await rig.carry_out(early)
    await rig.carry_out(late)
    assert await resolve_one(rig, early) == ("ticket", "r-update", None)
    again = command(mail("eve@other.example"), [update("1")])
    assert await resolve_one(rig, again) == ("update", "r-update", 1)


async def test_a_question_that_came_after_its_answer_joined_it_and_joins_it_again(rig: Rig) -> None:
    answer = command(mail(message_id="<b@x>", references=["<a@x>"]), [REPLY, CREATE])
    question, twin = (command(mail(message_id="<a@x>"), [REPLY, CREATE]) for _ in range(2))
    await rig.carry_out(answer)
    await rig.carry_out(question, twin)
    became = [(await rig.outcome(one.mail_id))["type"] for one in (answer, question, twin)]
    assert became == [item["outcome"] for item in await rig.resolve(answer, question, twin)] == ["ticket", "update", "ticket"]


async def test_a_mail_that_was_never_carried_out_is_tried_on_today(rig: Rig) -> None:
    await rig.carry_out(command(), command())
    assert await resolve_one(rig, command(candidates=[update("2")])) == ("update", "r-update", 2)


async def test_each_command_stands_for_itself(rig: Rig) -> None:
    first = command(mail(message_id="<a@x>"), [REPLY, CREATE])
    answer = command(mail(references=["<a@x>"]), [REPLY, CREATE])
    assert [item["outcome"] for item in await rig.resolve(first, answer, first)] == ["ticket"] * 3


async def test_a_ticket_merged_since_is_where_its_messages_are_today_however_young_that_one_is(rig: Rig) -> None:
    await rig.carry_out(command(mail(message_id="<a@x>", subject="Order 17")))
    answer = command(mail(references=["<a@x>"], to=[Address(address="help+1@company.example")]), [REPLY, CREATE])
    await rig.carry_out(answer)
    await rig.carry_out(command(mail(subject="Younger")))
    assert (await rig.api.post("/tickets/1/merge", json={"into": 2})).status_code == 200
    for tried in [REPLY, update("1"), update("Order 17", Lookup.TITLE)]:
        assert await resolve_one(rig, answer, tried, CREATE) == ("update", tried.rule_id, 2)
    bare = answer.model_copy(update={"mail": answer.mail and answer.mail.model_copy(update={"references": [], "to": []})})
    assert await resolve_one(rig, bare, update("2"), CREATE) == ("ticket", "r-create", None)
    by_address = answer.model_copy(update={"mail": answer.mail and answer.mail.model_copy(update={"references": []})})
    assert await resolve_one(rig, by_address, REPLY, CREATE) == ("update", "r-reply", 2)


async def test_a_lead_is_not_made_by_asking(rig: Rig) -> None:
    making = Candidate(rule_id="l", rule_name="L", action=Action(type=ActionType.LINK_SENDER, create_lead=True))
    assert await resolve_one(rig, command(), making, CREATE) == ("link", "l", None)
    assert (await rig.get("/leads"))["items"] == []


async def test_status_deletion_and_spam_list_are_as_they_are_today(rig: Rig) -> None:
    await rig.carry_out(command())
    answer = command(candidates=[update("1"), CREATE])
    await rig.carry_out(answer)
    await rig.api.delete("/tickets/1")
    assert await resolve_one(rig, answer) == ("ticket", "r-create", None)
    await rig.api.post("/spam-senders", json={"address": "anna@customer.example"})
    assert await resolve_one(rig, answer) == ("spam", None, None)
    bounce = answer.model_copy(update={"kind": CommandKind.BOUNCE})
    assert await resolve_one(rig, bounce) == ("bounce", None, None)


async def test_five_hundred_commands_take_as_many_statements_as_one_and_none_writes(rig: Rig) -> None:
    linking = Candidate(rule_id="l", rule_name="L", action=Action(type=ActionType.LINK_RECIPIENT))
    commands = [
        command(
            mail(f"p{n % 50}@x.example", references=[f"<c{n % 50}@x>"]), [linking, REPLY, update("17"), update("T", Lookup.TITLE), CREATE]
        )
        for n in range(500)
    ]
    await rig.carry_out(*commands[:200])
    before = await rows(rig)
    counts = []
    for some in (commands[:1], commands):
        with statements(rig) as sent:
            items = await rig.resolve(*some)
        assert sent[0] == str(READ_ONLY)
        assert all(statement.startswith(("select", "SELECT")) for statement in sent[1:])
        counts.append(len(sent))
    assert counts[0] == counts[1]
    assert {item["outcome"] for item in items} == {"ticket", "update"}
    assert await rows(rig) == before
    bodies = [one.model_dump(mode="json", by_alias=True) for one in [*commands, commands[0]]]
    assert (await rig.api.post("/resolutions", json={"commands": bodies})).status_code == 422


async def test_the_transaction_cannot_write(rig: Rig) -> None:
    async with rig.engine.connect() as conn:
        await conn.execute(READ_ONLY)
        with pytest.raises(DBAPIError, match="read-only transaction"):
            await conn.execute(text("delete from mails"))


async def test_odd_texts_are_tried_like_any_other(rig: Rig) -> None:
    nul = command(mail(subject="a\x00b", message_id="<n\x00@x>"), [REPLY, update("a\x00b", Lookup.TITLE), CREATE])
    await rig.carry_out(nul)
    again = command(mail(references=["<n\x00@x>"]), [REPLY])
    assert await resolve_one(rig, again) == ("update", "r-reply", 1)
    assert await resolve_one(rig, nul) == ("ticket", "r-create", None)
    nobody = command(mail().model_copy(update={"from_": None, "message_id": None}), [REPLY])
    assert await resolve_one(rig, nobody) == ("unmatched", None, None)
    assert await rig.resolve() == []
