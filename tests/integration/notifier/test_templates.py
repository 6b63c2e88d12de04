"""Templates over HTTP: made, checked, tried out, and what the mails of a mailbox are made with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.notifier.parts import Bus, Notifier, ScriptedServer, answer
from tests.kit.eventually import eventually

pytestmark = pytest.mark.connected
Mailbox = Callable[..., Awaitable[str]]


def body(text: str = "{{ answer }}\nBye", **more: Any) -> dict[str, Any]:
    return {"name": "Ours", "kind": "answer", "scanner_id": f"box-{uuid4().hex[:8]}", "text": text, **more}


def canned(name: str, scanner_id: str | None) -> dict[str, Any]:
    return body("Hello {{ customer.name }}", kind="canned", name=name, scanner_id=scanner_id)


def test_a_template_is_made_read_changed_and_removed(notifier: Notifier) -> None:
    key = str(uuid4())
    made, again = (notifier.call("POST", "/templates", body(name="Ours\r\nX: y"), Idempotency_Key=key) for _ in range(2))
    assert (made.status_code, made.json()["name"], again.json()) == (201, "Ours X: y", made.json())
    path = made.headers["Location"].removeprefix("/api/v1")
    assert notifier.call("GET", path).json() == made.json()
    changed = notifier.call("PATCH", path, {"name": "Theirs"}, If_Match=made.headers["ETag"])
    assert (changed.json()["name"], changed.json()["text"], changed.json()["version"]) == ("Theirs", made.json()["text"], 2)
    assert notifier.call("PATCH", path, {"name": "Mine"}, If_Match=made.headers["ETag"]).status_code == 412
    assert notifier.call("DELETE", path, If_Match=made.headers["ETag"]).status_code == 412
    assert notifier.call("DELETE", path).status_code == 204
    for method, where in (("GET", path), ("PATCH", path), ("DELETE", path), ("POST", f"{path}/preview")):
        assert notifier.call(method, where, {} if method in {"PATCH", "POST"} else None).status_code == 404


def test_of_a_mailbox_there_is_one_of_a_kind_and_any_number_of_canned_answers(notifier: Notifier) -> None:
    first = body(name="The first")
    notifier.call("POST", "/templates", first).raise_for_status()
    second = notifier.call("POST", "/templates", first | {"name": "The second"})
    assert (second.status_code, "“The first” is the answer template of this mailbox" in second.json()["detail"]) == (409, True)
    box = str(first["scanner_id"])
    for name in ("Thanks", "Bye"):
        notifier.call("POST", "/templates", canned(name, box)).raise_for_status()
    notifier.call("POST", "/templates", canned("Another's", "another")).raise_for_status()
    notifier.call("POST", "/templates", canned("Everybody's", None)).raise_for_status()

    def names(query: str) -> list[str]:
        return [one["name"] for one in notifier.call("GET", f"/templates?{query}").json()["items"]]

    assert names(f"kind=canned&scanner_id={box}&limit=200") == ["Bye", "Everybody's", "Thanks"]
    page = notifier.call("GET", f"/templates?kind=canned&scanner_id={box}&limit=2").json()
    assert names(f"kind=canned&scanner_id={box}&limit=2&cursor={page['next']}") == ["Thanks"]
    assert names(f"kind=answer&scanner_id={box}") == ["The first"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"text": "Dear {{ customer.nmae }} {{ answer }}"}, "text: line 1: there is no variable `customer.nmae`"),
        ({"text": "{{ answer }}\n{% for x in y %}{% endfor %}"}, "text: line 2: "),
        ({"text": "{{ answer.__class__ }}"}, "text: line 1: "),
        ({"text": "{{ answer }}{{ 'a' * 1000000000 }}"}, "text: line 1: "),
        ({"text": "{{ answer"}, "text: line 1: not understood"),
        ({"text": "Bye"}, "put `{{ answer }}` into it"),
        ({"html": "<p>Bye</p>"}, "html: line 1: put `{{ answer }}` into it"),
        ({"subject": "Yours"}, "subject: line 1: leave it blank"),
        ({"kind": "canned", "text": "Hello", "html": "<p>Hello"}, "html: line 1: leave it blank"),
    ],
)
def test_what_could_not_be_filled_in_is_refused_with_what_to_do(notifier: Notifier, wrong: dict[str, str], words: str) -> None:
    made = notifier.call("POST", "/templates", canned("Ours", None) if "kind" in wrong else body()).json()
    tries = (("POST", "/templates", body() | wrong, {""}), ("PATCH", f"/templates/{made['id']}", wrong, {"kind"}))
    for method, path, sent, fixed in (*tries, ("POST", "/templates/preview", body() | wrong, {"name", "scanner_id"})):
        values = {name: value for name, value in sent.items() if name not in fixed}
        refused = notifier.call(method, path, values)
        assert refused.status_code == 422, refused.text
        assert words in refused.json()["detail"]
        assert refused.json()["errors"][0]["field"] in wrong


def test_a_canned_answer_saved_with_html_can_be_changed(notifier: Notifier) -> None:
    """As the release before kept it."""
    path = f"/templates/{notifier.call('POST', '/templates', canned('With HTML', None)).json()['id']}"
    notifier.rows("update templates set html = '<p>Hello' where id = %s returning id", path.removeprefix("/templates/"))
    changed = notifier.call("PATCH", path, {"text": "Good morning"})
    assert (changed.status_code, changed.json()["text"], changed.json()["html"]) == (200, "Good morning", "")


def test_a_preview_shows_what_would_be_sent(notifier: Notifier) -> None:
    texts = {"kind": "acknowledgement", "subject": "Got it: {{ ticket.title }}", "text": "Hello {{ customer.name|default('you') }}"}
    values = {"ticket_title": "A\r\nBcc: eve@x.example", "customer_name": "<b>Anna</b>"}
    shown = notifier.call("POST", "/templates/preview", texts | {"values": values}).json()
    assert shown["subject"] == "Got it: A Bcc: eve@x.example"
    assert shown["text"].strip() == "Hello <b>Anna</b>"
    assert "<b>" not in shown["html"]
    saved = notifier.call("POST", "/templates", canned("Saved", None)).json()
    path = f"/templates/{saved['id']}/preview"
    assert notifier.call("POST", path, {"values": values}).json()["text"].strip() == "Hello <b>Anna</b>"
    assert notifier.call("POST", path).json()["text"].strip() == "Hello Anna Verdi"


async def test_mails_are_made_with_the_mailboxes_template_else_with_that_for_all_else_with_the_default(
    notifier: Notifier, bus: Bus, smtp: ScriptedServer, mailbox: Mailbox
) -> None:
    box = await mailbox(smtp.port)
    made = [
        notifier.call("POST", "/templates", body(f"{{{{ answer }}}}\n{words}", scanner_id=scanner_id)).raise_for_status().json()["id"]
        for words, scanner_id in (("For all", None), ("For this mailbox", box))
    ]
    wanted = [("For this mailbox", "For all"), ("For all", "For this mailbox"), ("A corrected invoice", "For")]
    for number, (there, not_there) in enumerate(wanted, 1):
        await bus.outgoing(answer(4300 + number, box))
        _left(smtp, number)
        text = smtp.handler.accepted[-1].data.decode()
        assert there in text
        assert not_there not in text
        if made:
            notifier.call("DELETE", f"/templates/{made.pop()}").raise_for_status()


def _left(smtp: ScriptedServer, mails: int) -> None:
    eventually(lambda: len(smtp.handler.accepted) == mails, seconds=30, what="the mail leaves")
