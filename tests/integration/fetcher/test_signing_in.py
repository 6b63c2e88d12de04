"""Each way to sign in, on real Dovecot; and what is never sent."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from fetcher.adapters.imap.account import Account
from fetcher.adapters.imap.connection import Connection
from fetcher.adapters.imap.errors import LoginRefusedError, NoWayToSignInError, TokenRefusedError
from fetcher.domain.parameters import read_parameters
from shared.api import SslType
from tests.integration.fetcher.imap_script import ScriptedImap
from tests.integration.fetcher.rig import Rig, append, mail
from tests.kit import dovecot as dovecot_kit
from tests.kit.dovecot import PASSWORD, Dovecot, Setup, running_dovecot

pytestmark = pytest.mark.connected
SECRET = "do-not-tell-anybody-42"


@pytest.fixture(scope="module")
def every_way() -> Iterator[Dovecot]:
    if not dovecot_kit.installed():
        pytest.skip(dovecot_kit.MISSING)
    with running_dovecot(Setup("plain login cram-md5", masters=True)) as server:
        yield server


def account(port: int, user: str = "anna", password: str = SECRET, token: str = "", **parameters: str) -> Account:
    oauth = bool(token)
    return Account("127.0.0.1", port, user, password, SslType.NONE, parameters=read_parameters(parameters, oauth=oauth), access_token=token)


def sign_in(one: Account) -> str:
    connection = Connection(one)
    try:
        connection.connect()
        return connection.login()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("disabled", "way"), [("", "PLAIN"), ("PLAIN", "LOGIN"), ("plain|login", "CRAM-MD5"), ("LOGIN|XOAUTH2|OAUTHBEARER", "PLAIN")]
)
def test_the_way_is_chosen_by_the_server_and_the_parameters(every_way: Dovecot, user: str, disabled: str, way: str) -> None:
    parameters = {"DISABLE_AUTHENTICATOR": disabled} if disabled else {}
    assert sign_in(account(every_way.port, user, PASSWORD, **parameters)) == way


@pytest.mark.parametrize("disabled", ["LOGIN|CRAM-MD5", "PLAIN|CRAM-MD5", "PLAIN|LOGIN"])
def test_a_wrong_password_is_told_whatever_the_way(every_way: Dovecot, user: str, disabled: str) -> None:
    with pytest.raises(LoginRefusedError, match="user name or password: enter them anew"):
        sign_in(account(every_way.port, user, "wrong", DISABLE_AUTHENTICATOR=disabled))


async def test_a_shared_mailbox_is_opened_with_ones_own_password(rig: Rig, every_way: Dovecot, user: str) -> None:
    append(every_way.port, f"shared-{user}", PASSWORD, [mail("For all", "<all@x>")])
    scanner_id = await rig.add_scanner(every_way.port, user, PASSWORD, parameters={"SHARED_MAILBOX": f"shared-{user}"})
    assert await rig.scan(scanner_id)
    assert [line.subject for line in await rig.lines(scanner_id)] == ["For all"]


@pytest.mark.parametrize(
    ("capability", "parameters", "says"),
    [
        ("IMAP4rev1 LOGINDISABLED STARTTLS", {}, "choose SSL type STARTTLS or SSL"),
        ("IMAP4rev1 LOGINDISABLED AUTH=XOAUTH2", {}, "only OAuth 2.0"),
        ("IMAP4rev1 LOGINDISABLED AUTH=PLAIN", {"DISABLE_AUTHENTICATOR": "PLAIN"}, "DISABLE_AUTHENTICATOR forbids"),
        ("IMAP4rev1", {"SHARED_MAILBOX": "all"}, "SHARED_MAILBOX needs"),
    ],
)
async def test_where_no_way_is_left_nothing_secret_is_sent(rig: Rig, capability: str, parameters: dict[str, str], says: str) -> None:
    with ScriptedImap(refuse, capability=capability) as server:
        scanner_id = await rig.add_scanner(server.port, "anna", SECRET, parameters=parameters)
        assert not await rig.scan(scanner_id)
    assert says in (await rig.state(scanner_id))["last_error"]
    assert not any("LOGIN" in line or "AUTHENTICATE" in line for line in server.received)


def test_letters_beyond_ascii_need_plain(every_way: Dovecot) -> None:
    with pytest.raises(NoWayToSignInError, match="beyond ASCII"):
        sign_in(account(every_way.port, "anna", "pässword", DISABLE_AUTHENTICATOR="PLAIN"))


@pytest.mark.parametrize(
    ("way", "challenge", "empty_answer", "status"),
    [
        ("XOAUTH2", b'{"status":"400","schemes":"bearer","scope":"https://mail.google.com/"}', "", "status 400"),
        ("OAUTHBEARER", b'{"status":"invalid_token"}', "AQ==", "status invalid_token"),
        ("XOAUTH2", b"no json at all", "", "said: [AUTHENTICATIONFAILED] no"),
    ],
)
def test_the_explanation_of_a_refused_token_is_answered_once_and_shown(way: str, challenge: bytes, empty_answer: str, status: str) -> None:
    lines = [b"+ ", b"+ " + base64.b64encode(challenge)]

    def explain(tag: str, command: str, arguments: str) -> list[bytes]:
        return [lines.pop(0)] if lines else [f"{_tag(server)} NO [AUTHENTICATIONFAILED] no".encode()]

    server = ScriptedImap(explain, capability=f"IMAP4rev1 AUTH={way}")
    with server, pytest.raises(TokenRefusedError) as error:
        sign_in(account(server.port, token="access-token-7"))
    assert status in str(error.value)
    assert "access-token-7" not in str(error.value)
    first, second = server.received[server.received.index(f"{_tag(server)} AUTHENTICATE {way}") + 1 :][:2]
    assert b"auth=Bearer access-token-7" in base64.b64decode(first)
    assert second == empty_answer


def test_a_server_without_tokens_gets_none() -> None:
    with ScriptedImap(refuse, capability="IMAP4rev1 AUTH=PLAIN") as server, pytest.raises(NoWayToSignInError, match="by password"):
        sign_in(account(server.port, token="access-token-7"))
    assert not any("AUTHENTICATE" in line for line in server.received)


def refuse(tag: str, command: str, _arguments: str) -> list[bytes]:
    return [f"{tag} NO [AUTHENTICATIONFAILED] no".encode() if command in {"LOGIN", "AUTHENTICATE"} else f"{tag} OK".encode()]


def _tag(server: ScriptedImap) -> str:
    return next(line.split()[0] for line in server.received if "AUTHENTICATE" in line)
