"""A person writes, is answered, and is erased: in five databases and the archive nothing is left, and nothing comes back."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from pydantic import SecretStr

from local.services import SERVICES
from shared.database import make_engine
from shared.topics import MAIL_OUTCOMES, MAIL_RAW, Topic
from tests.kit.eventually import eventually, eventually_async
from tests.kit.leftovers import archived, leftovers
from tests.kit.mail import Mailbox, compose, submit, with_attachment
from tests.kit.stack import TestStack
from tests.kit.system import System

SOON_S = 60.0
NAMESPACE = "mailconverter"


class Person:
    """A customer whose words are found in no other test's mails."""

    def __init__(self, stack: TestStack) -> None:
        mark = uuid4().hex[:8]
        self.address = f"quill-{mark}@customer.example"
        self.name = f"Quilla Featherstone{mark}"
        self.subject = f"Boiler{mark} whistles"
        self.text = f"It whistles since the day before yesterday{mark}."
        self.words = (self.address, f"Featherstone{mark}", f"Boiler{mark}", f"yesterday{mark}")
        self._stack = stack
        stack.create_mail_user(self.address, "secret")
        self._inbox = Mailbox(stack.imap_host, stack.imap_port, self.address, "secret")

    def write(self, to: str, subject: str, text: str) -> None:
        message = compose(f"{self.name} <{self.address}>", to, subject, text)
        submit(self._stack.smtp_host, self._stack.smtp_port, with_attachment(message, "whistle.pdf", b"%PDF-1.4"))

    def received(self) -> list[EmailMessage]:
        return self._inbox.mails()


async def found(system: System, person: Person) -> list[str]:
    """Where anything of the person is kept."""
    places = archived(system.home.archive, person.words)
    for name in SERVICES:
        engine = make_engine(SecretStr(system.sources.databases[name]), application="test")
        try:
            places += [f"{name}.{place}" for place in await leftovers(engine, person.words)]
        finally:
            await engine.dispose()
    return places


async def records(system: System, topic: Topic) -> list[ConsumerRecord[bytes, bytes]]:
    """Everything in a topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=system.sources.bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(topic.full_name(NAMESPACE), number) for number in range(topic.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        read: list[ConsumerRecord[bytes, bytes]] = []
        while any([await consumer.position(one) < ends[one] for one in partitions]):
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                read.extend(batch)
        return read
    finally:
        await consumer.stop()


def header(record: ConsumerRecord[bytes, bytes], name: str) -> str:
    return next((bytes(value).decode() for key, value in record.headers if key == name), "")


async def deliver_again(system: System, mail_id: str) -> None:
    """As the fetcher's sweep would: the receivers repeat what they said, so that the end of it can be seen."""
    first = next(one for one in await records(system, MAIL_RAW) if header(one, "ce_id") == mail_id)
    producer = AIOKafkaProducer(bootstrap_servers=system.sources.bootstrap)
    await producer.start()
    try:
        headers = [*((key, value) for key, value in first.headers if key != "ce_resend"), ("ce_resend", b"7")]
        await producer.send_and_wait(MAIL_RAW.full_name(NAMESPACE), first.value, key=first.key, headers=headers)
    finally:
        await producer.stop()

    async def answered() -> bool:
        outcomes = await records(system, MAIL_OUTCOMES)
        return any(header(one, "ce_mailid") == mail_id and header(one, "ce_resend") == "7" for one in outcomes)

    await eventually_async(answered, SOON_S, what="the outcome told again")


def only_ticket(system: System, scanner_id: str) -> dict[str, Any] | None:
    tickets = system.api.all("/tickets", scanner_id=scanner_id)
    return tickets[0] if len(tickets) == 1 else None


@pytest.mark.timeout(300)
async def test_a_person_is_erased_everywhere_and_nothing_brings_the_mails_back(system: System, stack: TestStack) -> None:
    person, api = Person(stack), system.api
    help_desk = f"help-{uuid4().hex[:8]}@desk.example"
    stack.create_mail_user(help_desk, "secret")
    mailbox = Mailbox(stack.imap_host, stack.imap_port, help_desk, "secret")
    scanner_id = api.add_mailbox(mailbox, stack.smtp_host, stack.smtp_port)

    person.write(help_desk, person.subject, person.text)
    ticket = eventually(lambda: only_ticket(system, scanner_id), SOON_S)
    api.post(f"/tickets/{ticket['id']}/comments", {"body": "We send somebody."})
    eventually(person.received, SOON_S)
    (mail,) = api.all("/mails", scanner_id=scanner_id)
    kept_in = {place.partition(".")[0] for place in await found(system, person)}
    assert {"fetcher", "rules", "tickets", "notifier"} <= kept_in

    job = api.job("/erasures", {"address": person.address}, seconds=120)
    assert (job["state"], job["done"], job["total"]) == ("done", 4, 4)
    assert await found(system, person) == []

    (erasure,) = [one for one in api.all("/erasures") if one["id"] == job["result"]["erasure_id"]]
    assert erasure["state"] == "done"
    assert erasure["address"] is None
    removed = {part["service"]: part["removed"] for part in erasure["parts"]}
    assert (removed["fetcher"]["mails"], removed["rules"]["decisions"], removed["notifier"]["answers"]) == (1, 1, 1)
    assert (removed["tickets"]["tickets"], removed["tickets"]["attachments"]) == (1, 1)
    assert api.request("GET", f"/mails/{mail['id']}/raw").status_code == 404
    assert api.get(f"/mails/{mail['id']}")["outcome"]["type"] == "ticket"

    await deliver_again(system, mail["id"])
    assert len(api.all("/tickets", scanner_id=scanner_id)) == 1
    assert await found(system, person) == []

    person.write(help_desk, "Something else", "Thank you.")
    eventually(lambda: len(api.all("/tickets", scanner_id=scanner_id)) == 2, SOON_S, what="a ticket of the new mail")
    newest = max(api.all("/tickets", scanner_id=scanner_id), key=lambda one: int(one["id"]))
    assert (newest["title"], newest["sender"]) == ("Something else", person.address)
