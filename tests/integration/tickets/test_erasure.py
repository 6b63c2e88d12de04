"""Erasure in the tickets service: what goes, what stays, what is refused from then on, and the report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from shared.events import (
    Candidate,
    DeliveryState,
    Erasure,
    ErasureReport,
    MailDelivery,
    TicketCommand,
    address_digest,
)
from shared.mail.model import Address, Attachment
from shared.topics import PRIVACY_ERASURES, PRIVACY_REPORTS
from tests.integration.tickets.rig import CREATE, OWN, REPLY, Rig, command, command_record, mail, record
from tests.integration.tickets.writing import OLGA, draft, keep, reply, ticket, upload
from tests.kit.leftovers import archived, leftovers
from tickets.erasure.making import make_eraser, make_erasure_consumers

ANNA = "Anna.Keller@customer.example"
WORDS = ("anna.keller", "Anna Keller", "smoulders", "burns since", "invoice-anna")


class Erasing:
    """The eraser of a rig's replica, and the other services' reports."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.eraser = make_eraser(rig.outbox, rig.archive)
        self.erasures, self.reports = make_erasure_consumers(self.eraser, rig.outbox, rig.settings)

    async def ask(self, address: str = ANNA) -> dict[str, Any]:
        """POST; the event goes to our own consumer as well. Returns the erasure."""
        answer = await self.rig.api.post("/erasures", json={"address": address})
        assert answer.status_code == 202, answer.text
        assert answer.headers["location"] == f"/api/v1/jobs/{answer.json()['id']}"
        erasure: dict[str, Any] = await self.rig.get(f"/erasures/{answer.json()['result']['erasure_id']}")
        told = [one for one in await self.rig.emitted("privacy.erasures") if one["erasure_id"] == erasure["id"]]
        await self.erasures.on_records([record(PRIVACY_ERASURES, Erasure.model_validate(told[0]), told[0]["ce_id"])])
        return erasure

    async def report(self, erasure_id: str, service: str, mail_ids: list[str] | None = None) -> None:
        body = ErasureReport(erasure_id=erasure_id, service=service, removed={"things": 1}, mail_ids=mail_ids or [], at=datetime.now(UTC))
        await self.reports.on_records([record(PRIVACY_REPORTS, body, f"{erasure_id}-{service}")])

    async def work(self) -> None:
        """All steps that are due; the relay is played by marking events as sent."""
        while True:
            async with self.rig.engine.begin() as conn:
                await conn.execute(text("update outbox set sent_at = now() where sent_at is null"))
                await conn.execute(text("update erased set next_step_at = now()"))
            if not await self.eraser.step():
                return

    async def erase(self, mail_ids: list[str] | None = None, address: str = ANNA) -> dict[str, Any]:
        """The whole way. Returns the report."""
        erasure = await self.ask(address)
        await self.report(erasure["id"], "fetcher", mail_ids)
        await self.work()
        for service in ("rules", "notifier"):
            await self.report(erasure["id"], service)
        found: dict[str, Any] = await self.rig.get(f"/erasures/{erasure['id']}")
        return found


@pytest.fixture
def erasing(rig: Rig) -> Erasing:
    return Erasing(rig)


async def rows(rig: Rig, table: str) -> list[Any]:
    """All rows of a table, in the order in which they were made."""
    async with rig.engine.connect() as conn:
        return list((await conn.execute(text(f"select * from {table} order by created_at, id"))).all())  # noqa: S608 -- a constant


def from_anna(subject: str = "Printer smoulders", candidates: tuple[Candidate, ...] = (CREATE,), **fields: Any) -> TicketCommand:
    content = mail(ANNA, subject, text="It burns since noon.\nAnna Keller", html="<p>It burns since noon</p>", **fields)
    content = content.model_copy(update={"from_": Address(name="Anna Keller", address=ANNA)})
    file = Attachment(part="2", name="invoice-anna.pdf", type="application/pdf", size=3, sha256="0" * 64)
    return command(content.model_copy(update={"attachments": [file]}), candidates)


