"""Rules tried on mails that came: what each would become, what differs, and that nothing else is touched."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.events import OutcomeType
from tests.integration.rules.desk import Desk, mail_bytes
from tests.integration.rules.simulating import LAMP, REST, Simulating, minutes
from tests.integration.rules.tickets_server import TicketsServer

pytestmark = pytest.mark.connected


@pytest.fixture
def tickets() -> Iterator[TicketsServer]:
    with TicketsServer() as server:
        yield server


@pytest.fixture
async def at(desk: Desk, tickets: TicketsServer) -> Simulating:
    await desk.scanner()
    return Simulating(desk, tickets)


async def test_a_draft_says_which_mails_would_change_and_how(at: Simulating) -> None:
    rest = await at.desk.add_rule("rest", "create_ticket")
    for number, subject in enumerate(("Printer", "A lamp", "Two lamps")):
        await at.store(f"m{number}", subject, minutes=number)
        await at.became(f"m{number}", OutcomeType.TICKET, rest["id"], 40 + number)
    simulation_id = await at.ask({"last": 10}, rules=[LAMP, REST | {"id": rest["id"]}])
    assert (await at.job(simulation_id))["state"] == "queued"
    await at.simulator.run_one()
    found = await at.show(simulation_id)
    assert (found["state"], found["done"], found["total"], found["changed"]) == ("done", 3, 3, 2)
    assert found["totals"] == [
        {"before": "ticket", "after": "archived", "change": "outcome", "count": 2},
        {"before": "ticket", "after": "ticket", "change": "none", "count": 1},
    ]
    assert [(one["position"], one["subject"], one["change"]) for one in found["mails"]] == [
        (1, "Two lamps", "outcome"), (2, "A lamp", "outcome"), (3, "Printer", "none")
    ]  # fmt: skip
    newest = found["mails"][0]
    assert (newest["sender"], newest["kind"], newest["before"]["ticket_id"]) == ("Anna <anna@customer.example>", "mail", 42)
    assert (newest["after"]["outcome"], newest["after"]["rule_name"]) == ("archived", "lamps")
    assert (await at.job(simulation_id))["result"] == {"simulation_id": simulation_id, "changed": 2, "total": 3}
    assert (found["author"], found["base_version"], found["version"]) == ("user:anna@company.example", 2, None)


async def test_a_mail_is_explained_by_the_rules_that_were_tried(at: Simulating) -> None:
    await at.store("m", "A lamp")
    found = await at.simulate({"last": 1}, rules=[LAMP, REST])
    detail = await at.get(f"/rule-simulations/{found['id']}/mails/1")
    lamps = next(one for one in detail["trace"] if one["rule_name"] == "lamps")
    assert lamps["matched"]
    assert (lamps["conditions"][0]["compared"], lamps["conditions"][0]["matched"]) == ("A lamp", True)
    assert detail["trace"][-1]["rule_name"] == "rest"
    assert not detail["trace"][-1]["matched"]
    assert (await at.desk.client.get(f"/rule-simulations/{found['id']}/mails/2")).status_code == 404


async def test_todays_rules_change_nothing(at: Simulating) -> None:
    rest = await at.desk.add_rule("rest", "create_ticket")
    await at.store("m")
    await at.became("m", OutcomeType.TICKET, rest["id"], 40)
    found = await at.simulate({"last": 1})
    assert (found["changed"], found["version"], [one["change"] for one in found["mails"]]) == (0, 2, ["none"])


async def test_an_earlier_version_can_be_tried(at: Simulating) -> None:
    await at.desk.add_rule("rest", "create_ticket")
    await at.store("m")
    found = await at.simulate({"last": 1}, version=1)
    assert (found["version"], found["base_version"], len(found["rules"])) == (1, 2, 1)
    assert (found["mails"][0]["after"]["outcome"], found["mails"][0]["change"]) == ("unmatched", "new")


async def test_the_same_result_by_another_rule_is_told(at: Simulating) -> None:
    await at.store("m")
    await at.became("m", OutcomeType.TICKET, "a rule of last year", 40)
    assert (await at.simulate({"last": 1}, rules=[REST]))["mails"][0]["change"] == "rule"


async def test_an_update_of_another_ticket_is_another_result(at: Simulating) -> None:
    by_number = {"field": "subject", "operator": "regex", "value": r"#(\d+)"}
    rule = await at.desk.add_rule("by number", "update_ticket", by_number)
    at.tickets.behaviour.known_tickets = {7, 8}
    await at.store("same", "#7", minutes=1)
    await at.became("same", OutcomeType.UPDATE, rule["id"], 7)
    await at.store("other", "#8")
    await at.became("other", OutcomeType.UPDATE, rule["id"], 7)
    assert [one["change"] for one in (await at.simulate({"last": 2}))["mails"]] == ["none", "outcome"]


async def test_a_mail_from_a_spam_sender_stays_spam(at: Simulating) -> None:
    at.tickets.behaviour.spam = {"anna@customer.example"}
    await at.store("m")
    await at.became("m", OutcomeType.SPAM)
    assert (await at.simulate({"last": 1}, rules=[REST]))["mails"][0]["change"] == "none"


async def test_nothing_else_is_touched(at: Simulating) -> None:
    await at.desk.add_rule("rest", "create_ticket")
    for number in range(5):
        await at.store(f"m{number}")
    before, sent, decided = await at.counts(), await at.desk.sent(), await at.desk.decisions()
    assert len((await at.simulate({"last": 5}, rules=[LAMP]))["mails"]) == 5
    assert await at.counts() == before | {"simulations": 1, "simulated_mails": 5}
    assert (await at.desk.sent(), await at.desk.decisions()) == (sent, decided)
    assert {one.path for one in at.tickets.asked} == {"/resolutions"}


async def test_the_newest_mails_and_a_span_of_time_are_chosen_by_when_they_came(at: Simulating) -> None:
    for number in range(5):
        await at.store(f"m{number}", minutes=number)
    await at.desk.scanner("other")
    await at.store("not-ours", minutes=9, scanner="other")
    assert [one["mail_id"] for one in (await at.simulate({"last": 2}))["mails"]] == ["m4", "m3"]
    span = {"since": minutes(1), "until": minutes(3)}
    assert [one["mail_id"] for one in (await at.simulate(span))["mails"]] == ["m2", "m1"]
    assert (await at.simulate({"until": minutes(0)}))["total"] == 0


async def test_chosen_mails_that_are_not_there_are_named(at: Simulating) -> None:
    await at.store("m")
    await at.desk.scanner("other")
    await at.store("theirs", scanner="other")
    found = await at.simulate({"ids": ["theirs", "m", "m", "\x00" + "x" * 300]})
    assert [(one["mail_id"], one["change"]) for one in found["mails"]] == [("m", "new"), ("theirs", "failed"), ("x" * 100, "failed")]
    assert found["mails"][1]["note"] == "this mailbox has no decided mail with this id"
    assert found["changed"] == 1


async def test_mails_the_archive_lost_or_damaged_fail_alone(at: Simulating, tmp_path: Path) -> None:
    for number, mail_id in enumerate(("damaged", "lost", "m")):
        await at.store(mail_id, minutes=number)
    await at.execute("update decisions set archive_key = 's/nowhere' where mail_id = 'lost'")
    (tmp_path / "s" / "damaged").write_bytes(b"no zstd")
    found = await at.simulate({"last": 3})
    assert [(one["mail_id"], one["change"], one["after"] is None) for one in found["mails"]] == [
        ("m", "new", False), ("lost", "failed", True), ("damaged", "failed", True)
    ]  # fmt: skip
    assert "archive has no such mail" in found["mails"][1]["note"]
    assert "damaged" in found["mails"][2]["note"]
    assert (found["state"], found["done"]) == ("done", 3)


@pytest.mark.parametrize("form", ["raw", "raw_base64"])
async def test_a_pasted_mail_is_tried_and_its_bytes_are_not_kept(at: Simulating, form: str) -> None:
    raw = mail_bytes("A lamp")
    given = raw.decode() if form == "raw" else base64.encodebytes(raw).decode()
    found = await at.simulate({form: given}, rules=[LAMP])
    (mail,) = found["mails"]
    assert (mail["mail_id"], mail["subject"], mail["received_at"], mail["after"]["outcome"]) == (None, "A lamp", None, "archived")
    assert await at.execute("select mails from simulations") == [({},)]


async def test_a_mail_decided_twice_is_tried_once_against_its_last_result(at: Simulating) -> None:
    await at.store("m")
    await at.became("m", OutcomeType.ARCHIVED, "a rule")
    columns = "scanner_id, kind, candidates, received_at, archive_key, decided_at"
    again = """jsonb_build_object('type', 'ticket', 'rule_id', 'rest', 'ticket_id', 3)"""
    await at.execute(f"insert into decisions (mail_id, run, outcome, {columns}) select mail_id, 2, {again}, {columns} from decisions")  # noqa: S608
    (mail,) = (await at.simulate({"last": 10}, rules=[REST]))["mails"]
    assert (mail["before"]["outcome"], mail["before"]["ticket_id"], mail["after"]["outcome"]) == ("ticket", 3, "ticket")


async def test_results_are_paged_and_filtered(at: Simulating) -> None:
    for number in range(5):
        await at.store(f"m{number}", "Lamp" if number % 2 else "Printer", minutes=number)
        await at.became(f"m{number}", OutcomeType.TICKET, "a rule", number)
    path = f"/rule-simulations/{(await at.simulate({'last': 5}, rules=[LAMP, REST]))['id']}/mails"
    first = await at.get(path, limit=2)
    assert [one["position"] for one in first["items"]] == [1, 2]
    rest = await at.get(path, limit=3, cursor=first["next"])
    assert ([one["position"] for one in rest["items"]], rest["next"]) == ([3, 4, 5], None)
    assert [one["position"] for one in (await at.get(path, change="outcome"))["items"]] == [2, 4]
    assert [one["position"] for one in (await at.get(path, before="ticket", after="ticket"))["items"]] == [1, 3, 5]
    assert (await at.get(path, before="spam"))["items"] == []
    assert (await at.desk.client.get(path, params={"change": "much"})).status_code == 422
    assert (await at.desk.client.get(path, params={"cursor": "WyJ4Il0"})).status_code == 400
