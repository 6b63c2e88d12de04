"""Where webhooks may lead: not to ourselves nor into our network, whatever a name server says later; and certificates are checked."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.integration.tickets.webhook_rig import Clock, WebhookRig
from tests.kit.certificates import Authority, Certificate, self_signed
from tests.kit.webhook_receiver import WebhookReceiver

pytestmark = pytest.mark.connected
NAME = "hooks.customer.example"
PUBLIC = "93.184.216.34"


class Names:
    """A name server whose answers the test changes."""

    def __init__(self, *addresses: str) -> None:
        self.addresses: Sequence[str] = addresses
        self.asked = 0

    async def __call__(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        return self.addresses


@pytest.fixture
async def receiver() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as made:
        yield made


@pytest.fixture
async def strict(tickets_database: str) -> AsyncIterator[WebhookRig]:
    """Without leave for private addresses."""
    made = WebhookRig(tickets_database, Clock(), private=False)
    await made.empty()
    yield made
    await made.stop()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1/", "not on the internet"),
        ("http://localhost:8080/", "not on the internet"),
        ("http://2130706433/", "not on the internet"),
        ("http://0x7f.1/", "not on the internet"),
        ("http://[::1]/", "not on the internet"),
        ("http://[::ffff:169.254.169.254]/latest/meta-data", "not on the internet"),
        ("https://10.0.0.5/hook", "not on the internet"),
        ("https://anna:secret@93.184.216.34/", "Leave user name and password out"),
        ("ftp://93.184.216.34/", "pattern"),
        ("https:///hook", "host"),
        ("http://no-such-name.invalid/", "cannot be found"),
        (f"http://{'x' * 70}.example/", "cannot be found"),
        ("http://[::1/", "no address"),
        ("http://a:99999/", "no port"),
    ],
)
async def test_an_unfit_url_is_refused_when_it_is_saved(strict: WebhookRig, url: str, why: str) -> None:
    answer = await strict.api.post("/webhooks", json={"name": "x", "url": url})
    assert answer.status_code == 422, answer.text
    (error,) = answer.json()["errors"]
    assert error["field"] == "url"
    assert why in error["message"]
    assert "secret" not in answer.text
    saved = await strict.make(f"http://{PUBLIC}/")
    assert (await strict.api.patch(f"/webhooks/{saved['id']}", json={"url": url})).status_code == 422


async def test_a_name_that_leads_inside_later_is_not_called(tickets_database: str, receiver: WebhookReceiver) -> None:
    """DNS rebinding: the address that was checked is the one that is called."""
    names = Names(PUBLIC)
    hooks = WebhookRig(tickets_database, Clock(), private=False, resolve=names)
    await hooks.empty()
    webhook = await hooks.make(receiver.url_of(NAME))
    names.addresses = ["127.0.0.1"]
    await hooks.happen()
    await hooks.sender.once()
    assert "leads to 127.0.0.1" in (await hooks.log(webhook))[0]["error"]
    names.addresses = [PUBLIC, "127.0.0.1"]
    hooks.clock.pass_by(seconds=5)
    await hooks.sender.once()
    assert "leads to 127.0.0.1" in (await hooks.log(webhook))[0]["error"]
    assert receiver.calls == []
    await hooks.stop()


async def test_a_try_looks_the_name_up_once_and_keeps_it_as_host(tickets_database: str, receiver: WebhookReceiver) -> None:
    names = Names("127.0.0.2", "127.0.0.1")
    hooks = WebhookRig(tickets_database, Clock(), resolve=names)
    await hooks.empty()
    await hooks.make(receiver.url_of(NAME))
    names.asked = 0
    await hooks.happen()
    await hooks.sender.once()
    assert [call.headers["host"] for call in receiver.calls] == [f"{NAME}:{receiver.port}"]
    assert names.asked == 1
    await hooks.stop()


@pytest.mark.parametrize(
    ("names", "told"),
    [([NAME], None), (["other.example"], "Hostname mismatch"), (None, "self-signed certificate")],
    ids=["good", "for another name", "self-signed"],
)
async def test_a_certificate_must_be_good_and_for_the_urls_name(
    tickets_database: str, tmp_path: Path, names: list[str] | None, told: str | None
) -> None:
    authority = Authority(tmp_path)
    certificate = self_signed(tmp_path, [NAME]) if names is None else authority.issue(names)
    hooks: Any = WebhookRig(tickets_database, Clock(), resolve=Names("127.0.0.1"), trust=ssl.create_default_context(cafile=authority.file))
    await hooks.empty()
    async with WebhookReceiver(tls=_server_side(certificate)) as receiver:
        webhook = await hooks.make(receiver.url_of(NAME))
        await hooks.happen()
        await hooks.sender.once()
        assert len(receiver.calls) == (0 if told else 1)
    (logged,) = await hooks.log(webhook)
    assert logged["state"] == ("waiting" if told else "delivered")
    if told:
        assert logged["error"].startswith(f"The certificate of {NAME} is not valid: {told}")
    await hooks.stop()


async def test_a_receiver_that_is_away_is_told_in_plain_words(tickets_database: str) -> None:
    hooks = WebhookRig(tickets_database, Clock())
    await hooks.empty()
    async with WebhookReceiver() as receiver:
        url = receiver.url
    webhook = await hooks.make(url)
    await hooks.happen()
    await hooks.sender.once()
    (logged,) = await hooks.log(webhook)
    assert (logged["state"], logged["error"]) == ("waiting", "127.0.0.1 cannot be reached: Connection refused.")
    await hooks.stop()


def _server_side(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    return context
