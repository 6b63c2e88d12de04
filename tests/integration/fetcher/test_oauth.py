"""OAuth 2.0 from the provider to the mail: a local OAuth server, and a Dovecot that asks it about each token."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from sqlalchemy import text

from fetcher.accounts import Accounts
from fetcher.adapters import leases, scanners
from fetcher.adapters.imap.errors import LeaseLostError
from fetcher.adapters.leases import Lease
from fetcher.scan import Held
from fetcher.tokens import STORE
from shared.api import OAuthFields, OAuthProvider
from shared.oauth import providers
from shared.oauth.model import IMAP, Client, Secrets
from shared.oauth.providers import Providers
from shared.oauth.refusals import ProviderAwayError, ProviderRefusedError
from shared.secrets import KeyRing
from tests.integration.fetcher.rig import RING, Rig, append, mail, running
from tests.kit import dovecot as dovecot_kit
from tests.kit.dovecot import PASSWORD, Dovecot, Setup, running_dovecot
from tests.kit.eventually import eventually_async
from tests.kit.oauth_server import CLIENT_ID, CLIENT_SECRET, OAuthServer, Switches

pytestmark = pytest.mark.connected
CALLBACK = "https://console.company.example/oauth/callback"


@pytest.fixture(scope="module")
def provider() -> Iterator[OAuthServer]:
    with OAuthServer() as server:
        yield server


@pytest.fixture(scope="module")
def by_token(provider: OAuthServer) -> Iterator[Dovecot]:
    if not dovecot_kit.installed():
        pytest.skip(dovecot_kit.MISSING)
    with running_dovecot(Setup("plain login xoauth2 oauthbearer", introspection=provider.introspection)) as server:
        yield server


@pytest.fixture
def oauth(provider: OAuthServer, user: str) -> OAuthServer:
    """The provider as it behaves well, with `user` as the person who signs in."""
    provider.switches = Switches()
    provider.user = user
    provider.asked.clear()
    return provider


async def add(rig: Rig, dovecot: Dovecot, by: OAuthServer, oauth: dict[str, Any] | None = None, **more: Any) -> str:
    """A mailbox whose person has signed in, unless `oauth` says otherwise."""
    settings = settings_of(by) | {"client_secret": CLIENT_SECRET, "refresh_token": by.refresh_token()} | (oauth or {})
    return await rig.add_scanner(dovecot.port, by.user, "", auth="oauth2", oauth=settings, **more)


async def age(rig: Rig, scanner_id: str, left: str, life: str = "1 hour") -> None:
    """Set how long the access token still lasts."""
    times = f"expires_at = now() + interval '{left}', renewed_at = now() + interval '{left}' - interval '{life}', renew_after = null"
    async with rig.engine.begin() as conn:
        await conn.execute(text(f"update oauth set {times} where scanner_id = :id"), {"id": scanner_id})  # noqa: S608 -- fixed intervals


@pytest.mark.parametrize(("disabled", "way"), [("XOAUTH2", "OAUTHBEARER"), ("OAUTHBEARER", "XOAUTH2")])
async def test_a_mail_is_read_by_access_token(rig: Rig, by_token: Dovecot, oauth: OAuthServer, disabled: str, way: str) -> None:
    append(by_token.port, oauth.user, PASSWORD, [mail("By token", "<token@x>")])
    scanner_id = await add(rig, by_token, oauth, parameters={"DISABLE_AUTHENTICATOR": disabled})
    assert await rig.scan(scanner_id)
    assert [line.subject for line in await rig.lines(scanner_id)] == ["By token"]
    assert f"user=<{oauth.user}>, method={way}" in by_token.log()
    tested = (await rig.api.post(f"/scanners/{scanner_id}/test")).json()
    assert tested["ok"], tested
    assert oauth.count("/token") == 1, "the test takes the token of the scan"


async def test_an_application_signs_in_by_itself(rig: Rig, by_token: Dovecot, oauth: OAuthServer) -> None:
    scanner_id = await add(rig, by_token, oauth, oauth={"grant": "client_credentials", "refresh_token": None})
    assert (await rig.state(scanner_id))["oauth"]["signed_in"]
    assert await rig.scan(scanner_id)
    assert oauth.asked[-2][1]["grant_type"] == "client_credentials"


async def test_the_clients_secret_goes_as_the_issuer_wants_it(rig: Rig, by_token: Dovecot, oauth: OAuthServer) -> None:
    with OAuthServer(user=oauth.user, switches=Switches(authentication="client_secret_basic")) as other:
        scanner_id = await add(rig, by_token, other)
        answer = await rig.api.get(f"/scanners/{scanner_id}/folders")
        assert answer.status_code == 502, "Dovecot asks the first provider about a token of the other"
        sent = next(values for path, values in other.asked if path == "/token")
    assert (await rig.state(scanner_id))["oauth"]["error"] is None
    assert "client_secret" not in sent


async def test_a_token_is_renewed_ahead_and_the_rotated_refresh_token_kept(rig: Rig, by_token: Dovecot, oauth: OAuthServer) -> None:
    first = oauth.refresh_token()
    scanner_id = await add(rig, by_token, oauth, oauth={"refresh_token": first})
    held = Held()
    assert await rig.scan(scanner_id, held=held)
    before = (await rig.state(scanner_id))["oauth"]
    assert await rig.scan(scanner_id, held=held)
    assert oauth.count("/token") == 1, "an hour is left"

    await age(rig, scanner_id, "4 minutes")
    assert await rig.scan(scanner_id, held=held), "the connection stayed open"
    assert oauth.count("/token") == 2
    assert not oauth.knows(first)
    after = (await rig.state(scanner_id))["oauth"]
    assert (after["signed_in"], after["error"]) == (True, None)
    assert after["renewed_at"] > before["renewed_at"]

    await age(rig, scanner_id, "-1 minutes")
    await held.close()
    assert await rig.scan(scanner_id), "the second refresh token was rotated too"
    assert oauth.count("/token") == 3


async def test_who_must_sign_in_again_is_told_and_left_alone_for_five_minutes(rig: Rig, by_token: Dovecot, oauth: OAuthServer) -> None:
    scanner_id = await add(rig, by_token, oauth)
    oauth.switches.refuse = "invalid_grant"
    assert not await rig.scan(scanner_id)
    state = await rig.state(scanner_id)
    assert "sign in again" in state["last_error"]
    assert state["oauth"]["error"] == state["last_error"]
    assert state["oauth"]["signed_in"]
    async with rig.engine.connect() as conn:
        query = text("select extract(epoch from next_scan_at - last_scan_at) from scanners where id = :id")
        assert 300 <= float(await conn.scalar(query, {"id": scanner_id}) or 0) <= 360
    tested = (await rig.api.post(f"/scanners/{scanner_id}/test")).json()
    assert (tested["ok"], "sign in again" in tested["message"]) == (False, True)
    assert (await rig.api.get(f"/scanners/{scanner_id}/folders")).status_code == 502


async def test_a_provider_that_is_away_costs_nothing_while_the_token_lasts(rig: Rig, by_token: Dovecot, oauth: OAuthServer) -> None:
    scanner_id = await add(rig, by_token, oauth)
    assert await rig.scan(scanner_id)
    oauth.switches.away = True
    await age(rig, scanner_id, "2 minutes")
    assert await rig.scan(scanner_id), "the old token goes on being used"
    state = await rig.state(scanner_id)
    assert "answered 503: it is tried again by itself" in state["oauth"]["error"]

    await age(rig, scanner_id, "-1 minutes")
    assert not await rig.scan(scanner_id)
    state = await rig.state(scanner_id)
    assert "answered 503" in state["last_error"]
    oauth.switches.away = False
    await age(rig, scanner_id, "-1 minutes")
    assert await rig.scan(scanner_id)
    assert (await rig.state(scanner_id))["oauth"]["error"] is None


async def test_a_token_that_the_mail_server_takes_no_more_is_replaced_at_once(rig: Rig, by_token: Dovecot, oauth: OAuthServer) -> None:
    scanner_id = await add(rig, by_token, oauth)
    assert await rig.scan(scanner_id)
    oauth.revoke_access()
    assert await rig.scan(scanner_id)
    assert oauth.count("/token") == 2


async def test_a_person_of_another_mailbox_is_refused_with_what_to_do(rig: Rig, by_token: Dovecot, oauth: OAuthServer) -> None:
    scanner_id = await add(rig, by_token, oauth, oauth={"refresh_token": oauth.refresh_token("paul@company.example")})
    assert not await rig.scan(scanner_id)
    error = (await rig.state(scanner_id))["last_error"]
    assert "sign in again, as the user of this mailbox" in error
    assert "[AUTHENTICATIONFAILED]" in error


async def test_a_scan_and_a_test_at_the_same_time_renew_once(rig: Rig, by_token: Dovecot, oauth: OAuthServer) -> None:
    scanner_id = await add(rig, by_token, oauth)
    scanned, tested = await asyncio.gather(rig.scan(scanner_id), rig.api.post(f"/scanners/{scanner_id}/test"))
    assert scanned
    assert tested.json()["ok"], tested.text
    assert oauth.count("/token") == 1


async def test_a_fetcher_that_lost_the_mailbox_renews_nothing(rig: Rig, by_token: Dovecot, oauth: OAuthServer) -> None:
    scanner_id = await add(rig, by_token, oauth)
    async with rig.engine.begin() as conn:
        member = await leases.join(conn, "frozen", 600)
        row = await scanners.opening(conn, scanner_id)
    assert row is not None
    with pytest.raises(LeaseLostError):
        await Accounts(rig.settings, KeyRing(RING), rig.engine).of(row, Lease(scanner_id, row.lease_token - 1, member))
    assert oauth.count("/token") == 0


async def test_a_renewal_that_ends_after_a_change_of_settings_writes_nothing(rig: Rig, by_token: Dovecot, oauth: OAuthServer) -> None:
    scanner_id = await add(rig, by_token, oauth)
    async with rig.engine.begin() as conn:
        claimed = await STORE.claim(conn, scanner_id, 60)
    assert claimed is not None
    await rig.api.patch(f"/scanners/{scanner_id}", json={"oauth": settings_of(oauth) | {"refresh_token": oauth.refresh_token()}})
    async with rig.engine.begin() as conn:
        assert not await STORE.renewed(conn, claimed, {"access_token": "late", "refresh_token": "late"}, 3600)
    assert await rig.scan(scanner_id)


async def test_saved_secrets_stay_with_their_client_only(rig: Rig, by_token: Dovecot, oauth: OAuthServer) -> None:
    scanner_id = await add(rig, by_token, oauth)
    path = f"/scanners/{scanner_id}"
    changed = await rig.api.patch(path, json={"oauth": settings_of(oauth) | {"scope": "openid"}})
    assert changed.json()["oauth"]["scope"] == "openid"
    assert changed.json()["state"]["oauth"]["signed_in"]
    assert await rig.scan(scanner_id)
    assert (await rig.api.patch(path, json={"name": "Renamed"})).json()["state"]["oauth"]["expires_at"] is not None

    with OAuthServer() as thief:
        changed = await rig.api.patch(path, json={"oauth": settings_of(thief)})
        assert not changed.json()["state"]["oauth"]["signed_in"]
        assert not await rig.scan(scanner_id)
        assert "Nobody has signed in" in (await rig.state(scanner_id))["last_error"]
        assert thief.asked == []
    refused = await rig.api.patch(path, json={"oauth": settings_of(oauth) | {"grant": "client_credentials"}})
    assert [one["field"] for one in refused.json()["errors"]] == ["oauth.client_secret"]


async def test_settings_that_do_not_fit_are_refused_by_their_name(rig: Rig, oauth: OAuthServer) -> None:
    body = {"name": "Help", "server": "imap.company.example", "username": "help@company.example", "auth": "oauth2"}
    wrong = {
        "oauth": None,
        "oauth.issuer": settings_of(oauth) | {"issuer": "http://login.company.example"},
        "oauth.client_secret": settings_of(oauth) | {"grant": "client_credentials"},
        "oauth.refresh_token": settings_of(oauth) | {"refresh_token": "a\nb"},
        "oauth.client_id": settings_of(oauth) | {"client_id": ""},
    }
    for field, settings in wrong.items():
        answer = await rig.api.post("/scanners", json=body | {"oauth": settings})
        assert (answer.status_code, [one["field"] for one in answer.json()["errors"]]) == (422, [field])


# --- somebody signs in --------------------------------------------------------------------------------------------------------------


async def browse(rig: Rig, scanner_id: str) -> dict[str, str]:
    """What the provider sends a browser back with, to the console's callback."""
    begun = await rig.api.post(f"/scanners/{scanner_id}/oauth", json={"redirect_uri": CALLBACK})
    assert begun.status_code == 200, begun.text
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(begun.json()["url"])
    location = urlsplit(answer.headers["Location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == CALLBACK
    return dict(parse_qsl(location.query))


async def test_somebody_signs_in_and_the_mailbox_is_read(rig: Rig, by_token: Dovecot, oauth: OAuthServer) -> None:
    scanner_id = await add(rig, by_token, oauth, oauth={"refresh_token": None})
    assert not await rig.scan(scanner_id)
    state = await rig.state(scanner_id)
    assert (state["oauth"]["signed_in"], "Nobody has signed in" in state["last_error"]) == (False, True)

    back = await browse(rig, scanner_id)
    asked = next(values for path, values in oauth.asked if path == "/authorize")
    assert (asked["code_challenge_method"], asked["scope"], asked["login_hint"]) == ("S256", "openid offline_access", oauth.user)
    signed_in = await rig.api.post("/oauth/callback", json=back)
    assert signed_in.json() == {"scanner_id": scanner_id, "sender_id": None}
    state = await rig.state(scanner_id)
    assert (state["oauth"]["signed_in"], state["oauth"]["error"], state["last_error"]) == (True, None, None)
    assert await rig.scan(scanner_id)
    assert (await rig.api.post("/oauth/callback", json=back)).status_code == 410, "a state is good once"


async def test_who_says_no_is_not_signed_in(rig: Rig, by_token: Dovecot, oauth: OAuthServer) -> None:
    scanner_id = await add(rig, by_token, oauth, oauth={"refresh_token": None})
    oauth.switches.deny = True
    refused = await rig.api.post("/oauth/callback", json=await browse(rig, scanner_id))
    assert (refused.status_code, refused.json()["scanner_id"]) == (409, scanner_id)
    assert "said no" in refused.json()["detail"]

    oauth.switches = Switches(offline=False)
    refused = await rig.api.post("/oauth/callback", json=await browse(rig, scanner_id))
    assert (refused.status_code, "offline access" in refused.json()["detail"]) == (409, True)

    oauth.switches = Switches()
    back = await browse(rig, scanner_id)
    refused = await rig.api.post("/oauth/callback", json=back | {"code": "guessed"})
    assert (refused.status_code, "sign in again" in refused.json()["detail"]) == (409, True)
    assert not (await rig.state(scanner_id))["oauth"]["signed_in"]


async def test_a_sign_in_ends_after_ten_minutes(rig: Rig, by_token: Dovecot, oauth: OAuthServer) -> None:
    scanner_id = await add(rig, by_token, oauth, oauth={"refresh_token": None})
    back = await browse(rig, scanner_id)
    async with rig.engine.begin() as conn:
        await conn.execute(text("update sign_ins set created_at = now() - interval '11 minutes'"))
    late = await rig.api.post("/oauth/callback", json=back)
    assert (late.status_code, "ten minutes" in late.json()["detail"]) == (410, True)


async def test_an_application_has_nobody_who_signs_in(rig: Rig, by_token: Dovecot, oauth: OAuthServer) -> None:
    scanner_id = await add(rig, by_token, oauth, oauth={"grant": "client_credentials"})
    answer = await rig.api.post(f"/scanners/{scanner_id}/oauth", json={"redirect_uri": CALLBACK})
    assert answer.status_code == 409


async def test_a_sign_in_wakes_the_fetcher_that_waits_five_minutes(rig: Rig, by_token: Dovecot, oauth: OAuthServer) -> None:
    append(by_token.port, oauth.user, PASSWORD, [mail("At last", f"<last@{oauth.user}>")])
    scanner_id = await add(rig, by_token, oauth, oauth={"refresh_token": None})
    async with running(rig.settings):

        async def failed() -> bool:
            return "Nobody has signed in" in ((await rig.state(scanner_id))["last_error"] or "")

        await eventually_async(failed, 30)
        await rig.api.post("/oauth/callback", json=await browse(rig, scanner_id))
        await eventually_async(lambda: rig.lines(scanner_id), 30)


async def test_an_answer_without_end_or_measure_is_cut_off(rig: Rig, oauth: OAuthServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(providers, "CALL_SECONDS", 0.5)
    client = Client(OAuthFields(provider=OAuthProvider.OIDC, issuer=oauth.issuer, client_id=CLIENT_ID), Secrets(), IMAP)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        issuer = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ProviderAwayError, match="did not answer within"):
            await Providers().endpoints(replace(client, oauth=client.oauth.model_copy(update={"issuer": issuer})))
    oauth.switches.padding = 300 * 1024
    with pytest.raises(ProviderAwayError, match="more than 256 KiB"):
        await Providers().endpoints(client)


async def test_an_issuer_that_names_another_is_refused(oauth: OAuthServer) -> None:
    issuer = oauth.issuer.replace("127.0.0.1", "localhost")
    client = Client(OAuthFields(provider=OAuthProvider.OIDC, issuer=issuer, client_id=CLIENT_ID), Secrets(), IMAP)
    with pytest.raises(ProviderRefusedError, match="names another issuer"):
        await Providers().endpoints(client)


async def test_tokens_and_secrets_are_nowhere_in_clear(
    rig: Rig, by_token: Dovecot, oauth: OAuthServer, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    scanner_id = await add(rig, by_token, oauth)
    assert await rig.scan(scanner_id)
    await age(rig, scanner_id, "-1 minutes")
    oauth.switches.refuse = "invalid_grant"
    assert not await rig.scan(scanner_id)
    await rig.api.post("/oauth/callback", json=await browse(rig, scanner_id))
    answers = [(await rig.api.get(path)).text for path in ("/scanners", f"/scanners/{scanner_id}")]
    async with rig.engine.connect() as conn:
        for table in ("scanners", "oauth", "sign_ins", "outbox", "scans"):
            answers += [str(row) for row in await conn.execute(text(f"select t::text from {table} t"))]  # noqa: S608 -- fixed names
    output = capsys.readouterr()
    everything = "\n".join([*answers, caplog.text, output.out, output.err])
    assert scanner_id in everything
    secret = {values[name] for _, values in oauth.asked for name in ("refresh_token", "code_verifier", "token") if name in values}
    assert len(secret) >= 3
    assert not any(one in everything for one in secret | {CLIENT_SECRET})


def settings_of(oauth: OAuthServer) -> dict[str, str]:
    return {"provider": "oidc", "issuer": oauth.issuer, "client_id": CLIENT_ID}
