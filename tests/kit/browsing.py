"""A browser's page that notes every complaint, and servers for it to look at."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Request

from tests.kit.eventually import eventually
from tests.kit.stand_in_world import World

CHROMIUM = os.environ.get("MAILCONVERTER_CHROMIUM", "/usr/bin/chromium")
SERVICE_TOKEN = "a-service-token-of-tests"
ADMINISTRATOR = ("Otto Berg", "otto@company.example", "correct horse battery")
PATIENCE_MS = 10_000
NAVIGATION_MS = 30_000
"""A page on a busy machine: no test asks how soon it comes."""
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


def accessible(page: Page) -> None:
    """No violation axe knows of, one main heading, nothing wider than the screen."""
    # Frames hold customers' mails: sandboxed without scripts, axe cannot look into them, and its messages to them are complaints.
    found = Axe().run(page, options={"iframes": False}).response["violations"]
    assert not found, [(item["id"], [node["html"][:200] for node in item["nodes"]]) for item in found]
    assert page.locator("h1").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0


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


def new_context(browser: Browser, state: dict[str, object] | None, **options: object) -> BrowserContext:
    """A browser of somebody's own; German holidays and other zones are not what these tests are about."""
    context = browser.new_context(storage_state=state, locale="en-GB", timezone_id="UTC", **options)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    context.set_default_navigation_timeout(NAVIGATION_MS)
    return context
