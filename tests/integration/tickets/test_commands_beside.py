"""What a mail does beside its ticket: watchers, history, the search's queue, the spam list's counters."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Row, event, select, text
from sqlalchemy import update as sql_update

from shared.events import Action, ActionType, Candidate, TicketCommand
from shared.mail.model import Address
from tests.integration.tickets.rig import CREATE, OWN, REPLY, Rig, command, mail, update
from tests.kit.eventually import eventually_async
from tickets.adapters.desk import load_desk
from tickets.adapters.tables import mails, search_queue, spam_senders, ticket_changes, watchers

pytestmark = pytest.mark.connected
WAITING_FOR_A_LOCK = text("select count(*) from pg_locks where locktype = 'advisory' and not granted")


async def rows(rig: Rig, table: Any) -> Sequence[Row[Any]]:
    async with rig.engine.connect() as conn:
        return (await conn.execute(select(table).order_by(*table.primary_key.columns))).all()


async def test_those_in_cc_watch_and_one_an_operator_removed_stays_removed(rig: Rig) -> None:
    cc = [Address(name="Boss", address="Boss@customer.example"), Address(address=OWN), Address(address="ANNA@customer.example")]
    odd = [Address(address="help+1@company.example"), Address(address="no address"), Address(address="a b@x.example")]
    await rig.carry_out(command(mail(cc=cc + odd)))
    (watcher,) = await rows(rig, watchers)
    assert (watcher.ticket_id, watcher.address, watcher.name, watcher.removed) == (1, "Boss@customer.example", "Boss", False)
    async with rig.engine.begin() as conn:
        await conn.execute(sql_update(watchers).values(removed=True))
    added = Address(address="carl@customer.example")
    await rig.carry_out(command(mail(cc=[*cc, added]), [update("1")]), command(mail(cc=[added]), [update("1")]))
    assert [(one.folded, one.removed) for one in await rows(rig, watchers)] == [
        ("boss@customer.example", True),
        ("carl@customer.example", False),
    ]


async def test_a_ticket_that_many_watch_is_shown(rig: Rig) -> None:
    await rig.carry_out(command(mail(cc=[Address(address=f"c{number}@x.example") for number in range(60)])))
    assert len((await rig.get("/tickets/1"))["watchers"]) == 60


async def test_the_history_says_what_each_mail_of_a_batch_changed(rig: Rig) -> None:
    first, stranger = command(), command(mail("eve@other.example"), [update("1")])
    await rig.carry_out(first)
    urgent, vip = command(candidates=[update("1", priority="high", status="waiting")]), command(candidates=[update("1", tags=["vip"])])
    await rig.carry_out(urgent, vip, stranger)
    found = [(one.ticket_id, one.type, one.mail_id, one.other_ticket_id, one.changes) for one in await rows(rig, ticket_changes)]
    assert found == [
        (1, "created", first.mail_id, None, []),
        (
            1,
            "updated",
            urgent.mail_id,
            None,
            [{"field": "status", "before": "open", "after": "waiting"}, {"field": "priority", "before": "normal", "after": "high"}],
        ),
        (
            1,
            "updated",
            vip.mail_id,
            None,
            [{"field": "status", "before": "waiting", "after": "open"}, {"field": "tags", "before": [], "after": ["vip"]}],
        ),
        (2, "created", stranger.mail_id, None, []),
        (1, "linked", stranger.mail_id, 2, []),
    ]
    assert {one.actor for one in await rows(rig, ticket_changes)} == {"mail"}
    assert [one.ticket_id for one in await rows(rig, search_queue)] == [1, 2]


async def test_a_listed_domain_stops_mails_from_all_below_it_and_its_entry_counts_them(rig: Rig) -> None:
    for entry in ("@shop.example", "eve@news.shop.example"):
        assert (await rig.api.post("/spam-senders", json={"address": entry})).status_code == 201
    senders = ["bob@shop.example", "Carl@News.Shop.example", "eve@news.shop.example", "dora@otherSHOP.example"]
    mails_of = [command(mail(sender)) for sender in senders]
    await rig.carry_out(*mails_of)
    assert [(await rig.outcome(one.mail_id))["type"] for one in mails_of] == ["spam", "spam", "spam", "ticket"]
    assert {one.folded: one.hits for one in await rows(rig, spam_senders)} == {"@shop.example": 2, "eve@news.shop.example": 1}


async def test_listing_a_domain_waits_for_the_command_under_way(rig: Rig) -> None:
    one = command(mail("bob@news.shop.example"))
    async with rig.outbox.transaction() as unit:
        await load_desk(unit.conn, [one])
        listing = asyncio.create_task(rig.api.post("/spam-senders", json={"address": "@shop.example"}))

        async def waits() -> bool:
            async with rig.engine.connect() as conn:
                return bool(await conn.scalar(WAITING_FOR_A_LOCK))

        await eventually_async(waits, what="a lock that is waited for")
        assert not listing.done()
    assert (await listing).status_code == 201


async def test_a_released_mail_is_carried_out_when_its_command_comes_again(rig: Rig) -> None:
    await rig.api.post("/spam-senders", json={"address": "anna@customer.example"})
    one = command()
    await rig.carry_out(one)
    async with rig.engine.begin() as conn:
        await conn.execute(sql_update(mails).values(type="released", revision=2))
        await conn.execute(spam_senders.delete())
    await rig.carry_out(one, resend=1)
    await rig.carry_out(one, resend=2)
    outcome = await rig.outcome(one.mail_id)
    assert (outcome["type"], outcome["run"], outcome["revision"], len(await rig.tickets())) == ("ticket", 1, 3, 1)


async def test_a_batch_of_two_hundred_takes_as_many_statements_as_one_of_ten(rig: Rig) -> None:
    await rig.carry_out(*map(_varied, range(10)))
    counts = []
    for first, size in ((1000, 10), (2000, 200)):
        sent: list[str] = []

        def note(*args: Any, into: list[str] = sent) -> None:
            into.append(args[2])

        event.listen(rig.engine.sync_engine, "before_cursor_execute", note)
        await rig.carry_out(*map(_varied, range(first, first + size)))
        event.remove(rig.engine.sync_engine, "before_cursor_execute", note)
        counts.append(len(sent))
    assert counts[0] == counts[1]


def _varied(number: int) -> TicketCommand:
    linking = Candidate(rule_id="l", rule_name="L", action=Action(type=ActionType.LINK_SENDER, create_lead=True))
    cc = [Address(address=f"c{number}@x.example")]
    content = mail(f"p{number}@x.example", subject=f"T{number}", references=[f"<{number}@x>"], cc=cc)
    rules = [[REPLY, CREATE], [update("1 2", participants_only=False)], [linking]]
    return command(content, rules[number % 3])
