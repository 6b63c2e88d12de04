"""The outbox leaves in order and once by the ids, whatever is refused, frozen or away."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy import text

from shared.messaging.errors import UnavailableError
from shared.topics import MAIL_OUTCOMES, MAX_EVENT_BYTES, TICKET_EVENTS
from tests.integration.messaging.bench import Bench
from tests.kit.eventually import eventually_async

pytestmark = pytest.mark.connected


async def read(bench: Bench, count: int, topic: str = MAIL_OUTCOMES.name) -> list[str]:
    """Ids of the first `count` records of the topic."""
    bootstrap = bench.settings.kafka_bootstrap
    consumer = AIOKafkaConsumer(f"{bench.namespace}.{topic}", bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        found: list[str] = []
        async with asyncio.timeout(30):
            while len(found) < count:
                batches = await consumer.getmany(timeout_ms=500)
                found += [dict(one.headers)["ce_id"].decode() for batch in batches.values() for one in batch]
        return found
    finally:
        await consumer.stop()


async def settled(bench: Bench, wanted: dict[str, str]) -> None:
    async def check() -> bool:
        assert await bench.outbox_state() == wanted
        return True

    await eventually_async(check, 30)


async def test_events_leave_in_order_and_are_marked(bench: Bench) -> None:
    bench.run(bench.relay())
    for number in range(5):
        await bench.emit(*(f"{number}-{n}" for n in range(20)))

    async def all_sent() -> bool:
        return set((await bench.outbox_state()).values()) == {"sent"}

    await eventually_async(all_sent, 30)
    ids = await read(bench, 100)
    assert len(ids) == len(set(ids)) == 100


async def test_nothing_leaves_of_a_transaction_that_failed(bench: Bench) -> None:
    async def fail() -> None:
        async with bench.outbox.transaction() as unit:
            unit.emit_tombstone(MAIL_OUTCOMES, key="k", event_id="e")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await fail()
    assert await bench.rows("outbox") == []


async def test_a_refused_row_is_parked_with_later_rows_of_its_key_only(bench: Bench) -> None:
    await bench.emit("a")
    await bench.emit("big", reason="x" * (2 * MAX_EVENT_BYTES))
    await bench.emit("b")
    async with bench.outbox.transaction() as unit:
        unit.emit_tombstone(MAIL_OUTCOMES, key="big", event_id="after")
        unit.emit_tombstone(TICKET_EVENTS, key="big", event_id="elsewhere")
    bench.run(bench.relay())

    async def check() -> bool:
        rows = await bench.rows("outbox")
        states = {row.headers["ce_id"]: "sent" if row.sent_at else "parked" if row.parked_at else "waiting" for row in rows}
        assert states == {"e-a": "sent", "e-big": "parked", "e-b": "sent", "after": "waiting", "elsewhere": "sent"}
        return True

    await eventually_async(check, 30)
    await bench.emit("c")
    await settled(bench, {"a": "sent", "b": "sent", "c": "sent", "big": "sent"} | {"big": (await bench.outbox_state())["big"]})
    assert "MessageSizeTooLarge" in next(row.error for row in await bench.rows("outbox") if row.parked_at)


async def test_a_row_the_broker_refuses_does_not_stop_what_follows_on_its_partition(bench: Bench) -> None:
    small = replace(MAIL_OUTCOMES, name="small")
    admin = AIOKafkaAdminClient(bootstrap_servers=bench.settings.kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(small.full_name(bench.namespace), 4, 1, topic_configs={"max.message.bytes": "3000"})])
    await admin.close()
    keys = [f"k{n}" for n in range(60)]  # many on each of the partitions
    await bench.emit(*keys[:30], topic=small)
    await bench.emit("big", topic=small, reason=secrets.token_hex(20_000))
    await bench.emit(*keys[30:], topic=small)
    bench.run(bench.relay())
    await settled(bench, dict.fromkeys(keys, "sent") | {"big": "parked"})
    assert set(await read(bench, 60, small.name)) == {f"e-{key}" for key in keys}


async def test_one_relay_is_active_and_another_takes_over_when_its_lease_ends(bench: Bench) -> None:
    first, second = bench.relay("first"), bench.relay("second")
    await bench.emit("a")
    assert await first._round() == 1
    await bench.emit("b")
    assert await second._round() == 0
    async with bench.engine.begin() as conn:
        await conn.execute(text("update relay_lease set until = now() - interval '1 second'"))
    assert await second._round() == 1
    assert await first._round() == 0
    assert await bench.outbox_state() == {"a": "sent", "b": "sent"}


async def test_a_relay_that_lost_its_lease_while_sending_marks_nothing(bench: Bench) -> None:
    frozen, other = bench.relay("frozen"), bench.relay("other")
    await bench.emit("a")
    async with bench.engine.connect() as conn:
        rows = (await conn.execute(text("select id, topic, key, headers, value from outbox"))).all()
    assert await other._round() == 1
    with pytest.raises(UnavailableError, match="lease"):
        await frozen._publish(rows)
    assert sorted(await read(bench, 2)) == ["e-a", "e-a"]
