"""Data folders and whole installations for the tests of the embedded stack."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from local.ports import is_free
from tests.kit.eventually import eventually

SCRIPTED = Path(__file__).parent / "scripted"
START_SECONDS = 150.0


@contextmanager
def folder_for_nobody() -> Iterator[Path]:
    """A temporary folder that Postgres can enter as `nobody`, which pytest's own is not for root."""
    path = Path(tempfile.mkdtemp(prefix="mailconverter-test-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class Whole:
    """`mailconverter up` as a process of its own, with scripted services in the place of the real ones."""

    def __init__(self, folder: Path, port: int, **environment: str) -> None:
        self.folder = folder
        self.port = port
        self.output = folder.parent / f"{folder.name}.out"
        settings = {"MAILCONVERTER_HOME": str(folder), "MAILCONVERTER_PORT": str(port), "PYTHONPATH": str(SCRIPTED)}
        self.environment = {**os.environ, **settings, **environment}
        self.process: subprocess.Popen[bytes] | None = None

    def up(self, *arguments: str) -> None:
        """Start it and wait until it says that it runs."""
        self.begin(*arguments)
        eventually(self._runs, START_SECONDS)

    def begin(self, *arguments: str) -> None:
        """Start it."""
        with self.output.open("wb") as out:
            argv = [sys.executable, "-m", "local", "up", *arguments]
            self.process = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, env=self.environment)

    def _runs(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(self.text())
        return "Ctrl-C stops everything" in self.text()

    def text(self) -> str:
        return self.output.read_text()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command on the same data folder."""
        argv = [sys.executable, "-m", "local", *arguments]
        return subprocess.run(argv, env=self.environment, capture_output=True, text=True, timeout=60, check=False)

    def parts(self) -> dict[str, dict[str, Any]]:
        return {part["name"]: part for part in json.loads(self.command("status", "--json").stdout)["parts"]}

    def processes(self) -> list[psutil.Process]:
        """Everything that was started, children of children too."""
        assert self.process is not None
        return psutil.Process(self.process.pid).children(recursive=True)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=60)


@contextmanager
def stray_process() -> Iterator[psutil.Process]:
    """A process of nobody, that waits."""
    stray = subprocess.Popen(["/bin/sleep", "300"], start_new_session=True)
    try:
        yield psutil.Process(stray.pid)
    finally:
        stray.kill()
        stray.wait()


def free_port() -> int:
    return next(port for port in range(18_000, 19_000) if is_free(port))


def alive(processes: list[psutil.Process]) -> list[str]:
    """Those that still run."""
    return [f"{p.pid} {' '.join(p.cmdline())[:80]}" for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
