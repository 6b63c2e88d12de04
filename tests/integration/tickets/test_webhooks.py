"""Webhooks on a real Postgres, told to a real HTTP receiver on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from shared.events import TicketEventType
from tests.integration.tickets.webhook_rig import KEEP, NOON, Clock, WebhookRig, changed
from tests.kit.eventually import eventually_async
from tests.kit.webhook_receiver import Reply, WebhookReceiver

pytestmark = pytest.mark.connected


@pytest.fixture
async def hooks(tickets_database: str) -> AsyncIterator[WebhookRig]:
    made = WebhookRig(tickets_database, Clock())
    await made.empty()
    yield made
    await made.stop()


@pytest.fixture
async def other_replica(hooks: WebhookRig, tickets_database: str) -> AsyncIterator[WebhookRig]:
    made = WebhookRig(tickets_database, hooks.clock)
    yield made
    await made.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as made:
        yield made


async def test_a_change_is_told_once_signed_and_logged(hooks: WebhookRig, receiver: WebhookReceiver) -> None:
    webhook = await hooks.make(receiver.url)
    event = changed(7, TicketEventType.COMMENTED, actor="user:anna", message_id="m1")
    await hooks.happen(event, event)
    await hooks.sender.once()
    (call,) = receiver.calls
    assert call.path == "/hook"
    assert call.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert call.headers["content-type"] == "application/json"
    assert call.headers["webhook-timestamp"] == str(int(NOON.timestamp()))
    assert call.signed_by(webhook["secret"])
    assert call.message == {
        "type": "ticket.commented",
        "timestamp": "2026-11-01T12:00:00Z",
        "data": {"ticket_id": 7, "title": "The printer is on fire", "actor": "user:anna", "message_id": "m1"},
    }
    (logged,) = await hooks.log(webhook)
    assert (logged["id"], logged["state"], logged["status"], logged["tries"]) == (call.id, "delivered", 204, 1)


async def test_only_the_chosen_changes_are_told_and_never_a_replays(hooks: WebhookRig, receiver: WebhookReceiver) -> None:
    await hooks.make(receiver.url, ["created", "merged"])
    await hooks.make(receiver.url, enabled=False)
    await hooks.happen(changed(1), changed(2, TicketEventType.UPDATED), changed(3, TicketEventType.MERGED), changed(4, replay="yesterday"))
    await hooks.sender.once()
    assert sorted(call.message["data"]["ticket_id"] for call in receiver.calls) == [1, 3]


async def test_a_refused_change_is_tried_again_under_the_same_id_with_a_new_timestamp(hooks: WebhookRig, receiver: WebhookReceiver) -> None:
    receiver.script = [Reply(500, body=b"out of\npaper"), Reply(cut=True)]
    webhook = await hooks.make(receiver.url)
    await hooks.happen()
    await hooks.sender.once()
    (logged,) = await hooks.log(webhook, state="waiting")
    assert (logged["status"], logged["error"], logged["next_try_at"]) == (500, "Answered 500: out of paper", "2026-11-01T12:00:05Z")
    hooks.clock.pass_by(seconds=4)
    await hooks.sender.once()
    assert len(receiver.calls) == 1
    hooks.clock.pass_by(seconds=1)
    await hooks.sender.once()
    (logged,) = await hooks.log(webhook)
    assert (logged["status"], logged["tries"]) == (None, 2)
    assert "broke off" in logged["error"]
    hooks.clock.pass_by(minutes=5)
    await hooks.sender.once()
    assert [call.id for call in receiver.calls] == [logged["id"]] * 3
    assert len({call.headers["webhook-timestamp"] for call in receiver.calls}) == 3
    assert all(call.signed_by(webhook["secret"]) for call in receiver.calls)
    assert (await hooks.log(webhook))[0]["state"] == "delivered"
    assert (await hooks.read(webhook))["failing_since"] is None


async def test_after_the_whole_schedule_a_change_is_given_up_and_can_be_retried(hooks: WebhookRig, receiver: WebhookReceiver) -> None:
    receiver.usual = Reply(503)
    webhook = await hooks.make(receiver.url)
    await hooks.happen()
    while (logged := (await hooks.log(webhook))[0])["state"] == "waiting":
        hooks.clock.now = max(hooks.clock.now, _time(logged["next_try_at"]))
        await hooks.sender.once()
    assert (logged["state"], logged["tries"], len(receiver.calls)) == ("failed", 10, 10)
    assert hooks.clock.now - NOON == timedelta(hours=75, minutes=35, seconds=5)
    receiver.usual = Reply()
    answer = await hooks.api.post(f"/webhooks/{webhook['id']}/deliveries/{logged['id']}/retry")
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    await hooks.sender.once()
    assert (await hooks.log(webhook))[0]["state"] == "delivered"


async def test_a_hanging_receiver_delays_no_other(hooks: WebhookRig, receiver: WebhookReceiver) -> None:
    released = asyncio.Event()
    async with WebhookReceiver(usual=Reply(wait=released)) as hanging:
        await hooks.make(hanging.url)
        await hooks.happen(*[changed(number) for number in range(1, 21)])
        running = asyncio.create_task(hooks.sender.run())
        await hanging.called.wait()
        await hooks.make(receiver.url)
        await hooks.happen(*[changed(number) for number in range(21, 41)])

        async def told() -> bool:
            return len(receiver.calls) == 20

        await eventually_async(told, seconds=25)
        assert not released.is_set()
        assert len(hanging.calls) <= 4
        released.set()
        await _stop(running)


async def test_of_a_receiver_that_failed_one_call_at_a_time_finds_out_whether_it_is_back(hooks: WebhookRig) -> None:
    released = asyncio.Event()
    async with WebhookReceiver(Reply(500), usual=Reply(wait=released)) as receiver:
        await hooks.make(receiver.url)
        await hooks.happen()
        await hooks.sender.once()
        await hooks.happen(*[changed(number) for number in range(1, 9)])
        receiver.called.clear()
        running = asyncio.create_task(hooks.sender.once())
        await receiver.called.wait()
        assert len(receiver.calls) == 2
        released.set()
        await running
        assert len(receiver.calls) == 9


async def test_no_answer_in_time_is_told_and_tried_again(tickets_database: str) -> None:
    hooks = WebhookRig(tickets_database, Clock(), seconds=0.2)
    await hooks.empty()
    async with WebhookReceiver(usual=Reply(wait=asyncio.Event())) as silent:
        webhook = await hooks.make(silent.url)
        await hooks.happen()
        await hooks.sender.once()
    (logged,) = await hooks.log(webhook)
    assert (logged["state"], logged["error"]) == ("waiting", "No answer within 0.2 seconds.")
    await hooks.stop()


async def test_replicas_share_the_work_and_none_tells_twice(
    hooks: WebhookRig, other_replica: WebhookRig, receiver: WebhookReceiver
) -> None:
    for _ in range(3):
        await hooks.make(receiver.url)
    await hooks.happen(*[changed(number) for number in range(1, 31)])
    await asyncio.gather(hooks.sender.once(), other_replica.sender.once())
    assert len(receiver.calls) == 90
    assert len({call.id for call in receiver.calls}) == 90


async def test_what_a_dead_replica_held_is_taken_up_after_its_lease(
    hooks: WebhookRig, other_replica: WebhookRig, receiver: WebhookReceiver
) -> None:
    webhook = await hooks.make(receiver.url)
    await hooks.happen()
    _, (held,) = await hooks.sender._claim(webhook["id"], 4)
    await other_replica.sender.once()
    assert receiver.calls == []
    hooks.clock.pass_by(seconds=hooks.teller.lease.total_seconds())
    await other_replica.sender.once()
    assert [call.id for call in receiver.calls] == [held.id]


async def test_the_result_of_a_replica_that_was_given_up_does_not_count(
    hooks: WebhookRig, other_replica: WebhookRig, receiver: WebhookReceiver
) -> None:
    receiver.script = [Reply(500)]
    webhook = await hooks.make(receiver.url)
    await hooks.happen()
    frozen, (held,) = await hooks.sender._claim(webhook["id"], 4)
    hooks.clock.pass_by(seconds=hooks.teller.lease.total_seconds())
    await other_replica.sender._claim(webhook["id"], 4)
    await hooks.teller.tell(frozen, held)
    assert (await hooks.log(webhook))[0]["tries"] == 0


async def test_gone_switches_the_webhook_off_and_gives_up_what_waits(hooks: WebhookRig, receiver: WebhookReceiver) -> None:
    receiver.script = [Reply(500), Reply(410)]
    webhook = await hooks.make(receiver.url)
    await hooks.happen()
    await hooks.sender.once()
    hooks.clock.pass_by(seconds=1)
    await hooks.happen(changed(2))
    await hooks.sender.once()
    now = await hooks.read(webhook)
    assert (now["enabled"], now["version"]) == (False, 2)
    assert "410 Gone" in now["disabled_reason"]
    latest, first = await hooks.log(webhook)
    assert (latest["state"], latest["status"], first["state"]) == ("failed", 410, "failed")
    assert "switched off" in first["error"]
    await hooks.happen(changed(3))
    assert len(await hooks.log(webhook)) == 2
    answer = await hooks.api.post(f"/webhooks/{webhook['id']}/deliveries/{first['id']}/retry")
    assert answer.status_code == 409
    again = await hooks.change(webhook, enabled=True)
    assert (again["enabled"], again["disabled_reason"], again["failing_since"]) == (True, None, None)


async def test_five_days_of_failures_alone_switch_it_off(hooks: WebhookRig, receiver: WebhookReceiver) -> None:
    receiver.usual = Reply(500)
    webhook = await hooks.make(receiver.url)
    for _ in range(2):
        await hooks.happen(changed())
        await hooks.sender.once()
        assert (await hooks.read(webhook))["enabled"]
        hooks.clock.pass_by(days=2.5)
    await hooks.happen(changed())
    await hooks.sender.once()
    now = await hooks.read(webhook)
    assert not now["enabled"]
    assert "five days" in now["disabled_reason"]


async def test_redirects_are_not_followed(hooks: WebhookRig, receiver: WebhookReceiver) -> None:
    async with WebhookReceiver() as elsewhere:
        receiver.usual = Reply(302, {"Location": elsewhere.url})
        webhook = await hooks.make(receiver.url)
        await hooks.happen()
        await hooks.sender.once()
        assert elsewhere.calls == []
    assert "redirect, which is not followed" in (await hooks.log(webhook))[0]["error"]


async def test_patience_that_a_receiver_asks_for_is_given(hooks: WebhookRig, receiver: WebhookReceiver) -> None:
    receiver.script = [Reply(429, {"Retry-After": "600"})]
    webhook = await hooks.make(receiver.url)
    await hooks.happen()
    await hooks.sender.once()
    assert (await hooks.log(webhook))[0]["next_try_at"] == "2026-11-01T12:10:00Z"


async def test_a_long_answer_is_cut_and_keeps_no_secret(hooks: WebhookRig, receiver: WebhookReceiver) -> None:
    webhook = await hooks.make(receiver.url)
    receiver.usual = Reply(400, body=f"want {webhook['secret']} \x00".encode() + b"x" * 1_000_000)
    await hooks.happen()
    await hooks.sender.once()
    error = (await hooks.log(webhook))[0]["error"]
    assert error.startswith("Answered 400: want whsec_… xxx")
    assert len(error) < 520


async def test_after_a_change_of_the_secret_both_sign_for_a_day(hooks: WebhookRig, receiver: WebhookReceiver) -> None:
    webhook = await hooks.make(receiver.url)
    renewed = await hooks.change(webhook, new_secret=True)
    assert renewed["previous_secret_until"] == "2026-11-02T12:00:00Z"
    await hooks.happen()
    await hooks.sender.once()
    hooks.clock.pass_by(days=1)
    await hooks.happen()
    await hooks.sender.once()
    during, after = receiver.calls
    assert during.signed_by(webhook["secret"])
    assert during.signed_by(renewed["secret"])
    assert not after.signed_by(webhook["secret"])
    assert after.signed_by(renewed["secret"])


async def test_at_most_ten_thousand_wait_then_the_oldest_are_given_up(hooks: WebhookRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickets.adapters.webhook_queue.MOST_WAITING", 5)
    webhook = await hooks.make("http://127.0.0.1:9/")
    for number in range(1, 9):
        await hooks.happen(changed(number))
        hooks.clock.pass_by(seconds=1)
    assert sorted(one["ticket_id"] for one in await hooks.log(webhook, state="waiting")) == [4, 5, 6, 7, 8]
    assert {one["ticket_id"] for one in await hooks.log(webhook, state="failed")} == {1, 2, 3}


async def test_the_log_is_kept_for_a_while_only(hooks: WebhookRig, receiver: WebhookReceiver) -> None:
    receiver.script = [Reply(), Reply(500)]
    webhook = await hooks.make(receiver.url)
    for _ in range(2):
        await hooks.happen(changed())
        await hooks.sender.once()
    hooks.clock.pass_by(seconds=KEEP.total_seconds() + 1)
    await hooks.sender.tidy()
    assert [one["state"] for one in await hooks.log(webhook)] == ["waiting"]


async def test_a_test_is_told_at_once_even_while_switched_off(hooks: WebhookRig, receiver: WebhookReceiver) -> None:
    receiver.script = [Reply(), Reply(401, body=b"who are you?")]
    webhook = await hooks.make(receiver.url, enabled=False)
    path, headers = f"/webhooks/{webhook['id']}/test", {"Idempotency-Key": "one"}
    good = (await hooks.api.post(path, headers=headers)).json()
    assert (await hooks.api.post(path, headers=headers)).json() == good
    bad = (await hooks.api.post(path)).json()
    assert (good["state"], good["status"], good["type"]) == ("delivered", 204, "webhook.test")
    assert (bad["state"], bad["error"], bad["next_try_at"]) == ("failed", "Answered 401: who are you?", None)
    assert [call.message["data"] for call in receiver.calls] == [{"actor": "user:otto"}] * 2
    assert receiver.calls[0].signed_by(webhook["secret"])
    assert (await hooks.read(webhook))["failing_since"] is None
    retried = await hooks.api.post(f"/webhooks/{webhook['id']}/deliveries/{bad['id']}/retry")
    assert retried.status_code == 409


async def test_a_secret_is_shown_once_and_stored_sealed(hooks: WebhookRig, receiver: WebhookReceiver) -> None:
    body, headers = {"name": " The\x00 warehouse ", "url": receiver.url}, {"Idempotency-Key": "k1"}
    made = await hooks.api.post("/webhooks", json=body, headers=headers)
    assert (made.status_code, made.json()["name"], made.headers["etag"]) == (201, "The warehouse", '"1"')
    secret = made.json()["secret"]
    assert secret.startswith("whsec_")
    assert (await hooks.api.post("/webhooks", json=body, headers=headers)).json() == made.json()
    path = made.headers["location"].removeprefix("/api/v1")
    assert (await hooks.api.get(path)).json()["secret"] is None
    listed = (await hooks.api.get("/webhooks")).json()["items"]
    assert [item["secret"] for item in listed] == [None]
    async with hooks.engine.connect() as conn:
        stored = str((await conn.exec_driver_sql("select * from webhooks")).all())
    assert secret not in stored
    hooks.clock.pass_by(days=8)
    assert (await hooks.api.post("/webhooks", json=body, headers=headers)).json()["secret"] is None


async def test_changes_honour_the_version_that_was_read(hooks: WebhookRig, receiver: WebhookReceiver) -> None:
    webhook = await hooks.make(receiver.url)
    path = f"/webhooks/{webhook['id']}"
    await hooks.change(webhook, name="Other", types=["created", "created"])
    now = await hooks.read(webhook)
    assert (now["name"], now["types"], now["version"]) == ("Other", ["created"], 2)
    assert (await hooks.change(webhook, name="Other"))["version"] == 2
    assert (await hooks.api.patch(path, json={"name": "Late"}, headers={"If-Match": '"1"'})).status_code == 412
    assert (await hooks.api.patch(path, json={"name": " "})).status_code == 422
    assert (await hooks.api.delete(path, headers={"If-Match": '"1"'})).status_code == 412
    await hooks.happen()
    assert (await hooks.api.delete(path, headers={"If-Match": '"2"'})).status_code == 204
    assert (await hooks.api.get(path)).status_code == 404
    await hooks.sender.once()
    assert receiver.calls == []


async def test_lists_are_paged(hooks: WebhookRig, receiver: WebhookReceiver) -> None:
    made = []
    for _ in range(3):
        made.append((await hooks.make(receiver.url))["id"])
        hooks.clock.pass_by(seconds=1)
    assert await _all(hooks, "/webhooks") == made[::-1]
    for number in range(3):
        await hooks.happen(changed(number + 1))
        hooks.clock.pass_by(seconds=1)
    logged = await _all(hooks, f"/webhooks/{made[0]}/deliveries")
    assert len(set(logged)) == 3


async def _all(hooks: WebhookRig, path: str) -> list[str]:
    ids: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page: dict[str, Any] = (await hooks.api.get(path, params=params)).json()
        ids += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return ids


def _time(text: str) -> Any:
    return type(NOON).fromisoformat(text)


async def _stop(running: asyncio.Task[None]) -> None:
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
