from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest


@pytest.fixture
def hold() -> Iterator[Callable[[int], None]]:
    """Take ports on loopback until the test ends."""
    with ExitStack() as held:

        def take(port: int) -> None:
            server = held.enter_context(socket.socket())
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("127.0.0.1", port))
            server.listen()

        yield take
