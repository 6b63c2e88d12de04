"""The data folder: where everything of an embedded installation lies, and the checks before it is used."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from local import jsonfile
from local.errors import StackError
from local.ports import Ports

NEEDED_BYTES = 1_500_000_000
"""Kafka's and Postgres' own files take 0.3 GB; the rest is room for a first day of mails."""
MODE = 0o711 if os.geteuid() == 0 else 0o700
"""As root, Postgres runs as `nobody`, who must be able to pass through to its own folder."""


def default_home() -> Path:
    """`MAILCONVERTER_HOME`; else /var/lib/mailconverter for root, ~/.local/share/mailconverter for everybody else."""
    if chosen := os.environ.get("MAILCONVERTER_HOME"):
        return Path(chosen).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/mailconverter")
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "mailconverter"


class Home:
    """Paths, ports and secrets of one data folder. Nothing is made before `prepare`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.archive = path / "archive"
        self.state_file = path / "state.json"
        self.processes_file = path / "processes.json"
        self.seeded_file = path / "sandbox.json"
        self._lock: int | None = None

    @cached_property
    def ports(self) -> Ports:
        return Ports(self.path / "ports.json")

    def prepare(self, needed_bytes: int = NEEDED_BYTES) -> None:
        """Make the folder. Raises StackError where it cannot be written or its disk is too full."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(MODE)
            for folder in (self.logs, self.archive):
                folder.mkdir(mode=0o700, exist_ok=True)
            (self.path / "lock").touch(mode=0o600)
        except OSError as error:
            message = f"the data folder {self.path} cannot be written ({error.strerror}): choose another with MAILCONVERTER_HOME=/a/folder"
            raise StackError(message) from error
        free = shutil.disk_usage(self.path).free
        if free < needed_bytes:
            message = (
                f"too little disk: {free / 1e9:.1f} GB free at {self.path}, {needed_bytes / 1e9:.1f} GB are needed; "
                "make room, or choose another data folder with MAILCONVERTER_HOME=/a/folder"
            )
            raise StackError(message)

    def lock(self) -> None:
        """Take the folder for this process until it ends. Raises StackError when another process has it."""
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            state = jsonfile.read(self.state_file)
            where = f" at {state['url']}" if state.get("url") else ""
            message = f"Mail Converter is already running{where} (pid {state.get('pid')}, data folder {self.path})"
            raise StackError(message) from error
        self._lock = handle

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def secret(self, name: str, make: Callable[[], str] = lambda: secrets.token_urlsafe(32)) -> str:
        """A secret of this installation, made when first asked for, in a file only its owner can read."""
        file = self.path / "secrets.json"
        known = jsonfile.read(file)
        if name not in known:
            known[name] = make()
            jsonfile.write(file, known)
        return str(known[name])

    def forget_secret(self, name: str) -> None:
        file = self.path / "secrets.json"
        jsonfile.write(file, {key: value for key, value in jsonfile.read(file).items() if key != name})
