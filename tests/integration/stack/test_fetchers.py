"""`mailconverter up --fetchers 3` with the real services: three fetchers, each under its own name, share the mailboxes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.kit.api import Api
from tests.kit.eventually import eventually
from tests.kit.installation import Installation
from tests.kit.ports import free_port

pytestmark = [pytest.mark.connected, pytest.mark.alone, pytest.mark.timeout(240)]

FETCHERS = ["fetcher", "fetcher-2", "fetcher-3"]
MAILBOXES = 9
HOLDER = re.compile(r"(fetcher(?:-\d+)?)-\d+-[0-9a-f]{12}")
"""Name, process id, and what tells one life of the process from another."""


@pytest.fixture
def installation() -> Iterator[Installation]:
    running = Installation(MAILCONVERTER_SANDBOX="0")
    try:
        running.start("--fetchers", "3")
        yield running
    finally:
        running.remove()


def test_three_fetchers_share_the_mailboxes(installation: Installation) -> None:
    parts = {name: installation.part(name) for name in FETCHERS}
    assert {part["state"] for part in parts.values()} == {"running"}
    assert len({part["pid"] for part in parts.values()}) == len(FETCHERS)
    api = installation.api()
    nobody = free_port()
    for number in range(MAILBOXES):
        settings = {"name": f"Mailbox {number}", "server": "127.0.0.1", "port": nobody, "username": "anna", "password": "secret"}
        api.post("/scanners", settings)
    shares = {name: MAILBOXES // len(FETCHERS) for name in FETCHERS}
    eventually(lambda: _shares(api) == shares, 60, what="even shares")


def _shares(api: Api) -> Counter[str]:
    """Mailboxes by the name of the fetcher that holds them."""
    held = [HOLDER.fullmatch(scanner["state"]["fetcher"] or "") for scanner in api.all("/scanners")]
    return Counter(found[1] for found in held if found is not None)
