"""What was there before a migration is kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from alembic import command
from pydantic import SecretStr
from sqlalchemy import text

from shared.database import alembic_config, make_engine
from shared.events import TicketCommand
from shared.service import migrations_folder
from tests.integration.tickets.rig import CREATE, OWN, REPLY, Rig, mail
from tests.integration.tickets.rig import command as make_command
from tests.kit.stack import TestStack

pytestmark = pytest.mark.connected


async def test_a_history_written_before_places_were_kept_has_them_afterwards(stack: TestStack, tmp_path: Path) -> None:
    """An answer whose outcome was changed later, the question that came after it, an answer of ours, a reply that brought Eve."""
    url = stack.database_url("tickets_places")
    config = alembic_config(migrations_folder("tickets"), url)
    await asyncio.to_thread(command.upgrade, config, "0001")
    engine = make_engine(SecretStr(url), application="test")
    async with engine.begin() as conn:
        for statement in HISTORY_OF_0001.split(";"):
            await conn.execute(text(statement))
    await engine.dispose()
    await asyncio.to_thread(command.upgrade, config, "head")
    rig = Rig(url, tmp_path)
    try:
        tried = [told("answer", "<b@x>", "<a@x>"), told("question", "<a@x>"), told("reply", "<d@x>", "<ours@x>")]
        assert [(one["outcome"], one["ticket_id"]) for one in await rig.resolve(*tried)] == [("ticket", None), ("update", 1), ("update", 1)]
        strangers = [told("question", "<q@x>", "<ours@x>"), *(told(name, "<r@x>", "<ours@x>", sender=EVE) for name in ("reply", "today"))]
        assert [one["outcome"] for one in await rig.resolve(*strangers)] == ["ticket", "ticket", "update"]
        await rig.add_scanner("s1", OWN)
        await rig.carry_out(told("new", "<n@x>", "<b@x>"))
        assert (await rig.outcome("new"))["ticket_id"] == 1
    finally:
        await rig.stop()


def told(mail_id: str, message_id: str, *references: str, sender: str = "Anna@x.example") -> TicketCommand:
    return make_command(mail(sender, message_id=message_id, references=list(references)), [REPLY, CREATE], mail_id=mail_id)


EVE = "eve@x.example"
HISTORY_OF_0001 = """
    insert into tickets (title, folded_title, description, source, scanner_id, created_at) values
        ('Fire', 'fire', '', 'mail', 's1', '2026-11-01 10:00'), ('Toner', 'toner', '', 'manual', null, '2026-11-01 10:30');
    insert into mails (mail_id, run, revision, type, ticket_id, scanner_id, at) values
        ('answer', 1, 2, 'ticket', 1, 's1', '2026-11-09'), ('question', 1, 1, 'update', 1, 's1', '2026-11-01 11:00'),
        ('reply', 1, 1, 'update', 1, 's1', '2026-11-01 13:00'), ('archived', 1, 1, 'archived', null, 's1', '2026-11-01 13:00');
    insert into messages (id, ticket_id, kind, direction, sender, recipients, text, mail_id, message_id,
        "references", received_at, order_id, created_at) values
        ('1', 1, 'mail', 'in', 'Anna@x.example', '[]', '', 'answer', '<b@x>', '{<a@x>}', now(), 'answer', '2026-11-01 10:00'),
        ('2', 1, 'mail', 'in', 'Anna@x.example', '[]', '', 'question', '<a@x>', '{}', now(), 'question', '2026-11-01 11:00'),
        ('3', 1, 'comment', 'out', 'user:olga', '[]', '', null, '<ours@x>', '{}', now(), '3', '2026-11-01 12:00'),
        ('4', 1, 'mail', 'in', 'Anna@x.example', '[{"name": "", "address": "Eve@x.example"}]', '', 'reply', '<c@x>',
            '{<ours@x>}', now(), 'reply', '2026-11-01 13:00');
    insert into message_ids (message_id, ticket_id, scanner_id, origin, created_at) values
        ('<b@x>', 1, 's1', 'mail', '2026-11-01 10:00'), ('<a@x>', 1, 's1', 'mail', '2026-11-01 10:00'),
        ('<ours@x>', 1, 's1', 'ours', '2026-11-01 12:00'), ('<c@x>', 1, 's1', 'mail', '2026-11-01 13:00');
    insert into participants (ticket_id, address) values (1, 'anna@x.example'), (1, 'eve@x.example')
"""
