"""A mail is decided once, whatever happens around it, and every decision can be asked why."""

from __future__ import annotations

import asyncio

import pytest

from shared.events import CommandKind, OutcomeType, derived_id
from shared.messaging.received import Record
from shared.topics import MAIL_RAW
from tests.integration.rules.desk import Desk, mail_bytes, raw_record

pytestmark = pytest.mark.connected

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
