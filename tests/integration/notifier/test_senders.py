"""SMTP identities over HTTP, their test button, and how they log in."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from uuid import uuid4

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.events import ScannerSettings
from tests.integration.notifier.parts import Bus, Notifier, ScriptedServer, answer, sender_body
from tests.kit.eventually import eventually, eventually_async

pytestmark = pytest.mark.connected
Mailbox = Callable[..., Awaitable[str]]
SECRET = "a-very-secret-password"


def _log_in(_server: object, _session: object, _envelope: object, _mechanism: str, data: object) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"help@help.example", SECRET.encode())
    return AuthResult(success=good, handled=False)


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A certificate nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "smtp.test")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    certificate = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "both.pem").write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    return context


@pytest.fixture
def strict(tls: ssl.SSLContext) -> Iterator[ScriptedServer]:
    """Takes mails after STARTTLS and a log-in only."""
    server = ScriptedServer(tls_context=tls, require_starttls=True, auth_required=True, authenticator=_log_in)
    server.start()
    yield server
    server.stop()


def with_login(port: int, **more: object) -> dict[str, object]:
    values = {"ssl_type": "starttls", "ssl_method": "no_validate", "auth": "password", "username": "help@help.example", "password": SECRET}
    return sender_body(port, **(values | more))


def test_an_identity_is_made_read_changed_and_removed(notifier: Notifier) -> None:
    made = notifier.call("POST", "/senders", sender_body(25, name="Office", signature="Office"))
    assert made.status_code == 201
    path = made.headers["Location"].removeprefix("/api/v1")
    assert notifier.call("GET", path).json() == made.json()
    assert made.json() in notifier.call("GET", "/senders?limit=200").json()["items"]
    changed = notifier.call("PATCH", path, {"port": 587}, If_Match=made.headers["ETag"])
    assert (changed.json()["port"], changed.json()["signature"], changed.json()["version"]) == (587, "Office", 2)
    assert notifier.call("PATCH", path, {"port": 26}, If_Match=made.headers["ETag"]).status_code == 412
    assert notifier.call("DELETE", path).status_code == 204
    assert notifier.call("GET", path).status_code == 404


def test_the_same_key_makes_one_identity(notifier: Notifier) -> None:
    key = str(uuid4())
    first, again = (notifier.call("POST", "/senders", sender_body(25, name=name), Idempotency_Key=key) for name in ("One", "Two"))
    assert first.json() == again.json()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"auth": "password"}, "username"),
        ({"address": "nobody"}, "address: 'nobody' is no mail address"),
        ({"address": "änna@x.example"}, "letters beyond ASCII before its @"),
        ({"address": "=?utf-8?q?x?=@x.example"}, "is no mail address"),
        ({"reply_to": "a@b.example\r\nBcc: c@d.example"}, "reply_to"),
        ({"server": "a b"}, "server"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_field_is_named(notifier: Notifier, body: dict[str, object], field: str) -> None:
    answered = notifier.call("POST", "/senders", sender_body(25) | body)
    assert answered.status_code == 422
    assert field in answered.json()["detail"]
    assert answered.headers["content-type"] == "application/problem+json"


async def test_an_identity_in_use_stays(notifier: Notifier, bus: Bus) -> None:
    sender = notifier.call("POST", "/senders", sender_body(25)).json()
    settings = ScannerSettings(scanner_id=str(uuid4()), version=1, name="Orders", sender_id=sender["id"])
    await bus.scanner(settings)
    refused = await eventually_async(lambda: _refused(notifier, sender["id"]))
    assert refused["scanners"] == ["Orders"]
    assert "Orders" in str(refused["detail"])
    await bus.scanner(settings.model_copy(update={"version": 2, "sender_id": None}))
    eventually(lambda: notifier.call("DELETE", f"/senders/{sender['id']}").status_code == 204)


async def _refused(notifier: Notifier, sender_id: str) -> dict[str, object] | None:
    """The scanner's settings come by an event; a deletion before would succeed, so it is asked with a version nobody has."""
    answered = notifier.call("GET", f"/senders/{sender_id}")
    assert answered.status_code == 200
    gone = notifier.call("DELETE", f"/senders/{sender_id}", If_Match='"1"') if _known(notifier, sender_id) else None
    return gone.json() if gone is not None and gone.status_code == 409 else None


