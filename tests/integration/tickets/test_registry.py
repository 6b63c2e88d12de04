"""Contacts, accounts and leads by the API, and what becomes of their senders' tickets."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from tests.integration.tickets.rig import Rig, command, mail
from tickets.adapters.change_log import list_changes
from tickets.adapters.tables import mails

pytestmark = pytest.mark.connected

ANNA = "anna@customer.example"


async def make(rig: Rig, path: str = "/contacts", **fields: Any) -> dict[str, Any]:
    answer = await rig.api.post(path, json={"name": "Anna Keller", **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def contact_of(rig: Rig, ticket_id: int) -> str | None:
    contact = (await rig.get(f"/tickets/{ticket_id}"))["contact"]
    return contact["id"] if contact else None


async def names(rig: Rig, path: str = "/contacts", **params: Any) -> list[str]:
    return [item["name"] for item in (await rig.get(path, **params))["items"]]


async def history(rig: Rig, ticket_id: int) -> list[dict[str, Any]]:
    """What people did to the ticket, the oldest first."""
    async with rig.engine.connect() as conn:
        rows = await list_changes(conn, ticket_id, None, 50)
    return [{"actor": row.actor, "type": row.type, "changes": row.changes} for row in reversed(rows) if row.actor != "mail"]


@pytest.mark.parametrize(
    ("path", "own"), [("/contacts", {}), ("/accounts", {"website": "https://a.example"}), ("/leads", {"company": "A & Co"})]
)
async def test_a_record_is_made_read_changed_and_deleted(rig: Rig, path: str, own: dict[str, str]) -> None:
    made = await make(rig, path, addresses=[ANNA, "a.k@customer.example"], phone="+39 02 1234", note="Rings twice.", **own)
    assert made["type"] == path[1:-1]
    assert await rig.get(f"{path}/{made['id']}") == made
    assert {name: made[name] for name in own} == own
    changed = await rig.api.patch(f"{path}/{made['id']}", json={"name": "Anna K.", "phone": None}, headers={"If-Match": '"1"'})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["name"], changed.json()["phone"], changed.headers["ETag"]) == ("Anna K.", None, '"2"')
    assert changed.json()["addresses"] == [ANNA, "a.k@customer.example"]
    assert (await rig.api.delete(f"{path}/{made['id']}", headers={"If-Match": '"1"'})).status_code == 412
    assert (await rig.api.delete(f"{path}/{made['id']}", headers={"If-Match": '"2"'})).status_code == 204
    assert (await rig.api.get(f"{path}/{made['id']}")).status_code == 404


async def test_a_record_is_found_under_its_own_sort_only(rig: Rig) -> None:
    made = await make(rig, "/accounts")
    assert (await rig.api.get(f"/contacts/{made['id']}")).status_code == 404
    assert await names(rig, "/contacts") == []


async def test_the_same_idempotency_key_makes_one_record(rig: Rig) -> None:
    headers = {"Idempotency-Key": "once"}
    answers = [await rig.api.post("/leads", json={"name": "Bo", "addresses": [ANNA]}, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert await names(rig, "/leads") == ["Bo"]


@pytest.mark.parametrize(("path", "field"), [("/contacts", "website"), ("/accounts", "company"), ("/leads", "account_id")])
async def test_a_field_the_sort_does_not_have_is_refused(rig: Rig, path: str, field: str) -> None:
    made = await make(rig, path)
    for answer in (
        await rig.api.post(path, json={"name": "Bo", field: "x"}),
        await rig.api.patch(f"{path}/{made['id']}", json={field: "x"}),
    ):
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == field


async def test_a_contact_belongs_to_an_account_there_is(rig: Rig) -> None:
    account = await make(rig, "/accounts", name="Customer Ltd")
    lead = await make(rig, "/leads")
    assert (await rig.api.post("/contacts", json={"name": "Bo", "account_id": lead["id"]})).status_code == 422
    contact = await make(rig, account_id=account["id"])
    assert await names(rig, account_id=account["id"]) == ["Anna Keller"]
    await rig.api.delete(f"/accounts/{account['id']}")
    assert (await rig.get(f"/contacts/{contact['id']}"))["account_id"] is None


async def test_an_address_belongs_to_one_record_of_each_sort(rig: Rig) -> None:
    contact = await make(rig, addresses=["Anna+shop@Gmail.com"])
    await make(rig, "/leads", addresses=["anna@gmail.com"])
    taken = await rig.api.post("/contacts", json={"name": "Bo", "addresses": ["anna@googlemail.com"]})
    assert taken.status_code == 409
    assert taken.json()["record_id"] == contact["id"]
    assert "Anna Keller" in taken.json()["detail"]
    assert [item["id"] for item in (await rig.get("/contacts", address="ANNA+other@gmail.com"))["items"]] == [contact["id"]]


async def test_the_search_knows_names_addresses_and_companies_without_case_and_accents(rig: Rig) -> None:
    await make(rig, "/leads", name="Jürgen Großmann", company="Électricité 100%", addresses=["juergen@strom.example"])
    await make(rig, "/leads", name="Bo Ek")
    for words in ("GROSSMANN", "jurgen", "electricite", "strom.example", "Jürgen ELEC", "100%"):
        assert await names(rig, "/leads", q=words) == ["Jürgen Großmann"], words
    assert await names(rig, "/leads", q="grossmann bo") == []
    assert await names(rig, "/leads", q="B_") == []
    answer = await rig.api.get("/leads", params={"q": "\x00"})
    assert len(answer.json()["items"]) == 2


async def test_a_list_goes_on_where_its_page_ended(rig: Rig) -> None:
    for number in range(5):
        await make(rig, name=f"Contact {number}")
    found: list[str] = []
    cursor: str | None = None
    while cursor is not None or not found:
        page = await rig.get("/contacts", limit=2, q="contact", **({"cursor": cursor} if cursor else {}))
        found += [item["name"] for item in page["items"]]
        cursor = page["next"]
    assert found == [f"Contact {number}" for number in range(5)]


async def test_a_senders_tickets_are_connected_to_the_strongest_record(rig: Rig) -> None:
    await rig.carry_out(command(mail("anna+shop@gmail.com")))
    lead = await make(rig, "/leads", addresses=["anna@gmail.com"])
    assert await contact_of(rig, 1) == lead["id"]
    account = await make(rig, "/accounts", addresses=["anna@gmail.com"])
    assert await contact_of(rig, 1) == account["id"]
    contact = await make(rig)
    await rig.api.patch(f"/contacts/{contact['id']}", json={"addresses": ["anna@googlemail.com"]})
    assert await contact_of(rig, 1) == contact["id"]
    assert [change["changes"][0]["after"] for change in await history(rig, 1)] == [lead["id"], account["id"], contact["id"]]


async def test_a_weaker_record_takes_no_ticket_from_a_stronger(rig: Rig) -> None:
    await rig.carry_out(command(mail(ANNA)), command(mail("other@customer.example")))
    contact = await make(rig, addresses=[ANNA])
    await make(rig, "/accounts", addresses=[ANNA])
    assert await contact_of(rig, 1) == contact["id"]
    assert await contact_of(rig, 2) is None


async def test_a_deleted_records_tickets_go_to_the_next_that_has_the_address(rig: Rig) -> None:
    await rig.carry_out(command(mail(ANNA)), command(mail("two@customer.example")))
    lead = await make(rig, "/leads", addresses=[ANNA])
    contact = await make(rig, addresses=[ANNA, "two@customer.example"])
    assert (await rig.api.delete(f"/contacts/{contact['id']}")).status_code == 204
    assert await contact_of(rig, 1) == lead["id"]
    assert await contact_of(rig, 2) is None
    assert (await history(rig, 2))[-1] == {
        "actor": "user:olga",
        "type": "updated",
        "changes": [{"field": "contact_id", "before": contact["id"], "after": None}],
    }
    events = [event for event in await rig.emitted("ticket.events") if event["ticket_id"] == 2]
    assert [event["type"] for event in events] == ["created", "updated", "updated"]
    assert len({event["ce_id"] for event in events}) == 3


async def test_more_tickets_than_a_transaction_connects_go_on_as_a_job(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickets.registry.connecting.AT_ONCE", 2)
    await rig.carry_out(*(command(mail(ANNA)) for _ in range(5)))
    contact = await make(rig, addresses=[ANNA])
    assert [await contact_of(rig, number) for number in (1, 2, 3)] == [contact["id"], contact["id"], None]
    await rig.run_jobs()
    assert await contact_of(rig, 5) == contact["id"]


async def test_doubles_become_one(rig: Rig) -> None:
    account = await make(rig, "/accounts", name="Customer Ltd")
    kept = await make(rig, addresses=[ANNA], note="Kept.")
    first = await make(rig, name="A. Keller", addresses=["a@customer.example"], phone="1", note="First.")
    second = await make(rig, name="Keller", addresses=["k@customer.example"], phone="2", account_id=account["id"], note="Kept.")
    await rig.carry_out(command(mail("a@customer.example")), command(mail("k@customer.example")))
    answer = await rig.api.post(f"/contacts/{kept['id']}/merge", json={"ids": [first["id"], second["id"]]}, headers={"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    merged = answer.json()
    assert merged["addresses"] == [ANNA, "a@customer.example", "k@customer.example"]
    assert (merged["name"], merged["phone"], merged["account_id"]) == ("Anna Keller", "1", account["id"])
    assert merged["note"] == "Kept.\n\nFirst."
    assert [await contact_of(rig, number) for number in (1, 2)] == [kept["id"], kept["id"]]
    assert (await history(rig, 1))[-1]["changes"] == [{"field": "contact_id", "before": first["id"], "after": kept["id"]}]
    assert await names(rig) == ["Anna Keller"]
    assert await names(rig, q="k@customer") == ["Anna Keller"]
    assert {mail["ticket_id"] for mail in (await rig.get(f"/contacts/{kept['id']}/mails"))["items"]} == {1, 2}


async def test_merged_accounts_keep_their_contacts(rig: Rig) -> None:
    kept, other = await make(rig, "/accounts", name="A"), await make(rig, "/accounts", name="B")
    contact = await make(rig, account_id=other["id"])
    await rig.api.post(f"/accounts/{kept['id']}/merge", json={"ids": [other["id"]]})
    assert (await rig.get(f"/contacts/{contact['id']}"))["account_id"] == kept["id"]


async def test_what_cannot_be_merged_stays(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, other = await make(rig, addresses=[ANNA]), await make(rig, addresses=["b@customer.example"])
    lead = await make(rig, "/leads")
    path = f"/contacts/{kept['id']}/merge"
    assert (await rig.api.post(path, json={"ids": [kept["id"]]})).status_code == 422
    assert (await rig.api.post(path, json={"ids": [lead["id"]]})).status_code == 404
    assert (await rig.api.post(path, json={"ids": [other["id"]]}, headers={"If-Match": '"9"'})).status_code == 412
    await rig.carry_out(*(command(mail("b@customer.example")) for _ in range(2)))
    monkeypatch.setattr("tickets.registry.records.MAX_MOVED", 1)
    refused = await rig.api.post(path, json={"ids": [other["id"]]})
    assert (refused.status_code, refused.json()["title"]) == (409, "Too many tickets")
    assert (await rig.api.delete(f"/contacts/{other['id']}")).status_code == 409
    assert await names(rig) == ["Anna Keller", "Anna Keller"]


async def test_a_merge_of_many_tickets_takes_bounded_steps(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tickets.registry.merging.AT_ONCE", 2)
    kept, other = await make(rig, addresses=[ANNA]), await make(rig, addresses=["b@customer.example"])
    await rig.carry_out(*(command(mail("b@customer.example")) for _ in range(5)))
    answer = await rig.api.post(f"/contacts/{kept['id']}/merge", json={"ids": [other["id"]]}, headers={"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    assert [await contact_of(rig, number) for number in range(1, 6)] == [kept["id"]] * 5


async def test_a_records_mails_are_those_filed_with_it_and_those_of_its_tickets(rig: Rig) -> None:
    contact = await make(rig, addresses=[ANNA])
    on_ticket, filed, foreign = command(mail(ANNA)), command(mail("x@customer.example")), command(mail("y@customer.example"))
    await rig.carry_out(on_ticket, filed, foreign)
    async with rig.engine.begin() as conn:
        row = {"record_id": contact["id"], "ticket_id": None, "type": "link"}
        await conn.execute(update(mails).where(mails.c.mail_id == filed.mail_id).values(row))
    first = await rig.get(f"/contacts/{contact['id']}/mails", limit=1)
    assert [(item["mail_id"], item["ticket_id"]) for item in first["items"]] == [(filed.mail_id, None)]
    second = await rig.get(f"/contacts/{contact['id']}/mails", limit=1, cursor=first["next"])
    assert [(item["mail_id"], item["ticket_id"]) for item in second["items"]] == [(on_ticket.mail_id, 1)]
    assert second["next"] is None
    assert (await rig.api.get("/contacts/nobody/mails")).status_code == 404