async def answered_ticket(rig: Rig) -> tuple[TicketCommand, int]:
    """Anna wrote, and Olga answered."""
    first = from_anna()
    await rig.carry_out(first)
    ticket_id = int((await rows(rig, "tickets"))[-1].id)
    answer = await rig.api.post(f"/tickets/{ticket_id}/comments", json={"body": "We send somebody."})
    assert answer.status_code == 201, answer.text
    return first, ticket_id


async def test_nothing_of_the_person_is_left_and_what_we_did_is(rig: Rig, erasing: Erasing) -> None:
    first, ticket_id = await answered_ticket(rig)
    await rig.api.post("/spam-senders", json={"address": ANNA})
    assert await leftovers(rig.engine, WORDS), "the test looks for the wrong words"
    report = await erasing.erase([first.mail_id])

    assert await leftovers(rig.engine, WORDS) == []
    (ticket,) = await rows(rig, "tickets")
    assert (ticket.id, ticket.title, ticket.description, ticket.sender) == (ticket_id, "erased", "Erased on request.", None)
    assert ticket.status == "waiting"
    sent, ours = await rows(rig, "messages")
    assert (sent.sender, sent.text, sent.html) == ("erased", "Erased on request.", None)
    assert (ours.text, ours.recipients) == ("We send somebody.", [{"name": "", "address": "erased"}])
    assert report["state"] == "done"
    assert report["address"] is None
    assert {part["service"] for part in report["parts"]} == {"fetcher", "rules", "tickets", "notifier"}
    own = next(part for part in report["parts"] if part["service"] == "tickets")
    assert own["removed"] == {"tickets": 1, "messages": 1, "attachments": 1, "answers": 1, "mails": 1, "spam_senders": 1}
    assert any("mail.raw" in line and "30 days" in line for line in own["kept"])
    assert any("Backups" in line for line in own["kept"])


async def test_the_old_mail_delivered_again_brings_nothing_back(rig: Rig, erasing: Erasing) -> None:
    first, ticket_id = await answered_ticket(rig)
    late = from_anna("Left smoulders behind")
    await erasing.erase([first.mail_id])
    await rig.carry_out(first, resend=1)
    await rig.carry_out(late)

    assert (await rig.outcome(late.mail_id))["type"] == "dropped"
    assert "erased" in (await rig.outcome(late.mail_id))["reason"]
    assert (await rig.outcome(first.mail_id))["type"] == "ticket"
    assert [one.id for one in await rows(rig, "tickets")] == [ticket_id]
    async with rig.engine.begin() as conn:
        await conn.execute(text("delete from outbox"))
    assert await leftovers(rig.engine, WORDS) == []


async def test_what_the_person_writes_later_is_ordinary(rig: Rig, erasing: Erasing) -> None:
    first, ticket_id = await answered_ticket(rig)
    await erasing.erase([first.mail_id])
    again = from_anna("Hello again", (REPLY, CREATE)).model_copy(update={"received_at": datetime.now(UTC) + timedelta(seconds=1)})
    await rig.carry_out(again)

    outcome = await rig.outcome(again.mail_id)
    assert outcome["type"] == "ticket"
    assert outcome["ticket_id"] != ticket_id
    assert (await rows(rig, "tickets"))[-1].sender == ANNA


async def test_an_erasure_leaves_what_came_after_it_was_asked_for(rig: Rig, erasing: Erasing) -> None:
    erasure = await erasing.ask()
    later = from_anna("Hello again").model_copy(update={"received_at": datetime.now(UTC) + timedelta(seconds=1)})
    await rig.carry_out(later)
    await erasing.report(erasure["id"], "fetcher", [])
    await erasing.work()

    (ticket,), (message,) = await rows(rig, "tickets"), await rows(rig, "messages")
    assert (ticket.title, ticket.sender, message.sender) == ("Hello again", ANNA, ANNA)


