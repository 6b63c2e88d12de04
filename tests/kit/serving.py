"""A server of the test that serves in a thread of its own."""

from __future__ import annotations

import socketserver
import threading
from types import TracebackType
from typing import Self


class Serving:
    """`with` serves by `_server`, which the sub-class makes before; at the end nothing of it is left."""

    _server: socketserver.BaseServer
    _thread: threading.Thread

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class TcpServer(socketserver.ThreadingTCPServer):
    """A thread for each connection, none of which outlives the test run."""

    allow_reuse_address = True
    daemon_threads = True
