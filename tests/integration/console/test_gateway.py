"""The REST API before a stand-in for the services: who may, what is passed on, what comes back."""

from __future__ import annotations

import asyncio
import http.client
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import SecretStr

from console.api.routes import PREFIX, ROUTES, Route
from shared.api import Problem
from shared.http import problem_response
from tests.integration.console.rig import NOBODY_LISTENS, SERVICE_TOKEN, Console, Seen, Upstream, running, settings_of

pytestmark = [pytest.mark.connected, pytest.mark.asyncio(loop_scope="session")]


def example(route: Route) -> str:
    return PREFIX + re.sub(r"\{\w+\}", "7", route.path)


async def test_no_route_answers_without_a_token(console: Console, upstream: Upstream) -> None:
    for route in ROUTES:
        answer = await console.http.request(route.verb, example(route))
        assert answer.status_code == 401, route.name
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["status"] == 401
    assert upstream.seen == []


async def test_an_operator_reaches_exactly_the_routes_of_operators(console: Console, upstream: Upstream) -> None:
    headers = await console.token("operator")
    for route in ROUTES:
        upstream.seen.clear()
        answer = await console.http.request(route.verb, example(route), headers=headers)
        if "operator" in route.roles:
            assert answer.status_code not in {401, 403}, route.name
        else:
            assert answer.status_code == 403, route.name
            assert "administrator" in answer.json()["detail"]
            assert upstream.seen == []


async def test_operators_work_on_tickets_and_administrators_on_the_rest() -> None:
    operators = {route.path.split("/")[1] for route in ROUTES if "operator" in route.roles}
    registry = {"contacts", "accounts", "leads"}
    answers = {"templates", "outgoing"}
    assert operators == {"tickets", "ticket-settings", "ticket-views", "spam-senders", *registry, *answers, "mails", "jobs", "status", "me"}
    administration = {"GET /outgoing", "POST /outgoing/{id}/retry", "POST /templates", "PATCH /templates/{id}", "DELETE /templates/{id}"}
    assert not any("operator" in route.roles for route in ROUTES if route.name in administration)
    assert administration <= {route.name for route in ROUTES}
    assert not any("operator" in route.roles for route in ROUTES if route.name == "PATCH /ticket-settings")
    assert not any("operator" in route.roles for route in ROUTES if route.name == "POST /mails/{id}/retry")


async def test_an_administrator_reaches_the_right_service_by_the_same_path(console: Console, upstream: Upstream) -> None:
    headers = await console.token()
    for route in (route for route in ROUTES if route.service != "console"):
        answer = await console.http.request(route.verb, example(route), headers=headers)
        assert answer.status_code == 200, route.name
        last = upstream.last
        assert (last.service, last.method, last.path) == (route.service, route.verb, example(route).removeprefix(PREFIX))


@pytest.mark.parametrize("header", ["Bearer", "Bearer nonsense", "Basic YTpi", "nonsense", f"Bearer {'x' * 5000}"])
async def test_a_wrong_authorization_is_refused(console: Console, header: str) -> None:
    assert (await console.http.get("/api/v1/me", headers={"Authorization": header})).status_code == 401


async def test_a_revoked_token_is_refused(console: Console) -> None:
    headers = await console.token()
    other = await console.token(name="other")
    tokens = (await console.http.get("/api/v1/tokens", headers=headers)).json()["items"]
    other_id = next(token["id"] for token in tokens if token["name"] == "other")
    assert all(token["token"] is None for token in tokens)
    assert (await console.http.delete(f"/api/v1/tokens/{other_id}", headers=headers)).status_code == 204
    assert (await console.http.get("/api/v1/me", headers=other)).status_code == 401
    assert (await console.http.delete(f"/api/v1/tokens/{other_id}", headers=headers)).status_code == 404


