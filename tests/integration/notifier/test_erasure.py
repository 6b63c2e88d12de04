"""Erasure in the notifier: answers to the address lose everything but that they were sent; late copies are not sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from pydantic import SecretStr

from shared.archive import Archive
from shared.database import make_engine
from shared.events import Erasure, OutgoingMail, Quoted, address_digest
from shared.mail.model import Address
from shared.topics import PRIVACY_ERASURES
from tests.integration.notifier.parts import Bus, Notifier, ScriptedServer, free_port
from tests.kit.eventually import eventually, eventually_async
from tests.kit.leftovers import archived, leftovers

Mailbox = Callable[..., Awaitable[str]]
ANNA = "anna.erased@customer.example"
WORDS = (ANNA, "Anna Erasable", "Whistling boiler", "It whistles at night")


def answer(scanner_id: str) -> OutgoingMail:
    return OutgoingMail(
        outgoing_id=str(uuid4()),
        ticket_id=90_001,
        scanner_id=scanner_id,
        message_id=f"<{uuid4().hex}@help.example>",
        to=[Address(name="Anna Erasable", address=ANNA)],
        title="Whistling boiler",
        text="We send somebody.",
        quoted=Quoted(sender="Anna Erasable", at=datetime.now(UTC), text="It whistles at night."),
    )


async def test_an_answer_that_was_sent_is_forgotten_and_a_late_copy_is_not_sent(
    notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox, archive: Archive, database_url: str
) -> None:
    scanner_id = await mailbox(smtp.port)
    sent, late = answer(scanner_id), answer(scanner_id)
    await bus.outgoing(sent)

    async def told() -> bool:
        return [one.state for one in await bus.deliveries(sent.outgoing_id)][-1:] == ["sent"]

    await eventually_async(told, 30)
    body = Erasure(erasure_id=str(uuid4()), address=ANNA, digest=address_digest(ANNA), before=datetime.now(UTC) + timedelta(hours=1))
    await bus._publish(PRIVACY_ERASURES, body.erasure_id, body.erasure_id, body)
    query = "select removed from erased where erasure_id = %s and done_at is not null"
    ((removed,),) = eventually(lambda: notifier.rows(query, body.erasure_id), 60)
    assert removed == {"answers": 1, "archived": 1}
    await bus.outgoing(late)
    eventually(lambda: notifier.rows("select 1 from outgoing where id = %s and state = 'cancelled'", late.outgoing_id), 30)

    engine = make_engine(SecretStr(database_url), application="test")
    try:
        assert await leftovers(engine, WORDS) == []
    finally:
        await engine.dispose()
    assert archived(Path(urlsplit(archive._url).path), WORDS) == []
    ((state, message_id),) = notifier.rows("select state, message_id from outgoing where id = %s", sent.outgoing_id)
    assert (state, message_id) == ("sent", sent.message_id)
    assert len([mail for mail in smtp.handler.taken if mail.message_id == late.message_id]) == 0


async def test_an_answer_whose_dialogue_begins_meanwhile_is_erased_after_it(
    notifier: Notifier, bus: Bus, mailbox: Mailbox, database_url: str
) -> None:
    """What leaves at this moment must not be called cancelled."""
    mail = answer(await mailbox(free_port())).model_copy(update={"not_before": datetime.now(UTC) + timedelta(hours=1)})
    person = "bruno.erased@customer.example"
    mail = mail.model_copy(update={"to": [Address(address=person)]})
    await bus.outgoing(mail)
    eventually(lambda: notifier.rows("select from outgoing where id = %s", mail.outgoing_id))
    body = Erasure(erasure_id=str(uuid4()), address=person, digest=address_digest(person), before=datetime.now(UTC) + timedelta(hours=2))
    state = "select state from outgoing where id = %s"
    with psycopg.connect(database_url.replace("+psycopg", "")) as dialogue:
        dialogue.execute("select from outgoing where id = %s for update", (mail.outgoing_id,))
        await bus._publish(PRIVACY_ERASURES, body.erasure_id, body.erasure_id, body)
        waits = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%%outgoing%%'"
        eventually(lambda: notifier.rows(waits), 60)
        begin = "update outgoing set state = 'sending', claimed_by = 'other/1', claimed_until = now() + interval '1 hour' where id = %s"
        dialogue.execute(begin, (mail.outgoing_id,))
        dialogue.commit()
    begun = "select from erased where erasure_id = %s and done_at is null"
    eventually(lambda: notifier.rows(begun, body.erasure_id), 60)
    assert notifier.rows(state, mail.outgoing_id) == [("sending",)]
    ended = "update outgoing set state = 'sent', claimed_until = null where id = %s and subject like '%%boiler%%' returning id"
    assert notifier.rows(ended, mail.outgoing_id)
    eventually(lambda: notifier.rows("select from erased where erasure_id = %s and done_at is not null", body.erasure_id), 60)
    assert notifier.rows(state, mail.outgoing_id) == [("sent",)]
