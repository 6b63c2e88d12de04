"""The five services as child processes, and the commands that prepare their databases, topics and archive."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka.errors import KafkaError

from local import http, schema
from local.child import Child, last_line
from local.errors import StackError
from local.home import Home
from local.ports import LOOPBACK
from local.processes import Launch, spawn

SERVICES = ("fetcher", "rules", "tickets", "notifier", "console")
NAMESPACE = "mailconverter"
KEEPS_SECRETS = frozenset({"fetcher", "tickets", "notifier"})
"""Services that encrypt passwords at rest."""
COMMAND_SECONDS = 120.0


@dataclass(frozen=True)
class Sources:
    """Where the services find what they share."""

    bootstrap: str
    databases: dict[str, str]
    """Service → SQLAlchemy URL."""
    namespace: str = NAMESPACE


def service_token(home: Home) -> str:
    """The secret the services show each other."""
    return home.secret("service_token")


def url(home: Home, service: str) -> str:
    """Base URL of a service; of the fetchers the first."""
    return f"http://{LOOPBACK}:{home.ports.get(service)}"


def environment(home: Home, service: str, sources: Sources, instance: str = "") -> dict[str, str]:
    """The settings of one process. What the user set of others (LOG_LEVEL, …) is passed on, ours win."""
    settings = {
        "DATABASE_URL": sources.databases[service],
        "KAFKA_BOOTSTRAP": sources.bootstrap,
        "NAMESPACE": sources.namespace,
        "ARCHIVE_URL": home.archive.as_uri(),
        "HOST": LOOPBACK,
        "PORT": str(home.ports.get(instance or service)),
        "INSTANCE": instance or service,
        "SERVICE_TOKEN": service_token(home),
    }
    if service in KEEPS_SECRETS:
        settings["SECRET_KEYS"] = home.secret("secret_keys", _new_key_ring)
    if service == "rules":
        settings["TICKETS_URL"] = url(home, "tickets")
    if service == "console":
        settings |= {f"{other.upper()}_URL": url(home, other) for other in SERVICES if other != "console"}
        settings["PUBLIC_URL"] = url(home, "console")
    return _with_prefix(service, settings)


def _with_prefix(service: str, settings: dict[str, str]) -> dict[str, str]:
    ours = {f"MAILCONVERTER_{service.upper()}__{name}": value for name, value in settings.items()}
    return {**os.environ, "PYTHONUNBUFFERED": "1", **ours}


def _new_key_ring() -> str:
    return f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}"


class Service(Child):
    """`python -m <service>`, ready when its own health check says so."""

    stop_seconds = 12.0

    def __init__(self, home: Home, service: str, sources: Sources, instance: str = "") -> None:
        super().__init__(instance or service, home)
        self.service = service
        self.sources = sources

    @property
    def port(self) -> int:
        return self.home.ports.get(self.name)

    def launch(self) -> Launch:
        return Launch([sys.executable, "-m", self.service], self.log, environment(self.home, self.service, self.sources, self.name))

    def probe(self) -> bool:
        try:
            http.call("GET", f"http://{LOOPBACK}:{self.port}/health/ready", seconds=4.0)
        except http.AnswerError:
            return False
        return True


class Command:
    """A one-shot command beside others: started at once, `wait` returns when it ended well."""

    def __init__(self, home: Home, name: str, argv: Sequence[str], settings: dict[str, str]) -> None:
        self.name = name
        self.log = home.logs / f"{name}.log"
        self.log.unlink(missing_ok=True)
        self.process = spawn(Launch([sys.executable, "-m", *argv], self.log, settings))

    def wait(self) -> None:
        """Raises StackError with the reason when it fails or takes too long."""
        deadline = time.monotonic() + COMMAND_SECONDS
        while (status := self.process.poll()) is None:
            if time.monotonic() > deadline:
                self.kill()
                message = f"{self.name} did not end in {COMMAND_SECONDS:.0f} s: {last_line(self.log)}; see {self.log}"
                raise StackError(message)
            time.sleep(0.02)
        if status:
            message = f"{self.name} failed (exit status {status}): {last_line(self.log)}; see {self.log}"
            raise StackError(message)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def migrate(home: Home, sources: Sources) -> list[Command]:
    """Start the migrations that are needed side by side, each in its own database."""
    behind = [s for s in SERVICES if not schema.is_newest(s, sources.databases[s].replace("+psycopg", ""))]
    return [Command(home, f"migrate-{s}", [s, "migrate"], environment(home, s, sources)) for s in behind]


def apply_topics(bootstrap: str, namespace: str = NAMESPACE) -> None:
    """In this process: another one would take a second only to load Kafka's client. Raises StackError."""
    from shared import topics  # its events are pydantic models: not for `status` and `send` to wait for

    try:
        asyncio.run(topics.apply(bootstrap, namespace))
    except (KafkaError, OSError) as error:
        message = f"Kafka at {bootstrap} did not take the topics: {error}"
        raise StackError(message) from error


def make_archive(home: Home) -> None:
    """The marker in the archive, without which no service starts: a wrong folder is not mistaken for an empty archive."""
    from shared.archive import Archive

    Archive(home.archive.as_uri()).initialise()
