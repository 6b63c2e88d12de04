"""Changes of a ticket over its API: all fields, who watches, and the history that says who changed what."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from shared.mail.model import Address
from tests.integration.tickets.rig import CREATE, REPLY, Rig, command, mail

pytestmark = pytest.mark.connected
ANNA = "anna@customer.example"


async def patch(rig: Rig, ticket_id: int = 1, code: int = 200, **fields: Any) -> dict[str, Any]:
    answer = await rig.api.patch(f"/tickets/{ticket_id}", json=fields)
    assert answer.status_code == code, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def history(rig: Rig, ticket_id: int = 1, **params: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await rig.get(f"/tickets/{ticket_id}/history", **params))["items"]
    return items


async def a_contact(rig: Rig) -> str:
    async with rig.engine.begin() as conn:
        await conn.execute(text("insert into contacts (id, type, name) values ('c-1', 'lead', 'Carla')"))
    return "c-1"


async def test_all_fields_of_a_manual_ticket_are_kept_and_changed(rig: Rig) -> None:
    contact = await a_contact(rig)
    fields = {
        "priority": "high",
        "category": "Printers",
        "assignee": "Olga@Company.example",
        "tags": ["Toner", "toner"],
        "watchers": ["Dan@x.example", "dan@X.example", "eve@x.example"],
        "external_code": "SAP-Ä 42",
        "contact_id": contact,
    }
    answer = await rig.api.post("/tickets", json={"title": "Toner", "description": "a\x00b", **fields})
    made = answer.json()
    assert (answer.status_code, made["priority"], made["category"], made["assignee"]) == (201, "high", "Printers", "olga@company.example")
    assert (made["tags"], made["watchers"], made["external_code"]) == (["toner"], ["Dan@x.example", "eve@x.example"], "SAP-Ä 42")
    assert made["contact"] == {"id": contact, "type": "lead", "name": "Carla"}
    nothing: dict[str, Any] = {"category": None, "assignee": None, "external_code": None, "contact_id": None}
    changed = await patch(rig, made["id"], **nothing, title=None, tags=None, watchers=None)
    assert {name: changed[name] for name in ("category", "assignee", "external_code", "contact")} == dict.fromkeys(
        ("category", "assignee", "external_code", "contact")
    )
    assert (changed["title"], changed["tags"], changed["watchers"]) == ("Toner", ["toner"], ["Dan@x.example", "eve@x.example"])
    async with rig.engine.connect() as conn:
        assert await conn.scalar(text("select folded_code from tickets where id = 1")) is None


async def test_the_history_says_who_changed_what_newest_first(rig: Rig) -> None:
    one = command()
    await rig.carry_out(one)
    await patch(rig, priority="high", status="closed", watchers=["dan@x.example"])
    await rig.api.patch("/tickets/1", json={"status": "open"}, headers={"X-Actor": "token:robot"})
    await rig.api.post("/tickets/1/comments", json={"body": "On our way."})
    comment, robot, olga, opened = await history(rig)
    assert (opened["actor"], opened["type"], opened["mail_id"]) == ("mail", "created", one.mail_id)
    assert (olga["actor"], olga["type"]) == ("user:olga", "updated")
    assert olga["changes"] == [
        {"field": "status", "before": "open", "after": "closed"},
        {"field": "priority", "before": "normal", "after": "high"},
        {"field": "watchers", "before": [], "after": ["dan@x.example"]},
    ]
    assert (robot["actor"], robot["changes"]) == ("token:robot", [{"field": "status", "before": "closed", "after": "open"}])
    assert (comment["type"], comment["changes"]) == ("commented", [{"field": "status", "before": "open", "after": "waiting"}])
    assert comment["message_id"] == (await rig.messages(1))[-1]["id"]
    first = await rig.get("/tickets/1/history", limit=3)
    rest = await rig.get("/tickets/1/history", limit=3, cursor=first["next"])
    assert [entry["id"] for entry in first["items"] + rest["items"]] == [comment["id"], robot["id"], olga["id"], opened["id"]]
    assert rest["next"] is None
    assert (await rig.api.get("/tickets/9/history")).status_code == 404
    assert (await rig.api.get("/tickets/1/history", params={"cursor": "nonsense"})).status_code == 400


async def test_a_mail_that_changes_a_ticket_and_a_deletion_taken_back_are_in_the_history(rig: Rig) -> None:
    await rig.carry_out(command(mail(message_id="<a@x>")))
    await patch(rig, status="waiting")
    await rig.carry_out(command(mail(in_reply_to=["<a@x>"]), [REPLY, CREATE]))
    await rig.api.delete("/tickets/1")
    await rig.api.post("/tickets/1/restore")
    restored, deleted, mailed, *_ = await history(rig)
    assert ([restored["type"], deleted["type"]], restored["actor"]) == (["restored", "deleted"], "user:olga")
    assert (mailed["actor"], mailed["changes"]) == ("mail", [{"field": "status", "before": "waiting", "after": "open"}])


async def test_a_change_that_changes_nothing_leaves_no_trace(rig: Rig) -> None:
    await rig.api.post("/tickets", json={"title": "Toner", "tags": ["a"], "watchers": ["Dan@x.example"], "external_code": "X"})
    same = {"title": " Toner ", "status": "open", "tags": ["A"], "watchers": ["dan@x.example"], "external_code": "X", "priority": "normal"}
    answer = await rig.api.patch("/tickets/1", json=same, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
    await patch(rig)
    assert len(await history(rig)) == 1
    assert [event["type"] for event in await rig.emitted("ticket.events")] == ["created"]


async def test_each_change_is_told_once_and_raises_the_version_once(rig: Rig) -> None:
    await rig.api.post("/tickets", json={"title": "Toner"})
    await patch(rig, watchers=["dan@x.example"], priority="low")
    assert (await rig.get("/tickets/1"))["version"] == 2
    assert [event["type"] for event in await rig.emitted("ticket.events")] == ["created", "updated"]
    async with rig.engine.connect() as conn:
        assert await conn.scalar(text("select count(*) from search_queue where ticket_id = 1")) == 1
    stale = await rig.api.patch("/tickets/1", json={"watchers": []}, headers={"If-Match": '"1"'})
    assert (stale.status_code, (await rig.get("/tickets/1"))["watchers"]) == (412, ["dan@x.example"])


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"contact_id": "nobody"}, "contact_id"),
        ({"contact_id": "\x00"}, "contact_id"),
        ({"title": " \n "}, "title"),
        ({"priority": "\x00 "}, "priority"),
        ({"watchers": ["no address"]}, "watchers"),
        ({"watchers": ["a\x00@b"]}, "watchers"),
        ({"watchers": [f"p{n}@x.example" for n in range(51)]}, "watchers"),
        ({"watchers": ["a@" + "b" * 400]}, "watchers"),
        ({"external_code": "x" * 201}, "external_code"),
        ({"category": "x" * 201}, "category"),
        ({"tags": ["x"] * 51}, "tags"),
        ({"unknown": 1}, "unknown"),
    ],
)
async def test_what_cannot_be_kept_is_refused_and_named(rig: Rig, fields: dict[str, Any], named: str) -> None:
    await rig.api.post("/tickets", json={"title": "Toner"})
    assert named in (await patch(rig, code=422, **fields))["detail"]
    answer = await rig.api.post("/tickets", json={"title": "Other", **fields})
    assert (answer.status_code, named in answer.json()["detail"]) == (422, True)
    assert len(await rig.tickets()) == 1
    assert len(await history(rig)) == 1


async def test_watchers_get_a_copy_and_whom_an_operator_took_off_does_not(rig: Rig) -> None:
    copied = [Address(address="boss@customer.example"), Address(address="dan@customer.example"), Address(address="help@company.example")]
    await rig.carry_out(command(mail(message_id="<a@x>", cc=copied)))
    assert (await rig.get("/tickets/1"))["watchers"] == ["boss@customer.example", "dan@customer.example"]
    await patch(rig, watchers=["Dan@customer.example", "carla@company.example", "HELP@company.example", ANNA])
    await rig.carry_out(command(mail(in_reply_to=["<a@x>"], cc=copied), [REPLY, CREATE]))
    await rig.api.post("/tickets/1/comments", json={"body": "x"})
    sent = (await rig.emitted("mail.outgoing"))[-1]
    assert [one["address"] for one in sent["to"]] == [ANNA]
    assert sorted(one["address"] for one in sent["cc"]) == ["carla@company.example", "dan@customer.example"]
    await patch(rig, watchers=["boss@customer.example"])
    await rig.api.post("/tickets/1/comments", json={"body": "x"})
    sent = (await rig.emitted("mail.outgoing"))[-1]
    assert [one["address"] for one in sent["cc"]] == ["boss@customer.example"]


async def test_an_answer_has_a_hundred_recipients_at_most(rig: Rig) -> None:
    copied = [Address(address=f"p{n}@customer.example") for n in range(90)]
    await rig.carry_out(command(mail(cc=copied)))
    await patch(rig, watchers=[f"w{n}@company.example" for n in range(50)])
    await rig.api.post("/tickets/1/comments", json={"body": "x"})
    sent = (await rig.emitted("mail.outgoing"))[-1]
    assert len(sent["to"]) + len(sent["cc"]) <= 100


async def test_a_huge_request_is_refused_before_anything_is_looked_at(rig: Rig) -> None:
    answer = await rig.api.post("/tickets", json={"title": "T", "description": "x" * 100_001})
    assert (answer.status_code, "description" in answer.json()["detail"]) == (422, True)
