"""Every event's effect once, and one bad event stops nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import text

from shared.clock import rfc3339
from shared.events import ScannerSettings
from shared.messaging.dead_letters import DeadLetterNotFoundError
from shared.messaging.errors import BrakedError, NeverRetryError, UnavailableError
from shared.messaging.outbox import Unit
from shared.messaging.received import Received
from shared.topics import MAIL_OUTCOMES, SCANNERS
from tests.integration.messaging.bench import NOW, Bench, Handling, envelope, record
from tests.kit.eventually import eventually_async

pytestmark = pytest.mark.connected


def failing_for(*keys: str, error: Exception | None = None) -> Handling:
    async def fail(_: Unit, received: Received[Any]) -> None:
        if received.key in keys:
            raise error or ValueError(f"cannot handle {received.key}\x00\ud800")

    return Handling(fail=fail)


async def test_a_repeated_delivery_has_no_second_effect_and_a_resend_passes_once(bench: Bench) -> None:
    handling = Handling()
    consumer = bench.consumer(handling)
    await consumer.on_records([record("a"), record("b"), record("a")])
    await consumer.on_records([record("b"), record("a")])
    assert handling.seen == ["a", "b"]
    await consumer.on_records([record("a", resend=1)])
    await consumer.on_records([record("a", resend=1)])
    assert handling.seen == ["a", "b", "a"]
    assert len(await bench.rows("outbox")) == 3


async def test_effect_inbox_row_and_events_are_one_transaction(bench: Bench) -> None:
    handling = failing_for("b")
    consumer = bench.consumer(handling)
    await consumer.on_records([record("a"), record("b"), record("c")])
    emitted = [row.key for row in await bench.rows("outbox")]
    assert sorted(emitted) == [b"a", b"c"]
    assert len(await bench.rows("inbox")) == 3
    assert [failed.mail_id for failed in handling.failures] == ["b"]
    assert [failed.outcome for failed in handling.failures] == ["failed"]


@pytest.mark.parametrize(
    "bad",
    [record("x", value=b"{"), record("x", value=b'{"mail_id": 5}'), record("x", value=b"\xff\x00")],
    ids=["no JSON", "wrong field", "binary"],
)
async def test_what_cannot_be_read_is_kept_whole_and_the_others_pass(bench: Bench, bad: object) -> None:
    assert isinstance(bad, type(record("x")))
    handling = Handling()
    await bench.consumer(handling).on_records([record("a"), bad, record("b")])
    assert handling.seen == ["a", "b"]
    (letter,) = await bench.rows("dead_letters")
    assert (letter.value, letter.key, letter.mail_id, letter.state, letter.tries) == (bad.value, b"x", "x", "waiting", 1)
    assert "MailOutcome cannot be read" in letter.error


async def test_an_error_is_tried_again_with_a_bound_and_never_retry_at_once(bench: Bench) -> None:
    handling = failing_for("a")
    await bench.consumer(handling).on_records([record("a")])
    assert len(handling.seen) == 1 + bench.settings.max_tries  # with its batch, then alone
    final = failing_for("b", error=NeverRetryError("no"))
    await bench.consumer(final).on_records([record("b")])
    assert len(final.seen) == 2
    assert [letter.tries for letter in await bench.rows("dead_letters")] == [bench.settings.max_tries, 1]


async def test_what_is_away_is_waited_for_and_never_a_dead_letter(bench: Bench) -> None:
    handling = failing_for("a", error=UnavailableError("away"))

    async def come_back() -> None:
        await eventually_async(lambda: asyncio.sleep(0, len(handling.seen) >= 2))
        handling.fail = None

    await asyncio.gather(bench.consumer(handling).on_records([record("a")]), come_back())
    assert await bench.rows("dead_letters") == []
    assert len(await bench.rows("outbox")) == 1


async def test_a_database_error_of_one_record_leaves_the_others(bench: Bench) -> None:
    async def fail(unit: Unit, received: Received[Any]) -> None:
        if received.key == "b":
            await unit.conn.execute(text("select 1/0"))

    handling = Handling(fail=fail)
    await bench.consumer(handling).on_records([record(key) for key in "abc"])
    assert sorted(row.key for row in await bench.rows("outbox")) == [b"a", b"c"]
    assert "division by zero" in (await bench.rows("dead_letters"))[0].error


async def test_retry_runs_the_handler_again_and_drop_needs_a_reason(bench: Bench) -> None:
    handling = failing_for("a", "b")
    consumer = bench.consumer(handling)
    await consumer.on_records([record("a"), record("b")])
    first, second = await bench.rows("dead_letters")
    with pytest.raises(ValueError, match="cannot handle"):
        await consumer.dead_letters.retry(first.id)
    handling.fail = None
    await consumer.dead_letters.retry(first.id)
    with pytest.raises(DeadLetterNotFoundError):
        await consumer.dead_letters.retry(first.id)
    await consumer.dead_letters.drop(second.id, "a test mail")
    assert {letter.id: letter.state for letter in await bench.rows("dead_letters")} == {first.id: "retried", second.id: "dropped"}
    assert [row.key for row in await bench.rows("outbox")] == [b"a"]
    assert [(failed.outcome, failed.reason) for failed in handling.failures][-1] == ("dropped", "a test mail")
    tries = [failed.tries for failed in handling.failures if failed.mail_id == "b"]
    assert tries == sorted(set(tries))  # the ids of their events differ


async def test_a_failing_hook_stops_neither_the_dead_letter_nor_the_topic(bench: Bench) -> None:
    async def broken(unit: Unit, _: object) -> None:
        await unit.conn.execute(text("select 1/0"))

    await bench.consumer(failing_for("a"), on_failure=broken).on_records([record("a"), record("b")])
    assert len(await bench.rows("dead_letters")) == 1
    assert [row.key for row in await bench.rows("outbox")] == [b"b"]


async def test_the_brake_stops_a_consumer_that_buries_everything_until_it_is_released(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.messaging.consumer.BRAKED_PAUSE_S", 0.0)
    handling = failing_for(*"abcdefg", error=NeverRetryError("all of it"))
    consumer = bench.consumer(handling)
    with pytest.raises(BrakedError):
        await consumer.on_records([record(key) for key in "abcdefg"])
    assert consumer.braked
    assert len(await bench.rows("dead_letters")) == bench.settings.brake_after
    with pytest.raises(BrakedError):
        await consumer.on_records([record("h")])
    handling.fail = None
    consumer.release_brake()
    await consumer.on_records([record(key) for key in "abcdefgh"])
    assert sorted(row.key for row in await bench.rows("outbox")) == [b"d", b"e", b"f", b"g", b"h"]


async def test_one_success_lets_the_brake_off(bench: Bench) -> None:
    handling = failing_for("a", "b", "d", "e", error=NeverRetryError("no"))
    consumer = bench.consumer(handling)
    await consumer.on_records([record(key) for key in "abcde"])
    assert not consumer.braked
    assert len(await bench.rows("dead_letters")) == 4


async def test_locks_make_two_batches_of_one_name_wait_for_each_other(bench: Bench) -> None:
    running, most = 0, 0

    async def watch(_: Unit, __: Received[Any]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1

    consumers = [bench.consumer(Handling(fail=watch), locks=lambda _: ["same", "other"]) for _ in range(3)]
    await asyncio.gather(*(one.on_records([record(key)]) for one, key in zip(consumers, "abc", strict=True)))
    assert most == 1


async def test_the_batch_hook_leaves_a_memo_for_the_handlers(bench: Bench) -> None:
    got: list[object] = []

    async def begin(unit: Unit, batch: object) -> None:
        assert isinstance(batch, list)
        unit.memo["count"] = len(batch)

    async def look(unit: Unit, _: object) -> None:
        got.append(unit.memo["count"])

    await bench.consumer(Handling(fail=look), begin=begin).on_records([record("a"), record("b")])
    assert got == [2, 2]


async def test_odd_headers_on_kafka_are_one_dead_letter_and_the_batch_passes(bench: Bench) -> None:
    good = [record(key) for key in "abc"]
    odd: list[tuple[str, bytes | None]] = [("ce_id", b"\xff\xfe"), ("ce_type", None), ("content-type", b"application/json")]
    inner = bench.producer._inner
    assert inner is not None
    await bench.publish_outcomes("a")
    await inner.send_and_wait(MAIL_OUTCOMES.full_name(bench.namespace), b"\x00\xff", key=b"odd", headers=odd)
    await inner.send_and_wait(MAIL_OUTCOMES.full_name(bench.namespace), None, key=b"bare", headers=[])
    await bench.publish_outcomes("b", "c")
    handling = Handling()
    await bench.listen(bench.consumer(handling))

    async def done() -> bool:
        return sorted(handling.seen) == sorted(one.key.decode() for one in good if one.key) and len(await bench.rows("dead_letters")) == 2

    await eventually_async(done, 30)
    assert {letter.value for letter in await bench.rows("dead_letters")} == {b"\x00\xff", None}


async def test_a_tombstone_is_an_event_without_body(bench: Bench) -> None:
    tombstones: list[tuple[str, bool]] = []

    async def look(_: Unit, received: Received[ScannerSettings]) -> None:
        tombstones.append((received.key, received.tombstone))

    body = ScannerSettings(scanner_id="s", version=1, name="x").model_dump_json().encode()
    await bench.publish(SCANNERS, (b"s", envelope("1", SCANNERS).headers(), body), (b"s", envelope("2", SCANNERS).headers(), None))
    await bench.listen(bench.consumer(Handling(fail=look), SCANNERS))
    await eventually_async(lambda: asyncio.sleep(0, len(tombstones) >= 2), 30)
    assert tombstones == [("s", False), ("s", True)]


async def test_trace_replay_and_resend_are_carried_on(bench: Bench) -> None:
    cause = envelope("c", replay="r1", resend=2, traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    async with bench.outbox.transaction() as unit:
        unit.emit(MAIL_OUTCOMES, event_id="x", key="k", body=ScannerSettings(scanner_id="s", version=1, name="x"), cause=cause)
    headers = (await bench.rows("outbox"))[0].headers
    assert (headers["ce_replay"], headers["ce_resend"], headers["ce_causationid"]) == ("r1", "2", "c")
    assert headers["traceparent"].startswith("00-" + "1" * 32)
    assert headers["traceparent"] != cause.traceparent
    assert rfc3339(NOW) != headers["ce_time"]
