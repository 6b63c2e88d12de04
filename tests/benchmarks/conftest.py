"""A system of its own for the benchmarks, so that no other test's mails are counted."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.home import Home
from tests.kit import dovecot
from tests.kit.smtp_sink import SmtpSink
from tests.kit.stack import EmbeddedStack
from tests.kit.system import System


@pytest.fixture
def system() -> Iterator[System]:
    stack = EmbeddedStack()
    folder = Path(tempfile.mkdtemp(prefix="mailconverter-bench-"))
    running = System(stack, Home(folder))
    try:
        running.start()
        yield running
    finally:
        running.stop()
        stack.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def imap_server(system: System) -> Iterator[tuple[str, int, str]]:
    """Host, port and the password of every user: Dovecot where it is installed, else the sandbox mail server."""
    if not dovecot.installed():
        print(f"{dovecot.MISSING}; measuring with the sandbox mail server")
        system.stack.create_mail_user("bench@desk.example", dovecot.PASSWORD)
        yield system.stack.imap_host, system.stack.imap_port, dovecot.PASSWORD
        return
    with dovecot.running_dovecot() as server:
        yield "127.0.0.1", server.port, dovecot.PASSWORD


@pytest.fixture
def smtp_sink() -> Iterator[SmtpSink]:
    sink = SmtpSink()
    sink.start()
    yield sink
    sink.stop()