def _known(notifier: Notifier, sender_id: str) -> bool:
    return bool(notifier.rows("select 1 from scanners where sender_id = %s", sender_id))


def test_the_test_logs_in_encrypted(notifier: Notifier, strict: ScriptedServer) -> None:
    sender = notifier.call("POST", "/senders", with_login(strict.port)).json()
    result = notifier.call("POST", f"/senders/{sender['id']}/test").json()
    assert result["ok"], result
    names = ["connect to", "greeting", "encryption", "greeting", "log in"]
    assert [step.endswith(": ok") and step.startswith(name) for step, name in zip(result["steps"], names, strict=True)] == [True] * 5


def test_the_test_sends_a_mail_to_oneself(notifier: Notifier, smtp: ScriptedServer) -> None:
    sender = notifier.call(
        "POST", "/senders", sender_body(smtp.port, address="help@help.example", display_name="Help\r\nBcc: eve@x.example")
    ).json()
    result = notifier.call("POST", f"/senders/{sender['id']}/test", {"to": "otto@company.example"}).json()
    assert result["ok"], result
    (mail,) = smtp.handler.accepted
    assert (mail.sender, mail.recipients) == ("help@help.example", ["otto@company.example"])
    headers = message_from_bytes(mail.data, policy=policy.default)
    assert (headers["To"], headers["Bcc"], headers["Auto-Submitted"]) == ("otto@company.example", None, "auto-generated")


def test_a_refused_test_mail_shows_the_last_lines(notifier: Notifier, smtp: ScriptedServer) -> None:
    sender = notifier.call("POST", "/senders", sender_body(smtp.port, address="help@help.example")).json()
    smtp.handler.rcpt["otto@company.example"] = ["550 5.7.1 relaying denied"]
    result = notifier.call("POST", f"/senders/{sender['id']}/test", {"to": "otto@company.example"}).json()
    assert (result["ok"], "relaying denied" in result["message"]) == (False, True)
    assert any("RCPT TO:<otto@company.example>" in step for step in result["steps"])
    assert any("550 5.7.1 relaying denied" in step for step in result["steps"])


def test_a_test_mail_needs_addresses(notifier: Notifier, smtp: ScriptedServer) -> None:
    path = f"/senders/{notifier.call('POST', '/senders', sender_body(smtp.port)).json()['id']}/test"
    for to, words in (
        ("otto@company.example\r\nRCPT TO:<eve@x.example>", "no address that mail can be sent to"),
        ("=?utf-8?q?e=40evil.example=2C?=@x.example", "no address that mail can be sent to"),
        ("o@x.example", "address to send from"),
    ):
        refused = notifier.call("POST", path, {"to": to})
        assert (refused.status_code, words in refused.json()["detail"]) == (422, True)
    assert smtp.handler.taken == []


def test_limits_are_kept_and_bounded(notifier: Notifier) -> None:
    made = notifier.call("POST", "/senders", sender_body(25, limits={"connections": 2, "per_minute": 30})).json()
    path = f"/senders/{made['id']}"
    assert made["limits"] == {"connections": 2, "per_minute": 30}
    assert notifier.call("PATCH", path, {"name": "Other"}).json()["limits"] == made["limits"]
    assert notifier.call("PATCH", path, {"limits": {"connections": 3}}).json()["limits"] == {"connections": 3, "per_minute": None}
    refused = notifier.call("PATCH", path, {"limits": {"connections": 21}})
    assert (refused.status_code, "limits.connections" in refused.json()["detail"]) == (422, True)


