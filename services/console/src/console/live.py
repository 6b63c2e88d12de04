"""Live pages: what happens to tickets, from Kafka to every open browser as Server-Sent Events."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from console.settings import Settings
from shared.events import TicketEvent
from shared.http import ProblemError
from shared.observability import get_logger
from shared.topics import TICKET_EVENTS

log = get_logger("live")

QUEUE_EVENTS = 100
"""A browser that reads slower than this loses the queue and is told to load its page again."""
MAX_LISTENERS = 500
RETRY_S = 5.0
RELOAD = "event: reload\ndata: {}\n\n"
Queue = asyncio.Queue[str]


class Live:
    """Broadcasts ticket events. Nothing is kept: a page shows the present when it is loaded, and hears what comes after."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._queues: set[Queue] = set()
        self.stopping = False

    async def run(self) -> None:
        """Read the topic for ever, from its end; while Kafka is away pages simply are not live."""
        while True:
            try:
                await self._read()
            except (KafkaError, OSError) as error:
                log.warning("live pages wait for Kafka", error=str(error)[:200])
                await asyncio.sleep(RETRY_S)

    async def _read(self) -> None:
        # Without a group: every replica reads everything, nothing is committed, and no dead group stays behind.
        consumer = AIOKafkaConsumer(
            TICKET_EVENTS.full_name(self._settings.namespace),
            bootstrap_servers=self._settings.kafka_bootstrap,
            group_id=None,
            auto_offset_reset="latest",
        )
        try:
            await consumer.start()
            async for record in consumer:
                self.tell(record.value)
        finally:
            await consumer.stop()

    def tell(self, value: bytes | None) -> None:
        """Hand an event to every listener; one that is no TicketEvent is left out."""
        try:
            event = TicketEvent.model_validate_json(value or b"")
        except ValidationError:
            return
        message = f"event: ticket\ndata: {event.model_dump_json()}\n\n"
        for queue in self._queues:
            missed = queue.full()
            if missed:
                _empty(queue)
            queue.put_nowait(RELOAD if missed else message)

    def open(self) -> Queue:
        """A queue of ready-made SSE messages, to be given back by `close`. Raises ProblemError 503 when too many listen."""
        if len(self._queues) >= MAX_LISTENERS:
            raise ProblemError(503, "Too many live pages", "Close some; this page works without being live.")
        queue: Queue = asyncio.Queue(QUEUE_EVENTS)
        self._queues.add(queue)
        return queue

    def close(self, queue: Queue) -> None:
        self._queues.discard(queue)

    def stop(self) -> None:
        """End every stream."""
        self.stopping = True
        for queue in self._queues:
            _empty(queue)
            queue.put_nowait(RELOAD)


def _empty(queue: Queue) -> None:
    while not queue.empty():
        queue.get_nowait()
