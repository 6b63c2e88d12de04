"""An installation of any earlier release is brought to today's schema with what it holds, and works on."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory

from shared.database import alembic_config
from shared.service import migrations_folder
from tests.integration.schemas.tickets_of_before import ROWS
from tests.integration.tickets import rig as tickets_rig
from tests.kit.stack import TestStack

pytestmark = pytest.mark.connected


def test_every_released_schema_is_tried() -> None:
    script = ScriptDirectory.from_config(alembic_config(migrations_folder("tickets"), "postgresql+psycopg://nobody@nowhere/none"))
    released = {revision.revision for revision in script.walk_revisions()} - {script.get_current_head()}
    assert set(ROWS) == released


@pytest.mark.parametrize("revision", sorted(ROWS))
async def test_a_desk_of_before_works_on(stack: TestStack, revision: str, tmp_path: Path) -> None:
    url = stack.database_url(f"tickets_from_{revision}")
    config = alembic_config(migrations_folder("tickets"), url)
    command.upgrade(config, revision)
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as conn:
        conn.execute(ROWS[revision].encode())
    command.upgrade(config, "head")
    rig = tickets_rig.Rig(url, tmp_path / "archive")
    rig.archive.initialise()
    try:
        await _what_was_there_is_there(rig)
        await _it_works_on(rig)
    finally:
        await rig.stop()


async def _what_was_there_is_there(rig: tickets_rig.Rig) -> None:
    ticket = await rig.get("/tickets/1")
    assert (ticket["title"], ticket["status"], ticket["deleted"]) == ("The printer is on fire", "waiting", False)
    assert (ticket["contact"]["type"], ticket["contact"]["name"]) == ("contact", "Anna Keller")
    assert [attachment["name"] for attachment in ticket["attachments"]] == ["fire.jpg"]
    first, answer = await rig.messages(1)
    assert (first["text"], answer["text"], answer["delivery"]) == ("It burns.", "We come.", "sent")
    assert (await rig.get("/contacts", q="keller"))["items"][0]["addresses"] == ["Anna@customer.example"]
    [entry] = (await rig.get("/spam-senders"))["items"]
    assert (entry["address"], entry["kind"], entry["hits"]) == ("win@lottery.example", "address", 3)
    assert [one["id"] for one in await rig.tickets()] == [1], "what was spam is spam still"


async def _it_works_on(rig: tickets_rig.Rig) -> None:
    """The customer answers our mail of before the upgrade; the old spammer is stopped; a ticket deleted as spam comes back."""
    content = tickets_rig.mail("anna@customer.example", in_reply_to=["<ours@company.example>"])
    answer = tickets_rig.command(content, [tickets_rig.REPLY, tickets_rig.CREATE])
    spam = tickets_rig.command(tickets_rig.mail("win@lottery.example"))
    await rig.carry_out(answer, spam)
    assert [(await rig.outcome(one.mail_id))["type"] for one in (answer, spam)] == ["update", "spam"]
    assert (await rig.get("/tickets/1"))["message_count"] == 3
    restored = await rig.api.post("/tickets/2/restore")
    assert (restored.status_code, restored.json()["deleted"]) == (200, False)
    assert (await rig.outcome("mail-2"))["type"] == "ticket"
    history = (await rig.get("/tickets/2/history"))["items"]
    assert [change["type"] for change in history] == ["restored"]
