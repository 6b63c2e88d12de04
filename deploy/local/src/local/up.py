"""`mailconverter up`: from a data folder to a running installation, and back."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from types import FrameType

from local import http, sandbox, services
from local.child import HURRY, Child
from local.errors import StackError
from local.home import Home
from local.mails import MAILBOX
from local.processes import Registry
from local.progress import Progress
from local.services import SERVICES, Command, Service, Sources
from local.stack import Stack
from local.supervisor import Supervisor

SERVICE_GROUP, MAIL_GROUP, KAFKA_GROUP, POSTGRES_GROUP = 4, 3, 2, 1
SETUP_LINK_SECONDS = 10.0


class Stopped(BaseException):
    """A signal asks us to stop."""


class Installation:
    """One run of the whole. `run` blocks until a signal comes, and leaves no process behind however it ends."""

    def __init__(self, home: Home, console_port: int, progress: Progress, *, fetchers: int = 1, with_sandbox: bool = True) -> None:
        self.home = home
        self.console_port = console_port
        self.progress = progress
        self.fetchers = fetchers
        self.with_sandbox = with_sandbox
        self.stack = Stack(home, progress)
        self.stack.mail.users = dict(sandbox.USERS)
        self.commands: list[Command] = []
        self._begin = time.monotonic()
        self._supervisor: Supervisor | None = None

    @property
    def supervisor(self) -> Supervisor:
        if self._supervisor is None:
            self._supervisor = Supervisor(self.home, self.progress)
        return self._supervisor

    def run(self) -> None:
        """Raises StackError when it cannot start; returns after a signal, when all parts have stopped."""
        _on_signals()
        try:
            self._claim()
            self._start()
            self._tell()
            self.supervisor.run()
        except Stopped:
            self.progress.say("stopping …")
        finally:
            self._stop()

    def _claim(self) -> None:
        self.home.prepare()
        self.home.lock()
        if leftovers := Registry(self.home.processes_file).end_leftovers():
            self.progress.say(f"ended what an earlier run left behind: {', '.join(leftovers)}")
        self.home.ports.fix("console", self.console_port)
        self.progress.say(f"Mail Converter starts; data folder {self.home.path}")

    def _start(self) -> None:
        stack, watch = self.stack, self.supervisor
        _ = stack.kafka.class_path  # downloads, before anything runs
        early_mail = self.with_sandbox and sandbox.may_be_wanted(self.home)
        if early_mail:
            _ = stack.mail.class_path
        watch.add([stack.postgres], POSTGRES_GROUP)
        watch.add([stack.kafka], KAFKA_GROUP)
        if early_mail:
            watch.add([stack.mail], MAIL_GROUP)
        services.make_archive(self.home)
        watch.wait([stack.postgres])
        sources = Sources(stack.kafka.bootstrap, {name: stack.postgres.create_database(name) for name in SERVICES})
        self.commands += services.migrate(self.home, sources)
        watch.wait([stack.kafka])
        services.apply_topics(stack.kafka.bootstrap)
        for command in self.commands:
            command.wait()
        children = self._services(sources)
        watch.add(children, SERVICE_GROUP)
        watch.wait([*children, *([stack.mail] if early_mail else [])])
        if self.with_sandbox:
            self._sandbox(running=early_mail)

    def _services(self, sources: Sources) -> list[Child]:
        more = [f"fetcher-{number}" for number in range(2, self.fetchers + 1)]
        return [*(Service(self.home, name, sources) for name in SERVICES), *(Service(self.home, "fetcher", sources, name) for name in more)]

    def _sandbox(self, *, running: bool) -> None:
        client = sandbox.client(self.home)
        if not sandbox.is_wanted(client):
            return
        if not running:
            self.supervisor.add([self.stack.mail], MAIL_GROUP)
            self.supervisor.wait([self.stack.mail])
        self.supervisor.facts["smtp_port"] = self.stack.mail.smtp_port
        if sandbox.seed(client, self.stack.mail):
            self.progress.say(f"  sandbox      {len(sandbox.USERS)} mailboxes, three mails are on their way")

    def _tell(self) -> None:
        url = services.url(self.home, "console")
        self.supervisor.facts["url"] = url
        self.supervisor.publish()
        self.progress.say(f"\nMail Converter runs at {url}  (ready after {time.monotonic() - self._begin:.1f} s)")
        link = self._setup_link(url)
        self.progress.say(f"First sign-in, this link once: {link}" if link else "Sign in with your account.")
        if "smtp_port" in self.supervisor.facts:
            self.progress.say(f'Play: mailconverter send --from you@customer.example --to {MAILBOX} --subject "My first ticket"')
        self.progress.say("Ctrl-C stops everything; `mailconverter status` shows the parts.")

    def _setup_link(self, url: str) -> str | None:
        """The one-time link of the console, while no administrator exists."""
        headers = {"X-Service-Token": services.service_token(self.home)}
        try:
            answer = http.call("GET", f"{url}/internal/setup-link", headers=headers, seconds=SETUP_LINK_SECONDS)
        except (http.AnswerError, OSError) as error:
            message = f"the console does not give its set-up link: {error}; see {self.home.logs / 'console.log'}"
            raise StackError(message) from error
        return answer.get("url") if isinstance(answer, dict) else None

    def _stop(self) -> None:
        with suppress(Stopped):  # a signal in the same moment: we are stopping
            _on_signals_while_stopping()
        for command in self.commands:
            command.kill()
        if self._supervisor is not None:
            self._supervisor.facts["url"] = None
            self._supervisor.stop()
        self.home.unlock()


def _on_signals() -> None:
    HURRY.clear()

    def stop(_number: int, _frame: FrameType | None) -> None:
        _on_signals_while_stopping()
        raise Stopped

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


def _on_signals_while_stopping() -> None:
    """A second Ctrl-C does not wait for anybody."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: HURRY.set())


def console_port() -> int:
    """`MAILCONVERTER_PORT`, 8080 without. Raises StackError for what is no port."""
    text = os.environ.get("MAILCONVERTER_PORT") or "8080"
    if text.isdecimal() and 0 < int(text) < 65536:
        return int(text)
    message = f"MAILCONVERTER_PORT={text} is no port: give a number from 1 to 65535"
    raise StackError(message)
