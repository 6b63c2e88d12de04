"""Chromium, and a console to look at: on a real Postgres, before a stand-in for the services that has one of each state."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from pydantic import SecretStr

from console.accounts import Accounts
from console.app import create_app
from console.settings import Settings
from shared.database import make_engine, migrate
from shared.service import migrations_folder
from tests.kit.browsing import ADMINISTRATOR, CHROMIUM, NOBODY_LISTENS, SERVICE_TOKEN, Console, Watched, new_context, served
from tests.kit.ports import free_port
from tests.kit.stack import TestStack
from tests.kit.stand_in import stand_in
from tests.kit.stand_in_world import SERVICE_HOSTS, World


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
    database = SecretStr(stack.database_url(f"browser_console_{uuid4().hex[:8]}"))
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


@pytest.fixture
def watched(console: Console, world: World, signed_in_state: dict[str, object], browser: Browser) -> Iterator[Watched]:
    """A signed-in administrator's page. The test fails when the browser complained of anything."""
    context = new_context(browser, signed_in_state, viewport={"width": 1280, "height": 900})
    made = Watched(context.new_page(), console.url)
    made.watch()
    yield made
    context.close()
    assert not made.complaints, made.complaints


@pytest.fixture
def scriptless(console: Console, world: World, signed_in_state: dict[str, object], browser: Browser) -> Iterator[Page]:
    """A signed-in administrator's page in a browser without scripts."""
    context = new_context(browser, signed_in_state, java_script_enabled=False)
    yield context.new_page()
    context.close()
