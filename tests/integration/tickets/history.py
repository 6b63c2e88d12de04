"""Histories of mails as chance makes them: conversations, look-alikes, strangers, answers of ours, mails that come twice."""

from __future__ import annotations

import random
from typing import Any

from shared.events import Action, ActionType, Candidate, CommandKind, CommandMail, Lookup, TicketCommand
from shared.mail.model import Address
from tests.integration.tickets.rig import OWN, Rig, command

PEOPLE = ["anna@customer.example", "Bob@customer.example", "eve@other.example", "carl@partner.example", "dora@partner.example", OWN]
SUBJECTS = ["Printer", "Re: printer", "Order 17", "AW: Order  17", ""]
OTHER_KINDS = [CommandKind.BOUNCE, CommandKind.AUTO_REPLY, CommandKind.OWN]
MOST_AT_ONCE = 6


class History:
    """Carries out random commands, in batches, with comments and manual tickets between them."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self.rig = rig
        self.chance = random.Random(seed)
        self.message_ids = [f"<{number}@customer.example>" for number in range(12)]
        self.tickets = 0
        self.commands: dict[str, TicketCommand] = {}

    async def live(self, batches: int) -> None:
        await self.rig.add_scanner("s2", "sales@company.example")
        for number, address in enumerate(PEOPLE[:2]):
            await self.rig.api.post("/contacts", json={"name": f"C{number}", "addresses": [address]})
        for _ in range(batches):
            batch = [self._one() for _ in range(self.chance.randint(1, MOST_AT_ONCE))]
            self.commands |= {one.mail_id: one for one in batch}
            await self.rig.carry_out(*batch)
            await self._something_else()
            self.tickets = max((ticket["id"] for ticket in await self.rig.tickets()), default=0)

    async def _something_else(self) -> None:
        """Now and then an operator writes: an id of ours, and new participants; or opens a ticket by hand."""
        if self.chance.random() < 0.3:
            await self.rig.api.post("/tickets", json={"title": self.chance.choice(SUBJECTS[:3])})
        tickets = [ticket["id"] for ticket in await self.rig.tickets() if ticket["source"] == "mail"]
        if tickets and self.chance.random() < 0.5:
            answer = await self.rig.api.post(f"/tickets/{self.chance.choice(tickets)}/comments", json={"body": "Done."})
            if answer.status_code == 201:
                self.message_ids.append(answer.json()["message_id"])

    def _one(self) -> TicketCommand:
        return self._again() if self.commands and self.chance.random() < 0.1 else self._new()

    def _again(self) -> TicketCommand:
        one = self.commands[self.chance.choice(sorted(self.commands))]
        return one.model_copy(update={"run": one.run + self.chance.randint(0, 1)})

    def _new(self) -> TicketCommand:
        mail = CommandMail(
            subject=self.chance.choice(SUBJECTS),
            from_=Address(address=self.chance.choice(PEOPLE)),
            to=[Address(address=OWN)],
            cc=self._some(PEOPLE, 1),
            message_id=self.chance.choice([None, *self.message_ids]),
            references=self.chance.sample(self.message_ids, self.chance.randint(0, 2)),
            authentication=["spf=pass", "dmarc=fail"] if self.chance.random() < 0.1 else [],
        )
        kind = self.chance.choice(OTHER_KINDS) if self.chance.random() < 0.15 else CommandKind.MAIL
        rules = [self._rule(mail, number) for number in range(self.chance.randint(0, 4))]
        return command(mail, rules, kind=kind, scanner_id=self.chance.choice(["s1", "s1", "s2"]))

    def _some(self, people: list[str], most: int) -> list[Address]:
        return [Address(address=address) for address in self.chance.sample(people, self.chance.randint(0, most))]

    def _rule(self, mail: CommandMail, number: int) -> Candidate:
        lookup = self.chance.choice(list(Lookup))
        options: dict[str, Any] = {
            "lookup": lookup,
            "participants_only": self.chance.random() < 0.8,
            "create_when_missing": self.chance.random() < 0.1,
            "status": self.chance.choice([None, None, "closed"]),
        }
        kind = self.chance.choice([ActionType.UPDATE_TICKET] * 6 + [ActionType.CREATE_TICKET] * 2 + list(ActionType))
        # A number that is given in the same batch is one that nobody can know yet.
        numbers = [*range(1, self.tickets + 1), self.tickets + MOST_AT_ONCE + 1]
        key = str(self.chance.choice(numbers[-6:])) if lookup is Lookup.TICKET_ID else mail.subject
        return Candidate(rule_id=f"r{number}", rule_name=f"R{number}", action=Action(type=kind, **options), key=key)
