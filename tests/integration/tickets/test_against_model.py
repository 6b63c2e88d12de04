"""Random desks, acted on at random, compared with a plain model after every act: redeliveries, batches, two replicas, restarts."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from shared.events import Candidate, Lookup, TicketCommand
from shared.mail.model import Address
from tests.integration.tickets.desk_model import OWN, ModelDesk, ModelMail
from tests.integration.tickets.rig import CREATE, REPLY, Rig, command, mail, update
from tickets.adapters.tables import messages, tickets

pytestmark = [pytest.mark.connected, pytest.mark.timeout(300)]

EXAMPLES, STEPS = 20, 25
NO_TICKET = 99_999
PEOPLE = ("anna@customer.example", "bo@customer.example", "chen@firm.example", "dora@firm.example")
TITLES = ("Invoice", "Chairs", "A delivery that never came")
CODES = {204: "no content", 200: "done"}
T = TypeVar("T")


class DeskMachine(RuleBasedStateMachine):
    """Each rule does one thing to the service and to the model; both are compared after it."""

    runner: asyncio.Runner
    make_rig: Callable[[], Rig]
    rigs: list[Rig]
    delivered = Bundle("delivered")

    def __init__(self) -> None:
        super().__init__()
        self.model = ModelDesk()
        self.numbers = itertools.count(1)
        self.ids: list[str] = []

    @classmethod
    def run(cls, work: Coroutine[Any, Any, T]) -> T:
        return cls.runner.run(work)

    @initialize()
    def an_empty_desk(self) -> None:
        self.run(self.rig.start())

    @property
    def rig(self) -> Rig:
        return self.rigs[0]

    @rule(target=delivered, data=st.data(), size=st.integers(1, 6))
    def mails_come_in_one_batch(self, data: st.DataObject, size: int) -> list[TicketCommand]:
        mails = [self._mail(data) for _ in range(size)]
        commands = [_command(one) for one in mails]
        self.run(self.rig.carry_out(*commands))
        self._happened(mails)
        return commands

    @rule(target=delivered, data=st.data(), size=st.integers(1, 4))
    def a_batch_comes_to_both_replicas_at_once(self, data: st.DataObject, size: int) -> list[TicketCommand]:
        """As when Kafka gives a partition to another consumer in the middle of a batch."""
        mails = [self._mail(data) for _ in range(size)]
        commands = [_command(one) for one in mails]
        self.run(_both(self.rigs, commands))
        self._happened(mails)
        return commands

    @rule(commands=delivered, resend=st.integers(0, 3))
    def they_are_delivered_again(self, commands: list[TicketCommand], resend: int) -> None:
        self.run(self.rigs[1].carry_out(*commands, resend=resend))
        self._compare()

    @rule()
    def the_service_is_restarted(self) -> None:
        self.run(self.rigs.pop(0).stop())
        self.rigs.append(self.make_rig())
        self._compare()

    @precondition(lambda self: self.model.tickets)
    @rule(data=st.data(), status=st.sampled_from(["open", "in_progress", "waiting", "closed"]))
    def an_operator_sets_the_status(self, data: st.DataObject, status: str) -> None:
        number = self._ticket(data)
        answer = self.run(self.rig.api.patch(f"/tickets/{number}", json={"status": status}))
        if self._refused(number, answer.status_code):
            return
        self.model.tickets[number].status = status
        self._compare()

    @precondition(lambda self: self.model.tickets)
    @rule(data=st.data())
    def an_operator_answers(self, data: st.DataObject) -> None:
        number = self._ticket(data)
        answer = self.run(self.rig.api.post(f"/tickets/{number}/comments", json={"body": "We look into it."}))
        if self._refused(number, answer.status_code):
            return
        message_id = answer.json()["message_id"]
        self.model.answer(number, message_id)
        self.ids.append(message_id)
        self._compare()

    @precondition(lambda self: self.model.tickets)
    @rule(data=st.data())
    def an_operator_deletes_a_ticket_or_brings_it_back(self, data: st.DataObject) -> None:
        number = self._ticket(data)
        ticket = self.model.tickets[number]
        if ticket.merged_into is not None:
            return
        path = f"/tickets/{number}"
        answer = self.run(self.rig.api.post(f"{path}/restore") if ticket.deleted else self.rig.api.delete(path))
        assert answer.status_code in CODES, answer.text
        ticket.deleted = not ticket.deleted
        self._compare()

    @precondition(lambda self: len(self.model.tickets) > 1)
    @rule(data=st.data())
    def an_operator_merges_two_tickets(self, data: st.DataObject) -> None:
        number, into = self._ticket(data), self._ticket(data)
        answer = self.run(self.rig.api.post(f"/tickets/{number}/merge", json={"into": into}))
        gone, target = self.model.tickets[number], self.model.tickets[into]
        if gone.merged_into == into and not target.deleted:
            assert answer.status_code == 200, "merging twice into the same ticket is merging once"
        elif number == into or gone.deleted or target.deleted or gone.merged_into or target.merged_into:
            assert 400 <= answer.status_code < 500, answer.text
        else:
            assert answer.status_code == 200, answer.text
            self.model.merge(number, into)
        self._compare()

    @rule(sender=st.sampled_from(PEOPLE[2:]))
    def a_sender_is_put_on_the_spam_list_or_taken_off(self, sender: str) -> None:
        entries = self.run(self.rig.get("/spam-senders"))["items"]
        entry = next((one for one in entries if one["address"] == sender), None)
        if entry is None:
            answer = self.run(self.rig.api.post("/spam-senders", json={"address": sender}))
        else:
            answer = self.run(self.rig.api.delete(f"/spam-senders/{entry['id']}"))
        assert answer.is_success, answer.text
        self.model.spam ^= {sender}

    def _mail(self, data: st.DataObject) -> ModelMail:
        """What a person may write, and what rules may make of it."""
        number = next(self.numbers)
        known = st.sampled_from([*self.ids, f"<m{number + 1}@x>"])
        self.ids.append(f"<m{number}@x>")
        # Never a number that this very batch gives: nobody can have read it yet.
        wanted = st.sampled_from([*self.model.tickets, NO_TICKET])
        return ModelMail(
            mail_id=f"mail-{number:05}",
            sender=data.draw(st.sampled_from(PEOPLE)),
            subject=data.draw(st.sampled_from(TITLES)),
            message_id=f"<m{number}@x>",
            refers=tuple(data.draw(st.lists(known, max_size=2, unique=True))),
            cc=tuple(data.draw(st.lists(st.sampled_from([*PEOPLE, OWN]), max_size=1))),
            forged=data.draw(st.integers(0, 9)) == 0,
            number=data.draw(st.none() | wanted),
            title=data.draw(st.none() | st.sampled_from(TITLES)),
            conversation=data.draw(st.booleans()) or data.draw(st.booleans()),
            creates=data.draw(st.integers(0, 9)) > 0,
        )

    def _ticket(self, data: st.DataObject) -> int:
        return int(data.draw(st.sampled_from(sorted(self.model.tickets))))

    def _refused(self, number: int, status: int) -> bool:
        """Deleted and merged tickets take no changes."""
        ticket = self.model.tickets[number]
        wrong = ticket.deleted or ticket.merged_into is not None
        assert (status == 409) == wrong, (number, status, ticket)
        return wrong

    def _happened(self, mails: Sequence[ModelMail]) -> None:
        for one in mails:
            self.model.carry_out(one)
        self._compare()

    def _compare(self) -> None:
        assert self.run(_desk_of(self.rig)) == {
            number: {
                "title": one.title,
                "status": one.status,
                "mails": sorted(one.mails),
                "answers": one.answers,
                "linked": one.linked,
                "merged_into": one.merged_into,
                "deleted": one.deleted,
            }
            for number, one in self.model.tickets.items()
        }
        assert self.run(_outcomes(self.rig)) == self.model.outcomes


async def _both(rigs: Sequence[Rig], commands: Sequence[TicketCommand]) -> None:
    await asyncio.gather(*(rig.carry_out(*commands) for rig in rigs))


async def _desk_of(rig: Rig) -> dict[int, dict[str, Any]]:
    async with rig.engine.connect() as conn:
        found = {
            row.id: {
                "title": row.title,
                "status": row.status,
                "mails": [],
                "answers": 0,
                "linked": row.linked_ticket_id,
                "merged_into": row.merged_into,
                "deleted": row.deleted_at is not None,
            }
            for row in await conn.execute(select(tickets))
        }
        for row in await conn.execute(select(messages).order_by(messages.c.mail_id)):
            if row.kind == "mail":
                found[row.ticket_id]["mails"].append(row.mail_id)
            else:
                found[row.ticket_id]["answers"] += 1
    return found


async def _outcomes(rig: Rig) -> dict[str, tuple[str, int | None]]:
    """The newest outcome of each mail that was emitted; an update that a merge moved is the ticket's all the same."""
    newest: dict[str, dict[str, Any]] = {}
    for one in await rig.emitted("mail.outcomes"):
        known = newest.get(one["mail_id"])
        if known is None or (one["run"], one["revision"]) >= (known["run"], known["revision"]):
            newest[one["mail_id"]] = one
    return {mail_id: (one["type"], one.get("ticket_id")) for mail_id, one in newest.items()}


