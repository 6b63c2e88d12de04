"""Mails pinned to a set: what they must become is tried whenever the set is saved."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from rules.settings import RulesSettings
from tests.integration.rules.desk import Desk, mail_bytes, raw_record
from tests.integration.rules.tickets_server import TicketsServer

pytestmark = pytest.mark.connected

EXAMPLES = "/scanners/s/rules/examples"
NINETY_NINE_MORE = """
insert into examples (id, scanner_id, name, raw, subject, sender, expected, author)
select 'e' || n, scanner_id, name, raw, subject, sender, expected, author from examples, generate_series(2, 100) n
"""
ABOUT_SPAM = {"field": "subject", "operator": "contains", "value": "spam"}


@pytest.fixture
def tickets() -> Iterator[TicketsServer]:
    with TicketsServer() as server:
        yield server
        server.released.set()


@pytest.fixture
async def office(desk: Desk, tickets: TicketsServer) -> AsyncIterator[Desk]:
    """A replica beside `desk` that reaches tickets; its mailbox ignores spam and opens tickets of the rest."""
    settings = desk.service.settings
    assert isinstance(settings, RulesSettings)
    made = Desk(settings.model_copy(update={"tickets_url": tickets.url}))
    await made.scanner()
    await made.add_rule("Spam", "ignore", ABOUT_SPAM)
    await made.add_rule("Rest", "create_ticket")
    yield made
    await made.client.aclose()
    await made.service.engine.dispose()


async def pinned(desk: Desk, name: str, **body: Any) -> dict[str, Any]:
    answer = await desk.client.post(EXAMPLES, json={"name": name, **body})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def pasted(desk: Desk, name: str, subject: str, **body: Any) -> dict[str, Any]:
    return await pinned(desk, name, raw=mail_bytes(subject).decode(), **body)


async def rule_id(desk: Desk, name: str) -> str:
    return str(next(rule["id"] for rule in (await desk.rules())["items"] if rule["name"] == name))


async def patch(desk: Desk, name: str, body: dict[str, Any], **params: Any) -> httpx.Response:
    return await desk.client.patch(f"/rules/{await rule_id(desk, name)}", json=body, params=params)


async def last_note(desk: Desk) -> str:
    found = await desk.client.get("/scanners/s/rules/versions")
    return str(found.json()["items"][0]["note"])


async def test_a_pasted_mail_is_pinned_with_what_todays_rules_make_of_it(office: Desk) -> None:
    example = await pasted(office, "A printer", "Printer broken")
    assert example["expected"] == {"outcome": "ticket", "rule_id": await rule_id(office, "Rest")}
    assert (example["rule_name"], example["subject"], example["mail_id"]) == ("Rest", "Printer broken", None)
    assert "anna@customer.example" in example["sender"]
    assert example["author"] == "user:anna@company.example"
    assert (await office.client.get(EXAMPLES)).json()["items"] == [example]


async def test_a_mail_of_the_mailbox_is_pinned_by_its_id(office: Desk) -> None:
    raw = mail_bytes("Cheap spam")
    await office.service.archive.put("s/m", raw)
    await office.mails(raw_record("m", raw))
    example = await pinned(office, "Offers", mail_id="m")
    assert (example["mail_id"], example["subject"], example["expected"]["outcome"]) == ("m", "Cheap spam", "ignored")


async def test_only_a_decided_mail_of_this_mailbox_can_be_pinned(office: Desk) -> None:
    raw = mail_bytes()
    await office.scanner("t")
    await office.service.archive.put("t/m", raw)
    await office.mails(raw_record("m", raw, scanner="t"))
    for mail_id in ("m", "unknown"):
        answer = await office.client.post(EXAMPLES, json={"name": "x", "mail_id": mail_id})
        assert answer.status_code == 404
        assert mail_id in answer.json()["detail"]


async def test_what_is_expected_may_be_said_before_the_rules_do_it(office: Desk, tickets: TicketsServer) -> None:
    await pasted(office, "Newsletter", "News", expected={"outcome": "archived"})
    assert tickets.asked == []
    (result,) = (await office.client.post(f"{EXAMPLES}/check")).json()["items"]
    assert (result["holds"], result["after"]["outcome"]) == (False, "ticket")
    assert result["note"] == "would become ticket by rule 'Rest' instead of archived"
    await office.add_rule("News", "archive", {"field": "subject", "operator": "equals", "value": "News"}, enabled=False)
    ids = [await rule_id(office, name) for name in ("Reply to a known conversation", "News", "Spam", "Rest")]
    await office.client.put("/scanners/s/rules/order", json={"rule_ids": ids})
    assert (await patch(office, "News", {"enabled": True})).status_code == 200
    (result,) = (await office.client.post(f"{EXAMPLES}/check")).json()["items"]
    assert (result["holds"], result["note"]) == (True, "")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "exactly one"),
        ({"raw": "x", "mail_id": "m"}, "exactly one"),
        ({"raw_base64": "%%%"}, "base64"),
        ({"raw": "x" * (1024 * 1024 + 1)}, "1 MiB"),
        ({"raw": "x", "expected": {"outcome": "ticket", "rule_id": "none"}}, "no rule of this mailbox"),
    ],
)
async def test_what_cannot_be_pinned_is_refused_with_the_reason(office: Desk, body: dict[str, Any], words: str) -> None:
    answer = await office.client.post(EXAMPLES, json={"name": "x", **body})
    assert answer.status_code == 422, answer.text
    assert words in answer.text


async def test_the_same_key_pins_one_example(office: Desk) -> None:
    body = {"name": "x", "raw_base64": base64.b64encode(mail_bytes()).decode()}
    answers = await asyncio.gather(*(office.client.post(EXAMPLES, json=body, headers={"Idempotency-Key": "k"}) for _ in range(3)))
    assert {answer.status_code for answer in answers} == {201}
    assert len((await office.client.get(EXAMPLES)).json()["items"]) == 1


async def test_a_mailbox_has_at_most_100_examples(office: Desk) -> None:
    await pasted(office, "first", "x")
    async with office.service.engine.begin() as conn:
        await conn.execute(text(NINETY_NINE_MORE))
    answer = await office.client.post(EXAMPLES, json={"name": "x", "raw": "x"})
    assert (answer.status_code, answer.json()["title"]) == (409, "Too many examples")
    assert len((await office.client.post(f"{EXAMPLES}/check")).json()["items"]) == 100
    assert (await office.client.delete(f"{EXAMPLES}/e2")).status_code == 204
    assert (await office.client.delete(f"{EXAMPLES}/e2")).status_code == 404
    await pasted(office, "again", "x")


async def test_large_examples_are_tried_some_at_a_time_and_each_gets_its_own_result(office: Desk, tickets: TicketsServer) -> None:
    for number in range(6):
        raw = mail_bytes("spam" if number % 2 else "Lamp").decode() + "x" * 1_000_000
        await pinned(office, f"e{number}", raw=raw, expected={"outcome": "ignored" if number % 2 else "ticket"})
    results = (await office.client.post(f"{EXAMPLES}/check")).json()["items"]
    assert [(one["example"]["name"], one["holds"]) for one in results] == [(f"e{number}", True) for number in range(6)]
    assert len(tickets.asked) == 2


async def test_saving_what_breaks_an_example_says_which_and_saves_only_when_told_to(office: Desk) -> None:
    await pasted(office, "Offers", "spam")
    await pasted(office, "A printer", "Printer")
    answer = await patch(office, "Spam", {"action": {"type": "archive"}})
    assert (answer.status_code, answer.json()["title"]) == (409, "An example would break")
    assert answer.json()["detail"].startswith("The example 'Offers' would become archived by rule 'Spam' instead of ignored by rule 'Spam'")
    (broken,) = answer.json()["broken"]
    assert (broken["example"]["name"], broken["holds"], broken["after"]["outcome"]) == ("Offers", False, "archived")
    assert (await office.rules())["version"] == 3
    answer = await patch(office, "Spam", {"action": {"type": "archive"}}, accept_broken=True)
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"4"')
    assert await last_note(office) == "Rule 'Spam' changed: action; breaks the example 'Offers'"


async def test_every_saving_call_tries_the_examples(office: Desk) -> None:
    await patch(office, "Rest", {"enabled": False})
    await patch(office, "Rest", {"enabled": True})
    await pasted(office, "A printer", "Printer")
    rest = await rule_id(office, "Rest")
    file = {"rules": [{"name": "All", "action": {"type": "ignore"}}]}
    ids = [rule["id"] for rule in (await office.rules())["items"]]
    call = office.client.request
    first = {"name": "First", "action": {"type": "ignore"}}
    answers = [
        await call("PATCH", f"/rules/{rest}", json={"enabled": False}),
        await call("DELETE", f"/rules/{rest}"),
        await call("POST", "/scanners/s/rules/versions/4/restore"),
        await call("POST", "/scanners/s/rules/import", json={"mode": "replace", "file": file}),
    ]
    assert [answer.status_code for answer in answers] == [409] * 4
    assert {answer.json()["broken"][0]["example"]["name"] for answer in answers} == {"A printer"}
    assert "a rule that is not in the set any more" in answers[1].json()["detail"]
    assert (await office.rules())["version"] == 5
    added = await call("POST", "/scanners/s/rules", json=first)
    assert added.status_code == 201, "it is the last, behind a rule that always takes"
    ids.insert(0, added.json()["id"])
    assert (await call("PUT", "/scanners/s/rules/order", json={"rule_ids": ids})).status_code == 409
    for method, path, body in (
        ("PUT", "/scanners/s/rules/order", {"rule_ids": ids}),
        ("POST", "/scanners/s/rules/versions/4/restore", None),
        ("POST", "/scanners/s/rules/import", {"mode": "replace", "file": file}),
    ):
        answer = await call(method, path, json=body, params={"accept_broken": True})
        assert answer.status_code == 200, answer.text
        assert "breaks the example 'A printer'" in await last_note(office)


async def test_without_examples_tickets_is_never_asked(office: Desk, tickets: TicketsServer) -> None:
    await patch(office, "Spam", {"action": {"type": "archive"}})
    assert tickets.asked == []


async def test_what_changes_no_mails_result_needs_no_trial(office: Desk, tickets: TicketsServer) -> None:
    await pasted(office, "A printer", "Printer")
    tickets.behaviour.asked.clear()
    await patch(office, "Rest", {"name": "All others"})
    assert (await office.client.post(f"/rules/{await rule_id(office, 'Spam')}/duplicate")).status_code == 201
    assert tickets.asked == []
    assert (await office.client.get(EXAMPLES)).json()["items"][0]["rule_name"] == "All others"


async def test_with_tickets_away_rules_are_saved_only_when_told_to(desk: Desk, office: Desk) -> None:
    """`desk` reaches no tickets."""
    await pasted(office, "A printer", "Printer")
    answer = await patch(desk, "Spam", {"action": {"type": "archive"}})
    assert answer.status_code == 409
    assert answer.json()["broken"][0]["after"] is None
    told = answer.json()["detail"]
    assert told.startswith("The examples of these rules could not be tried: tickets does not answer")
    assert told.endswith("Try again in a while, or save all the same with accept_broken=true.")
    assert (await patch(desk, "Spam", {"action": {"type": "archive"}}, accept_broken=True)).status_code == 200
    assert await last_note(desk) == "Rule 'Spam' changed: action; could not try the example 'A printer'"
    unknown = await desk.client.post(EXAMPLES, json={"name": "x", "raw": "x"})
    assert (unknown.status_code, unknown.json()["title"]) == (409, "The mail could not be tried")


async def test_a_mail_tried_with_rules_that_are_no_longer_todays_is_not_pinned(office: Desk, desk: Desk, tickets: TicketsServer) -> None:
    _meanwhile(tickets, _renaming(desk), iter(["x"]))
    answer = await office.client.post(EXAMPLES, json={"name": "x", "raw": "x"})
    assert (answer.status_code, answer.json()["title"]) == (409, "Changed meanwhile")
    await pasted(office, "x", "x")


async def test_an_archived_mail_that_is_gone_is_said_so(office: Desk) -> None:
    raw = mail_bytes()
    await office.service.archive.put("s/m", raw)
    await office.mails(raw_record("m", raw))
    await pinned(office, "Gone", mail_id="m")
    async with office.service.engine.begin() as conn:
        await conn.execute(text("update decisions set archive_key = 's/nowhere'"))
    (result,) = (await office.client.post(f"{EXAMPLES}/check")).json()["items"]
    assert (result["after"], result["holds"]) == (None, False)
    assert result["note"].startswith("could not be tried: the archive has no such mail any more")


async def test_a_set_that_changed_while_its_examples_were_tried_is_tried_again(office: Desk, desk: Desk, tickets: TicketsServer) -> None:
    await pasted(office, "A printer", "Printer")
    tickets.behaviour.asked.clear()
    _meanwhile(tickets, _renaming(desk), iter(["x"]))
    answer = await patch(office, "Spam", {"action": {"type": "archive"}})
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"5"')
    assert [rule["name"] for rule in (await office.rules())["items"]][1:] == ["Spam", "x"]
    assert len(tickets.asked) == 2


async def test_a_set_that_never_stands_still_is_not_saved(office: Desk, desk: Desk, tickets: TicketsServer) -> None:
    await pasted(office, "A printer", "Printer")
    tickets.behaviour.asked.clear()
    _meanwhile(tickets, _renaming(desk), iter(str(number) for number in range(9)))
    answer = await patch(office, "Spam", {"action": {"type": "archive"}})
    assert (answer.status_code, answer.json()["title"]) == (409, "Changed meanwhile")
    assert len(tickets.asked) == 3


async def test_an_example_pinned_while_others_were_tried_is_not_missed(office: Desk, desk: Desk, tickets: TicketsServer) -> None:
    await pasted(office, "A printer", "Printer")
    body = {"name": "Offers", "raw": mail_bytes("spam").decode(), "expected": {"outcome": "ignored"}}

    async def pin(_: str) -> None:
        assert (await desk.client.post(EXAMPLES, json=body)).status_code == 201

    _meanwhile(tickets, pin, iter(["once"]))
    answer = await patch(office, "Spam", {"action": {"type": "archive"}})
    assert answer.status_code == 409
    assert [one["example"]["name"] for one in answer.json()["broken"]] == ["Offers"]


def _meanwhile(tickets: TicketsServer, act: Callable[[str], Coroutine[Any, Any, None]], names: Iterator[str]) -> None:
    """Each time tickets is asked, somebody acts before it answers, with the next of the names."""
    loop = asyncio.get_running_loop()

    def meanwhile() -> None:
        name = next(names, None)
        if name is not None:
            asyncio.run_coroutine_threadsafe(act(name), loop).result(20)

    tickets.behaviour.meanwhile = meanwhile


def _renaming(desk: Desk) -> Callable[[str], Coroutine[Any, Any, None]]:
    """Renames the last rule, which needs no trial."""

    async def rename(name: str) -> None:
        last = (await desk.rules())["items"][-1]["id"]
        assert (await desk.client.patch(f"/rules/{last}", json={"name": name})).status_code == 200

    return rename
