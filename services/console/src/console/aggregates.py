"""What the console gathers from several services: dead letters, readiness, jobs."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Any

from pydantic import Field

from console.backend import Backend, quoted
from console.dependencies import Dependencies
from console.domain.principal import Principal
from console.settings import SERVICES, ServiceName
from shared.api import DeadLetter, Job, Page, ServiceStatus, Status
from shared.http import ProblemError, decode_cursor, encode_cursor, not_found

STATUS_TIMEOUT_S = 5.0
JOB_SERVICES: tuple[ServiceName, ...] = ("fetcher", "rules", "tickets")


class DeadLetterPage(Page[DeadLetter]):
    """Dead letters of all services; `away` names those that could not be asked."""

    away: list[str] = Field(default=[])


async def dead_letters(
    backend: Backend, actor: Principal, *, limit: int = 50, cursor: str | None = None, state: str = "waiting"
) -> DeadLetterPage:
    """One page, service after service. A letter's id says whose it is: `tickets.<id>`."""
    first, inner = _position(cursor)
    found: list[DeadLetter] = []
    away: list[str] = []
    for index in range(first, len(SERVICES)):
        service = SERVICES[index]
        params = {"limit": limit - len(found), "cursor": inner if index == first else None, "state": state}
        try:
            answer = await backend.get_json(service, "/dead-letters", actor=actor, params=params)
        except ProblemError as error:
            if error.status not in {503, 504}:
                raise
            away.append(service)
            continue
        found += [DeadLetter.model_validate({**item, "id": f"{service}.{item['id']}"}) for item in answer["items"]]
        if answer["next"]:
            return DeadLetterPage(items=found, next=encode_cursor(index, answer["next"]), away=away)
        if len(found) >= limit and index + 1 < len(SERVICES):
            return DeadLetterPage(items=found, next=encode_cursor(index + 1, None), away=away)
    return DeadLetterPage(items=found, away=away)


async def act_on_dead_letter(backend: Backend, actor: Principal, letter_id: str, verb: str, json: Any = None) -> dict[str, str]:
    """`retry`, or `drop` with a DropRequest as `json`. Raises ProblemError 404 for an id that names no service."""
    service, inner = owner_of(letter_id, ".", SERVICES, "dead letter")
    answer = await backend.send_json(service, "POST", f"/dead-letters/{quoted(inner)}/{verb}", actor=actor, json=json)
    return {**answer, "id": letter_id}


async def job(backend: Backend, actor: Principal, job_id: str) -> Job:
    """How far a job is. Raises ProblemError 404 for an id that names no service."""
    service, _ = owner_of(job_id, "-", JOB_SERVICES, "job")
    return Job.model_validate(await backend.get_json(service, f"/jobs/{quoted(job_id)}", actor=actor))


def owner_of(item_id: str, mark: str, services: tuple[ServiceName, ...], what: str) -> tuple[ServiceName, str]:
    """The service an id begins with, and the rest of the id. Raises ProblemError 404."""
    for service in services:
        if item_id.startswith(service + mark) and len(item_id) > len(service + mark):
            return service, item_id.removeprefix(service + mark)
    raise not_found(what, item_id)


async def status(deps: Dependencies, actor: Principal) -> Status:
    """Readiness of every service, asked at once; never an error."""
    services = await asyncio.gather(*(_service_status(deps.backend, name, actor) for name in SERVICES))
    checks = await deps.checks()
    own = ServiceStatus(name="console", ready=all(value == "ok" for value in checks.values()), checks=checks)
    every = [*services, own]
    return Status(ready=all(one.ready for one in every), version=version("mailconverter-console"), services=every)


async def _service_status(backend: Backend, name: ServiceName, actor: Principal) -> ServiceStatus:
    try:
        async with asyncio.timeout(STATUS_TIMEOUT_S):
            response = await backend.call(name, "GET", "/health/ready", actor=actor)
        checks = {str(check): str(state) for check, state in response.json()["checks"].items()}
    except ProblemError as error:
        return ServiceStatus(name=name, ready=False, checks={"http": error.problem.detail})
    except TimeoutError:
        return ServiceStatus(name=name, ready=False, checks={"http": f"no answer within {STATUS_TIMEOUT_S:g} s"})
    except (ValueError, KeyError, TypeError, AttributeError):
        return ServiceStatus(name=name, ready=False, checks={"http": f"unreadable answer, status {response.status_code}"})
    return ServiceStatus(name=name, ready=response.status_code == 200, checks=checks)


def _position(cursor: str | None) -> tuple[int, str | None]:
    values = decode_cursor(cursor, 2)
    if values is None:
        return 0, None
    index, inner = values
    if not isinstance(index, int) or not 0 <= index < len(SERVICES) or not isinstance(inner, str | None):
        raise ProblemError(400, "Not a cursor of this list", "Use the `next` of the page before, unchanged.")
    return index, inner
