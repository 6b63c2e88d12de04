"""The three servers: they start, survive a SIGKILL, and keep what they promise to keep."""

from __future__ import annotations

import imaplib
import smtplib
from collections.abc import Callable, Iterator

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from local.home import Home
from local.stack import Stack
from tests.integration.stack.homes import folder_for_nobody

pytestmark = pytest.mark.connected
MAIL = b"From: anna@lakeside.test\r\nTo: help@sandbox.test\r\nSubject: Hello\r\n\r\nHello\r\n"


@pytest.fixture(scope="module")
def servers() -> Iterator[Stack]:
    with folder_for_nobody() as folder:
        home = Home(folder)
        home.prepare()
        stack = Stack(home)
        yield stack
        stack.stop()


@pytest.fixture(scope="module")
def started(servers: Stack) -> Stack:
    for part in (servers.postgres, servers.kafka, servers.mail):
        part.start()
    for part in (servers.postgres, servers.kafka, servers.mail):
        part.wait_ready()
    return servers


async def test_kafka_keeps_records_through_a_sigkill(started: Stack) -> None:
    kafka = started.kafka
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("kept", 2, 1)])
    await admin.close()
    await _produce(kafka.bootstrap, b"before the kill")

    kafka.kill()
    assert not kafka.is_ready()
    kafka.start()
    kafka.wait_ready()

    await _produce(kafka.bootstrap, b"after the kill")
    assert await _consume(kafka.bootstrap, 2) == {b"before the kill", b"after the kill"}


async def _produce(bootstrap: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True) as producer:
        await producer.send_and_wait("kept", value, key=b"one")


async def _consume(bootstrap: str, count: int) -> set[bytes | None]:
    async with AIOKafkaConsumer("kept", bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id="reader") as consumer:
        return {(await consumer.getone()).value for _ in range(count)}


def test_postgres_keeps_rows_through_a_sigkill(started: Stack) -> None:
    postgres = started.postgres
    url = postgres.create_database("keeper").replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept (name text)")
        connection.execute("INSERT INTO kept VALUES ('before the kill')")

    postgres.kill()
    postgres.start()
    postgres.wait_ready()

    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT name FROM kept").fetchall() == [("before the kill",)]


def test_a_service_reaches_no_database_but_its_own(started: Stack) -> None:
    first = started.postgres.create_database("first").replace("+psycopg", "")
    started.postgres.create_database("second")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(first.rpartition("/")[0] + "/second")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(first.replace("first:", "first:not-"))


def test_creating_a_database_twice_keeps_it(started: Stack) -> None:
    url = started.postgres.create_database("twice")
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE kept ()")
    assert started.postgres.create_database("twice") == url
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)


def test_mail_server_takes_mails_and_refuses_wrong_passwords(started: Stack) -> None:
    mail = started.mail
    mail.add_user("help@sandbox.test", "right")
    with smtplib.SMTP("127.0.0.1", mail.smtp_port, timeout=10) as client:
        client.sendmail("anna@lakeside.test", ["help@sandbox.test"], MAIL)

    with imaplib.IMAP4("127.0.0.1", mail.port, timeout=10) as client:
        client.login("help@sandbox.test", "right")
        assert client.select("INBOX")[1] == [b"1"]
    for login, password in (("help@sandbox.test", "wrong"), ("nobody@sandbox.test", "right")):
        with imaplib.IMAP4("127.0.0.1", mail.port, timeout=10) as client, pytest.raises(imaplib.IMAP4.error):
            client.login(login, password)


def test_mailboxes_are_there_again_after_a_sigkill(started: Stack) -> None:
    started.mail.add_user("again@sandbox.test", "right")
    started.mail.kill()
    started.mail.start()
    started.mail.wait_ready()
    with imaplib.IMAP4("127.0.0.1", started.mail.port, timeout=10) as client:
        assert client.login("again@sandbox.test", "right")[0] == "OK"


def test_ports_and_data_outlive_the_object(started: Stack) -> None:
    url = started.postgres.create_database("reopened").replace("+psycopg", "")
    ports = (started.kafka.port, started.mail.port)
    started.postgres.stop()

    again = Stack(Home(started.home.path))
    again.postgres.start()
    again.postgres.wait_ready()
    try:
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        again.postgres.stop()
        started.postgres.start()
        started.postgres.wait_ready()
    # Kafka and the mail server still run: a port in use is not given to another
    assert (again.kafka.port, again.mail.port) != ports


@pytest.mark.parametrize("part", ["kafka", "postgres"])
def test_a_start_that_fails_says_why(servers: Stack, part: str, hold: Callable[[int], None]) -> None:
    with folder_for_nobody() as folder:
        home = Home(folder)
        home.prepare()
        stack = Stack(home)
        child = {"kafka": stack.kafka, "postgres": stack.postgres}[part]
        hold(child.port)
        child.start_again_seconds = 0
        child.start()
        with pytest.raises(Exception, match=f"^{part} ended while it started .*(in use|TCP/IP sockets).*; see {child.log}$"):
            child.wait_ready()
        stack.stop()