async def test_in_the_mails_of_others_only_the_address_and_its_name_go(rig: Rig, erasing: Erasing) -> None:
    people = [Address(address=OWN), Address(name="Anna Keller", address=ANNA), Address(name="Carl", address="carl@customer.example")]
    await rig.carry_out(command(mail("bert@customer.example", "Lift stuck", to=people, text="The lift is stuck.")))
    await erasing.erase()

    (ticket,), (message,) = await rows(rig, "tickets"), await rows(rig, "messages")
    assert (ticket.title, message.text) == ("Lift stuck", "The lift is stuck.")
    assert await leftovers(rig.engine, ("anna.keller", "Anna Keller")) == []
    assert await leftovers(rig.engine, ("carl@customer.example",))


async def test_a_longer_address_is_another_one(rig: Rig, erasing: Erasing) -> None:
    await rig.carry_out(command(mail(f"jo{ANNA}", "Another person")), command(mail(f"{ANNA}.org", "Another domain")))
    await erasing.erase()
    assert {one.title for one in await rows(rig, "tickets")} == {"Another person", "Another domain"}


async def test_a_second_request_is_the_one_under_way_and_a_mailbox_of_ours_is_refused(rig: Rig) -> None:
    first = (await rig.api.post("/erasures", json={"address": ANNA})).json()
    second = (await rig.api.post("/erasures", json={"address": ANNA.upper()})).json()
    assert second["id"] == first["id"]
    assert (first["state"], first["done"], first["total"]) == ("running", 0, 4)
    assert len((await rig.get("/erasures"))["items"]) == 1
    own = await rig.api.post("/erasures", json={"address": OWN})
    assert own.status_code == 409
    assert "mailbox of yours" in own.json()["detail"]


async def test_the_job_counts_the_services_and_the_jobs_of_others_go_on(rig: Rig, erasing: Erasing) -> None:
    erasure = await erasing.ask()
    await rig.run_jobs()
    await erasing.report(erasure["id"], "notifier")
    await erasing.report(erasure["id"], "notifier")
    job = await rig.get(f"/jobs/tickets-{erasure['id']}")
    assert (job["state"], job["done"], job["total"]) == ("running", 1, 4)
    assert (await rig.get(f"/erasures/{erasure['id']}"))["waiting_for"] == ["fetcher", "rules", "tickets"]


async def test_a_report_that_comes_before_its_erasure_is_not_lost(rig: Rig, erasing: Erasing) -> None:
    answer = await rig.api.post("/erasures", json={"address": ANNA})
    erasure_id = answer.json()["result"]["erasure_id"]
    first = from_anna()
    await erasing.report(erasure_id, "fetcher", [first.mail_id])
    told = (await rig.emitted("privacy.erasures"))[0]
    await erasing.erasures.on_records([record(PRIVACY_ERASURES, Erasure.model_validate(told), told["ce_id"])])
    await erasing.work()
    assert "tickets" in {part["service"] for part in (await rig.get(f"/erasures/{erasure_id}"))["parts"]}


async def test_contacts_go_with_their_only_address_and_accounts_stay(rig: Rig, erasing: Erasing) -> None:
    async with rig.engine.begin() as conn:
        for number, (kind, addresses) in enumerate({"contact": [ANNA], "lead": [ANNA, "a@home.example"], "account": [ANNA]}.items()):
            await conn.execute(
                text("insert into contacts (id, type, name) values (:id, :type, :name)"), {"id": f"r{number}", "type": kind, "name": kind}
            )
            for address in addresses:
                row = {"id": f"r{number}", "type": kind, "folded": address.casefold(), "address": address}
                await conn.execute(
                    text("insert into contact_addresses (type, folded, contact_id, address) values (:type, :folded, :id, :address)"), row
                )
    await erasing.erase()
    async with rig.engine.connect() as conn:
        left = list((await conn.execute(text("select type from contacts order by type"))).scalars())
        rest = list((await conn.execute(text("select address from contact_addresses"))).scalars())
    assert (left, rest) == (["account", "lead"], ["a@home.example"])


