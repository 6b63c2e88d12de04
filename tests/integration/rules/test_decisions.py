"""A mail is decided once, whatever happens around it, and every decision can be asked why."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from rules.adapters import counts
from rules.adapters.tables import DECISIONS
from shared.events import CommandKind, OutcomeType, derived_id
from shared.messaging.received import Record
from shared.topics import MAIL_RAW
from tests.integration.rules.desk import NOW, Desk, mail_bytes, raw_record

pytestmark = pytest.mark.connected

BOUNCE = (
    b"From: MAILER-DAEMON@mx.example\r\nTo: help@company.example\r\nSubject: Undelivered Mail\r\nMessage-ID: <b@mx>\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
    b"--b\r\n\r\nIt could not be delivered.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    b"Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; bob@partner.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    b"Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
    b"Message-ID: <1@c>\r\n\r\n--b--\r\n"
)
AWAY = b"Auto-Submitted: auto-replied\r\n" + mail_bytes("Automatic reply: Printer")
PEC_RECEIPT = b"X-Ricevuta: accettazione\r\nX-Riferimento-Message-ID: <1@c>\r\n" + mail_bytes("ACCETTAZIONE: Printer")
OWN = b"X-Mail-Converter-Id: 1\r\n"


def names(command: object) -> list[str]:
    return [candidate.rule_name for candidate in command.candidates]  # type: ignore[attr-defined]  # a TicketCommand


async def test_a_mail_becomes_one_command_with_its_candidates_and_a_decision(desk: Desk) -> None:
    await desk.scanner()
    number = {"field": "subject", "operator": "regex", "value": r"Ticket Id: (\d+)"}
    await desk.add_rule("by number", "update_ticket", number)
    await desk.add_rule("all", "create_ticket")
    await desk.mails(raw_record("m", mail_bytes("Re: Printer - Ticket Id: 12")))
    ((headers, command),) = await desk.sent()
    assert names(command) == ["Reply to a known conversation", "by number", "all"]
    assert command.candidates[1].key == "12"
    assert headers["ce_id"] == derived_id("m", 1, "command")
    assert command.mail is not None
    assert (command.mail.subject, command.mail.text) == ("Re: Printer - Ticket Id: 12", "Hello")
    decision = (await desk.client.get("/mails/m/decision")).json()
    assert (decision["rule_set_version"], decision["kind"], decision["outcome"]) == (3, "mail", None)
    assert decision["trace"][1]["captures"] == {"match": "Ticket Id: 12", "1": "12"}
    assert decision["candidates"][1]["key"] == "12"


async def test_rules_changed_between_two_deliveries_change_nothing(desk: Desk) -> None:
    await desk.scanner()
    await desk.add_rule("first", "create_ticket")
    await desk.mails(raw_record("m", mail_bytes()))
    rule = (await desk.rules())["items"][1]
    await desk.client.patch(f"/rules/{rule['id']}", json={"action": {"type": "ignore"}, "name": "second"})
    await desk.mails(raw_record("m", mail_bytes(), resend=1))
    await desk.mails(raw_record("other", mail_bytes()))
    (_, before), (headers, again), (_, other) = await desk.sent()
    assert again == before
    assert headers["ce_resend"] == "1"
    assert headers["ce_id"] == derived_id("m", 1, "command")
    assert names(other)[-1] == "second"
    assert len(await desk.decisions()) == 2


async def test_two_replicas_decide_a_mail_once_while_the_rules_change_under_them(desk: Desk, second_desk: Desk) -> None:
    await desk.scanner()
    rule = await desk.add_rule("version 2", "create_ticket")

    async def changing() -> None:
        for version in range(3, 13):
            answer = await desk.client.patch(f"/rules/{rule['id']}", json={"name": f"version {version}"})
            assert answer.status_code == 200, answer.text

    def delivery(replica: Desk, resend: int) -> Coroutine[Any, Any, None]:
        return replica.mails(*(raw_record(f"m{n}", mail_bytes(str(n)), resend=resend) for n in range(40)))

    await asyncio.gather(delivery(desk, 0), changing(), delivery(second_desk, 1), delivery(desk, 2), delivery(second_desk, 3))
    await delivery(second_desk, 4)
    sent = await desk.sent()
    assert len(sent) == 200
    assert len({command.model_dump_json() for _, command in sent}) == 40
    decisions = await desk.decisions()
    assert len(decisions) == 40
    for _, command in sent:
        assert names(command)[-1] == f"version {command.rule_set_version}"


async def test_a_decision_is_told_again_by_its_own_kind_and_candidates_whatever_would_be_told_today(desk: Desk) -> None:
    """As after an update that knows more kinds."""
    await desk.scanner()
    await desk.add_rule("all", "create_ticket")
    await desk.mails(raw_record("m", mail_bytes()))
    async with desk.service.engine.begin() as conn:
        await conn.execute(update(DECISIONS).values(kind="bounce", kind_reason="it was told so", candidates=[], rule_set_version=None))
    await desk.mails(raw_record("m", mail_bytes(), resend=1))
    command = (await desk.commands())["m"]
    assert (command.kind, command.mail_kind, command.kind_reason) == (CommandKind.BOUNCE, "bounce", "it was told so")
    assert (command.candidates, command.rule_set_version) == ([], None)


async def test_two_replicas_with_the_same_mail_send_the_same_command(desk: Desk) -> None:
    """As after a rebalance: a delivery each, with an inbox that has not seen the other's."""
    await desk.scanner()
    await desk.add_rule("all", "create_ticket")
    deliveries = [desk.mails(*(raw_record(f"m{n}", mail_bytes(str(n)), resend=resend) for n in range(30))) for resend in range(4)]
    await asyncio.gather(*deliveries)
    sent = await desk.sent()
    assert len(sent) == 120
    assert len({command.model_dump_json() for _, command in sent}) == 30
    assert len(await desk.decisions()) == 30


