"""1,000 mails on their way while every part is killed once: nothing lost, nothing doubled, every comment mailed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.kit.api import Api
from tests.kit.eventually import eventually
from tests.kit.installation import Installation
from tests.kit.mail import Mailbox, compose, submit
from tests.kit.smtp_sink import SmtpSink
from tests.kit.stack import TestStack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]

MAILS = 1000
PARTS = ("fetcher", "rules", "tickets", "notifier", "kafka", "postgres")
COMMENT_EVERY = 20


@pytest.fixture
def installation() -> Iterator[Installation]:
    running = Installation(MAILCONVERTER_SANDBOX="0")
    try:
        running.start()
        yield running
    finally:
        running.remove()


@pytest.fixture
def smtp_sink() -> Iterator[SmtpSink]:
    sink = SmtpSink()
    sink.start()
    yield sink
    sink.stop()


def test_no_mail_is_lost_or_doubled_while_each_part_is_killed(installation: Installation, smtp_sink: SmtpSink, stack: TestStack) -> None:
    address = f"help-{uuid4().hex[:8]}@desk.example"
    stack.create_mail_user(address, "secret")
    mailbox = Mailbox(stack.imap_host, stack.imap_port, address, "secret")
    api = installation.api()
    scanner_id = api.add_mailbox(mailbox, "127.0.0.1", smtp_sink.port)
    titles = [f"Order {number:04}" for number in range(MAILS)]
    mails = [compose(f"c{n}@customer.example", address, title) for n, title in enumerate(titles)]
    submit(stack.smtp_host, stack.smtp_port, *mails[: MAILS // 2])

    # The second half arrives while parts die, and operators comment on what is there.
    rest = mails[MAILS // 2 :]
    commented: dict[int, str] = {}
    for number, part in enumerate(PARTS):
        share = len(rest) // len(PARTS) + 1
        feeder = threading.Thread(target=submit, args=(stack.smtp_host, stack.smtp_port, *rest[number * share : (number + 1) * share]))
        feeder.start()
        _comment_on_some(api, scanner_id, commented, number)
        installation.kill(part)
        feeder.join()
        eventually(lambda part=part: _is_back(installation, part), 60)  # type: ignore[misc]  # bound now

    settled = eventually(lambda: _settled(api, scanner_id), 240)
    assert Counter(mail["outcome"]["type"] for mail in settled) == {"ticket": MAILS}
    tickets = api.all("/tickets", scanner_id=scanner_id)
    assert Counter(ticket["title"] for ticket in tickets) == Counter(titles)
    assert len({mail["outcome"]["ticket_id"] for mail in settled}) == MAILS
    assert not api.all("/dead-letters")

    _check_answers(smtp_sink, commented, api)
    assert {name: installation.part(name)["restarts"] for name in PARTS} == dict.fromkeys(PARTS, 1)


def _comment_on_some(api: Api, scanner_id: str, commented: dict[int, str], round_number: int) -> None:
    tickets = eventually(lambda: [t for t in _tickets(api, scanner_id) if t["id"] not in commented][:COMMENT_EVERY], 60)
    for ticket in tickets:
        body = f"Answer of round {round_number} to ticket {ticket['id']}"
        headers = {"Idempotency-Key": f"comment-{ticket['id']}"}
        eventually(lambda t=ticket, b=body, h=headers: _post(api, f"/tickets/{t['id']}/comments", b, h), 60)  # type: ignore[misc]
        commented[ticket["id"]] = body


def _post(api: Api, path: str, body: str, headers: dict[str, str]) -> bool:
    """True when taken. A service that is away answers 5xx: asked again under the same Idempotency-Key."""
    try:
        answer = api.request("POST", path, json={"body": body}, headers=headers)
    except httpx.TransportError:
        return False
    assert answer.status_code < 500 or answer.status_code in {500, 502, 503, 504}, answer.text
    return answer.is_success


def _tickets(api: Api, scanner_id: str) -> list[dict[str, Any]]:
    try:
        items: list[dict[str, Any]] = api.get("/tickets", scanner_id=scanner_id, limit=200)["items"]
    except (AssertionError, httpx.TransportError):
        return []
    return items


def _is_back(installation: Installation, name: str) -> bool:
    part = installation.part(name)
    return bool(part["restarts"] >= 1 and part["state"] == "running")


def _settled(api: Api, scanner_id: str) -> list[dict[str, Any]]:
    mails = api.all("/mails", scanner_id=scanner_id)
    return mails if len(mails) == MAILS and all(mail["outcome"] for mail in mails) else []


def _check_answers(sink: SmtpSink, commented: dict[int, str], api: Api) -> None:
    """Each comment at least once; more copies only under the Message-ID of the first, as after a kill of the notifier."""
    eventually(lambda: len(_copies(sink)) == len(commented), 120)
    for ticket_id, body in commented.items():
        ids = _copies(sink)[body]
        assert len(set(ids)) == 1, f"ticket {ticket_id} was answered under several Message-IDs"
        assert len(ids) <= 2, f"ticket {ticket_id} was answered {len(ids)} times after one kill of the notifier"
    extra = sum(len(ids) - 1 for ids in _copies(sink).values())
    print(f"{len(commented)} comments, {extra} extra copies after the kill of the notifier")
    eventually(lambda: _all_sent(api, list(commented)), 60)


def _copies(sink: SmtpSink) -> dict[str, list[str]]:
    """First line of the answer's text → Message-IDs of its copies."""
    copies: dict[str, list[str]] = {}
    for accepted in list(sink.accepted):
        body = accepted.message.get_body(("plain",))
        assert body is not None
        copies.setdefault(body.get_content().splitlines()[0], []).append(str(accepted.message["Message-ID"]))
    return copies


def _all_sent(api: Api, ticket_ids: list[int]) -> bool:
    for ticket_id in ticket_ids:
        comments = [m for m in api.all(f"/tickets/{ticket_id}/messages") if m["kind"] == "comment"]
        if [m["delivery"] for m in comments] != ["sent"]:
            return False
    return True
