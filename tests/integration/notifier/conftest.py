"""One notifier for the folder's tests; each test has an SMTP server and a mailbox of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from shared.archive import Archive
from shared.events import ScannerSettings
from shared.secrets import new_ring
from tests.integration.notifier.parts import SERVICE_TOKEN, Bus, Notifier, ScriptedServer, new_namespace, running_notifier, sender_body
from tests.kit.smtp_script import SmtpScript
from tests.kit.stack import TestStack

Mailbox = Callable[..., Awaitable[str]]


@pytest.fixture(scope="session")
def namespace(stack: TestStack) -> str:
    return new_namespace(stack, "notifier")


@pytest.fixture(scope="session")
def database_url(stack: TestStack) -> str:
    return stack.database_url(f"notifier_{uuid4().hex[:8]}")


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    made = Archive((tmp_path_factory.mktemp("notifier") / "archive").as_uri())
    made.initialise()
    return made


@pytest.fixture(scope="session")
def common_settings(stack: TestStack, archive: Archive) -> dict[str, str]:
    """All but `NAMESPACE` and `DATABASE_URL`."""
    return {
        "KAFKA_BOOTSTRAP": stack.kafka_bootstrap,
        "ARCHIVE_URL": archive._url,
        "SERVICE_TOKEN": SERVICE_TOKEN,
        "SECRET_KEYS": new_ring(),
        "INSTANCE": "notifier",
        "FIRST_RETRY_SECONDS": "0.3",
        "GREYLISTED_RETRY_SECONDS": "0.3",
        "COMMAND_TIMEOUT_SECONDS": "5",
        "DATA_TIMEOUT_SECONDS": "1.5",
        "CONNECT_TIMEOUT_SECONDS": "3",
        "IDLE_SECONDS": "1",
    }


@pytest.fixture(scope="session")
def settings(common_settings: dict[str, str], namespace: str, database_url: str) -> dict[str, str]:
    return common_settings | {"NAMESPACE": namespace, "DATABASE_URL": database_url}


@pytest.fixture(scope="session")
def running(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notifier]:
    with running_notifier(settings, tmp_path_factory.mktemp("logs") / "notifier.log") as process:
        yield process


@pytest.fixture
def notifier(running: Notifier) -> Notifier:
    return running


@pytest.fixture
def another(notifier: Notifier, settings: dict[str, str], tmp_path: Path) -> Iterator[Notifier]:
    """A second replica beside the first."""
    process = Notifier(settings | {"INSTANCE": "notifier-2"}, tmp_path / "another.log")
    try:
        process.start()
        yield process
    finally:
        process.stop()


@pytest.fixture
async def bus(stack: TestStack, namespace: str) -> AsyncIterator[Bus]:
    made = Bus(stack.kafka_bootstrap, namespace)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def smtp() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def script() -> Iterator[SmtpScript]:
    """As `smtp`, and able to misbehave at each point of the dialogue."""
    server = SmtpScript()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mailbox(notifier: Notifier, bus: Bus) -> Mailbox:
    """Makes a scanner that answers through the server at `port`; returns its id."""

    async def make(port: int, **more: object) -> str:
        sender = notifier.call("POST", "/senders", sender_body(port, **more)).json()
        scanner_id = str(uuid4())
        settings = ScannerSettings(scanner_id=scanner_id, version=1, name="Help Desk", address="help@help.example", sender_id=sender["id"])
        await bus.scanner(settings)
        return scanner_id

    return make


@pytest.fixture
def log_file(running: Notifier) -> Path:
    return running.log
