"""The stand-in's contacts, accounts and leads. An import stands half way at the first look and is done at the second."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import count
from typing import Any
from uuid import uuid4

from fastapi import FastAPI

from shared import api
from shared.http import ProblemError
from tests.kit.stand_in_mailboxes import ago
from tests.kit.stand_in_records import Known
from tests.kit.stand_in_world import World, changed, one

LINES: list[dict[str, Any]] = [
    {"line": 2, "result": "created", "name": "Carla Conti"},
    {"line": 3, "result": "updated", "record_id": "c1", "name": "Anna Keller"},
    {"line": 4, "result": "unchanged", "record_id": "c1", "name": "Anna Keller"},
    {"line": 5, "result": "refused", "name": "Bo", "problem": "“bo@” is no e-mail address: correct it, or take it out."},
]


def serve_registry(app: FastAPI, world: World) -> None:
    """Their paths."""
    for sort in ("contact", "account", "lead"):
        _serve_import(app, f"/{sort}s", world)
        _serve_records(app, f"/{sort}s", sort, partial(_known, world, sort))


def _known(world: World, sort: str) -> Known:
    return world.registry[sort]


def _serve_records(app: FastAPI, path: str, sort: str, known: Callable[[], Known]) -> None:
    @app.get(path)
    def records(q: str = "", account_id: str = "") -> api.Page[api.Record]:
        fits = [item for item in known().values() if q.lower() in f"{item.name} {item.addresses}".lower()]
        return api.Page(items=[item for item in fits if account_id in {"", item.account_id}])

    @app.post(path, status_code=201)
    def create(wanted: api.RecordIn) -> api.Record:
        values = wanted.model_dump() | {"id": str(uuid4()), "type": sort, "created_at": datetime.now(UTC), "updated_at": datetime.now(UTC)}
        made = api.Record.model_validate(values)
        known()[made.id] = made
        return made

    @app.get(f"{path}/{{key}}")
    def read(key: str) -> api.Record:
        return one(known(), key, sort)

    @app.patch(f"{path}/{{key}}")
    def change(key: str, patch: api.RecordPatch) -> api.Record:
        return changed(known(), key, patch.model_dump(exclude_unset=True))

    @app.delete(f"{path}/{{key}}", status_code=204)
    def delete(key: str) -> None:
        known().pop(key)

    @app.post(f"{path}/{{key}}/merge")
    def merge(key: str, wanted: api.RecordMerge) -> api.Record:
        addresses = [address for gone in wanted.ids for address in known().pop(gone).addresses]
        return changed(known(), key, {"addresses": [*known()[key].addresses, *addresses]})

    @app.get(f"{path}/{{key}}/mails")
    def mails(key: str) -> api.Page[api.FiledMail]:
        filed = api.FiledMail(mail_id="mail-1", sender="anna@customer.example", received_at=ago(hours=4), rule_name="File with sender")
        on_ticket = api.FiledMail(mail_id="mail-2", ticket_id=128, sender="anna@customer.example", received_at=ago(days=1))
        return api.Page(items=[filed, on_ticket] if key == "c1" else [])


def _serve_import(app: FastAPI, path: str, world: World) -> None:
    numbers = count(1)

    @app.post(f"{path}/import", status_code=202)
    def take_in(wanted: api.RecordImportIn) -> api.Job:
        if wanted.csv is not None and "@" not in wanted.csv:
            detail = "The first line names no column of e-mail addresses."
            raise ProblemError(422, "Not a file to import", detail, errors=[{"field": "csv", "message": detail}])
        job_id = f"tickets-import{path.replace('/', '-')}-{next(numbers)}"
        counts = dict.fromkeys(("created", "updated", "unchanged", "refused"), 1)
        report = api.RecordImportReport.model_validate({"dry_run": wanted.dry_run, "ignored_columns": ["Codice"], "lines": LINES} | counts)
        world.jobs[job_id] = api.Job(id=job_id, state="running", done=2, total=4, result=report.model_dump(mode="json"))
        return api.Job(id=job_id, state="queued", total=4)
