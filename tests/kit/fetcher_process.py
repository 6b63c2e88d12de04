"""`python -m fetcher` as an operator runs it: a process of its own, on a database and an archive of the test."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from shared.archive import Archive
from shared.secrets import new_ring
from tests.kit.eventually import eventually
from tests.kit.ports import free_port

TOKEN = "a-service-token-of-the-tests"
PREFIX = "MAILCONVERTER_FETCHER__"


@dataclass(frozen=True)
class Place:
    """What fetchers that work together share."""

    database_url: str
    bootstrap: str
    namespace: str
    archive: Path
    keys: str

    @classmethod
    def new(cls, database_url: str, bootstrap: str, namespace: str, archive: Path) -> Place:
        """With a key ring of its own, and the archive made."""
        Archive(archive.as_uri()).initialise()
        return cls(database_url, bootstrap, namespace, archive, new_ring())

    def environment(self) -> dict[str, str]:
        settings = {
            "DATABASE_URL": self.database_url,
            "KAFKA_BOOTSTRAP": self.bootstrap,
            "NAMESPACE": self.namespace,
            "ARCHIVE_URL": self.archive.as_uri(),
            "SERVICE_TOKEN": TOKEN,
            "SECRET_KEYS": self.keys,
        }
        return {PREFIX + name: value for name, value in settings.items()}


@dataclass(frozen=True)
class FetcherProcess:
    """A fetcher that is ready."""

    process: psutil.Process
    api: httpx.Client

    def cpu_seconds(self) -> float:
        """User and system, so far."""
        times = self.process.cpu_times()
        return times.user + times.system

    def peak_bytes(self) -> int:
        """Most memory it ever had in use (`VmHWM`)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024

    def add_scanner(self, port: int, user: str, password: str, **more: Any) -> str:
        """A scanner of an unencrypted mailbox on loopback that reads everything; returns its id."""
        body = {"name": user, "server": "127.0.0.1", "port": port, "username": user, "password": password, "ssl_type": "none"}
        answer = self.api.post("/scanners", json=body | {"start_from": "everything"} | more)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


@contextlib.contextmanager
def fetcher_process(place: Place, log: Path, prepare: Callable[[], None] | None = None, **settings: str) -> Iterator[FetcherProcess]:
    """Ready. `settings` by their names in small letters; `prepare` runs in the new process before it begins."""
    port = free_port()
    own = {PREFIX + name.upper(): value for name, value in settings.items()} | {f"{PREFIX}PORT": str(port), f"{PREFIX}INSTANCE": f"f{port}"}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "fetcher"],
            env=_environment() | place.environment() | own,
            stdout=output,
            stderr=output,
            preexec_fn=prepare,  # noqa: PLW1509 -- limits of the process, set by a function that touches nothing else
        )
    headers = {"X-Service-Token": TOKEN, "X-Actor": "user:anna@company.example"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as api:
            eventually(lambda: _ready(process, api, log), 120, what="the fetcher")
            yield FetcherProcess(psutil.Process(process.pid), api)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("MAILCONVERTER_")}


def _ready(process: subprocess.Popen[bytes], api: httpx.Client, log: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the fetcher ended: {log.read_text()[-2000:]}")
    with contextlib.suppress(httpx.TransportError):
        return api.get("/health/ready").status_code == httpx.codes.OK
    return False
