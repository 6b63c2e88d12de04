"""Taking an entry off the spam list: what it removed comes back, what it held is run after all."""

from __future__ import annotations

import pytest

from shared.events import TicketCommand
from tests.integration.tickets.rig import CREATE, REPLY, Rig, command, mail
from tests.integration.tickets.spamming import mark, rows_of, take_off

pytestmark = pytest.mark.connected
SHOP = "offers@shop.example"


async def listed(rig: Rig, address: str) -> str:
    answer = await rig.api.post("/spam-senders", json={"address": address})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def types(rig: Rig, *commands: TicketCommand) -> list[str]:
    return [(await rig.outcome(one.mail_id))["type"] for one in commands]


async def carry_out_after_all(rig: Rig, *commands: TicketCommand) -> None:
    """As the fetcher and the rules do with released mails: the same command comes again, marked as asked for."""
    await rig.carry_out(*commands, resend=1)


async def test_without_restore_the_entry_goes_and_nothing_comes_back(rig: Rig) -> None:
    await rig.carry_out(command(mail(SHOP)))
    await mark(rig, 1)
    (entry,) = (await rig.get("/spam-senders"))["items"]
    assert (await rig.api.delete(f"/spam-senders/{entry['id']}")).status_code == 204
    assert (await rig.get("/spam-senders"))["items"] == []
    assert await rig.tickets() == []
    assert (await rig.api.delete(f"/spam-senders/{entry['id']}")).status_code == 404
    assert (await rig.api.delete(f"/spam-senders/{entry['id']}", params={"restore": True})).status_code == 404


async def test_tickets_come_back_with_the_outcomes_their_mails_had(rig: Rig) -> None:
    first, answer = command(mail(SHOP, message_id="<q@x>")), command(mail(SHOP, in_reply_to=["<q@x>"]), [REPLY, CREATE])
    await rig.carry_out(first, answer, command(mail(SHOP)))
    await mark(rig, 1, 2)
    job = await take_off(rig, SHOP)
    assert (job["state"], job["done"], job["total"]) == ("done", 2, 2)
    assert job["result"] == {"restored": 2, "released": 0, "kept": 0}
    assert [ticket["id"] for ticket in await rig.tickets()] == [2, 1]
    assert await types(rig, first, answer) == ["ticket", "update"]
    assert (await rig.outcome(first.mail_id))["revision"] == 3
    later = command(mail(SHOP))
    await rig.carry_out(later)
    assert await types(rig, later) == ["ticket"]


async def test_a_ticket_that_was_deleted_otherwise_stays_deleted(rig: Rig) -> None:
    await rig.carry_out(command(mail(SHOP)), command(mail(SHOP)))
    await rig.api.delete("/tickets/2")
    await mark(rig, 1, 2)
    assert (await take_off(rig, SHOP))["result"]["restored"] == 1
    assert [ticket["id"] for ticket in await rig.tickets()] == [1]


async def test_mails_that_were_held_are_released_and_then_carried_out(rig: Rig) -> None:
    await rig.carry_out(command(mail(SHOP, message_id="<q@x>")))
    await mark(rig, 1)
    answer, other = command(mail(SHOP, in_reply_to=["<q@x>"]), [REPLY, CREATE]), command(mail(SHOP, "Else"))
    await rig.carry_out(answer, other)
    assert await types(rig, answer, other) == ["spam", "spam"]
    job = await take_off(rig, SHOP)
    assert job["result"] == {"restored": 1, "released": 2, "kept": 0}
    assert job["done"] == job["total"] == 3
    assert [((await rig.outcome(one.mail_id))["type"], (await rig.outcome(one.mail_id))["revision"]) for one in (answer, other)] == [
        ("released", 2)
    ] * 2
    await carry_out_after_all(rig, answer, other)
    assert await types(rig, answer, other) == ["update", "ticket"]
    assert (await rig.outcome(answer.mail_id))["revision"] == 3
    assert len(await rig.messages(1)) == 2


