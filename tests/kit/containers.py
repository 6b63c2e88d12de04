"""The test stack in containers: the official images of Kafka, Postgres and GreenMail, by testcontainers.

A part keeps its container, and so its data, over `kill` and `restart`; its ports on this machine are chosen beforehand, so that they stay.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import tarfile
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING

os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # its helper container is one image more; `stop` removes what was started

import psycopg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from psycopg import sql
from testcontainers.core.container import DockerContainer

from local import http
from local.ports import is_free
from tests.kit.eventually import eventually

if TYPE_CHECKING:
    from tests.kit.stack import PartName

KAFKA_IMAGE = "apache/kafka:4.3.1"
POSTGRES_IMAGE = "postgres:18"
MAIL_IMAGE = "greenmail/standalone:2.1.8"
READY_SECONDS = 120.0
POSTGRES_PASSWORD = "of-the-test-database"

# The advertised address is known only after the start: the container waits for this script.
WAIT_FOR_SCRIPT = "while [ ! -f /tmp/start.sh ]; do sleep 0.1; done; exec sh /tmp/start.sh"
KAFKA_SETTINGS = {
    "NODE_ID": "1",
    "PROCESS_ROLES": "broker,controller",
    "CONTROLLER_QUORUM_VOTERS": "1@localhost:9094",
    "LISTENERS": "PLAINTEXT://:9092,BROKER://:9093,CONTROLLER://:9094",
    "LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "INTER_BROKER_LISTENER_NAME": "BROKER",
    "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "AUTO_CREATE_TOPICS_ENABLE": "false",
    "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "OFFSETS_TOPIC_NUM_PARTITIONS": "4",
    "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
    "SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
    "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "BROKER_SESSION_TIMEOUT_MS": "2000",
    "BROKER_HEARTBEAT_INTERVAL_MS": "500",
}

# While Kafka starts, the client of the probe would report each refused connection.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())

_probes = ThreadPoolExecutor(max_workers=2, thread_name_prefix="probe")


class Part(ABC):
    """One container. It starts when `container` is first asked for."""

    def __init__(self, image: str, ports: list[int]) -> None:
        self._made = DockerContainer(image)
        for port in ports:
            self._made.with_bind_ports(port, _free_port())
        self._started = False

    @abstractmethod
    def configure(self, container: DockerContainer) -> None:
        """Settings, before the start."""

    @abstractmethod
    def probe(self) -> bool:
        """Whether it does its work now; may raise OSError for no."""

    def started(self) -> None:  # noqa: B027 -- most have nothing to do then
        """Called once, when it runs and its address is known."""

    def ready(self) -> None:
        """Start it if it never was, and wait until it answers."""
        if not self._started:
            self.configure(self._made)
            self._made.start()
            self._started = True
            self._address = self.host
            self.started()
            self.wait()

    def wait(self) -> None:
        eventually(self._answers, seconds=READY_SECONDS, what=f"{self._made.image} answers")

    def kill(self) -> None:
        """SIGKILL."""
        self._made.get_wrapped_container().kill()
        self._made.get_wrapped_container().wait(timeout=30)

    def restart(self) -> None:
        """After a kill, or orderly."""
        self._made.get_wrapped_container().restart(timeout=30)
        if self.host != self._address:
            raise RuntimeError(f"{self._made.image} came back at {self.host} instead of {self._address}: something took its address")
        self.wait()

    def stop(self) -> None:
        if self._started:
            self._made.stop()

    @property
    def host(self) -> str:
        """Never `localhost`: the tests may run in a container themselves."""
        return str(self._made.get_container_host_ip())

    def port(self, inside: int) -> int:
        return int(self._made.get_exposed_port(inside))

    def _answers(self) -> bool:
        """In a thread: the probe runs an event loop of its own, and the caller may be in one."""
        try:
            return _probes.submit(self.probe).result()
        except OSError:
            return False


class Kafka(Part):
    """Bootstrap servers: `bootstrap`."""

    def __init__(self) -> None:
        super().__init__(KAFKA_IMAGE, [9092])

    @cached_property
    def bootstrap(self) -> str:
        return f"{self.host}:{self.port(9092)}"

    def configure(self, container: DockerContainer) -> None:
        container.with_command(["sh", "-c", WAIT_FOR_SCRIPT])
        container.with_envs(**{f"KAFKA_{name}": value for name, value in KAFKA_SETTINGS.items()})

    def started(self) -> None:
        listeners = f"PLAINTEXT://{self.bootstrap},BROKER://localhost:9093"
        script = f"export KAFKA_ADVERTISED_LISTENERS={listeners}\nexec /etc/kafka/docker/run\n"
        self._made.get_wrapped_container().put_archive("/tmp", _tar("start.sh", script))  # noqa: S108 -- in the container

    def probe(self) -> bool:
        return asyncio.run(self._has_broker())

    async def _has_broker(self) -> bool:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=2500)
        try:
            async with asyncio.timeout(2.5):
                await admin.start()
                return bool((await admin.describe_cluster())["brokers"])
        except (KafkaError, TimeoutError):
            return False
        finally:
            await admin.close()


class Postgres(Part):
    """A server whose databases have a role each."""

    def __init__(self) -> None:
        super().__init__(POSTGRES_IMAGE, [5432])

    def configure(self, container: DockerContainer) -> None:
        container.with_env("POSTGRES_PASSWORD", POSTGRES_PASSWORD)
        container.with_command(["postgres", "-c", "max_connections=200"])

    def probe(self) -> bool:
        try:
            with self._superuser():
                return True
        except psycopg.OperationalError:
            return False

    def create_database(self, name: str) -> str:
        role, password = sql.Identifier(name), f"{POSTGRES_PASSWORD}-{name}"
        with self._superuser() as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(password)))
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
                connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(role))
        return f"postgresql+psycopg://{name}:{password}@{self.host}:{self.port(5432)}/{name}"

    def _superuser(self) -> psycopg.Connection:
        dsn = f"postgresql://postgres:{POSTGRES_PASSWORD}@{self.host}:{self.port(5432)}/postgres"
        return psycopg.connect(dsn, autocommit=True, connect_timeout=3)


class Mail(Part):
    """GreenMail. Its users come again after a restart, their mails do not."""

    def __init__(self) -> None:
        super().__init__(MAIL_IMAGE, [3025, 3143, 8080])
        self._users: dict[str, str] = {}

    def configure(self, container: DockerContainer) -> None:
        container.with_env("JAVA_OPTS", "-Djava.net.preferIPv4Stack=true -Xmx512m")
        # Instead of the image's own, which let everybody in.
        container.with_env("GREENMAIL_OPTS", "-Dgreenmail.setup.test.all -Dgreenmail.hostname=0.0.0.0 -Dgreenmail.users.login=email")

    def probe(self) -> bool:
        try:
            self._call("GET", "/api/service/readiness")
        except http.AnswerError:
            return False
        return True

    def add_user(self, email: str, password: str) -> None:
        self._call("POST", "/api/user", {"email": email, "login": email, "password": password})
        self._users[email] = password

    def restart(self) -> None:
        super().restart()
        for email, password in self._users.items():
            self.add_user(email, password)

    def _call(self, method: str, path: str, body: dict[str, str] | None = None) -> None:
        http.call(method, f"http://{self.host}:{self.port(8080)}{path}", body, seconds=3.0)


class ContainerStack:
    """`tests.kit.stack.TestStack` on containers."""

    def __init__(self) -> None:
        self._kafka = Kafka()
        self._postgres = Postgres()
        self._mail = Mail()

    @property
    def kafka_bootstrap(self) -> str:
        self._kafka.ready()
        return self._kafka.bootstrap

    def database_url(self, name: str) -> str:
        self._postgres.ready()
        return self._postgres.create_database(name)

    @property
    def imap_host(self) -> str:
        self._mail.ready()
        return self._mail.host

    @property
    def imap_port(self) -> int:
        self._mail.ready()
        return self._mail.port(3143)

    @property
    def smtp_host(self) -> str:
        self._mail.ready()
        return self._mail.host

    @property
    def smtp_port(self) -> int:
        self._mail.ready()
        return self._mail.port(3025)

    def create_mail_user(self, email: str, password: str) -> None:
        self._mail.ready()
        self._mail.add_user(email, password)

    def kill(self, part: PartName) -> None:
        self._part(part).kill()

    def restart(self, part: PartName) -> None:
        self._part(part).restart()

    def stop(self) -> None:
        for part in (self._mail, self._kafka, self._postgres):
            part.stop()

    def _part(self, name: PartName) -> Part:
        parts: dict[PartName, Part] = {"kafka": self._kafka, "postgres": self._postgres, "mail": self._mail}
        return parts[name]


def _free_port() -> int:
    """Below the range for outgoing connections, from which a port could be taken while its part restarts."""
    port = next(port for port in range(21_000 + os.getpid() % 5_000, 32_000) if port not in _given and is_free(port))
    _given.add(port)
    return port


_given: set[int] = set()


def _tar(name: str, text: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(text.encode())
        entry.mode = 0o755
        archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()
