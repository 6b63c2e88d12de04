"""GreenMail: the sandbox mail server. It keeps mails in memory only and alters some bytes, so it is for playing and tests."""

from __future__ import annotations

import signal
from functools import cached_property

from local import http
from local.child import Child
from local.errors import StackError
from local.home import Home
from local.jars import class_path
from local.java import java
from local.ports import LOOPBACK
from local.processes import Launch
from local.progress import Progress

HEAP_MB = 512
"""A mail of 50 MiB ends in an OutOfMemoryError with 128."""
API_SECONDS = 3.0


class GreenMail(Child):
    """`port` is IMAP's. Logging in before `probe` succeeds is refused, for its users appear after the port."""

    clean_exits = frozenset({0, 143, -signal.SIGTERM})

    def __init__(self, home: Home, users: dict[str, str] | None = None, progress: Progress | None = None) -> None:
        super().__init__("mail", home)
        self.users = dict(users or {})
        """E-mail address, which is the login too → password. They are made again at each start."""
        self._progress = progress

    @property
    def port(self) -> int:
        return self.home.ports.get("mail-imap")

    @property
    def smtp_port(self) -> int:
        return self.home.ports.get("mail-smtp")

    @property
    def api_port(self) -> int:
        return self.home.ports.get("mail-api")

    @cached_property
    def class_path(self) -> str:
        return class_path("greenmail", self._progress)

    def launch(self) -> Launch:
        ports = {"smtp": self.smtp_port, "imap": self.port, "api": self.api_port}
        properties = {f"greenmail.{name}.hostname": LOOPBACK for name in ports}
        properties |= {f"greenmail.{name}.port": str(port) for name, port in ports.items()}
        # Not greenmail.auth.disabled: any value of it, also "false", lets everybody in.
        properties["greenmail.users.login"] = "email"
        if self.users:
            properties["greenmail.users"] = ",".join(f"{email.replace('@', f':{password}@', 1)}" for email, password in self.users.items())
        main = ["com.icegreen.greenmail.standalone.GreenMailStandaloneRunner"]
        return Launch(java(HEAP_MB, self.class_path, main, properties), self.log)

    def probe(self) -> bool:
        return self._call("GET", "/api/service/readiness") == 200

    def add_user(self, email: str, password: str) -> None:
        """A mailbox; it is there again after a restart, empty."""
        status = self._call("POST", "/api/user", {"email": email, "login": email, "password": password})
        if status != 200:
            message = f"the sandbox mail server refused the mailbox {email} (HTTP {status})"
            raise StackError(message)
        self.users[email] = password

    def purge(self) -> None:
        """Delete all mails of all mailboxes."""
        self._call("POST", "/api/mail/purge")

    def _call(self, method: str, path: str, body: dict[str, str] | None = None) -> int:
        try:
            http.call(method, f"http://{LOOPBACK}:{self.api_port}{path}", body, seconds=API_SECONDS)
        except http.AnswerError as error:
            return error.status
        return 200
