"""Deleted tickets go for good after their time, with all that is theirs; their mails are never handled again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text

from tests.integration.tickets.rig import REPLY, Rig, command, mail
from tests.kit.leftovers import leftovers
from tickets.retention import Retention


async def deleted_ticket(rig: Rig, days: int) -> Any:
    """A ticket whose title is `Gone` with two messages, deleted so many days ago."""
    first = command(mail(subject="Gone", text="Gone, too."))
    answer = mail(subject="Gone", text="Gone as well.", references=[first.mail.message_id] if first.mail else [])
    await rig.carry_out(first, command(answer, (REPLY,)))
    async with rig.engine.begin() as conn:
        values = {"days": days}
        await conn.execute(text("update tickets set deleted_at = now() - make_interval(days => :days) where title = 'Gone'"), values)
    return first


async def count(rig: Rig, table: str) -> int:
    async with rig.engine.connect() as conn:
        return int(await conn.scalar(text(f"select count(*) from {table}")) or 0)  # noqa: S608 -- a constant


async def test_a_ticket_deleted_long_enough_ago_is_removed_with_all_that_is_its(rig: Rig) -> None:
    first = await deleted_ticket(rig, 31)
    await rig.carry_out(command(mail(subject="Stays", text="Stays.")))
    assert await Retention(rig.outbox, rig.archive, 30).once() == 1
    async with rig.engine.begin() as conn:
        await conn.execute(text("delete from outbox"))
    assert await leftovers(rig.engine, ["Gone"]) == []
    assert await count(rig, "tickets") == 1
    assert await count(rig, "mails") == 3

    await rig.carry_out(first, resend=1)
    assert await count(rig, "tickets") == 1, "a mail whose ticket was purged opened another"


async def test_a_ticket_deleted_lately_and_one_without_a_time_stay(rig: Rig) -> None:
    await deleted_ticket(rig, 29)
    assert await Retention(rig.outbox, rig.archive, 30).once() == 0
    assert await Retention(rig.outbox, rig.archive, 0).once() == 0
    assert await count(rig, "tickets") == 1
    assert await count(rig, "messages") == 2


async def test_ended_jobs_go_after_a_month_and_running_ones_never(rig: Rig) -> None:
    async with rig.engine.begin() as conn:
        for name, state, days in (("old", "done", 31), ("new", "done", 29), ("busy", "running", 31)):
            values = {"id": name, "state": state, "days": days}
            insert = "insert into jobs (id, kind, actor, state, input, updated_at) values (:id, 'x', 'x', :state, '{}', "
            await conn.execute(text(insert + "now() - make_interval(days => :days))"), values)
    await Retention(rig.outbox, rig.archive, 0).once()
    async with rig.engine.connect() as conn:
        assert set((await conn.execute(text("select id from jobs"))).scalars()) == {"new", "busy"}
