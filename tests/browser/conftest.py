"""Chromium, and a console to look at: on a real Postgres, before a stand-in for the services that has one of each state."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright
from pydantic import SecretStr

from console.accounts import Accounts
from console.app import create_app
from console.settings import Settings
from shared.database import make_engine, migrate
from shared.service import migrations_folder
from tests.kit.eventually import eventually
from tests.kit.ports import free_port
from tests.kit.stack import TestStack
from tests.kit.stand_in import SERVICE_HOSTS, World, stand_in

CHROMIUM = os.environ.get("MAILCONVERTER_CHROMIUM", "/usr/bin/chromium")
SERVICE_TOKEN = "a-service-token-of-tests"
ADMINISTRATOR = ("Otto Berg", "otto@company.example", "correct horse battery")
PATIENCE_MS = 10_000
NOBODY_LISTENS = "127.0.0.1:9"
"""Kafka is away: what is live is told by the test itself."""


@dataclass
class Watched:
    """A browser page and everything it complained about."""

    page: Page
    home: str
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Console errors and warnings (a refused script or style is one), failed scripts, and requests to anywhere else."""
        self.page.on("console", lambda message: self._note(message.type in {"error", "warning"}, f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self._note(True, f"script: {error}"))
        self.page.on("request", self._asked)

    def go(self, path: str) -> None:
        self.page.goto(self.home + path)

    def _asked(self, request: Request) -> None:
        self._note(not request.url.startswith((self.home, "data:", "about:")), f"foreign request: {request.url}")

    def _note(self, bad: bool, complaint: str) -> None:
        # Chromium tells of every answer of 400 or more; pages of errors are meant.
        if bad and "the server responded with a status of" not in complaint:
            self.complaints.append(complaint)


@dataclass
class Console:
    """A console that runs, and the services' world behind it."""

    url: str
    world: World
    setup_url: str
    storage: dict[str, object] = field(default_factory=dict)


@contextmanager
def served(app: object, host: str, port: int = 0) -> Iterator[int]:
    """Uvicorn on a port, in a thread."""
    listening = socket.create_server((host, port))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=2))  # type: ignore[arg-type]
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started, what="the server's start")
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(15)
        listening.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """No longer than a module: while it lives an event loop runs in this thread, and no asynchronous test could."""
    if not Path(CHROMIUM).exists() and shutil.which(CHROMIUM) is None:
        pytest.skip(f"no Chromium at {CHROMIUM}: install it (Debian: apt install chromium) or set MAILCONVERTER_CHROMIUM")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def console(stack: TestStack) -> Iterator[Console]:
    """One for the module; its world is made anew for each test by `watched`."""
    database = SecretStr(stack.database_url("browser_console"))
    migrate(migrations_folder("console"), database)
    world = World()
    with served(stand_in(world), "0.0.0.0") as behind:  # noqa: S104 -- four loopback addresses stand for four services
        port = free_port()
        services: dict[str, Any] = {f"{name}_url": f"http://{address}:{behind}" for name, address in SERVICE_HOSTS.items()}
        settings = Settings(
            database_url=database,
            service_token=SecretStr(SERVICE_TOKEN),
            kafka_bootstrap=NOBODY_LISTENS,
            public_url=f"http://127.0.0.1:{port}",
            **services,
        )
        with served(create_app(settings), "127.0.0.1", port):
            # In a thread: Playwright may have a loop of its own in this one.
            with ThreadPoolExecutor(1) as other:
                setup_url = other.submit(lambda: asyncio.run(_setup_url(settings))).result()
            yield Console(settings.public_url, world, setup_url)


async def _setup_url(settings: Settings) -> str:
    engine = make_engine(settings.database_url, application="test")
    url = await Accounts(engine, settings).setup.url()
    await engine.dispose()
    assert url is not None, "there is an administrator already"
    return url


@pytest.fixture(scope="module")
def signed_in_state(console: Console, browser: Browser) -> dict[str, object]:
    """Cookies of the first administrator, made by the set-up link as a person would."""
    name, email, password = ADMINISTRATOR
    context = browser.new_context()
    page = context.new_page()
    page.goto(console.setup_url)
    page.get_by_label("Your name").fill(name)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("Password again").fill(password)
    page.get_by_role("button", name="Create administrator").click()
    page.wait_for_url("**/mailboxes")
    state = dict(context.storage_state())
    context.close()
    return state


@pytest.fixture
def world(console: Console) -> World:
    """As at the start, whatever the test before did."""
    console.world.__init__()  # type: ignore[misc]
    return console.world


def new_context(browser: Browser, state: dict[str, object] | None, **options: object) -> BrowserContext:
    """A browser of somebody's own; German holidays and other zones are not what these tests are about."""
    context = browser.new_context(storage_state=state, locale="en-GB", timezone_id="UTC", **options)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    return context


@pytest.fixture
def watched(console: Console, world: World, signed_in_state: dict[str, object], browser: Browser) -> Iterator[Watched]:
    """A signed-in administrator's page. The test fails when the browser complained of anything."""
    context = new_context(browser, signed_in_state, viewport={"width": 1280, "height": 900})
    made = Watched(context.new_page(), console.url)
    made.watch()
    yield made
    context.close()
    assert not made.complaints, made.complaints
