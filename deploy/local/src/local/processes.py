"""Starting child processes so that none outlives its supervisor, and ending those a killed supervisor left behind."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from local import jsonfile

PR_SET_PDEATHSIG = 1
SAME_START_SECONDS = 2.0
"""A process whose start time differs by more is another one that got the same pid."""
LEFTOVER_SECONDS = 10.0

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
# The death signal of a child comes when the *thread* that started it ends, so all are started by one that lives as long as we do.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


@dataclass(frozen=True)
class Launch:
    """What to run. `account` is set when another user than ours has to run it (root only)."""

    argv: list[str]
    log: Path
    environment: dict[str, str] | None = None
    account: pwd.struct_passwd | None = None
    death_signal: signal.Signals = signal.SIGKILL
    """What the child gets from Linux when we die."""
    cwd: Path = field(default=Path("/"))


def unprivileged() -> pwd.struct_passwd | None:
    """The account for programs that refuse root, when we are root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def as_account(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """Arguments for `subprocess` that run a program as `account`."""
    return {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def spawn(launch: Launch) -> subprocess.Popen[bytes]:
    """Start it in a session of its own (a Ctrl-C in our terminal is ours to handle), writing to its log."""
    return _spawner.submit(_popen, launch).result()


def _popen(launch: Launch) -> subprocess.Popen[bytes]:
    parent = os.getpid()

    def in_child() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, int(launch.death_signal), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    with os.fdopen(os.open(launch.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab") as log:
        return subprocess.Popen(
            launch.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=launch.environment,
            cwd=launch.cwd,
            start_new_session=True,
            preexec_fn=in_child,  # noqa: PLW1509 - it makes two system calls and takes no lock
            **as_account(launch.account),
        )


class Registry:
    """pid and start time of every child, in a file: what a supervisor that was killed leaves behind is found by it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def add(self, name: str, pid: int) -> None:
        try:
            started = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            return
        jsonfile.write(self.file, {**jsonfile.read(self.file), name: {"pid": pid, "started": started}})

    def remove(self, name: str) -> None:
        jsonfile.write(self.file, {key: value for key, value in jsonfile.read(self.file).items() if key != name})

    def end_leftovers(self) -> list[str]:
        """Kill what is still there of an earlier run; returns the names."""
        entries = jsonfile.read(self.file)
        found = {name: process for name, entry in entries.items() if (process := _same(entry))}
        for process in found.values():
            _kill_group(process.pid)
        deadline = time.monotonic() + LEFTOVER_SECONDS
        while any(is_alive(entry) for entry in entries.values()) and time.monotonic() < deadline:
            time.sleep(0.05)
        jsonfile.write(self.file, {})
        return sorted(found)


def is_alive(entry: dict[str, Any]) -> bool:
    """Whether the process of a record (pid, started) still runs."""
    return _same(entry) is not None


def _same(entry: dict[str, Any]) -> psutil.Process | None:
    try:
        process = psutil.Process(int(entry["pid"]))
        same = abs(process.create_time() - float(entry["started"])) < SAME_START_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.Error, KeyError, ValueError):
        return None


def _kill_group(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def describe(status: int | None) -> str:
    """An exit status for people."""
    if status is None:
        return "never"
    return f"signal {-status}" if status < 0 else f"exit status {status}"