async def test_what_the_caller_says_reaches_the_service_and_who_the_caller_is(console: Console, upstream: Upstream) -> None:
    headers = {
        **await console.token("operator", "naïve"),
        "If-Match": '"3"',
        "Idempotency-Key": "k1",
        "Cookie": "a=b",
        "X-Actor": "user:root",
    }
    body = b'{"status": "closed"}'
    await console.http.patch(
        "/api/v1/tickets/12?a=1&a=2&q=x%20%26y",
        content=body,
        headers={**headers, "Content-Type": "application/json", "X-Service-Token": "x"},
    )
    seen = upstream.last
    assert (seen.method, seen.path, seen.body) == ("PATCH", "/tickets/12", body)
    assert httpx.QueryParams(seen.query).multi_items() == [("a", "1"), ("a", "2"), ("q", "x &y")]
    assert (seen.headers["if-match"], seen.headers["idempotency-key"], seen.headers["content-type"]) == ('"3"', "k1", "application/json")
    assert seen.headers["x-service-token"] == SERVICE_TOKEN
    assert seen.headers["x-actor"] == r"token:na\xefve"
    assert "authorization" not in seen.headers
    assert "cookie" not in seen.headers


async def test_what_the_service_says_reaches_the_caller(console: Console, upstream: Upstream) -> None:
    upstream.answer = lambda _: JSONResponse(
        {"id": 12}, 202, {"ETag": '"4"', "Location": "/api/v1/jobs/tickets-1", "Set-Cookie": "x=y", "Server": "inner"}
    )
    answer = await console.http.post("/api/v1/tickets/spam", json={"ticket_ids": [12]}, headers=await console.token())
    assert (answer.status_code, answer.json()) == (202, {"id": 12})
    assert (answer.headers["ETag"], answer.headers["Location"]) == ('"4"', "/api/v1/jobs/tickets-1")
    assert "Set-Cookie" not in answer.headers


async def test_a_services_problem_is_the_callers(console: Console, upstream: Upstream) -> None:
    upstream.answer = lambda _: problem_response(Problem.model_validate({"title": "Changed meanwhile", "status": 412, "hint": "h"}))
    answer = await console.http.patch("/api/v1/tickets/12", json={}, headers=await console.token())
    assert answer.status_code == 412
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["hint"] == "h"


async def test_a_service_that_is_away_is_named(console_database: SecretStr, upstream: Upstream, console: Console) -> None:
    headers = await console.token()
    async with running(settings_of(console_database, upstream, rules_url=f"http://{NOBODY_LISTENS}")) as other:
        answer = await other.http.get("/api/v1/rules/1", headers=headers)
        assert (answer.status_code, answer.json()["service"]) == (503, "rules")
        assert (await other.http.get("/api/v1/tickets", headers=headers)).status_code == 200
        status = (await other.http.get("/api/v1/status", headers=headers)).json()
        assert [part["name"] for part in status["services"]] == ["fetcher", "rules", "tickets", "notifier", "console"]
        assert status["services"][1]["ready"] is False
        assert "rules" in status["services"][1]["checks"]["http"]


async def test_a_silent_service_is_given_up(console_database: SecretStr, upstream: Upstream, console: Console) -> None:
    released = asyncio.Event()

    async def never() -> AsyncIterator[bytes]:
        await released.wait()
        yield b"late"

    upstream.answer = lambda _: StreamingResponse(never())
    headers = await console.token()
    async with running(settings_of(console_database, upstream, upstream_timeout_seconds=0.2)) as other:
        with pytest.raises(httpx.HTTPError):  # the head was out already: the connection breaks, nobody takes a half for a whole
            await other.http.get("/api/v1/tickets", headers=headers)
    released.set()


