"""Spam: marking tickets, one or hundreds; what may be listed; the list."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from shared.events import CommandMail
from tests.integration.tickets.rig import REPLY, Rig, command, mail
from tests.integration.tickets.spamming import mark, rows_of

pytestmark = pytest.mark.connected
ANNA = "anna@customer.example"


async def refused(rig: Rig, *numbers: int, listing: str = "address") -> httpx.Response:
    answer = await rig.api.post("/tickets/spam", json={"ticket_ids": list(numbers), "listing": listing})
    assert answer.status_code in {404, 409}, answer.text
    return answer


async def list_sender(rig: Rig, address: str) -> httpx.Response:
    return await rig.api.post("/spam-senders", json={"address": address})


async def entries(rig: Rig, **params: Any) -> list[str]:
    return [entry["address"] for entry in (await rig.get("/spam-senders", **params))["items"]]


async def comment(rig: Rig, ticket_id: int) -> dict[str, Any]:
    answer = await rig.api.post(f"/tickets/{ticket_id}/comments", json={"body": "We are on our way."})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_marking_as_spam_stops_the_senders_next_mail(rig: Rig) -> None:
    first, other = command(), command(mail("bob@customer.example"))
    await rig.carry_out(first, other)
    made = await comment(rig, 1)
    job = await mark(rig, 1)
    assert (job["state"], job["done"], job["total"]) == ("done", 1, 1)
    assert job["result"] == {"spammed": 1, "skipped": [], "addresses": [ANNA]}
    assert [ticket["id"] for ticket in await rig.tickets()] == [2]
    outcome = await rig.outcome(first.mail_id)
    assert (outcome["type"], outcome["revision"]) == ("spam", 2)
    cancel = (await rig.emitted("mail.outgoing"))[-1]
    assert (cancel["type"], cancel["outgoing_id"]) == ("cancel", made["id"])
    again = command(mail("Anna@CUSTOMER.example"))
    await rig.carry_out(again, command(mail("bob@customer.example")))
    assert (await rig.outcome(again.mail_id))["type"] == "spam"
    assert [ticket["id"] for ticket in await rig.tickets()] == [3, 2]
    (entry,) = (await rig.get("/spam-senders"))["items"]
    assert (entry["address"], entry["kind"], entry["created_by"], entry["hits"]) == (ANNA, "address", "user:olga", 1)
    assert entry["last_hit_at"] is not None


async def test_marking_and_restoring_stand_in_the_history_and_are_told(rig: Rig) -> None:
    await rig.carry_out(command())
    await mark(rig, 1)
    assert (await rig.api.post("/tickets/1/restore")).status_code == 200
    told = [(event["type"], event["actor"]) for event in await rig.emitted("ticket.events")]
    assert told[-2:] == [("spammed", "user:olga"), ("restored", "user:olga")]
    entries = [(row.type, row.actor) for row in await rows_of(rig, "select type, actor from ticket_changes order by id")]
    assert entries[-2:] == [("spammed", "user:olga"), ("restored", "user:olga")]


async def test_a_domain_stops_all_below_it_and_nobody_beside_it(rig: Rig) -> None:
    await rig.carry_out(command(mail("offers@Shop.example")))
    job = await mark(rig, 1, listing="domain")
    assert job["result"]["addresses"] == ["@shop.example"]
    below, beside = command(mail("news@mail.shop.example")), command(mail("anna@workshop.example"))
    await rig.carry_out(below, beside)
    assert [(await rig.outcome(one.mail_id))["type"] for one in (below, beside)] == ["spam", "ticket"]
    (entry,) = (await rig.get("/spam-senders"))["items"]
    assert (entry["kind"], entry["hits"]) == ("domain", 1)


@pytest.mark.parametrize("written", ["bücher.example", "@BÜCHER.example", "xn--bcher-kva.example"])
async def test_a_domain_with_umlauts_is_one_entry_however_it_is_written(rig: Rig, written: str) -> None:
    made = await list_sender(rig, written)
    assert (made.status_code, made.json()["address"], made.json()["kind"]) == (201, "@xn--bcher-kva.example", "domain")
    mails = [command(mail("shop@bücher.example")), command(mail("shop@xn--bcher-kva.example"))]
    await rig.carry_out(*mails)
    assert [(await rig.outcome(one.mail_id))["type"] for one in mails] == ["spam", "spam"]


async def test_marking_without_listing_stops_nobody(rig: Rig) -> None:
    await rig.carry_out(command())
    job = await mark(rig, 1, listing="none")
    assert job["result"] == {"spammed": 1, "skipped": [], "addresses": []}
    again = command()
    await rig.carry_out(again)
    assert (await rig.outcome(again.mail_id))["type"] == "ticket"
    assert await entries(rig) == []


async def test_what_is_no_entry_is_refused_with_words_that_help(rig: Rig) -> None:
    for written, status, said in [
        ("shop", 422, "@shop.example"),
        ("@example", 422, "@shop.example"),
        ("[192.0.2.1]", 422, "@shop.example"),
        ("co.uk", 409, "everybody below co.uk"),
        ("@gmail.com", 409, "List the address instead"),
        ("Libero.it", 409, "List the address instead"),
        ("yahoo.co.uk", 409, "List the address instead"),
    ]:
        answer = await list_sender(rig, written)
        assert (answer.status_code, said in answer.json()["detail"]) == (status, True), (written, answer.text)
    assert (await list_sender(rig, "winner@gmail.com")).status_code == 201


async def test_a_public_providers_domain_is_not_listed_by_a_tickets_sender(rig: Rig) -> None:
    await rig.carry_out(command(), command(mail("winner@gmail.com")))
    answer = await refused(rig, 1, 2, listing="domain")
    assert (answer.json()["ticket_ids"], "List the address instead" in answer.json()["detail"]) == ([2], True)
    assert len(await rig.tickets()) == 2
    assert (await mark(rig, 2))["result"]["addresses"] == ["winner@gmail.com"]


async def test_manual_and_unknown_tickets_are_refused_and_nothing_is_done(rig: Rig) -> None:
    await rig.carry_out(command())
    manual = (await rig.api.post("/tickets", json={"title": "Toner"})).json()["id"]
    for numbers, status, named in [([1, manual], 409, manual), ([1, 77], 404, 77)]:
        answer = await refused(rig, *numbers)
        assert (answer.status_code, answer.json()["ticket_ids"]) == (status, [named])
        assert str(named) in answer.json()["detail"]
    assert len(await rig.tickets()) == 2
    assert await entries(rig) == []


async def test_own_mailboxes_and_their_colleagues_are_never_listed(rig: Rig) -> None:
    await rig.add_scanner("s2", "Sales@company.example")
    await rig.add_scanner("s3", "office@libero.it")
    await rig.carry_out(command(), command(mail("sales@company.example")), command(mail("carl@company.example")))
    for listing in ("address", "domain"):
        assert (await refused(rig, 1, 2, listing=listing)).json()["title"] == "A mailbox of your own"
    assert (await refused(rig, 1, 3)).json()["title"] == "One of your own people"
    for written, title in [
        ("SALES@company.example", "A mailbox of your own"),
        ("@company.example", "A mailbox of your own"),
        ("carl@it.company.example", "One of your own people"),
        ("office@libero.it", "A mailbox of your own"),
    ]:
        answer = await list_sender(rig, written)
        assert (answer.status_code, answer.json()["title"]) == (409, title)
    assert (await list_sender(rig, "stranger@libero.it")).status_code == 201
    assert len(await rig.tickets()) == 3


HOW_ONE_IS_KNOWN: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "a change": ("user:Olga@agency.example", "PATCH", "", {"priority": "high"}),
    "a comment": ("user:Olga@agency.example", "POST", "/comments", {"body": "x", "internal": True}),
    "being assigned": ("user:carl@company.example", "PATCH", "", {"assignee": "Olga@agency.example"}),
}


@pytest.mark.parametrize("known_by", list(HOW_ONE_IS_KNOWN))
async def test_whoever_works_here_is_never_listed(rig: Rig, known_by: str) -> None:
    await rig.carry_out(command(), command(mail("olga@agency.example")))
    actor, verb, path, body = HOW_ONE_IS_KNOWN[known_by]
    answer = await rig.api.request(verb, f"/tickets/1{path}", json=body, headers={"X-Actor": actor})
    assert answer.is_success, answer.text
    answer = await refused(rig, 1, 2)
    assert (answer.json()["title"], answer.json()["ticket_ids"]) == ("One of your own people", [2])
    assert (await refused(rig, 1, 2, listing="domain")).json()["ticket_ids"] == [2]
    for written in ("olga@agency.example", "agency.example"):
        assert (await list_sender(rig, written)).json()["title"] == "One of your own people"
    assert len(await rig.tickets()) == 2
    await mark(rig, 2, listing="none")
    assert [ticket["id"] for ticket in await rig.tickets()] == [1]


async def test_a_forged_colleague_among_hundreds_is_named_and_nothing_is_done(rig: Rig) -> None:
    await rig.carry_out(*(command(mail(f"s{number}@spam.example")) for number in range(199)), command(mail("boss@company.example")))
    answer = await refused(rig, *range(1, 201))
    assert answer.json()["ticket_ids"] == [200]
    assert "Ticket 200:" in answer.json()["detail"]
    assert (await rig.get("/tickets", limit=1))["next"] is not None
    assert await rows_of(rig, "select 1 from tickets where deleted_at is not null") == []


async def test_a_merged_ticket_is_refused_and_the_one_it_went_to_takes_its_mails_along(rig: Rig) -> None:
    first, second = command(), command(mail("bob@customer.example"))
    await rig.carry_out(first, second)
    merged = await rig.api.post("/tickets/1/merge", json={"into": 2})
    assert merged.status_code == 200, merged.text
    answer = await refused(rig, 1)
    assert (answer.json()["title"], "ticket 2" in answer.json()["detail"]) == ("Merged into another", True)
    await mark(rig, 2)
    assert [(await rig.outcome(one.mail_id))["type"] for one in (first, second)] == ["spam", "spam"]
    assert (await rig.api.post("/tickets/2/restore")).status_code == 200
    assert [(await rig.outcome(one.mail_id))["type"] for one in (first, second)] == ["ticket", "ticket"]


async def test_an_answer_to_a_deleted_ticket_is_not_cancelled_twice_and_a_deleted_ticket_stays_as_it_is(rig: Rig) -> None:
    await rig.carry_out(command(), command(mail("bob@customer.example")))
    await rig.api.delete("/tickets/1")
    job = await mark(rig, 1, 2)
    assert job["result"] == {"spammed": 1, "skipped": [1], "addresses": ["bob@customer.example"]}
    assert (await mark(rig, 2))["result"] == {"spammed": 0, "skipped": [2], "addresses": []}


async def test_marking_goes_on_where_a_crash_stopped_it(rig: Rig, other_replica: Rig) -> None:
    await rig.carry_out(*(command(mail(f"s{number}@spam.example")) for number in range(120)))
    numbers = list(range(1, 121))
    answer = await rig.api.post("/tickets/spam", json={"ticket_ids": numbers}, headers={"Idempotency-Key": "k"})
    again = await rig.api.post("/tickets/spam", json={"ticket_ids": numbers}, headers={"Idempotency-Key": "k"})
    assert answer.json()["id"] == again.json()["id"]
    await rig.jobs._step()
    job = await rig.get(f"/jobs/{answer.json()['id']}")
    assert (job["state"], 0 < job["done"] < 120) == ("running", True)
    await other_replica.run_jobs()
    job = await rig.get(f"/jobs/{answer.json()['id']}")
    assert (job["state"], job["done"], job["result"]["spammed"]) == ("done", 120, 120)
    assert len(await entries(rig, limit=200)) == 120


async def test_mails_and_markings_of_one_sender_at_once_leave_no_mail_behind(rig: Rig, other_replica: Rig) -> None:
    """Whatever comes first: no mail of the sender is on an open ticket at the end, unless it was carried out before the marking."""

    def content(number: int) -> CommandMail:
        return mail(f"s{number}@deep.shop.example")

    await rig.carry_out(*(command(content(number)) for number in range(20)))
    asked = await rig.api.post("/tickets/spam", json={"ticket_ids": list(range(1, 21)), "listing": "domain"})
    assert asked.status_code == 202
    late = [command(content(number)) for number in range(40)]
    await asyncio.gather(other_replica.run_jobs(), *(rig.carry_out(*late[first : first + 5]) for first in range(0, 40, 5)))
    after = command(content(1))
    await rig.carry_out(after)
    assert (await rig.outcome(after.mail_id))["type"] == "spam"
    assert {(await rig.outcome(one.mail_id))["type"] for one in late} <= {"spam", "ticket"}
    job = await rig.get(f"/jobs/{asked.json()['id']}")
    assert (job["state"], job["result"]["spammed"]) == ("done", 20)


async def test_the_list_is_searched_and_paged(rig: Rig) -> None:
    for written in ("eve@evil.example", "@shop.example", "EVA@evil.example", "100%@odd.example"):
        assert (await list_sender(rig, written)).status_code == 201
    assert await entries(rig) == ["100%@odd.example", "EVA@evil.example", "@shop.example", "eve@evil.example"]
    assert await entries(rig, q="EV") == ["EVA@evil.example", "eve@evil.example"]
    assert await entries(rig, q="%") == ["100%@odd.example"]
    page = await rig.get("/spam-senders", limit=1, q="evil")
    assert await entries(rig, limit=1, q="evil", cursor=page["next"]) == ["eve@evil.example"]


async def test_an_address_is_listed_once(rig: Rig) -> None:
    first, again = await list_sender(rig, "Eve@evil.example"), await list_sender(rig, "eve@EVIL.example")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]


async def test_a_listed_sender_cannot_join_his_old_conversation(rig: Rig) -> None:
    await rig.carry_out(command(mail(message_id="<q@x>")))
    await list_sender(rig, "customer.example")
    reply = command(mail(in_reply_to=["<q@x>"]), [REPLY])
    await rig.carry_out(reply)
    assert (await rig.outcome(reply.mail_id))["type"] == "spam"
    assert len(await rig.messages(1)) == 1