def test_the_secrets_of_a_sign_in_are_never_shown(notifier: Notifier) -> None:
    oauth = {"provider": "google", "client_id": "c-1", "client_secret": "hush-client", "refresh_token": "hush-refresh"}
    made = notifier.call("POST", "/senders", sender_body(25, auth="oauth2", username="help@help.example", oauth=oauth))
    assert made.status_code == 201, made.text
    path = f"/senders/{made.json()['id']}"
    assert made.json()["oauth_state"]["signed_in"]
    for shown in (made, notifier.call("GET", path), notifier.call("GET", "/senders?limit=200")):
        assert "hush" not in shown.text
    kept = notifier.call("PATCH", path, {"oauth": {"provider": "google", "client_id": "c-1"}}).json()
    other = notifier.call("PATCH", path, {"oauth": {"provider": "google", "client_id": "c-2"}}).json()
    assert (kept["oauth_state"]["signed_in"], other["oauth_state"]["signed_in"]) == (True, False)
    missing = notifier.call("POST", "/senders", sender_body(25, auth="oauth2"))
    assert (missing.status_code, "oauth:" in missing.json()["detail"]) == (422, True)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"password": "wrong-password"}, "log in as help@help.example failed: 535"),
        ({"ssl_method": "validate"}, "encryption (STARTTLS) failed"),
        ({"ssl_type": "ssl"}, "connect to 127.0.0.1"),
        ({"port": 1}, "connect to 127.0.0.1:1 failed"),
    ],
)
def test_the_test_says_what_failed(notifier: Notifier, strict: ScriptedServer, more: dict[str, object], words: str) -> None:
    sender = notifier.call("POST", "/senders", with_login(strict.port) | more).json()
    result = notifier.call("POST", f"/senders/{sender['id']}/test").json()
    assert not result["ok"]
    assert words in result["message"]


def test_the_last_lines_are_shown_without_the_password(notifier: Notifier, strict: ScriptedServer) -> None:
    sender = notifier.call("POST", "/senders", with_login(strict.port, password="wrong-password")).json()
    steps = notifier.call("POST", f"/senders/{sender['id']}/test").json()["steps"]
    assert any(step.startswith("S: 535") for step in steps)
    assert any(step.startswith("C: AUTH") and step.endswith("***") for step in steps)


async def test_no_password_goes_to_a_server_without_starttls(bus: Bus, notifier: Notifier, smtp: ScriptedServer, mailbox: Mailbox) -> None:
    more = with_login(smtp.port)
    mail = answer(40, await mailbox(**more))
    await bus.outgoing(mail)

    async def delayed() -> bool:
        return any("encryption (STARTTLS) failed" in one.detail for one in await bus.deliveries(mail.outgoing_id))

    await eventually_async(delayed)
    assert not smtp.handler.taken


async def test_a_corrected_password_lets_the_mails_go_at_once(
    bus: Bus, notifier: Notifier, strict: ScriptedServer, mailbox: Mailbox, log_file: Path
) -> None:
    mail = answer(41, await mailbox(**with_login(strict.port, name=f"typo-{uuid4()}", password="a-typing-error")))
    await bus.outgoing(mail)

    async def delayed() -> bool:
        return any("535" in one.detail for one in await bus.deliveries(mail.outgoing_id))

    await eventually_async(delayed)
    sender = next(one for one in notifier.call("GET", "/senders?limit=200").json()["items"] if one["name"].startswith("typo-"))
    notifier.call("PATCH", f"/senders/{sender['id']}", {"password": SECRET})
    await eventually_async(lambda: _sent(bus, mail.outgoing_id))
    assert strict.handler.taken[0].message_id == mail.message_id
    shown = notifier.call("GET", "/senders?limit=200").text + log_file.read_text()
    assert SECRET not in shown
    assert "a-typing-error" not in shown
    assert SECRET not in str(notifier.rows("select * from senders"))


async def _sent(bus: Bus, outgoing_id: str) -> bool:
    return (await bus.deliveries(outgoing_id))[-1].state == "sent"