async def test_bytes_are_streamed_as_a_download_that_runs_nothing(console: Console, upstream: Upstream) -> None:
    size = 3_000_000
    parts = [b"x" * 100_000] * 30

    async def body() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    disposition = "attachment; filename*=UTF-8''r%C3%A9sum%C3%A9.html"
    upstream.answer = lambda _: StreamingResponse(body(), media_type="text/html", headers={"Content-Disposition": disposition})
    answer = await console.http.get("/api/v1/tickets/1/attachments/2", headers=await console.token())
    assert len(answer.content) == size
    assert answer.headers["Content-Disposition"] == disposition
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; sandbox")
    upstream.answer = lambda _: Response(b"<script>", media_type="text/html", headers={"Content-Disposition": "inline"})
    answer = await console.http.get("/api/v1/mails/1/raw", headers=await console.token())
    assert answer.headers["Content-Disposition"] == "attachment"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/mails/%2e%2e",
        "/api/v1/mails/%2e%2e/decision",
        "/api/v1/mails/../tokens",
        "/api/v1/mails/%2e%2e%2finternal",
        "/api/v1/mails/x%2f..%2f..%2fscanners",
        "/api/v1/mails/a%5cb",
        "/api/v1/mails/a%00b",
        "/api/v1/mails/a%0d%0ab",
        "/api/v1//mails",
        "/api/v1/tickets/1/attachments/..%2f..%2f2",
    ],
)
async def test_no_path_leads_elsewhere(console: Console, upstream: Upstream, path: str) -> None:
    headers = await console.token()

    def get() -> int:
        raw = http.client.HTTPConnection(console.url.removeprefix("http://"), timeout=10)
        raw.putrequest("GET", path)
        raw.putheader("Authorization", headers["Authorization"])
        raw.endheaders()
        status = raw.getresponse().status
        raw.close()
        return status

    assert await asyncio.to_thread(get) == 404
    assert upstream.seen == []


async def test_an_encoded_part_stays_what_it_was(console: Console, upstream: Upstream) -> None:
    await console.http.get("/api/v1/mails/a%252Fb%3Fc%23d", headers=await console.token())
    assert upstream.last.path == "/mails/a%252Fb%3Fc%23d"
    assert upstream.last.query == ""


async def test_unknown_paths_and_verbs_are_problems(console: Console) -> None:
    for path in ("/api/v1/nothing", "/api/v1", "/api/v1/", "/api/v1/tickets/1/"):
        answer = await console.http.get(path)
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json"), path
    answer = await console.http.put("/api/v1/tickets/1")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "DELETE, GET, PATCH")


async def test_a_body_over_10_mib_is_refused(console: Console, upstream: Upstream) -> None:
    headers = await console.token()
    limit = 10 * 1024 * 1024

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * (1024 * 1024)

    answer = await console.http.post("/api/v1/tickets", content=b"x" * (limit + 1), headers=headers)
    assert (answer.status_code, answer.json()["title"]) == (413, "The request is too large")
    answer = await console.http.post("/api/v1/tickets", content=chunks(), headers=headers)
    assert answer.status_code == 413
    assert upstream.seen == []
    assert (await console.http.post("/api/v1/tickets", content=b"x" * limit, headers=headers)).status_code == 200
    page = await console.http.post("/tickets/7/comments", content=b"x" * (limit + 1), headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["Content-Type"]) == (413, "text/html; charset=utf-8")
    assert "Too much at one time" in page.text


