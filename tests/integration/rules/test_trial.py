"""Rules tried on mails: what each would become, as tickets says, and plain words where it cannot be told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rules.adapters.resolutions import MAX_COMMANDS, Resolutions, UnresolvedError, encode
from rules.domain.rule import Rules, builtin_rules, stored
from rules.simulation.trial import Trial, TrialMail
from shared.events import CommandKind, CommandMail, TicketCommand
from tests.integration.rules.desk import NOW, Desk, mail_bytes
from tests.integration.rules.tickets_server import TicketsServer

pytestmark = pytest.mark.connected

VACATION = b"Auto-Submitted: auto-replied\r\n"


@pytest.fixture
def tickets() -> Iterator[TicketsServer]:
    with TicketsServer() as server:
        yield server
        server.released.set()


def resolutions(desk: Desk, tickets: TicketsServer, **more: Any) -> Resolutions:
    return Resolutions(desk.service.settings.model_copy(update={"tickets_url": tickets.url, **more}))  # type: ignore[arg-type]  # a service's


def trial(desk: Desk, tickets: TicketsServer, **more: Any) -> Trial:
    return Trial(desk.service.engine, resolutions(desk, tickets, **more))


def rule(name: str, action: str, *conditions: dict[str, str], **options: Any) -> Rules:
    return (stored({"id": name, "name": name, "conditions": conditions, "action": {"type": action, **options}}),)


def mail(subject: str = "Printer", mail_id: str | None = "m", before: bytes = b"") -> TrialMail:
    return TrialMail(mail_id, before + mail_bytes(subject), NOW)


NUMBER = {"field": "subject", "operator": "regex", "value": r"#(\d+)"}
RULES = builtin_rules("s") + rule("by number", "update_ticket", NUMBER) + rule("rest", "create_ticket")


async def test_each_mail_becomes_what_tickets_says(desk: Desk, tickets: TicketsServer) -> None:
    tickets.behaviour.known_tickets = {7}
    await desk.scanner()
    seventh, new, unknown = await trial(desk, tickets).judge("s", RULES, [mail("#7", "a"), mail("Lamp", "b"), mail("#8", None)])
    assert seventh.after is not None
    assert (seventh.after.outcome, seventh.after.ticket_id, seventh.after.rule_name) == ("update", 7, "by number")
    assert new.after is not None
    assert (new.after.outcome, new.after.rule_name) == ("ticket", "rest")
    assert unknown.after is not None
    assert unknown.after.rule_name == "rest"
    assert (new.parsed and new.parsed.subject, new.note) == ("Lamp", "")


async def test_tickets_says_whether_a_machines_mail_is_one_of_ours_come_back(desk: Desk, tickets: TicketsServer) -> None:
    await desk.scanner()
    (judged,) = await trial(desk, tickets).judge("s", RULES, [mail(before=VACATION)])
    assert [[one.kind for one in asked.commands] for asked in tickets.asked] == [["auto_reply"]]
    assert judged.after is not None
    assert (judged.after.outcome, judged.after.rule_id, judged.note) == ("auto_reply", None, "")


async def test_tickets_away_is_said_in_plain_words_and_other_mails_are_judged(desk: Desk, tickets: TicketsServer) -> None:
    await desk.scanner()
    away = trial(desk, tickets, tickets_url="http://127.0.0.1:1")
    asked, known = await away.judge("s", RULES, [mail(), mail(before=VACATION)])
    assert (asked.after, asked.note) == (None, "tickets does not answer, so which rule would take cannot be told")
    assert asked.parsed is not None
    assert known.after is not None
    assert known.after.outcome == "auto_reply"


async def test_a_dropped_connection_is_tried_once_more(desk: Desk, tickets: TicketsServer) -> None:
    tickets.behaviour.drops = 1
    assert len(await resolutions(desk, tickets).ask([command("a")])) == 1
    tickets.behaviour.drops = 2
    with pytest.raises(UnresolvedError, match="does not answer"):
        await resolutions(desk, tickets).ask([command("a")])


async def test_a_silent_tickets_is_given_up_after_the_time_allowed(desk: Desk, tickets: TicketsServer) -> None:
    tickets.behaviour.stalled = True
    with pytest.raises(UnresolvedError, match="does not answer"):
        await resolutions(desk, tickets, tickets_timeout_seconds=0.3).ask([command("a")])


async def test_an_error_of_tickets_is_named_by_its_status(desk: Desk, tickets: TicketsServer) -> None:
    tickets.behaviour.status = 500
    with pytest.raises(UnresolvedError, match="status 500, so which rule would take cannot be told"):
        await resolutions(desk, tickets).ask([command("a")])


async def test_many_commands_are_asked_in_bounded_requests_with_the_service_token(desk: Desk, tickets: TicketsServer) -> None:
    ids = [f"m{number}" for number in range(2 * MAX_COMMANDS + 1)]
    found = await resolutions(desk, tickets).ask([command(mail_id) for mail_id in ids])
    assert [one.mail_id for one in found] == ids
    assert [len(one.commands) for one in tickets.asked] == [MAX_COMMANDS, MAX_COMMANDS, 1]
    assert {(one.path, one.headers["X-Service-Token"], one.headers["X-Actor"]) for one in tickets.asked} == {
        ("/resolutions", "x" * 16, "system")
    }


async def test_large_commands_are_asked_in_requests_of_bounded_size(desk: Desk, tickets: TicketsServer) -> None:
    await resolutions(desk, tickets).ask([command(str(number), subject="x" * 900_000) for number in range(9)])
    assert [len(one.commands) for one in tickets.asked] == [4, 4, 1]


async def test_texts_stay_here(desk: Desk, tickets: TicketsServer) -> None:
    await desk.scanner()
    await trial(desk, tickets).judge("s", RULES, [mail()])
    (sent,) = json.loads(tickets.asked[0].body)["commands"]
    assert sent["mail"]["subject"] == "Printer"
    assert not sent["mail"].get("text")
    assert b"Hello" not in tickets.asked[0].body


def command(mail_id: str, subject: str = "Printer") -> bytes:
    return encode(
        TicketCommand(
            mail_id=mail_id, kind=CommandKind.MAIL, scanner_id="s", received_at=NOW, archive_key="", mail=CommandMail(subject=subject)
        )
    )
