"""Signing in at the provider of a mailbox or an SMTP identity: who may, which service is asked what, and where the browser is sent."""

from __future__ import annotations

import json

import httpx
import pytest
import pytest_asyncio
from fastapi import Response
from fastapi.responses import JSONResponse

from shared.api import Scanner, UserIn
from tests.integration.console.rig import EMAIL, Console, Seen, Upstream, browser_session

pytestmark = [pytest.mark.connected, pytest.mark.asyncio(loop_scope="session")]

PROVIDER = "https://login.company.example/authorize?state=s-1"


def services(seen: Seen) -> Response:
    """Fetcher and notifier begin every sign-in and end that of `…s-1`; `…s-2` was refused by its person."""
    if seen.path.endswith("/oauth"):
        return JSONResponse({"url": PROVIDER})
    came = json.loads(seen.body)
    whose = "sender_id" if seen.service == "notifier" else "scanner_id"
    if came["state"].endswith("s-1"):
        return JSONResponse({whose: "7"})
    problem = {"title": "Refused", "status": 409, "detail": f"The provider said: {came['error']}", whose: "8"}
    return JSONResponse(problem, 409, media_type="application/problem+json")


@pytest_asyncio.fixture(loop_scope="session")
async def csrf(console: Console, upstream: Upstream) -> str:
    upstream.answer = services
    await console.set_up()
    return await browser_session(console)


async def test_the_redirect_uri_is_the_consoles_own_whoever_asks(console: Console, csrf: str, upstream: Upstream) -> None:
    page = await console.http.post("/mailboxes/7/sign-in", data={"csrf_token": csrf})
    assert f'content="0; url={PROVIDER}"' in page.text
    assert page.headers["Content-Security-Policy"].count("form-action 'self'") == 1
    asked = {"redirect_uri": f"{console.deps.settings.public_url}/oauth/callback"}
    assert (upstream.last.path, json.loads(upstream.last.body)) == ("/scanners/7/oauth", asked)
    body = {"redirect_uri": "https://elsewhere.example/"}
    begun = await console.http.post("/api/v1/scanners/7/oauth", json=body, headers=await console.token())
    assert begun.json() == {"url": PROVIDER}
    assert json.loads(upstream.last.body) == asked


async def test_the_code_reaches_the_fetcher_and_the_browser_the_mailbox(console: Console, csrf: str, upstream: Upstream) -> None:
    answer = await console.http.get("/oauth/callback?state=s-1&code=c%2F1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/mailboxes/7")
    assert (upstream.last.method, upstream.last.path, json.loads(upstream.last.body)) == (
        "POST",
        "/oauth/callback",
        {"state": "s-1", "code": "c/1", "error_description": ""},
    )
    assert upstream.last.headers["x-actor"] == f"user:{EMAIL}"
    assert csrf


async def test_a_refusal_brings_the_browser_back_to_the_mailbox(console: Console, csrf: str, upstream: Upstream) -> None:
    answer = await console.http.get("/oauth/callback?state=s-2&error=access_denied&error_description=No%20consent")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/mailboxes/8")
    assert json.loads(upstream.last.body) == {"state": "s-2", "error": "access_denied", "error_description": "No consent"}
    assert csrf


async def test_an_smtp_identity_is_signed_in_at_the_notifier(console: Console, csrf: str, upstream: Upstream) -> None:
    page = await console.http.post("/senders/7/sign-in", data={"csrf_token": csrf})
    assert f'content="0; url={PROVIDER}"' in page.text
    assert 'href="/senders/7"' in page.text
    asked = {"redirect_uri": f"{console.deps.settings.public_url}/oauth/callback"}
    assert (upstream.last.service, upstream.last.path, json.loads(upstream.last.body)) == ("notifier", "/senders/7/oauth", asked)
    begun = await console.http.post(
        "/api/v1/senders/7/oauth", json={"redirect_uri": "https://elsewhere.example/"}, headers=await console.token()
    )
    assert (begun.json(), json.loads(upstream.last.body)) == ({"url": PROVIDER}, asked)

    answer = await console.http.get("/oauth/callback?state=sender.s-1&code=c")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/senders/7")
    assert (upstream.last.service, upstream.last.path) == ("notifier", "/oauth/callback")
    answer = await console.http.get("/oauth/callback?state=sender.s-2&error=access_denied")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/senders/8")


@pytest.mark.parametrize("query", ["", "?code=c", "?state=s-1", f"?state={'s' * 501}&code=c"])
async def test_what_no_provider_sends_is_refused_without_asking(console: Console, csrf: str, upstream: Upstream, query: str) -> None:
    answer = await console.http.get(f"/oauth/callback{query}")
    assert (answer.status_code, "Not a sign-in" in answer.text, upstream.seen) == (400, True, [])
    assert csrf


async def test_an_operator_may_neither_begin_nor_end_a_sign_in(console: Console, csrf: str, upstream: Upstream) -> None:
    await console.deps.accounts.create_user(UserIn(email="bo@company.example", name="Bo", password="correct horse", role="operator"))
    csrf = await browser_session(console, "bo@company.example")
    for page in ("/mailboxes/7/sign-in", "/senders/7/sign-in"):
        assert (await console.http.post(page, data={"csrf_token": csrf})).status_code == 403
    assert (await console.http.get("/oauth/callback?state=s-1&code=c")).status_code == 403
    for path in ("/api/v1/scanners/7/oauth", "/api/v1/senders/7/oauth"):
        assert (await console.http.post(path, headers=await console.token("operator"))).status_code == 403
    assert upstream.seen == []


async def test_whoever_is_signed_out_meanwhile_comes_back_after_signing_in(console: Console, upstream: Upstream) -> None:
    answer = await console.http.get("/oauth/callback?state=s-1&code=c")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/sign-in?next=%2Foauth%2Fcallback%3Fstate%3Ds-1%26code%3Dc"
    assert upstream.seen == []


async def test_the_scans_of_a_mailbox_are_passed_on_with_their_limit(console: Console, upstream: Upstream) -> None:
    upstream.answer = lambda _: JSONResponse({"items": [], "next": None})
    await console.http.get("/api/v1/scanners/7/scans?limit=3", headers=await console.token())
    assert (upstream.last.service, upstream.last.path, upstream.last.query) == ("fetcher", "/scanners/7/scans", "limit=3")
    assert (await console.http.get("/api/v1/scanners/7/scans", headers=await console.token("operator"))).status_code == 403


async def test_ten_thousand_mailboxes_are_listed_page_by_page(console: Console, csrf: str, upstream: Upstream) -> None:
    one = {"id": "7", "name": "Help", "server": "a.example", "username": "u", "version": 1, "state": {}}
    times = dict.fromkeys(("created_at", "updated_at"), "2026-11-23T12:00:00Z")
    listed = Scanner.model_validate(one | times).model_dump(mode="json")
    upstream.answer = lambda _: JSONResponse({"items": [listed], "next": "c-2"})
    page = await console.http.get("/mailboxes?cursor=c-1")
    assert httpx.QueryParams(upstream.last.query)["cursor"] == "c-1"
    assert 'href="/mailboxes?cursor=c-2"' in page.text
    assert csrf