async def test_a_domain_gives_back_all_below_it(rig: Rig) -> None:
    await rig.carry_out(command(mail("a@shop.example")), command(mail("b@mail.shop.example")), command(mail("c@workshop.example")))
    await mark(rig, 1, 2, listing="domain")
    await mark(rig, 3)
    held, beside = command(mail("d@deep.mail.shop.example")), command(mail("c@workshop.example"))
    await rig.carry_out(held, beside)
    job = await take_off(rig, "@shop.example")
    assert job["result"] == {"restored": 1, "released": 0, "kept": 2}, "the entry of the deeper domain is still there"
    assert [ticket["id"] for ticket in await rig.tickets()] == [1]
    job = await take_off(rig, "@mail.shop.example")
    assert job["result"] == {"restored": 1, "released": 1, "kept": 0}
    assert [ticket["id"] for ticket in await rig.tickets()] == [2, 1]
    assert await types(rig, held, beside) == ["released", "spam"]


async def test_senders_with_umlauts_come_back_however_their_mails_wrote_them(rig: Rig) -> None:
    await rig.carry_out(command(mail("a@bücher.example")), command(mail("b@xn--bcher-kva.example")))
    await mark(rig, 1, 2, listing="domain")
    assert (await take_off(rig, "@xn--bcher-kva.example"))["result"]["restored"] == 2
    await mark(rig, 1)
    assert (await take_off(rig, "a@xn--bcher-kva.example"))["result"]["restored"] == 1


async def test_what_another_entry_still_concerns_stays(rig: Rig) -> None:
    await rig.carry_out(command(mail(SHOP)))
    await mark(rig, 1)
    await listed(rig, "shop.example")
    held = command(mail(SHOP))
    await rig.carry_out(held)
    job = await take_off(rig, SHOP)
    assert job["result"] == {"restored": 0, "released": 0, "kept": 2}
    assert await types(rig, held) == ["spam"]
    assert (await take_off(rig, "@shop.example"))["result"] == {"restored": 1, "released": 1, "kept": 0}


async def test_the_entry_goes_first_and_a_restart_goes_on_with_the_rest(rig: Rig, other_replica: Rig) -> None:
    await rig.carry_out(*(command(mail(SHOP)) for _ in range(120)))
    await mark(rig, *range(1, 121))
    await rig.carry_out(*(command(mail(SHOP)) for _ in range(250)))
    (entry,) = (await rig.get("/spam-senders"))["items"]
    asked = await rig.api.delete(f"/spam-senders/{entry['id']}", params={"restore": True})
    again = await rig.api.delete(f"/spam-senders/{entry['id']}", params={"restore": True})
    assert (asked.status_code, asked.json()["total"], asked.json()["id"]) == (202, 370, again.json()["id"])
    await rig.jobs._step()
    assert (await rig.get("/spam-senders"))["items"] == []
    meanwhile = command(mail(SHOP))
    await rig.carry_out(meanwhile)
    assert await types(rig, meanwhile) == ["ticket"]
    await rig.jobs._step()
    job = await rig.get(f"/jobs/{asked.json()['id']}")
    assert (job["state"], 0 < job["done"] < 370) == ("running", True)
    await other_replica.run_jobs()
    job = await rig.get(f"/jobs/{asked.json()['id']}")
    assert (job["state"], job["done"]) == ("done", 370)
    assert job["result"] == {"restored": 120, "released": 250, "kept": 0}
    left = await rows_of(rig, "select type, count(*) from mails group by type order by type")
    assert [tuple(row) for row in left] == [("released", 250), ("ticket", 121)]


async def test_a_mail_listed_again_before_it_was_carried_out_is_held_again(rig: Rig) -> None:
    await listed(rig, SHOP)
    held = command(mail(SHOP))
    await rig.carry_out(held)
    await take_off(rig, SHOP)
    await listed(rig, SHOP)
    await carry_out_after_all(rig, held)
    assert [((await rig.outcome(held.mail_id))["type"]), (await rig.outcome(held.mail_id))["revision"]] == ["spam", 3]
    assert (await take_off(rig, SHOP))["result"]["released"] == 1
