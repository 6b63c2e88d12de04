"""The Kafka producer of every service: idempotent, acknowledged by all in-sync replicas.

aiokafka's own producer rather than FastStream's `publish`: a tombstone must leave as a null value, and the futures of a whole
window are awaited together (15 times the rate of awaiting each).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTopicError, KafkaError, MessageSizeTooLargeError, TopicAuthorizationFailedError

from shared.messaging.errors import UnavailableError
from shared.observability import RETRIES, get_logger
from shared.topics import HEADROOM_BYTES, MAX_EVENT_BYTES

log = get_logger("producer")

REFUSED = (MessageSizeTooLargeError, InvalidTopicError, TopicAuthorizationFailedError)
"""Answers no retry will change."""
BATCH_BYTES = 512 * 1024
"""Of records sent together to a partition. With aiokafka's 16 KiB each mail goes by itself, for more than twice the time and CPU."""
SEND_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0


class HeldBackError(UnavailableError):
    """An earlier record of the same key was refused; this one would overtake it."""


@dataclass(frozen=True)
class Message:
    """One record to publish; `value` None is a tombstone."""

    topic: str
    key: bytes
    headers: Mapping[str, str]
    value: bytes | None


Result = Exception | None
"""None: acknowledged. One of REFUSED: no retry will change it. UnavailableError: not acknowledged, send it again under the same id."""


class Producer:
    """Made anywhere, started within the event loop. Several tasks may send at once.

    When the broker refuses a record of an idempotent producer, the record's sequence number is missing from then on, and the broker
    refuses all that follow on its partition (OutOfOrderSequenceNumber), for good. So a new producer takes over then.
    """

    def __init__(self, bootstrap: str, client_id: str) -> None:
        self._bootstrap = bootstrap
        self._client_id = client_id
        self._inner: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()

    async def start(self) -> None:
        """Raises KafkaConnectionError while the broker is away; may be called again then."""
        inner = self._make()
        try:
            await inner.start()
        except BaseException:
            await _stop(inner)
            raise
        self._inner = inner

    async def stop(self) -> None:
        """Send what waits and leave."""
        inner, self._inner = self._inner, None
        if inner is not None:
            await _stop(inner)

    async def send(self, messages: Sequence[Message]) -> list[Result]:
        """Publish in order and wait for the acknowledgements. Never raises for what Kafka answers, or does not."""
        results: list[Result] = [_unanswered() for _ in messages]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SEND_TIMEOUT_S):
                waiting = list(range(len(messages)))
                while waiting:
                    waiting = await self._round(messages, waiting, results)
                await self._alone(messages, results)
        return results

    async def _alone(self, messages: Sequence[Message], results: list[Result]) -> None:
        """The broker refuses a batch that is too large as a whole: which of its records are, shows when each is sent alone."""
        refused = [i for i, result in enumerate(results) if isinstance(result, MessageSizeTooLargeError)]
        for i in refused if len(messages) > 1 else ():
            results[i] = _unanswered()
            waiting = [i]
            while waiting:
                waiting = await self._round(messages, waiting, results)

    async def _round(self, messages: Sequence[Message], waiting: list[int], results: list[Result]) -> list[int]:
        """Send the waiting ones, write down what became of each; returns those worth another try at once."""
        inner = self._inner
        if inner is None:
            raise UnavailableError("the producer is not started")
        blocked = {(messages[i].topic, messages[i].key) for i, result in enumerate(results) if isinstance(result, REFUSED)}
        futures: list[tuple[int, asyncio.Future[object]]] = []
        for i in waiting:
            message = messages[i]
            if (message.topic, message.key) in blocked:
                results[i] = HeldBackError("Kafka refused an earlier record of its key")
                continue
            try:
                futures.append((i, await _enqueue(inner, message)))
            except REFUSED as error:
                results[i] = error
                blocked.add((message.topic, message.key))
            except KafkaError as error:
                results[i] = UnavailableError(f"Kafka did not take a record: {error!r}")
        return await self._settle(inner, futures, results)

    async def _settle(self, inner: AIOKafkaProducer, futures: list[tuple[int, asyncio.Future[object]]], results: list[Result]) -> list[int]:
        again: list[int] = []
        refused, broken = False, False
        for i, future in futures:
            try:
                await future
            except REFUSED as error:
                results[i] = error
                refused = broken = True
            except KafkaError as error:
                results[i] = UnavailableError(f"Kafka did not acknowledge a record: {error!r}")
                broken = broken or not error.retriable
                again.append(i)
            else:
                results[i] = None
        if broken:
            await self._renew(inner)
        return again if refused else []

    async def _renew(self, broken: AIOKafkaProducer) -> None:
        async with self._renewing:
            if self._inner is not broken:
                return
            RETRIES.labels("producer", "sequence").inc()
            log.warning("a new producer takes over: the broker refuses what follows in the old one's sequence")
            try:
                await self.start()
            except (KafkaError, OSError) as error:
                log.warning("no new producer yet", error=str(error)[:200])
                return
            await _stop(broken)

    def _make(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            client_id=self._client_id,
            acks="all",
            enable_idempotence=True,
            compression_type="snappy",  # zstd takes five times the CPU, on the event loop, and most of a mail is base64
            linger_ms=2,
            max_batch_size=BATCH_BYTES,
            max_request_size=MAX_EVENT_BYTES + HEADROOM_BYTES,
            request_timeout_ms=15_000,
        )


def _unanswered() -> UnavailableError:
    return UnavailableError(f"Kafka did not answer within {SEND_TIMEOUT_S:g} s")


async def _enqueue(inner: AIOKafkaProducer, message: Message) -> asyncio.Future[object]:
    headers = [(name, value.encode()) for name, value in message.headers.items()]
    future: asyncio.Future[object] = await inner.send(message.topic, message.value, key=message.key, headers=headers)
    return future


async def _stop(inner: AIOKafkaProducer) -> None:
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await inner.stop()


def make_producer(bootstrap: str, client_id: str) -> Producer:
    """Not started yet; may be made outside of the event loop."""
    return Producer(bootstrap, client_id)


async def send_all(producer: Producer, messages: Sequence[Message]) -> list[Exception | None]:
    """Publish in order and wait for every acknowledgement; per message None, or why it was refused for good.

    Raises UnavailableError when one was not acknowledged: all must be sent again, under the same ids.
    """
    results = await producer.send(messages)
    for result in results:
        if isinstance(result, UnavailableError):
            raise result
    return results
