"""Rules tried on mails: asked for, followed, looked at mail by mail, and made the mailbox's rules."""

from __future__ import annotations

from typing import Annotated, Any, Final
from uuid import uuid4

from fastapi import APIRouter, Path, Query, Response

from rules.adapters.simulations import JobRow
from rules.api.checks import check_rules
from rules.api.parameters import SavingCall
from rules.api.views import rule_list
from rules.simulation.difference import Change
from rules.simulation.simulations import Simulations
from shared.api import Job, Page, RuleList, RuleSimulation, RuleSimulationIn, SimulatedMail, SimulatedMailDetail
from shared.events import OutcomeType, derived_id
from shared.http import Actor, Cursor, IdempotencyKey, Limit, ProblemError, decode_cursor, not_found

JOB_PREFIX: Final = "rules-"
MAX_POSITION: Final = 2**31 - 1
Position = Annotated[int, Path(ge=1, le=MAX_POSITION)]
ChangeFilter = Annotated[Change | None, Query(description="Only mails with this change")]
Before = Annotated[OutcomeType | None, Query(description="Only mails that became this")]
After = Annotated[OutcomeType | None, Query(description="Only mails that would become this")]


def simulations_router(simulations: Simulations) -> APIRouter:
    """`/rule-simulations`, and `/jobs/{id}` of the rules service."""
    router = APIRouter()
    _add_results(router, simulations)

    @router.post("/rule-simulations", status_code=202)
    async def ask(wanted: RuleSimulationIn, actor: Actor, response: Response, key: IdempotencyKey = None) -> Job:
        check_rules(wanted.rules or [], "rules")
        simulation_id = derived_id("idempotency", "simulation", actor, key) if key else str(uuid4())
        asked = _job(await simulations.ask(simulation_id, wanted, actor))
        response.headers["Location"] = f"/api/v1/jobs/{asked.id}"
        return asked

    @router.get("/jobs/{job_id}")
    async def job(job_id: str) -> Job:
        if not job_id.startswith(JOB_PREFIX):
            raise not_found("job", job_id)
        return _job(await simulations.row(job_id.removeprefix(JOB_PREFIX)))

    @router.post("/rule-simulations/{simulation_id}/apply")
    async def apply(simulation_id: str, saving: SavingCall, response: Response) -> RuleList:
        return rule_list(await simulations.apply(simulation_id, saving), response)

    return router


def _add_results(router: APIRouter, simulations: Simulations) -> None:
    @router.get("/rule-simulations/{simulation_id}")
    async def show(simulation_id: str) -> RuleSimulation:
        return await simulations.show(simulation_id)

    @router.get("/rule-simulations/{simulation_id}/mails")
    async def mails(
        simulation_id: str,
        change: ChangeFilter = None,
        before: Before = None,
        after: After = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[SimulatedMail]:
        return await simulations.mails(simulation_id, limit, _position(cursor), change, before, after)

    @router.get("/rule-simulations/{simulation_id}/mails/{position}")
    async def mail(simulation_id: str, position: Position) -> SimulatedMailDetail:
        return await simulations.mail(simulation_id, position)


def _position(cursor: str | None) -> int:
    """Of the last mail on the page before."""
    values: list[Any] = decode_cursor(cursor, 1) or [0]
    if not isinstance(values[0], int) or not 0 <= values[0] <= MAX_POSITION:
        raise ProblemError(400, "Not a cursor of this list", "Use the `next` of the page before, unchanged.")
    return values[0]


def _job(row: JobRow) -> Job:
    """A job that ended says of which simulation it was, and how many of its mails would change or why it failed."""
    results = {
        "done": {"simulation_id": row.id, "changed": row.changed, "total": row.total},
        "failed": {"simulation_id": row.id, "error": row.error},
    }
    return Job(id=f"{JOB_PREFIX}{row.id}", state=row.state, done=row.done, total=row.total, result=results.get(row.state))