async def test_late_news_of_an_answer_do_not_write_the_address_down_again(rig: Rig, erasing: Erasing) -> None:
    first, ticket_id = await answered_ticket(rig)
    answer = (await rig.emitted("mail.outgoing"))[0]
    await erasing.erase([first.mail_id])
    news = MailDelivery(
        outgoing_id=answer["outgoing_id"],
        ticket_id=ticket_id,
        message_id=answer["message_id"],
        recipient=ANNA,
        state=DeliveryState.SENT,
        sequence=9,
        at=datetime.now(UTC),
    )
    await rig.report(news)
    assert await leftovers(rig.engine, WORDS) == []


async def test_dead_letters_of_the_mails_go(rig: Rig, erasing: Erasing) -> None:
    first = from_anna()
    broken = command_record(first)
    await rig.commands.dead_letters.bury(broken, ValueError("no luck"), 3)
    assert await leftovers(rig.engine, WORDS)
    await erasing.erase([first.mail_id])
    assert await leftovers(rig.engine, WORDS) == []


async def test_a_crash_between_two_steps_goes_on_where_it_was_and_reports_once(rig: Rig, erasing: Erasing) -> None:
    first, _ = await answered_ticket(rig)
    erasure = await erasing.ask()
    await erasing.report(erasure["id"], "fetcher", [first.mail_id])
    assert await erasing.eraser.step()
    fresh = Erasing(rig)
    await fresh.work()
    await fresh.work()
    parts = (await rig.get(f"/erasures/{erasure['id']}"))["parts"]
    own = [part for part in parts if part["service"] == "tickets"]
    assert [part["removed"]["tickets"] for part in own] == [1]
    assert await leftovers(rig.engine, ("smoulders", "burns since")) == []


async def test_only_the_digest_stays_when_all_have_reported(rig: Rig, erasing: Erasing) -> None:
    await erasing.erase()
    last = (await rig.emitted("privacy.erasures"))[-1]
    assert "address" not in last
    assert last["digest"] == address_digest(ANNA)


async def test_drafts_and_files_on_the_persons_ticket_go_with_their_bytes(rig: Rig, erasing: Erasing) -> None:
    first = from_anna()
    await rig.carry_out(first)
    number = int((await rows(rig, "tickets"))[-1].id)
    (invoice,) = (await rig.get(f"/tickets/{number}"))["attachments"]
    sent, noted, unsent = [await upload(rig, number, f"{name}-anna.keller.pdf") for name in ("sent", "noted", "unsent")]
    await reply(rig, number, "It burns since noon, you say.", attachments=[sent["id"], invoice["id"]], cc=[ANNA, "ben@customer.example"])
    note = {"body": "See the file.", "internal": True, "attachments": [noted["id"]]}
    assert (await rig.api.post(f"/tickets/{number}/comments", json=note, headers=OLGA)).status_code == 201
    await keep(rig, number, "Dear Anna Keller,", attachments=[unsent["id"]])
    assert archived(rig.archive_folder, ["the plan"]) != []
    report = await erasing.erase([first.mail_id])

    own = next(part for part in report["parts"] if part["service"] == "tickets")
    assert {name: own["removed"][name] for name in ("uploads", "drafts", "archived")} == {"uploads": 3, "drafts": 1, "archived": 3}
    assert await leftovers(rig.engine, [word for word in WORDS if word != "burns since"]) == []
    assert archived(rig.archive_folder, ["the plan"]) == []
    (_, answer, _) = await rig.messages(number)
    assert answer["attachments"] == []
    assert (await rig.api.post(f"/tickets/{number}/messages/{answer['id']}/cancel", headers=OLGA)).status_code == 409


async def test_in_drafts_and_files_of_others_only_the_address_goes(rig: Rig, erasing: Erasing) -> None:
    number = await ticket(rig)
    file = await upload(rig, number)
    await keep(rig, number, f"Ask {ANNA}, please.", attachments=[file["id"]], cc=[ANNA, "ben@customer.example"])
    await erasing.erase()
    left = await draft(rig, number) or {}
    assert (left["body"], left["cc"]) == ("Ask erased, please.", ["erased", "ben@customer.example"])
    assert [one["id"] for one in left["files"]] == [file["id"]]
    assert archived(rig.archive_folder, ["the plan"]) != []
