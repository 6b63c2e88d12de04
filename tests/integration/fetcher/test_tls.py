"""Encrypted connections to real Dovecot with good and bad certificates, and to servers that are old or meddled with."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from fetcher.adapters.imap.account import Account
from fetcher.adapters.imap.connection import Connection
from fetcher.adapters.imap.errors import MailboxError, NoWayToSignInError, explain, needs_somebody
from fetcher.domain.parameters import read_parameters
from shared.api import SslMethod, SslType
from tests.integration.fetcher.imap_script import ScriptedImap, ok
from tests.integration.fetcher.imap_tls_script import TlsImap, server_context
from tests.integration.fetcher.rig import Rig, append, mail
from tests.kit import dovecot as dovecot_kit
from tests.kit.certificates import Authority, Certificate, self_signed
from tests.kit.dovecot import PASSWORD, Dovecot, Setup, running_dovecot
from tests.kit.eventually import eventually

pytestmark = pytest.mark.connected
SECRET = "do-not-tell-anybody-42"
ADDED = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n"
ENCRYPTED = [SslType.SSL, SslType.STARTTLS]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def encrypted(authority: Authority) -> Iterator[Dovecot]:
    """Takes passwords over TLS only; who trusts `authority` trusts it."""
    if not dovecot_kit.installed():
        pytest.skip(dovecot_kit.MISSING)
    with running_dovecot(Setup(certificate=authority.issue())) as server:
        yield server


def account(port: int, ssl_type: SslType, *, ca: Path | None = None, server: str = "127.0.0.1", **parameters: str) -> Account:
    given = parameters | ({"CA_FILE": str(ca)} if ca else {})
    return Account(server, port, "anna", SECRET, ssl_type, parameters=read_parameters(given), connect_timeout=5, read_timeout=10)


def sign_in(one: Account) -> str:
    """The version of TLS, after signing in."""
    connection = Connection(one)
    try:
        connection.connect()
        connection.login()
        return connection.tls()
    finally:
        connection.close()


def failure(one: Account) -> tuple[str, bool]:
    """Why it did not work, in plain words, and whether somebody has to do something."""
    with pytest.raises((OSError, MailboxError)) as error:
        sign_in(one)
    return explain(error.value, one.server, one.port), needs_somebody(error.value)


def port_of(server: Dovecot, ssl_type: SslType) -> int:
    return server.tls_port if ssl_type is SslType.SSL else server.port


@pytest.mark.parametrize("ssl_type", ENCRYPTED)
async def test_a_private_authority_is_trusted_by_ca_file(
    rig: Rig, encrypted: Dovecot, authority: Authority, user: str, ssl_type: SslType
) -> None:
    append(encrypted.port, user, PASSWORD, [mail("Sealed", "<sealed@x>")])
    port = port_of(encrypted, ssl_type)
    scanner_id = await rig.add_scanner(port, user, PASSWORD, ssl_type=ssl_type, parameters={"CA_FILE": str(authority.file)})
    assert await rig.scan(scanner_id)
    assert [line.subject for line in await rig.lines(scanner_id)] == ["Sealed"]
    tested = (await rig.api.post(f"/scanners/{scanner_id}/test")).json()
    assert any("certificate valid" in step for step in tested["steps"]), tested
    assert (await rig.api.get(f"/scanners/{scanner_id}")).json()["warnings"] == []


def expired(authority: Authority, _: Path) -> Certificate:
    return authority.issue(days=-1)


def of_another_host(authority: Authority, _: Path) -> Certificate:
    return authority.issue(["imap.elsewhere.example"])


def signed_by_itself(_: Authority, folder: Path) -> Certificate:
    return self_signed(folder)


def of_a_stranger(_: Authority, folder: Path) -> Certificate:
    return Authority(folder, "Stranger").issue()


@pytest.mark.parametrize(
    ("make", "server", "says"),
    [
        (expired, "localhost", "has expired: the provider must renew it"),
        (of_another_host, "localhost", "is for another name"),
        (of_another_host, "127.0.0.1", "is for another address"),
        (signed_by_itself, "localhost", "is signed by itself"),
        (of_a_stranger, "localhost", "an authority that this machine does not know"),
    ],
)
def test_a_bad_certificate_is_told_and_gets_no_password(
    authority: Authority, tmp_path: Path, make: Callable[[Authority, Path], Certificate], server: str, says: str
) -> None:
    with running_dovecot(Setup(certificate=make(authority, tmp_path))) as dovecot:
        for ssl_type in ENCRYPTED:
            words, waits = failure(account(port_of(dovecot, ssl_type), ssl_type, ca=authority.file, server=server))
            assert says in words
            assert waits
        eventually(lambda: "Disconnected" in dovecot.log(), what="Dovecot to write it down")
        log = dovecot.log()
    assert not any(mark in log for mark in ("Login:", "auth failed", "method="))


async def test_a_bad_certificate_waits_five_minutes_or_is_accepted_with_a_warning(rig: Rig, tmp_path: Path, user: str) -> None:
    with running_dovecot(Setup(certificate=self_signed(tmp_path))) as dovecot:
        append(dovecot.port, user, PASSWORD, [mail("Open", "<open@x>")])
        scanner_id = await rig.add_scanner(dovecot.tls_port, user, PASSWORD, ssl_type="ssl")
        assert not await rig.scan(scanner_id)
        state = await rig.state(scanner_id)
        assert "is signed by itself" in state["last_error"]
        waits = datetime.fromisoformat(state["next_scan_at"]) - datetime.fromisoformat(state["last_scan_at"])
        assert timedelta(minutes=5) <= waits <= timedelta(minutes=6)
        changed = await rig.api.patch(f"/scanners/{scanner_id}", json={"ssl_method": SslMethod.NO_VALIDATE})
        assert "not validated" in changed.json()["warnings"][0]
        assert await rig.scan(scanner_id)
    assert [line.subject for line in await rig.lines(scanner_id)] == ["Open"]


def test_a_refused_starttls_gets_no_password() -> None:
    def refuse(tag: str, command: str, arguments: str) -> list[bytes] | None:
        return [f"{tag} NO not today".encode()] if command == "STARTTLS" else ok(tag, command, arguments)

    with ScriptedImap(refuse, capability="IMAP4rev1 STARTTLS") as server:
        words, waits = failure(account(server.port, SslType.STARTTLS))
    assert "refused it, so no password was sent" in words
    assert waits
    assert not any("LOGIN" in line or SECRET in line for line in server.received)


def test_who_is_signed_in_before_starttls_is_no_server_of_ours() -> None:
    """RFC 3501, 7.1.4 with STARTTLS: somebody in between would keep the connection in clear."""
    with ScriptedImap(ok, greeting=b"* PREAUTH welcome", capability="IMAP4rev1 STARTTLS") as server:
        assert "no password was sent" in failure(account(server.port, SslType.STARTTLS))[0]
    assert not any("LOGIN" in line for line in server.received)


@pytest.mark.parametrize(("before", "after"), [(ADDED, b""), (b"", ADDED)])
def test_lines_added_in_clear_around_starttls_are_not_believed(authority: Authority, before: bytes, after: bytes) -> None:
    """CVE-2011-0411: capabilities of somebody in between, who wants the password in a way that the server does not offer."""
    context = server_context(authority.issue())
    with TlsImap(context, starttls=True, before=before, after=after, capability="IMAP4rev1 LOGINDISABLED") as server:
        with pytest.raises(NoWayToSignInError):
            sign_in(account(server.port, SslType.STARTTLS, ca=authority.file))
        assert not any("AUTHENTICATE" in line or "LOGIN" in line for line in server.received)
    assert [line.split()[-1] for line in server.received][:3] == ["CAPABILITY", "STARTTLS", "CAPABILITY"]


@pytest.mark.parametrize(
    ("newest", "parameters", "spoken"),
    [
        (ssl.TLSVersion.TLSv1, {"TLS_MINIMUM": "1.0"}, "TLSv1"),
        (ssl.TLSVersion.TLSv1_1, {"TLS_MINIMUM": "1.0"}, "TLSv1.1"),
        (ssl.TLSVersion.TLSv1_1, {"TLS_MINIMUM": "1.1"}, "TLSv1.1"),
        (ssl.TLSVersion.TLSv1_2, {}, "TLSv1.2"),
        (ssl.TLSVersion.TLSv1_2, {"TLS_SECURITY_LEVEL": "0"}, "TLSv1.2"),
    ],
)
def test_an_old_server_is_read_where_the_parameter_allows_it(
    authority: Authority, newest: ssl.TLSVersion, parameters: dict[str, str], spoken: str
) -> None:
    with TlsImap(server_context(authority.issue(), newest)) as server:
        assert sign_in(account(server.port, SslType.SSL, ca=authority.file, **parameters)) == spoken


@pytest.mark.parametrize(
    ("newest", "parameters"),
    [
        (ssl.TLSVersion.TLSv1, {}),
        (ssl.TLSVersion.TLSv1_1, {}),
        (ssl.TLSVersion.TLSv1, {"TLS_MINIMUM": "1.1"}),
        (ssl.TLSVersion.TLSv1_2, {"TLS_MINIMUM": "1.3"}),
    ],
)
def test_a_server_older_than_allowed_gets_no_password(authority: Authority, newest: ssl.TLSVersion, parameters: dict[str, str]) -> None:
    with TlsImap(server_context(authority.issue(), newest)) as server:
        words, waits = failure(account(server.port, SslType.SSL, ca=authority.file, **parameters))
    assert "TLS_MINIMUM" in words
    assert waits
    assert not any("LOGIN" in line for line in server.received)


def test_a_port_without_tls_is_told(encrypted: Dovecot) -> None:
    assert "does not speak TLS from the first byte" in failure(account(encrypted.port, SslType.SSL))[0]


def test_a_file_of_authorities_that_is_of_no_use_is_told(encrypted: Dovecot, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("no certificate")
    for file in (tmp_path / "missing.pem", empty):
        words, waits = failure(account(encrypted.tls_port, SslType.SSL, ca=file))
        assert "The file in CA_FILE cannot be used" in words
        assert waits
