"""Test of a scanner's settings: each step named, and precisely what failed. It changes nothing in the mailbox."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from fetcher.adapters.imap.account import Account
from fetcher.adapters.imap.connection import Connection
from fetcher.adapters.imap.errors import FolderMissingError, explain
from shared.api import SslMethod, SslType, TestResult

TEST_SECONDS = 60.0


async def check(account: Account, folders: list[str], pool: ThreadPoolExecutor) -> TestResult:
    """Resolve, connect, TLS, sign in, list folders; at most a minute. Never raises for what the server does."""
    trial = _Trial(account, folders)
    running = asyncio.get_running_loop().run_in_executor(pool, trial.run)
    try:
        return await asyncio.wait_for(asyncio.shield(running), TEST_SECONDS)
    except TimeoutError:
        trial.connection.abandon()
        return TestResult(ok=False, message=f"{account.server} was too slow: stopped after {TEST_SECONDS:.0f} s", steps=list(trial.steps))


class _Trial:
    def __init__(self, account: Account, folders: list[str]) -> None:
        self.account = account
        self.folders = folders
        self.connection = Connection(account)
        self.steps: list[str] = []

    def run(self) -> TestResult:
        account = self.account
        steps: list[tuple[str, Callable[[], str]]] = [
            ("Resolve", self._resolve),
            ("Connect", self._connect),
            ("TLS", self._tls),
            ("Login", lambda: f"as {account.username} by {self.connection.login()}"),
            ("List folders", self._list),
        ]
        try:
            for name, step in steps:
                try:
                    self.steps.append(f"{name}: {step()}")
                except Exception as error:  # noqa: BLE001 -- whatever a server does is the test's result
                    message = explain(error, account.server, account.port)
                    return TestResult(ok=False, message=f"{name} failed. {message}", steps=[*self.steps, f"{name}: failed"])
        finally:
            self.connection.close()
        warning = " The certificate is not checked: anybody on the way may read the password." if self._unchecked() else ""
        return TestResult(ok=True, message=f"The mailbox can be read.{warning}", steps=self.steps)

    def _resolve(self) -> str:
        found = socket.getaddrinfo(self.account.server, self.account.port, type=socket.SOCK_STREAM)
        return f"{self.account.server} is {', '.join(dict.fromkeys(str(one[4][0]) for one in found))}"

    def _connect(self) -> str:
        self.connection.connect()
        return f"port {self.account.port} answers"

    def _tls(self) -> str:
        if self.account.ssl_type is SslType.NONE:
            return "none; the password travels readable"
        checked = "not checked" if self._unchecked() else "valid"
        return f"{self.connection.tls()}, certificate {checked}"

    def _unchecked(self) -> bool:
        return self.account.ssl_type is not SslType.NONE and self.account.ssl_method is SslMethod.NO_VALIDATE

    def _list(self) -> str:
        listed = self.connection.folders()
        names = {one.name for one in listed if one.selectable} | {"INBOX"}
        for folder in self.folders:
            if folder not in names and not (folder.upper() == "INBOX"):
                raise FolderMissingError(folder, "it is not in the list of folders")
        return f"{len(listed)} found, {len(self.folders)} selected"
