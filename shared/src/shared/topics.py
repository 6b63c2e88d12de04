"""The one table of Kafka topics: name, body, key, partitions, retention. It applies itself: `python -m shared.topics apply`.

Auto-creation is off everywhere, so a topic exists because this table says so. Partition counts are fixed: changing one would move keys.
"""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import InvalidReplicationFactorError, KafkaError, TopicAlreadyExistsError, for_code

from shared.events import (
    Erasure,
    ErasureReport,
    EventModel,
    MailDelivery,
    MailOutcome,
    OutgoingMail,
    RawMail,
    ScannerSettings,
    TicketCommand,
    TicketEvent,
)
from shared.settings import SharedSettings, load_settings

DAY_MS = 24 * 60 * 60 * 1000
MAX_EVENT_BYTES = 1024 * 1024
"""No event is larger; producer and topic are set to it together, with room for the record's headers."""
HEADROOM_BYTES = 64 * 1024
ADMIN_TIMEOUT_MS = 15_000
SERVED_TIMEOUT_MS = 60_000
BROKERS_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Topic:
    """A row of the table. `name` is without namespace; `event_type` is the CloudEvents `type` of its records."""

    name: str
    model: type[EventModel]
    event_type: str
    content_type: str
    key: str
    retention_days: int | None
    """None: compacted, kept for ever by key."""
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]
    description: str
    partitions: int = 24

    def full_name(self, namespace: str) -> str:
        """Name in Kafka: `<namespace>.<name>`."""
        return f"{namespace}.{self.name}"

    def configs(self) -> dict[str, str]:
        """Topic settings as Kafka names them."""
        configs = {"max.message.bytes": str(MAX_EVENT_BYTES + HEADROOM_BYTES)}
        if self.retention_days is None:
            return configs | {"cleanup.policy": "compact"}
        return configs | {"cleanup.policy": "delete", "retention.ms": str(self.retention_days * DAY_MS)}


def _json(
    name: str, model: type[EventModel], key: str, days: int | None, by: str | tuple[str, ...], to: tuple[str, ...], text: str
) -> Topic:
    writers = (by,) if isinstance(by, str) else by
    return Topic(name, model, f"mailconverter.{name}.v1", "application/json", key, days, writers, to, text)


MAIL_RAW = Topic(
    "mail.raw",
    RawMail,
    "mailconverter.mail.raw.v1",
    "message/rfc822",
    "conversation",
    30,
    ("fetcher",),
    ("rules",),
    "The mail's bytes exactly as IMAP gave them, or empty with `dataref` above 512 KiB; the model lists its attributes",
)
TICKET_COMMANDS = _json("ticket.commands", TicketCommand, "conversation", 7, "rules", ("tickets",), "One per mail and run")
MAIL_OUTCOMES = _json("mail.outcomes", MailOutcome, "mail id", 30, "tickets", ("fetcher", "rules"), "What became of each mail")
SCANNERS = _json("scanners", ScannerSettings, "scanner id", None, "fetcher", ("rules", "tickets", "notifier"), "Scanners without secrets")
TICKET_EVENTS = _json(
    "ticket.events", TicketEvent, "ticket id", 7, "tickets", ("console", "tickets"), "Every change of a ticket, for live pages and webhooks"
)
MAIL_OUTGOING = _json("mail.outgoing", OutgoingMail, "ticket id", 7, "tickets", ("notifier",), "Answers to send or to cancel")
MAIL_DELIVERIES = _json("mail.deliveries", MailDelivery, "ticket id", 7, "notifier", ("tickets",), "What became of each answer")
PRIVACY_ERASURES = _json(
    "privacy.erasures", Erasure, "erasure id", None, "tickets", ("fetcher", "rules", "tickets", "notifier"), "Remove all of an address"
)
PRIVACY_REPORTS = _json(
    "privacy.reports", ErasureReport, "erasure id", 7, ("fetcher", "rules", "notifier"), ("rules", "tickets"), "What each service removed"
)

TOPICS = (
    MAIL_RAW,
    TICKET_COMMANDS,
    MAIL_OUTCOMES,
    SCANNERS,
    TICKET_EVENTS,
    MAIL_OUTGOING,
    MAIL_DELIVERIES,
    PRIVACY_ERASURES,
    PRIVACY_REPORTS,
)
BY_NAME = {topic.name: topic for topic in TOPICS}


async def apply(bootstrap: str, namespace: str, replication_factor: int = 1) -> list[str]:
    """Create the topics that are missing and set the settings of those that exist; returns the names created.

    Returns once every partition is served, so that who writes next is not told of an unknown topic. Safe to run any number of
    times and by several at once. Raises KafkaError when the cluster refuses, has too few brokers for 30 s, or does not serve the
    partitions within 60 s.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=ADMIN_TIMEOUT_MS)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        missing = [topic for topic in TOPICS if topic.full_name(namespace) not in existing]
        if missing:
            await _create(admin, missing, namespace, replication_factor)
            await _wait_until_served(bootstrap, namespace, missing)
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, t.full_name(namespace), t.configs()) for t in TOPICS])
        return [topic.full_name(namespace) for topic in missing]
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, missing: list[Topic], namespace: str, replication_factor: int) -> None:
    """Brokers that have just started, or were away for a moment, do not count yet: then Kafka has too few of them for a while."""
    last_try = time.monotonic() + BROKERS_TIMEOUT_S
    while True:
        try:
            return await _try_to_create(admin, missing, namespace, replication_factor)
        except InvalidReplicationFactorError:
            if time.monotonic() > last_try:
                raise
            await asyncio.sleep(1)


async def _try_to_create(admin: AIOKafkaAdminClient, missing: list[Topic], namespace: str, replication_factor: int) -> None:
    new = [NewTopic(topic.full_name(namespace), topic.partitions, replication_factor, topic_configs=topic.configs()) for topic in missing]
    response = await admin.create_topics(new, timeout_ms=ADMIN_TIMEOUT_MS)
    for error in response.topic_errors:
        kind = for_code(error[1])
        if error[1] and not issubclass(kind, TopicAlreadyExistsError):
            raise kind(f"topic {error[0]}: {error[2] if len(error) > 2 else kind.__name__}")


async def _wait_until_served(bootstrap: str, namespace: str, topics: list[Topic]) -> None:
    """Kafka confirms topics, and names their leaders, before the leaders have made their files and take records: seconds on a slow disk.

    So each leader is asked for the end of its partition; the library asks again until it answers.
    """
    partitions = [TopicPartition(topic.full_name(namespace), number) for topic in topics for number in range(topic.partitions)]
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, request_timeout_ms=SERVED_TIMEOUT_MS)
    await consumer.start()
    try:
        await consumer.end_offsets(partitions)
    finally:
        await consumer.stop()


def main() -> int:
    """`python -m shared.topics apply`: exit status 0, or 1 with one line that says what failed."""
    if sys.argv[1:] != ["apply"]:
        print("usage: python -m shared.topics apply", file=sys.stderr)
        return 2
    settings = load_settings(SharedSettings, "shared")
    try:
        created = asyncio.run(apply(settings.kafka_bootstrap, settings.namespace, settings.replication_factor))
    except (KafkaError, OSError) as error:
        print(f"topics: {settings.kafka_bootstrap} did not apply them: {error}", file=sys.stderr)
        return 1
    print(f"topics: {len(created)} created, {len(TOPICS) - len(created)} there already, in namespace {settings.namespace}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