async def test_the_description_is_served_to_everybody(console: Console) -> None:
    answer = await console.http.get("/api/v1/openapi.json")
    assert answer.json()["openapi"] == "3.1.0"
    upload = answer.json()["paths"]["/api/v1/tickets/{id}/uploads"]["post"]["requestBody"]
    assert upload == {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
    assert f"{PREFIX}/tickets" in answer.json()["paths"]


async def test_changes_are_in_the_audit_log_without_their_bodies(console: Console, upstream: Upstream) -> None:
    admin, operator = await console.token(name="boss"), await console.token("operator", "clerk")
    await console.http.get("/api/v1/tickets", headers=admin)
    await console.http.post("/api/v1/tickets/7/comments", json={"body": "very private"}, headers=operator)
    await console.http.delete("/api/v1/scanners/9", headers=operator)
    upstream.answer = lambda _: JSONResponse({}, 409)
    await console.http.delete("/api/v1/senders/3", headers=admin)
    answer = (await console.http.get("/api/v1/audit", headers=admin)).json()
    assert [(entry["actor"], entry["action"], entry["target"], entry["status"]) for entry in answer["items"]] == [
        ("token:boss", "DELETE /api/v1/senders/{id}", "/api/v1/senders/3", 409),
        ("token:clerk", "DELETE /api/v1/scanners/{id}", "/api/v1/scanners/9", 403),
        ("token:clerk", "POST /api/v1/tickets/{id}/comments", "/api/v1/tickets/7/comments", 200),
    ]
    assert "private" not in str(answer)
    first = (await console.http.get("/api/v1/audit?limit=2", headers=admin)).json()
    rest = (await console.http.get(f"/api/v1/audit?limit=2&cursor={first['next']}", headers=admin)).json()
    assert [*first["items"], *rest["items"]] == answer["items"]
    assert rest["next"] is None


def letters(seen: Seen) -> Response:
    """Three dead letters in rules and tickets each, two a page."""
    if seen.service not in {"rules", "tickets"} or seen.method == "POST":
        return JSONResponse({"items": [], "next": None} if seen.method == "GET" else {"id": "x", "state": "dropped"})
    asked = httpx.QueryParams(seen.query)
    start = int(asked.get("cursor", 0))
    end = min(start + int(asked["limit"]), 3)
    return JSONResponse({"items": [letter(str(number)) for number in range(start, end)], "next": str(end) if end < 3 else None})


def letter(letter_id: str) -> dict[str, object]:
    texts = dict.fromkeys(("service", "topic", "key", "value_preview", "error", "service_version", "state"), "")
    return {
        **texts,
        "id": letter_id,
        "partition": 0,
        "offset": 0,
        "headers": {},
        "event_id": None,
        "mail_id": None,
        "tries": 3,
        "created_at": "2026-03-01T12:00:00Z",
    }


@pytest.mark.parametrize("limit", [1, 2, 4, 6, 50])
async def test_dead_letters_of_all_services_are_one_list(console: Console, upstream: Upstream, limit: int) -> None:
    upstream.answer = letters
    headers = await console.token()
    found: list[str] = []
    cursor = ""
    for _ in range(10):
        page = (await console.http.get(f"/api/v1/dead-letters?limit={limit}{cursor}", headers=headers)).json()
        assert len(page["items"]) <= limit
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == [f"{service}.{number}" for service in ("rules", "tickets") for number in range(3)]


async def test_a_dead_letter_is_dropped_where_it_belongs(console: Console, upstream: Upstream) -> None:
    upstream.answer = letters
    headers = await console.token()
    answer = await console.http.post("/api/v1/dead-letters/tickets.abc/drop", json={"reason": "a test mail"}, headers=headers)
    assert answer.json() == {"id": "tickets.abc", "state": "dropped"}
    assert (upstream.last.service, upstream.last.path, upstream.last.body) == (
        "tickets",
        "/dead-letters/abc/drop",
        b'{"reason":"a test mail"}',
    )
    asked = len(upstream.seen)
    for wrong in ("abc", "console.abc", "tickets."):
        assert (await console.http.post(f"/api/v1/dead-letters/{wrong}/retry", headers=headers)).status_code == 404
    assert (await console.http.post("/api/v1/dead-letters/tickets.abc/drop", json={"reason": ""}, headers=headers)).status_code == 422
    assert len(upstream.seen) == asked


async def test_a_job_is_asked_of_its_service(console: Console, upstream: Upstream) -> None:
    upstream.answer = lambda seen: JSONResponse({"id": seen.path.rpartition("/")[2], "state": "running", "done": 1, "total": 2})
    headers = await console.token("operator")
    job = await console.http.get("/api/v1/jobs/fetcher-1-2", headers=headers)
    assert (job.json()["state"], upstream.last.service, upstream.last.path) == ("running", "fetcher", "/jobs/fetcher-1-2")
    assert (await console.http.get("/api/v1/jobs/else-1", headers=headers)).status_code == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=x", "cursor=WzFd"])
async def test_a_wrong_page_is_refused(console: Console, query: str) -> None:
    answer = await console.http.get(f"/api/v1/audit?{query}", headers=await console.token())
    assert answer.status_code in {400, 422} or (query == "cursor=WzFd" and answer.status_code == 200)