async def test_an_unknown_scanner_gets_the_built_in_rule(desk: Desk) -> None:
    await desk.mails(raw_record("m", mail_bytes(), scanner="new"))
    command = (await desk.commands())["m"]
    assert names(command) == ["Reply to a known conversation"]
    assert command.rule_set_version == 1


async def test_a_rule_that_does_not_match_leaves_the_built_in_one_alone(desk: Desk) -> None:
    await desk.scanner()
    await desk.add_rule("no", "create_ticket", {"field": "subject", "operator": "equals", "value": "zebra"})
    await desk.mails(raw_record("m", mail_bytes()))
    assert names((await desk.commands())["m"]) == ["Reply to a known conversation"]


async def test_a_mail_with_our_mark_is_named_so_and_keeps_its_candidates(desk: Desk) -> None:
    await desk.mails(raw_record("m", OWN + mail_bytes()))
    command = (await desk.commands())["m"]
    assert (command.kind, names(command)) == (CommandKind.OWN, ["Reply to a known conversation"])
    assert (await desk.decisions())[0].kind == "own"


@pytest.mark.parametrize(("raw", "kind", "command_kind"), [(BOUNCE, "bounce", "bounce"), (AWAY, "auto_reply", "auto_reply")])
async def test_no_rule_is_asked_about_a_mail_whose_kind_decides(desk: Desk, raw: bytes, kind: str, command_kind: str) -> None:
    await desk.scanner()
    rule = await desk.add_rule("all", "create_ticket")
    await desk.mails(raw_record("m", raw))
    command = (await desk.commands())["m"]
    assert (command.kind, command.mail_kind, command.candidates) == (CommandKind(command_kind), kind, [])
    assert command.kind_reason
    (row,) = await desk.decisions()
    assert (row.kind, row.kind_reason, row.evidence, row.candidates) == (kind, command.kind_reason, None, [])
    assert row.rule_set_version is None
    assert await desk.totals(rule["id"]) == {}
    decision = (await desk.client.get("/mails/m/decision")).json()
    assert (decision["trace"], decision["kind_reason"]) == ([], command.kind_reason)


