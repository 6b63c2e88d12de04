"""An operator's own SMTP account: theirs alone, and the way their personal answers leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from shared.events import OutgoingMode
from shared.mail.model import Address
from tests.integration.notifier.parts import Bus, Notifier, ScriptedServer, answer, sender_body
from tests.kit.eventually import eventually

pytestmark = pytest.mark.connected
Mailbox = Callable[..., Awaitable[str]]


@pytest.fixture
def otto() -> str:
    return f"user:otto-{uuid4().hex[:8]}@company.example"


@pytest.fixture
def own_server() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    server.start()
    yield server
    server.stop()


def ask(notifier: Notifier, actor: str, method: str, body: Any = None, path: str = "") -> httpx.Response:
    return notifier.call(method, f"/me/sender{path}", body, X_Actor=actor)


def personal(mail_box: str, ticket_id: int, actor: str) -> Any:
    author = Address(name="Otto Berg", address="otto@company.example")
    return answer(ticket_id, mail_box, mode=OutgoingMode.PERSONAL, author=author, operator=actor)


def test_it_is_set_read_tested_and_forgotten_by_its_owner_alone(notifier: Notifier, otto: str, smtp: ScriptedServer) -> None:
    assert ask(notifier, otto, "GET").status_code == 404
    made = ask(notifier, otto, "PUT", sender_body(smtp.port, name="Mine", address="otto@company.example"))
    assert (made.status_code, made.json()["name"]) == (200, "Mine")
    assert ask(notifier, otto, "GET").json() == made.json()
    assert ask(notifier, otto, "PUT", sender_body(smtp.port, name="Still mine", address="otto@company.example")).json()["version"] == 2
    tested = ask(notifier, otto, "POST", {"to": "otto@company.example"}, "/test").json()
    assert (tested["ok"], smtp.handler.accepted[0].sender) == (True, "otto@company.example"), tested

    sender_id = made.json()["id"]
    assert ask(notifier, "user:eve@company.example", "GET").status_code == 404
    assert notifier.call("GET", f"/senders/{sender_id}").status_code == 404
    assert notifier.call("DELETE", f"/senders/{sender_id}").status_code == 404
    assert sender_id not in notifier.call("GET", "/senders?limit=200").text
    for _ in range(2):  # the second time there is none, as where a user is deleted who never had one
        assert ask(notifier, otto, "DELETE").status_code == 204
    assert ask(notifier, otto, "GET").status_code == 404


def test_a_saved_password_goes_to_no_other_server(notifier: Notifier, otto: str) -> None:
    body = sender_body(25, auth="password", username="otto", password="hush-hush")
    made = ask(notifier, otto, "PUT", body)
    assert "hush" not in made.text
    without = {name: value for name, value in body.items() if name != "password"}
    assert ask(notifier, otto, "PUT", without).status_code == 200
    refused = ask(notifier, otto, "PUT", without | {"server": "elsewhere.example"})
    assert (refused.status_code, "password: is needed" in refused.json()["detail"]) == (422, True)
    assert ask(notifier, otto, "PUT", without | {"auth": "oauth2"}).status_code == 422
    refused = ask(notifier, otto, "PUT", without | {"plus_addressing": True})
    assert (refused.status_code, "plus_addressing: is for the SMTP identities" in refused.json()["detail"]) == (422, True)


async def test_personal_answers_leave_by_it_and_by_the_mailboxes_server_without(
    notifier: Notifier, bus: Bus, smtp: ScriptedServer, own_server: ScriptedServer, mailbox: Mailbox, otto: str
) -> None:
    box = await mailbox(smtp.port)
    ask(notifier, otto, "PUT", sender_body(own_server.port, address="otto@company.example")).raise_for_status()
    await bus.outgoing(personal(box, 4201, otto))
    eventually(lambda: own_server.handler.accepted, seconds=30, what="the answer leaves by the own account")
    assert (own_server.handler.accepted[0].sender, smtp.handler.taken) == ("otto@company.example", [])

    ask(notifier, otto, "DELETE").raise_for_status()
    await bus.outgoing(personal(box, 4202, otto))
    eventually(lambda: smtp.handler.accepted, seconds=30, what="the answer leaves by the mailbox's server")
    assert smtp.handler.accepted[0].sender == "otto@company.example"
    assert len(own_server.handler.accepted) == 1


async def test_a_personal_answer_is_from_the_address_and_name_that_its_own_account_has(
    notifier: Notifier, bus: Bus, smtp: ScriptedServer, own_server: ScriptedServer, mailbox: Mailbox, otto: str
) -> None:
    account = {"address": "otto@provider.example", "display_name": "Otto B.", "reply_to": "berg@provider.example"}
    ask(notifier, otto, "PUT", sender_body(own_server.port, **account)).raise_for_status()
    mail = personal(await mailbox(smtp.port), 4203, otto)
    await bus.outgoing(mail)
    eventually(lambda: own_server.handler.accepted, seconds=30, what="the answer leaves by the own account")
    (got,) = own_server.handler.accepted
    assert (got.sender, got.message_id) == ("otto@provider.example", mail.message_id)
    assert b'From: "Otto B." <otto@provider.example>\r\n' in got.data
    assert b"Reply-To: berg@provider.example\r\n" in got.data
    assert b"otto@company.example" not in got.data
