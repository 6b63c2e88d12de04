"""Erasure in the rules service: decisions forget what they saw, examples go, and the mail delivered again says nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from rules.adapters.tables import ERASED
from rules.erasure import STEPS
from shared.clock import utc_now
from shared.erasure.eraser import Eraser
from shared.events import CommandKind, Erasure, ErasureReport, OutcomeType, address_digest
from shared.topics import PRIVACY_ERASURES, PRIVACY_REPORTS
from tests.integration.rules.desk import NOW, Desk, json_record, mail_bytes, raw_record
from tests.kit.leftovers import leftovers

ANNA = "anna@customer.example"
WORDS = (ANNA, "Smoulders", "Anna <")
SUBJECT = {"field": "subject", "operator": "contains", "value": "smoul"}


async def erase(desk: Desk, *mail_ids: str) -> dict[str, Any]:
    """The report of the fetcher comes first here: topics keep no order between them."""
    body = Erasure(erasure_id="e1", address=ANNA, digest=address_digest(ANNA), before=NOW + timedelta(hours=1))
    named = ErasureReport(erasure_id="e1", service="fetcher", mail_ids=list(mail_ids), at=utc_now())
    await desk.consumer(PRIVACY_REPORTS).on_records([json_record(PRIVACY_REPORTS, "r1", "e1", named)])
    await desk.consumer(PRIVACY_ERASURES).on_records([json_record(PRIVACY_ERASURES, "e1", "e1", body)])
    eraser = Eraser("rules", desk.service.outbox, ERASED, STEPS, after_fetcher=True)
    async with desk.service.engine.begin() as conn:
        await conn.execute(text("update outbox set sent_at = now()"))
    while await eraser.step():
        pass
    async with desk.service.engine.begin() as conn:
        (row,) = (await conn.execute(text("delete from outbox returning convert_from(value, 'UTF8')::jsonb as body"))).all()
    return dict(row.body)


async def test_a_decision_forgets_what_it_saw_and_stays_made(desk: Desk) -> None:
    await desk.scanner()
    await desk.add_rule("Hot things", "create_ticket", SUBJECT)
    await desk.mails(raw_record("m1", mail_bytes("Smoulders")))
    await desk.outcome("m1", 1, OutcomeType.TICKET, reason="anna@customer.example wrote it")
    assert await leftovers(desk.service.engine, WORDS)
    report = await erase(desk, "m1")

    assert await leftovers(desk.service.engine, WORDS) == []
    (decision,) = await desk.decisions()
    assert (decision.erased, decision.evidence, decision.outcome["ticket_id"]) == (True, None, 7)
    assert decision.candidates[-1]["rule_name"] == "Hot things"
    assert report["removed"]["decisions"] == 1


async def test_the_mail_delivered_again_or_late_leaves_without_a_word(desk: Desk) -> None:
    await desk.scanner()
    await desk.add_rule("Hot things", "create_ticket", SUBJECT)
    await desk.mails(raw_record("m1", mail_bytes("Smoulders")))
    await erase(desk, "m1")
    await desk.mails(raw_record("m1", b"", resend=1, data_ref="s/m1"), raw_record("m2", mail_bytes("Smoulders")))

    commands = await desk.commands()
    assert {one.kind for one in commands.values()} == {CommandKind.FAILURE}
    assert {one.failure.outcome for one in commands.values() if one.failure} == {"dropped"}
    assert [one.mail_id for one in await desk.decisions()] == ["m1"]
    assert await leftovers(desk.service.engine, WORDS) == []
    assert await desk.letters() == []


async def test_what_comes_later_is_decided(desk: Desk) -> None:
    await desk.scanner()
    await desk.add_rule("Hot things", "create_ticket", SUBJECT)
    await erase(desk)
    await desk.mails(raw_record("m3", mail_bytes("Smoulders"), at=NOW + timedelta(hours=2)))
    assert (await desk.commands())["m3"].kind is CommandKind.MAIL


async def test_rules_that_name_the_address_are_told_of_and_stay(desk: Desk) -> None:
    await desk.scanner()
    await desk.add_rule("Anna's", "archive", {"field": "from", "operator": "contains", "value": ANNA})
    report = await erase(desk)
    assert any("versions of rules name the address" in line for line in report["kept"])
