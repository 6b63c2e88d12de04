"""One try: sign, call, write down what came of it. No transaction is open during the call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.api import WebhookData, WebhookMessage
from shared.messaging.outbox import Outbox
from shared.observability import WEBHOOK_TRIES, WEBHOOKS_DISABLED, get_logger
from shared.secrets import SecretUnreadableError
from tickets.adapters import webhook_queue as queue
from tickets.adapters.webhook_store import WebhookSecrets, change_webhook, get_webhook, note_failure, note_success
from tickets.domain.webhook_schedule import GIVEN_UP_AFTER, Answer, Verdict, settle
from tickets.domain.webhook_signature import headers
from tickets.webhooks.calling import Caller

log = get_logger("webhooks")

TEST_TYPE = "webhook.test"
LEASE_MARGIN = timedelta(seconds=15)
GONE_REASON = "The receiver answered 410 Gone: it wants no more calls. Check its address, then switch it on again."
FAILED_REASON = "For five days no call was taken. Repair the receiver, test it, then switch it on again."


class Teller:
    """Tells what it claimed. `chance` gives jitter in [0, 1)."""

    def __init__(self, outbox: Outbox, secrets: WebhookSecrets, caller: Caller, chance: Callable[[], float]) -> None:
        self.outbox = outbox
        self.caller = caller
        self.holder = str(uuid4())
        self.lease = timedelta(seconds=caller.seconds) + LEASE_MARGIN
        self.secrets = secrets
        self._chance = chance

    async def tell(self, webhook: Row[Any], delivery: Row[Any]) -> None:
        """A claimed delivery. When the result cannot be written, somebody tells it again after the lease."""
        answer = await self._call(webhook, delivery.id, delivery.body)
        now = self.outbox.clock()
        verdict = settle(answer, delivery.tries + 1, now, self._chance)
        async with self.outbox.engine.begin() as conn:
            verdict = await self._judged(conn, webhook.id, answer, verdict, now)
            values = {**_result(answer, verdict, now), "tries": delivery.tries + 1}
            if verdict.state == "failed" and answer.error is None:
                values["error"] = queue.SWITCHED_OFF
            await queue.settle(conn, delivery.id, self.holder, values)
        WEBHOOK_TRIES.labels(verdict.state).inc()

    async def test(self, webhook: Row[Any], delivery_id: str, actor: str) -> None:
        """Told now, once, whatever state the webhook is in; its state stays as it is."""
        at = self.outbox.clock()
        message = WebhookMessage(type=TEST_TYPE, timestamp=at, data=WebhookData(actor=actor))
        body = message.model_dump_json(exclude_none=True)
        answer = await self._call(webhook, delivery_id, body)
        verdict = Verdict("delivered" if answer.delivered else "failed")
        values = {"id": delivery_id, "webhook_id": webhook.id, "event_id": delivery_id, "type": TEST_TYPE, "body": body, "tries": 1}
        async with self.outbox.engine.begin() as conn:
            await get_webhook(conn, webhook.id, lock=True)
            await queue.add_told(conn, {**values, **_result(answer, verdict, self.outbox.clock()), "created_at": at})
        WEBHOOK_TRIES.labels(verdict.state).inc()

    async def _call(self, webhook: Row[Any], message_id: str, body: str) -> Answer:
        at, data = self.outbox.clock(), body.encode()
        try:
            signed = headers(self.secrets.signing(webhook, at), message_id, at, data)
        except SecretUnreadableError as error:
            return Answer(None, f"Nothing was sent: {error}. Give the webhook a new secret.")
        return await self.caller.call(webhook.url, signed, data)

    async def _judged(self, conn: AsyncConnection, webhook_id: str, answer: Answer, verdict: Verdict, now: datetime) -> Verdict:
        """What the try means for the webhook; one that is switched off has nothing waiting."""
        if answer.delivered:
            await note_success(conn, webhook_id)
            return verdict
        state = await note_failure(conn, webhook_id, now)
        if state is not None and state.enabled:
            reason = GONE_REASON if answer.gone else FAILED_REASON if now - state.failing_since >= GIVEN_UP_AFTER else None
            if reason is None:
                return verdict
            await _switch_off(conn, webhook_id, reason, now)
        return Verdict("failed")


async def _switch_off(conn: AsyncConnection, webhook_id: str, reason: str, now: datetime) -> None:
    await change_webhook(conn, webhook_id, {"enabled": False, "disabled_reason": reason})
    await queue.give_up_waiting(conn, webhook_id, now)
    WEBHOOKS_DISABLED.inc()
    log.warning("a webhook is switched off", webhook=webhook_id, reason=reason)


def _result(answer: Answer, verdict: Verdict, now: datetime) -> dict[str, Any]:
    return {
        "state": verdict.state,
        "next_try_at": verdict.next_try_at,
        "status": answer.status,
        "error": answer.error,
        "delivered_at": now if verdict.state == "delivered" else None,
    }