def _command(one: ModelMail) -> TicketCommand:
    content = mail(
        one.sender,
        one.subject,
        message_id=one.message_id,
        in_reply_to=list(one.refers[:1]),
        references=list(one.refers[1:]),
        cc=[Address(address=address) for address in one.cc],
        authentication=["dmarc=fail"] if one.forged else [],
    )
    return command(content, _candidates(one), mail_id=one.mail_id)


def _candidates(one: ModelMail) -> list[Candidate]:
    found = [REPLY] if one.conversation else []
    if one.number is not None:
        found.append(update(str(one.number)))
    if one.title is not None:
        found.append(update(one.title, Lookup.TITLE))
    return [*found, CREATE] if one.creates else found


def test_the_desk_is_what_a_plain_model_says(tickets_database: str, tmp_path: Path) -> None:
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],  # shrinking takes minutes: for a failure add Phase.shrink
    )
    with asyncio.Runner() as runner:
        DeskMachine.runner = runner
        DeskMachine.make_rig = partial(Rig, tickets_database, tmp_path / "archive")
        DeskMachine.rigs = [DeskMachine.make_rig(), DeskMachine.make_rig()]
        try:
            run_state_machine_as_test(DeskMachine, settings=chosen)
        finally:
            for rig in DeskMachine.rigs:
                runner.run(rig.stop())
