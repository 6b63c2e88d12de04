"""A rules service with stored mails and a tickets to ask: what tests of simulations need."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text

from rules.adapters.resolutions import Resolutions
from rules.settings import RulesSettings
from rules.simulation.simulator import Simulator
from rules.simulation.trial import Trial
from shared.events import OutcomeType
from tests.integration.rules.desk import NOW, Desk, mail_bytes, raw_record
from tests.integration.rules.tickets_server import TicketsServer

LAMP = {"name": "lamps", "conditions": [{"field": "subject", "operator": "contains", "value": "lamp"}], "action": {"type": "archive"}}
REST = {"name": "rest", "action": {"type": "create_ticket"}}


class Simulating:
    """One replica's desk, its archive, and its simulator, which runs a simulation when a test says so."""

    def __init__(self, desk: Desk, tickets: TicketsServer) -> None:
        self.desk = desk
        self.tickets = tickets
        self.simulator = self.make_simulator()

    def settings(self, **more: Any) -> RulesSettings:
        """The desk's, with this tickets, and others."""
        own = self.desk.service.settings
        secrets = {"database_url": own.database_url, "service_token": own.service_token}
        return RulesSettings(**{**own.model_dump(exclude=set(secrets)), **secrets, "tickets_url": self.tickets.url, **more})

    def make_simulator(self, **more: Any) -> Simulator:
        """Another process's, with other settings."""
        settings, engine = self.settings(**more), self.desk.service.engine
        return Simulator(engine, self.desk.service.archive, Trial(engine, Resolutions(settings)), settings)

    async def store(
        self, mail_id: str, subject: str = "Printer", *, minutes: int = 0, raw: bytes | None = None, scanner: str = "s"
    ) -> None:
        """A mail, decided, received so many minutes after the first, in the archive."""
        at = NOW + timedelta(minutes=minutes)
        value = mail_bytes(subject, mail_id) if raw is None else raw
        await self.desk.service.archive.put(f"{scanner}/{mail_id}", value)
        await self.desk.mails(raw_record(mail_id, value, at=at, scanner=scanner))

    async def became(self, mail_id: str, outcome: OutcomeType, rule_id: str | None = None, ticket_id: int | None = None) -> None:
        """The mail's outcome arrives."""
        await self.desk.outcome(mail_id, 1, outcome, rule_id=rule_id, rule_name=rule_id and "earlier", ticket_id=ticket_id)

    async def ask(self, mails: dict[str, Any], **more: Any) -> str:
        """POST; the simulation's id."""
        answer = await self.desk.client.post("/rule-simulations", json={"scanner_id": "s", "mails": mails, **more})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"]).removeprefix("rules-")

    async def simulate(self, mails: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Asked for and run; the whole simulation with its mails in `mails`."""
        simulation_id = await self.ask(mails, **more)
        assert await self.simulator.run_one()
        return await self.show(simulation_id)

    async def show(self, simulation_id: str) -> dict[str, Any]:
        """The simulation, with its first 200 mails in `mails`."""
        shown: dict[str, Any] = await self.get(f"/rule-simulations/{simulation_id}")
        return shown | {"mails": (await self.get(f"/rule-simulations/{simulation_id}/mails", limit=200))["items"]}

    async def get(self, path: str, **params: Any) -> Any:
        """A good answer's body."""
        answer = await self.desk.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def job(self, simulation_id: str) -> dict[str, Any]:
        """As a poller sees it."""
        found: dict[str, Any] = await self.get(f"/jobs/rules-{simulation_id}")
        return found

    async def execute(self, statement: str, **values: Any) -> Any:
        """Straight in the database."""
        async with self.desk.service.engine.begin() as conn:
            result = await conn.execute(text(statement), values)
            return result.all() if result.returns_rows else None

    async def counts(self) -> dict[str, int]:
        """Rows of every table of the service."""
        tables = [name for (name,) in await self.execute("select tablename from pg_tables where schemaname = 'public'")]
        return {name: (await self.execute(f"select count(*) from {name}"))[0][0] for name in tables}  # noqa: S608 -- our own tables' names


def minutes(count: int) -> str:
    """A time so long after the first mail, as JSON."""
    at: datetime = NOW + timedelta(minutes=count)
    return at.isoformat()