async def test_a_bounce_says_of_which_recipient_it_is(desk: Desk) -> None:
    await desk.mails(raw_record("m", BOUNCE))
    report = (await desk.commands())["m"].report
    assert report is not None
    assert [(one.recipient, one.action, one.status) for one in report.recipients] == [("bob@partner.example", "failed", "5.1.1")]


@pytest.mark.parametrize(("pec", "kind"), [(True, CommandKind.RECEIPT), (False, CommandKind.MAIL)])
async def test_a_pec_receipt_is_believed_in_a_pec_mailbox_alone(desk: Desk, pec: bool, kind: CommandKind) -> None:
    await desk.mails(raw_record("m", PEC_RECEIPT, pec=pec))
    assert (await desk.commands())["m"].kind is kind


async def test_each_match_and_the_first_action_of_a_mail_are_counted_for_their_rule(desk: Desk, second_desk: Desk) -> None:
    await desk.scanner()
    update_it = await desk.add_rule("update", "update_ticket", {"field": "subject", "operator": "contains", "value": "printer"})
    create = await desk.add_rule("all", "create_ticket")
    late = await desk.add_rule("late", "ignore")
    mails = [raw_record(f"m{n}", mail_bytes("Printer" if n else "Lamp")) for n in range(5)]
    await asyncio.gather(desk.mails(*mails), second_desk.mails(*mails))
    await desk.mails(raw_record("m1", mail_bytes("Printer"), resend=1))
    counted = await desk.totals(update_it["id"], create["id"], late["id"])
    assert {name: (one.matched, one.acted) for name, one in counted.items()} == {update_it["id"]: (4, 0), create["id"]: (5, 0)}

    await desk.outcome("m1", 1, OutcomeType.TICKET, rule_id=create["id"])
    await desk.outcome("m1", 2, OutcomeType.SPAM)
    await second_desk.outcome("m1", 3, OutcomeType.UPDATE, rule_id=update_it["id"])
    await desk.outcome("m2", 2, OutcomeType.SPAM, rule_id=create["id"])
    await desk.outcome("m2", 1, OutcomeType.UPDATE, rule_id=update_it["id"])
    await desk.outcome("m3", 1, OutcomeType.UNMATCHED)
    counted = await desk.totals(update_it["id"], create["id"])
    assert {name: (one.matched, one.acted) for name, one in counted.items()} == {update_it["id"]: (4, 1), create["id"]: (5, 1)}
    assert counted[create["id"]].last_acted_at == NOW
    last = counted[create["id"]].last_matched_at
    assert last is not None
    assert last > NOW


async def test_replicas_that_count_the_same_rules_wait_for_each_other_in_no_circle(desk: Desk, second_desk: Desk) -> None:
    await desk.scanner()
    rules = [(await desk.add_rule(f"r{n}", "update_ticket"))["id"] for n in range(10)]
    batches = [
        replica.mails(*(raw_record(f"{place}-{batch}-{n}", mail_bytes()) for n in range(10)))
        for batch in range(5)
        for place, replica in enumerate((desk, second_desk))
    ]
    await asyncio.gather(*batches)
    assert {one.matched for one in (await desk.totals(*rules)).values()} == {100}


async def test_counts_are_forgotten_after_400_days(desk: Desk) -> None:
    counter = counts.RuleCounter()
    async with desk.service.engine.begin() as conn:
        for days, times in ((401, 1), (399, 2), (0, 4)):
            await counter.matched(conn, ["r"] * times, NOW - timedelta(days=days))
        await counts.remove_old(conn, NOW.date())
    counted = (await desk.totals("r"))["r"]
    assert (counted.matched, counted.last_matched_at) == (6, NOW)


async def test_a_large_mail_is_taken_from_the_archive(desk: Desk) -> None:
    await desk.service.archive.put("s/big", mail_bytes("From the archive") + b"x" * 200_000)
    await desk.mails(raw_record("m", b"", data_ref="s/big"))
    mail = (await desk.commands())["m"].mail
    assert mail is not None
    assert mail.subject == "From the archive"


