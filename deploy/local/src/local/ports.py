"""Free ports on loopback, remembered in the data folder: the same part has the same port after a restart."""

from __future__ import annotations

import random
import socket
from pathlib import Path

import psutil

from local import jsonfile
from local.errors import StackError

LOOPBACK = "127.0.0.1"
FIRST, LAST = 20_000, 32_000
"""Below the range Linux takes for outgoing connections, which would take a part's port while it restarts."""
TRIES = 200


def is_free(port: int) -> bool:
    """Whether a server could listen there now. Connections in TIME_WAIT do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def owner(port: int) -> str:
    """` by NAME (pid N)` of the program that listens there, or nothing where the system does not tell."""
    try:
        pids = [c.pid for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port]
        return next((f" by {psutil.Process(pid).name()} (pid {pid})" for pid in pids if pid), "")
    except psutil.Error:
        return ""


class Ports:
    """Name → port. A remembered port that somebody else took meanwhile is replaced."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._given: dict[str, int] = {}

    def get(self, name: str) -> int:
        """The port of `name`, the same for as long as this object lives, and in the next run where it is still free."""
        if name not in self._given:
            self._given[name] = self._choose(jsonfile.read(self.file).get(name))
            jsonfile.write(self.file, {**jsonfile.read(self.file), **self._given})
        return self._given[name]

    def fix(self, name: str, port: int) -> None:
        """Give `name` the port its user chose. Raises StackError when it is taken."""
        if not is_free(port):
            message = f"port {port} is taken{owner(port)}: stop that program, or choose another port with MAILCONVERTER_PORT={port + 1}"
            raise StackError(message)
        self._given[name] = port

    def _choose(self, remembered: object) -> int:
        taken = {*self._given.values(), *(p for p in jsonfile.read(self.file).values() if p != remembered)}
        if isinstance(remembered, int) and remembered not in self._given.values() and is_free(remembered):
            return remembered
        for _ in range(TRIES):
            port = random.randint(FIRST, LAST)  # noqa: S311 - a port, not a key
            if port not in taken and is_free(port):
                return port
        message = f"no free port between {FIRST} and {LAST} on {LOOPBACK}: stop some servers"
        raise StackError(message)
