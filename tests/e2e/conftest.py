"""One running system for all end-to-end tests of a run, and the mail servers it reads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit import dovecot
from tests.kit.dovecot import Dovecot, running_dovecot
from tests.kit.smtp_sink import SmtpSink
from tests.kit.stack import TestStack
from tests.kit.system import System, running_system


@pytest.fixture(scope="session")
def system(stack: TestStack) -> Iterator[System]:
    with running_system(stack) as running:
        yield running


@pytest.fixture(scope="session")
def dovecot_server() -> Iterator[Dovecot]:
    if not dovecot.installed():
        pytest.skip(dovecot.MISSING)
    with running_dovecot() as server:
        yield server


@pytest.fixture
def smtp_sink() -> Iterator[SmtpSink]:
    sink = SmtpSink()
    sink.start()
    yield sink
    sink.stop()
