"""Signing in: passwords, sessions, the limit on tries, the set-up link, tokens."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from pydantic import SecretStr

from console.accounts import Accounts, SignInRefusedError
from shared.api import Problem, UserIn
from shared.http import ProblemError, problem_response
from tests.integration.console.rig import SERVICE_TOKEN, Console, Upstream, running, settings_of

pytestmark = [pytest.mark.connected, pytest.mark.asyncio(loop_scope="session")]

EMAIL, PASSWORD = "anna@company.example", "correct horse"
ADDRESS = "192.0.2.7"


class Watch:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest_asyncio.fixture(loop_scope="session")
async def accounts(console: Console, watch: Watch) -> Accounts:
    """The same tables, another clock; Anna is administrator."""
    await console.set_up(EMAIL, PASSWORD)
    return Accounts(console.deps.accounts.engine, console.deps.settings, watch)


async def wrong(accounts: Accounts, times: int, email: str = EMAIL, address: str = ADDRESS) -> SignInRefusedError:
    for _ in range(times):
        with pytest.raises(SignInRefusedError) as refused:
            await accounts.sign_in(email, "not this", address)
    return refused.value


async def test_a_session_is_hers_until_she_signs_out(accounts: Accounts) -> None:
    session = await accounts.sign_in(f" {EMAIL.upper()} ", PASSWORD, ADDRESS)
    found = await accounts.sessions.find(session.secret)
    assert found is not None
    assert (found.email, found.role, found.actor) == (EMAIL, "administrator", f"user:{EMAIL}")
    await accounts.sessions.end(session.secret)
    assert await accounts.sessions.find(session.secret) is None


async def test_signing_in_again_gives_another_session_and_ends_the_one_before(accounts: Accounts) -> None:
    first = await accounts.sign_in(EMAIL, PASSWORD, ADDRESS)
    second = await accounts.sign_in(EMAIL, PASSWORD, ADDRESS, first.secret)
    assert first.secret != second.secret
    assert await accounts.sessions.find(first.secret) is None


async def test_a_session_ends_when_unused_and_at_the_latest_after_its_longest_time(accounts: Accounts, watch: Watch) -> None:
    idle = await accounts.sign_in(EMAIL, PASSWORD, ADDRESS)
    watch.now += timedelta(hours=8, minutes=1)
    assert await accounts.sessions.find(idle.secret) is None
    busy = await accounts.sign_in(EMAIL, PASSWORD, ADDRESS)
    for _ in range(10):
        assert await accounts.sessions.find(busy.secret) is not None
        watch.now += timedelta(hours=7)
    assert await accounts.sessions.find(busy.secret) is not None
    watch.now += timedelta(hours=3)
    assert await accounts.sessions.find(busy.secret) is None


async def test_the_database_holds_no_secret_of_anybody(console: Console, accounts: Accounts) -> None:
    session = await accounts.sign_in(EMAIL, PASSWORD, ADDRESS)
    token = await accounts.create_token("build", "operator")
    kept = str([await console.sql(f"select * from {table}") for table in ("users", "sessions", "tokens", "setup", "login_attempts")])  # noqa: S608
    assert "$argon2id$" in kept
    for secret in (session.secret, token.token, PASSWORD):
        assert secret is not None
        assert secret not in kept


async def test_ten_wrong_passwords_close_the_account_for_a_while_and_say_until_when(accounts: Accounts, watch: Watch) -> None:
    await wrong(accounts, 9)
    assert not (await wrong(accounts, 1)).limited
    refused = await wrong(accounts, 1, address="192.0.2.8")
    assert refused.limited
    assert refused.message == "Too many wrong passwords. Try again at 12:15 UTC (in 15 min)."
    with pytest.raises(SignInRefusedError, match="Too many"):
        await accounts.sign_in(EMAIL, PASSWORD, "192.0.2.9")
    watch.now += timedelta(minutes=15)
    assert (await accounts.sign_in(EMAIL, PASSWORD, ADDRESS)).principal.email == EMAIL


async def test_ten_wrong_passwords_close_the_address_for_every_account(accounts: Accounts) -> None:
    for number in range(10):
        await wrong(accounts, 1, email=f"guess{number}@company.example")
    with pytest.raises(SignInRefusedError, match="Too many"):
        await accounts.sign_in(EMAIL, PASSWORD, ADDRESS)
    assert (await accounts.sign_in(EMAIL, PASSWORD, "198.51.100.1")).principal.email == EMAIL


async def test_tries_at_once_do_not_slip_past_the_limit(accounts: Accounts) -> None:
    tries = [accounts.sign_in(EMAIL, "not this", ADDRESS) for _ in range(16)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert all(isinstance(answer, SignInRefusedError) for answer in answers)
    checked = [answer for answer in answers if isinstance(answer, SignInRefusedError) and not answer.limited]
    assert len(checked) <= 10


async def test_good_sign_ins_are_no_wrong_tries(accounts: Accounts) -> None:
    for _ in range(11):
        assert (await accounts.sign_in(EMAIL, PASSWORD, ADDRESS)).secret


async def test_the_set_up_link_makes_one_administrator_once(console: Console) -> None:
    guard = {"X-Service-Token": SERVICE_TOKEN}
    url = (await console.http.get("/internal/setup-link", headers=guard)).json()["url"]
    assert url.startswith("http://127.0.0.1:8080/setup?token=")
    assert (await console.http.get("/internal/setup-link", headers=guard)).json()["url"] == url
    token = url.partition("token=")[2]
    assert await console.deps.accounts.setup.is_open(token)
    assert not await console.deps.accounts.setup.is_open(token[:-1] + "x")
    session = await console.deps.accounts.set_up(token, name="Anna", email=EMAIL, password=PASSWORD)
    assert session.principal.is_administrator
    with pytest.raises(ProblemError, match="404"):
        await console.deps.accounts.set_up(token, name="Eve", email="eve@elsewhere.example", password=PASSWORD)
    assert (await console.http.get("/internal/setup-link", headers=guard)).json() == {"url": None}


async def test_two_who_use_the_set_up_link_at_once_make_one_administrator(console: Console) -> None:
    token = (await console.deps.accounts.setup.url() or "").partition("token=")[2]
    emails = [f"user{number}@company.example" for number in range(4)]
    tries = [console.deps.accounts.set_up(token, name="A", email=email, password=PASSWORD) for email in emails]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(isinstance(answer, ProblemError) for answer in answers) == [False, True, True, True]
    assert len(await console.sql("select * from users")) == 1


async def test_a_short_password_is_refused_with_its_field(console: Console) -> None:
    token = (await console.deps.accounts.setup.url() or "").partition("token=")[2]
    with pytest.raises(ProblemError, match="password: String should have at least 10") as refused:
        await console.deps.accounts.set_up(token, name="Anna", email=EMAIL, password="short")
    assert refused.value.status == 422


async def test_internal_paths_need_the_services_token(console: Console) -> None:
    assert (await console.http.get("/internal/setup-link")).status_code == 401
    assert (await console.http.post("/internal/tokens", json={"name": "x"}, headers={"X-Service-Token": "wrong"})).status_code == 401
    body = {"name": "cli", "role": "administrator"}
    made = await console.http.post("/internal/tokens", json=body, headers={"X-Service-Token": SERVICE_TOKEN})
    assert made.status_code == 201
    me = await console.http.get("/api/v1/me", headers={"Authorization": f"Bearer {made.json()['token']}"})
    assert (me.json()["name"], me.json()["role"], me.json()["kind"]) == ("cli", "administrator", "token")


async def test_the_last_administrator_cannot_be_deleted(console: Console) -> None:
    await console.set_up()
    headers = await console.token()
    anna = (await console.http.get("/api/v1/users", headers=headers)).json()["items"][0]
    assert (await console.http.delete(f"/api/v1/users/{anna['id']}", headers=headers)).status_code == 409
    ben = {"email": "Ben@company.example", "name": "Ben", "role": "administrator", "password": PASSWORD}
    made = await console.http.post("/api/v1/users", json=ben, headers=headers)
    assert (made.status_code, made.json()["email"]) == (201, "ben@company.example")
    assert (await console.http.post("/api/v1/users", json=ben, headers=headers)).status_code == 409
    session = await console.deps.accounts.sign_in("anna@company.example", PASSWORD, ADDRESS)
    assert (await console.http.delete(f"/api/v1/users/{anna['id']}", headers=headers)).status_code == 204
    assert await console.deps.accounts.sessions.find(session.secret) is None


async def user_of(console: Console, name: str) -> str:
    """The id of a new operator."""
    wanted = UserIn(email=f"{name}@company.example", name=name, role="operator", password=PASSWORD)
    return (await console.deps.accounts.create_user(wanted)).id


async def test_the_smtp_account_of_a_deleted_user_is_deleted_too(console: Console, upstream: Upstream) -> None:
    headers, ben = await console.token(), await user_of(console, "ben")
    assert (await console.http.delete(f"/api/v1/users/{ben}", headers=headers)).status_code == 204
    seen = upstream.last
    assert (seen.service, seen.method, seen.path) == ("notifier", "DELETE", "/me/sender")
    assert seen.headers["x-actor"] == "user:ben@company.example"
    upstream.answer = lambda _: problem_response(Problem(title="No own SMTP account", status=404))
    cleo = await user_of(console, "cleo")
    assert (await console.http.delete(f"/api/v1/users/{cleo}", headers=headers)).status_code == 204
    assert await console.sql("select email from users") == []


async def test_a_user_is_shut_out_while_the_notifier_is_away_and_what_is_left_is_said(console: Console, upstream: Upstream) -> None:
    headers, ben = await console.token(), await user_of(console, "ben")
    upstream.answer = lambda _: problem_response(Problem(title="Away", status=503, detail="Its database is away."))
    answer = await console.http.delete(f"/api/v1/users/{ben}", headers=headers)
    assert (answer.status_code, answer.json()["title"]) == (503, "Deleted in part")
    assert "Its database is away. Make a user of the same address and delete it again" in answer.json()["detail"]
    assert await console.sql("select email from users") == []


async def test_the_database_away_is_said_as_a_problem(upstream: Upstream) -> None:
    nowhere = SecretStr("postgresql+psycopg://nobody:secret@127.0.0.1:9/nothing")
    async with running(settings_of(nowhere, upstream)) as console:
        answer = await console.http.get("/api/v1/me", headers={"Authorization": "Bearer mc_something"})
    assert answer.status_code == 503
    assert "secret" not in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
