"""What protects somebody who uses the console in a browser: cookies, CSRF, headers."""

from __future__ import annotations

import re

import httpx
import pytest
import pytest_asyncio
from fastapi.routing import _IncludedRouter
from pydantic import SecretStr

from console.app import create_app
from shared.api import UserIn
from tests.integration.console.rig import EMAIL, PASSWORD, Console, Upstream, browser_session, running, settings_of

pytestmark = [pytest.mark.connected, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def csrf(console: Console) -> str:
    await console.set_up(EMAIL, PASSWORD)
    return await browser_session(console)


async def test_a_session_may_call_the_api_and_needs_its_csrf_token_to_change_something(
    console: Console, csrf: str, upstream: Upstream
) -> None:
    assert (await console.http.get("/api/v1/me")).json()["email"] == EMAIL
    body = {"title": "t"}
    for headers in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "0" * 64}):
        assert (await console.http.post("/api/v1/tickets", json=body, headers=headers)).status_code == 403
    assert upstream.seen == []
    assert (await console.http.post("/api/v1/tickets", json=body, headers={"X-CSRF-Token": csrf})).status_code == 200
    assert upstream.last.headers["x-actor"] == f"user:{EMAIL}"


async def test_the_csrf_token_of_one_session_is_none_of_another(console: Console, csrf: str) -> None:
    await browser_session(console)
    assert (await console.http.post("/api/v1/tickets", json={}, headers={"X-CSRF-Token": csrf})).status_code == 403


@pytest.mark.parametrize("told", [{"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_another_site_may_not_even_with_the_token(console: Console, csrf: str, told: dict[str, str]) -> None:
    headers = {"X-CSRF-Token": csrf, **told}
    assert (await console.http.post("/api/v1/tickets", json={}, headers=headers)).status_code == 403


async def test_our_own_pages_may(console: Console, csrf: str) -> None:
    for origin in (console.url, console.deps.settings.public_url):
        answer = await console.http.post("/api/v1/tickets", json={}, headers={"X-CSRF-Token": csrf, "Origin": origin})
        assert answer.status_code == 200


async def test_every_page_that_changes_something_refuses_a_form_without_the_token(console: Console, csrf: str, upstream: Upstream) -> None:
    forms = 0
    for method, path in page_routes(console):
        if method in {"POST", "PUT", "PATCH", "DELETE"}:
            forms += 1
            answer = await console.http.request(method, re.sub(r"\{[^}]+\}", "7", path), data={"csrf_token": "wrong"})
            assert answer.status_code == 403, path
    assert forms > 3
    assert upstream.seen == []
    assert csrf


async def test_every_page_but_those_before_sign_in_asks_to_sign_in(console: Console) -> None:
    open_pages = {"/", "/sign-in", "/setup"}
    for method, path in page_routes(console):
        if method == "GET" and path not in open_pages and not path.startswith("/static") and ":path" not in path:
            answer = await console.http.get(re.sub(r"\{[^}]+\}", "7", path))
            assert answer.status_code == 303, path
            assert answer.headers["Location"].startswith("/sign-in")


ADMINISTRATORS_PAGES = (
    *("/outgoing", "/outgoing/7/retry", "/oauth/callback", "/mailboxes/7/sign-in", "/senders/7/sign-in", "/ticket-settings"),
    *("/senders", "/senders/new", "/senders/7", "/senders/7/test", "/senders/7/delete"),
    *("/mail-templates", "/mail-templates/new", "/mail-templates/preview", "/mail-templates/7", "/mail-templates/7/preview"),
    *("/mail-templates/7/delete",),
)


async def test_pages_for_administrators_refuse_an_operator(console: Console, csrf: str, upstream: Upstream) -> None:
    assert csrf
    await console.deps.accounts.create_user(UserIn(email="bo@company.example", name="Bo", password=PASSWORD, role="operator"))
    token = await browser_session(console, "bo@company.example")
    asked = set()
    for method, route in page_routes(console):
        path = re.sub(r"\{[^}]+\}", "7", route)
        if method in {"GET", "POST"} and path in ADMINISTRATORS_PAGES:
            asked.add(path)
            answer = await console.http.request(method, path, headers={"X-CSRF-Token": token})
            assert (answer.status_code, "ask an administrator" in answer.text) == (403, True), f"{method} {path}"
    assert asked == set(ADMINISTRATORS_PAGES)
    assert upstream.seen == []


def page_routes(console: Console) -> list[tuple[str, str]]:
    """(verb, path) of every page, as the application includes them."""
    included = create_app(console.deps.settings).routes[-1]
    assert isinstance(included, _IncludedRouter)
    return [(verb, str(one.path)) for one in included.effective_route_contexts() for verb in one.methods or ()]


async def test_signing_in_and_out_with_a_browser(console: Console) -> None:
    await console.set_up(EMAIL, PASSWORD)
    page = await console.http.get("/sign-in")
    assert page.status_code == 200
    token = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', page.text)
    assert token is not None
    form = {"csrf_token": token[1], "email": EMAIL, "password": PASSWORD}
    answer = await console.http.post("/sign-in", data=form)
    assert answer.status_code == 303
    cookie = next(value for value in answer.headers.get_list("set-cookie") if "session" in value)
    assert {"httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert "secure" not in cookie.lower()
    assert (await console.http.get("/api/v1/me")).json()["email"] == EMAIL


async def test_over_tls_cookies_are_secure_and_bound_to_the_host(console_database: SecretStr, upstream: Upstream, console: Console) -> None:
    async with running(settings_of(console_database, upstream, public_url="https://mail.company.example")) as secure:
        answer = await secure.http.get("/sign-in")
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-mailconverter-")
        assert "secure" in cookie.lower()
        assert "max-age" in answer.headers["Strict-Transport-Security"]


async def test_headers_of_every_answer(console: Console) -> None:
    for path in ("/sign-in", "/api/v1/me", "/api/v1/openapi.json", "/health/live", "/nothing/here"):
        headers = (await console.http.get(path)).headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe" not in policy, path
        assert "default-src" in policy, path
        assert "frame-ancestors" in policy, path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "same-origin", path


async def test_live_pages_are_for_those_who_are_signed_in_and_hear_of_tickets(console: Console, csrf: str) -> None:
    async with httpx.AsyncClient(base_url=console.url, trust_env=False) as stranger:
        assert (await stranger.get("/live")).status_code == 401
    async with console.http.stream("GET", "/live") as live:
        assert live.headers["Content-Type"].startswith("text/event-stream")
        lines = live.aiter_lines()
        assert await anext(lines) == "retry: 3000"
        event = b'{"ticket_id": 7, "type": "created", "title": "Line one\\nevent: fake", "actor": "mail", "at": "2026-03-01T12:00:00Z"}'
        console.deps.live.tell(b"nonsense")
        console.deps.live.tell(event)
        told = [await anext(lines) for _ in range(3)]
        assert told[:2] == ["", "event: ticket"]
        assert '"ticket_id":7' in told[2]
    assert csrf


async def test_a_listener_that_does_not_read_is_told_to_load_again_and_bounded(console: Console) -> None:
    live = console.deps.live
    slow, quick = live.open(), live.open()
    event = b'{"ticket_id": 7, "type": "created", "title": "t", "actor": "mail", "at": "2026-03-01T12:00:00Z"}'
    for _ in range(101):
        live.tell(event)
        assert quick.get_nowait().startswith("event: ticket")
    assert slow.qsize() == 1
    assert slow.get_nowait().startswith("event: reload")
