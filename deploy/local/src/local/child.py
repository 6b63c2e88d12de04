"""A part of the stack that is a child process: started, probed, stopped, killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from local.errors import StackError
from local.home import Home
from local.processes import Launch, Registry, spawn

PROBE_SECONDS = 5.0
POLL_SECONDS = 0.05
LOG_BYTES = 20_000_000
HURRY = threading.Event()
"""Set by a second Ctrl-C: whoever waits for a child to end by itself kills it."""

# Probes may open event loops of their own, so they run outside the caller's thread.
_probes = ThreadPoolExecutor(max_workers=8, thread_name_prefix="probe")


class Child(ABC):
    """One process. Not thread-safe: one caller at a time."""

    stop_signal = signal.SIGTERM
    stop_seconds = 10.0
    ready_seconds = 120.0
    start_again_seconds = 0.0
    """How long a process that ends while it starts is started again, for servers that wait for leftovers of a crash."""
    clean_exits = frozenset({0, -signal.SIGTERM})

    def __init__(self, name: str, home: Home) -> None:
        self.name = name
        self.home = home
        self.registry = Registry(home.processes_file)
        self.process: subprocess.Popen[bytes] | None = None
        self.last_exit: int | None = None

    @property
    @abstractmethod
    def port(self) -> int:
        """Where it answers, on loopback."""

    @abstractmethod
    def launch(self) -> Launch:
        """Prepare what the process needs on disk and say how to run it; called before each start."""

    @abstractmethod
    def probe(self) -> bool:
        """Whether it does its work now; at most PROBE_SECONDS. May raise OSError for no."""

    @property
    def log(self) -> Path:
        return self.home.logs / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def reason(self) -> str:
        """The line of its log that tells best why it ended."""
        return last_line(self.log)

    def start(self) -> None:
        """Start the process without waiting until it is ready; nothing happens when it runs."""
        if self.process is not None and self.poll() is None:
            return
        rotate(self.log)
        self.process = spawn(self.launch())
        self.registry.add(self.name, self.process.pid)

    def poll(self) -> int | None:
        """Exit status when it has ended (the process is reaped then), else None."""
        if self.process is None:
            return self.last_exit
        status = self.process.poll()
        if status is not None:
            self.last_exit = status
        return status

    def is_ready(self) -> bool:
        """One probe; False for whatever goes wrong in it."""
        try:
            return _probes.submit(self.probe).result(PROBE_SECONDS + 1)
        except (OSError, TimeoutError):
            return False

    def wait_ready(self) -> None:
        """Return when a probe succeeds. Raises StackError when the process ends first or the time is over."""
        begin = time.monotonic()
        while not self.is_ready():
            waited = time.monotonic() - begin
            if (status := self.poll()) is not None:
                if waited > self.start_again_seconds:
                    message = f"{self.name} ended while it started (exit status {status}): {self.reason()}; see {self.log}"
                    raise StackError(message)
                time.sleep(0.2)
                self.start()
            if waited > self.ready_seconds:
                message = f"{self.name} was not ready after {self.ready_seconds:.0f} s: {self.reason()}; see {self.log}"
                raise StackError(message)
            time.sleep(POLL_SECONDS)

    def signal_stop(self) -> None:
        """Ask it to end, without waiting."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.stop_signal)

    def stop(self) -> None:
        """Ask it to end and wait; after `stop_seconds` kill it. It is reaped when this returns."""
        self.signal_stop()
        deadline = time.monotonic() + self.stop_seconds
        while self.process is not None and self.process.poll() is None and time.monotonic() < deadline and not HURRY.is_set():
            time.sleep(POLL_SECONDS)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to it and its process group, and reap it: a server that finds a zombie with its old pid does not start."""
        if self.process is None:
            return
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.last_exit = self.process.wait()
        self.process = None
        self.registry.remove(self.name)

    def restart(self) -> None:
        """Stop it if it runs, start it and wait until it is ready."""
        self.stop()
        self.start()
        self.wait_ready()


def rotate(log: Path) -> None:
    """Bound a log: above LOG_BYTES it becomes `.1`. The open file keeps being written, as writers append."""
    try:
        if log.stat().st_size < LOG_BYTES:
            return
        log.with_suffix(".log.1").write_bytes(log.read_bytes())
        os.truncate(log, 0)
    except FileNotFoundError:
        pass


def last_line(log: Path, containing: str = "") -> str:
    """The last line of a log, or the last one with a text in it; cut to what fits a message."""
    try:
        lines = [line.strip() for line in log.read_bytes()[-65536:].decode(errors="replace").splitlines() if line.strip()]
    except FileNotFoundError:
        return "it wrote no log"
    return next((line for line in reversed(lines) if containing in line), lines[-1] if lines else "it wrote nothing")[:300]