async def test_a_poison_event_is_a_dead_letter_while_199_others_pass(desk: Desk) -> None:
    records = [raw_record(f"m{n}", mail_bytes(str(n), str(n))) for n in range(200)]
    records[77] = raw_record("m77", b"", data_ref="s/nowhere")
    await desk.mails(*records)
    commands = await desk.commands()
    assert len(commands) == 200
    failed = [command for command in commands.values() if command.kind is CommandKind.FAILURE]
    assert [one.mail_id for one in failed] == ["m77"]
    assert failed[0].failure is not None
    assert failed[0].failure.outcome == "failed"
    assert "s/nowhere" in failed[0].failure.reason
    assert failed[0].scanner_id == "s"
    assert len(await desk.decisions()) == 199
    assert [letter.mail_id for letter in await desk.letters()] == ["m77"]


async def test_a_failed_mail_is_decided_by_retry_once_its_archive_is_back(desk: Desk) -> None:
    await desk.mails(raw_record("m", b"", data_ref="s/late"))
    await desk.service.archive.put("s/late", mail_bytes("Late"))
    letter = (await desk.letters())[0]
    answer = await desk.client.post(f"/dead-letters/{letter.id}/retry")
    assert answer.status_code == 200, answer.text
    assert [command.kind for _, command in await desk.sent()] == [CommandKind.FAILURE, CommandKind.MAIL]
    assert len({headers["ce_id"] for headers, _ in await desk.sent()}) == 2


async def test_a_dropped_mail_is_reported_with_its_reason(desk: Desk) -> None:
    await desk.mails(raw_record("m", b"", data_ref="s/nowhere"))
    letter = (await desk.letters())[0]
    await desk.client.post(f"/dead-letters/{letter.id}/drop", json={"reason": "a test mail"})
    failure = (await desk.commands())["m"].failure
    assert failure is not None
    assert (failure.outcome, failure.reason) == ("dropped", "a test mail")


@pytest.mark.parametrize("missing", ["ce_scannerid", "ce_receivedat", "ce_type"])
async def test_an_event_with_broken_attributes_still_tells_tickets_that_the_mail_failed(desk: Desk, missing: str) -> None:
    good = raw_record("m", mail_bytes())
    headers = {name: value for name, value in good.headers.items() if name != missing}
    await desk.mails(Record(good.topic, 0, 0, good.key, headers, good.value), raw_record("n", mail_bytes()))
    commands = await desk.commands()
    assert commands["n"].kind is CommandKind.MAIL
    assert len(await desk.letters()) == 1
    if missing != "ce_type":
        assert commands["m"].kind is CommandKind.FAILURE


async def test_a_replayed_mail_stays_marked(desk: Desk) -> None:
    good = raw_record("m", mail_bytes())
    await desk.mails(Record(good.topic, 0, 0, good.key, {**good.headers, "ce_replay": "r1"}, good.value))
    assert (await desk.sent())[0][0]["ce_replay"] == "r1"


async def test_the_outcome_with_the_greater_revision_ends_the_decision(desk: Desk) -> None:
    await desk.mails(raw_record("m", mail_bytes()))
    await desk.outcome("m", 2, OutcomeType.SPAM)
    await desk.outcome("m", 1, OutcomeType.TICKET)
    await desk.outcome("unknown", 1, OutcomeType.TICKET)
    outcome = (await desk.client.get("/mails/m/decision")).json()["outcome"]
    assert (outcome["type"], outcome["revision"], outcome["ticket_id"]) == ("spam", 2, 7)


async def test_a_batch_reads_rule_sets_once_and_compiles_nothing_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.scanner()
    await desk.add_rule("r", "create_ticket", {"field": "subject", "operator": "regex", "value": "(P)rinter"})
    await desk.mails(raw_record("a", mail_bytes()))

    def never(*_: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr("rules.adapters.prepared.prepare_rules", never)
    await desk.mails(*(raw_record(f"m{n}", mail_bytes()) for n in range(20)))
    assert len(await desk.decisions()) == 21
    assert desk.consumer(MAIL_RAW).braked is False
