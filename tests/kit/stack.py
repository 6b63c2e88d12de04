"""Kafka, Postgres and a mail server for tests: the embedded stack, or containers with MAILCONVERTER_TEST_STACK=containers.

Every part starts when it is first asked for, once per test run, on free ports in a temporary folder. Tests keep apart by names of
their own: a database, a Kafka namespace, a mailbox each.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib import import_module
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from local.child import Child
from local.home import Home
from local.ports import LOOPBACK
from local.stack import Stack

PartName = Literal["kafka", "postgres", "mail"]


class MailServer(Protocol):
    """Takes mails by SMTP, gives them by IMAP: the test stack's own, or Debian's Postfix and Dovecot (`tests.kit.mail_system`)."""

    @property
    def imap_host(self) -> str: ...

    @property
    def imap_port(self) -> int: ...

    @property
    def smtp_host(self) -> str: ...

    @property
    def smtp_port(self) -> int: ...

    def create_mail_user(self, email: str, password: str) -> None:
        """A mailbox; its login is the address."""
        ...


class TestStack(MailServer, Protocol):
    """What a test may ask for. Every property and call starts its part if need be and returns when it is ready."""

    __test__: ClassVar[bool] = False  # pytest: no class of tests

    @property
    def kafka_bootstrap(self) -> str: ...

    def database_url(self, name: str) -> str:
        """SQLAlchemy URL (`postgresql+psycopg://…`) of a database with a role of its own, made when first asked for."""
        ...

    def kill(self, part: PartName) -> None:
        """SIGKILL; the part stays away until `restart`."""
        ...

    def restart(self, part: PartName) -> None:
        """Start it again, after a kill or orderly; same ports and data (the mail server's mails are gone)."""
        ...

    def stop(self) -> None:
        """End all parts and remove their data."""
        ...


class EmbeddedStack(TestStack):
    """The stack of `make up`. The folder is not pytest's `tmp_path`: as root, Postgres runs as `nobody` and has to get into it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="mailconverter-test-"))
        self.home = Home(self.path)
        self.home.prepare()
        self.stack = Stack(self.home)

    @property
    def kafka_bootstrap(self) -> str:
        self._ready(self.stack.kafka)
        return self.stack.kafka.bootstrap

    def database_url(self, name: str) -> str:
        self._ready(self.stack.postgres)
        return self.stack.postgres.create_database(name)

    @property
    def imap_host(self) -> str:
        return LOOPBACK

    @property
    def imap_port(self) -> int:
        self._ready(self.stack.mail)
        return self.stack.mail.port

    @property
    def smtp_host(self) -> str:
        return LOOPBACK

    @property
    def smtp_port(self) -> int:
        self._ready(self.stack.mail)
        return self.stack.mail.smtp_port

    def create_mail_user(self, email: str, password: str) -> None:
        self._ready(self.stack.mail)
        self.stack.mail.add_user(email, password)

    def kill(self, part: PartName) -> None:
        self._part(part).kill()

    def restart(self, part: PartName) -> None:
        self._part(part).restart()

    def stop(self) -> None:
        self.stack.stop()
        shutil.rmtree(self.path, ignore_errors=True)

    def _part(self, name: PartName) -> Child:
        return {"kafka": self.stack.kafka, "postgres": self.stack.postgres, "mail": self.stack.mail}[name]

    @staticmethod
    def _ready(child: Child) -> None:
        """Cheap when it runs: only a part that was never started, or was killed, is waited for."""
        if child.process is None or child.poll() is not None:
            child.start()
            child.wait_ready()


def make_stack() -> TestStack:
    """The stack this run is to use."""
    kind = os.environ.get("MAILCONVERTER_TEST_STACK", "embedded")
    if kind == "embedded":
        return EmbeddedStack()
    if kind == "containers":
        made: TestStack = import_module("tests.kit.containers").ContainerStack()  # not imported where there is no engine
        return made
    raise ValueError(f"MAILCONVERTER_TEST_STACK={kind}: embedded or containers")
