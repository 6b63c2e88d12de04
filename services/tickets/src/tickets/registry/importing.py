"""Records from a CSV file: the file is read at once, its lines are taken in step by step by a job."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Row

from shared.api import RecordImportIn, RecordImportLine, RecordImportReport, RecordType
from shared.events import derived_id
from shared.http import ProblemError
from shared.messaging.outbox import Unit
from tickets.adapters.import_store import (
    add_parts,
    copy_parts,
    forget_file,
    forget_old_files,
    get_part,
    insert_new,
    known_records,
    remember_spoken_of,
    spoken_of,
)
from tickets.adapters.job_store import add_job, get_job
from tickets.adapters.record_store import (
    accounts_named,
    address_rows,
    addresses_of,
    find_records,
    keys_of,
    lock_account_names,
    owners_of,
    searched,
    update_record,
)
from tickets.adapters.spam_store import lock_senders
from tickets.domain.csv_file import Line, NoTableError, Table, read_table
from tickets.domain.importing import Decision, Stored, decide
from tickets.domain.registry import name_key
from tickets.jobs import Progress
from tickets.registry.connecting import connect

JOB_KIND: Final = "import"
KEPT: Final = timedelta(days=1)
LISTED_LINES: Final = 1000
"""Of a longer file only lines that were not plainly created are listed, and so many of them."""


async def read_file(request: RecordImportIn, sort: RecordType) -> Table | None:
    """The file given; None where that of a dry run is to be taken. Raises ProblemError 422."""
    if request.csv is None:
        return None
    try:
        return await asyncio.to_thread(read_table, request.csv, sort, request.delimiter)
    except NoTableError as error:
        raise ProblemError(422, "Not a file to import", str(error), errors=[{"field": "csv", "message": str(error)}]) from error


async def add_import(unit: Unit, job_id: str, sort: RecordType, request: RecordImportIn, table: Table | None, actor: str) -> None:
    """Add the job with its file. Raises ProblemError 404 for a dry run there is not, 409 where its file is gone."""
    if await get_job(unit.conn, job_id) is not None:
        return
    await forget_old_files(unit.conn, unit.clock() - KEPT)
    given: dict[str, Any] = {"sort": sort, "dry_run": request.dry_run}
    if table is not None:
        await add_parts(unit.conn, job_id, table.lines)
        total, ignored = len(table.lines), table.ignored_columns
    else:
        total, ignored = await _file_of(unit, request.job_id or "", job_id, sort)
    await add_job(unit.conn, job_id, JOB_KIND, actor, given | {"ignored_columns": ignored}, total)


async def _file_of(unit: Unit, tried_id: str, job_id: str, sort: RecordType) -> tuple[int, list[str]]:
    tried = await get_job(unit.conn, tried_id)
    if tried is None or tried.kind != JOB_KIND or tried.input["sort"] != sort:
        raise ProblemError(404, "No such dry run", f"There is no dry run {tried_id} of this sort; give the file itself.")
    if not await copy_parts(unit.conn, tried_id, job_id):
        raise ProblemError(409, "The file is gone", "The file of this dry run is no longer kept; give the file again.")
    return tried.total, tried.input["ignored_columns"]


async def import_next(unit: Unit, job: Row[Any]) -> Progress:
    """The job's next lines, each once: what they do and the job's progress are one transaction."""
    sort, dry_run = job.input["sort"], job.input["dry_run"]
    lines = await get_part(unit.conn, job.id, job.done)
    decisions = await _decided(unit, job.id, sort, lines, dry_run=dry_run)
    if not dry_run:
        decisions = [_with_id(one, job.id) for one in decisions]
        await _carry_out(unit, job, sort, decisions)
    report = _reported(_report(job), decisions, job.total)
    done = job.done + len(lines)
    ended = done >= job.total or not lines
    if ended:
        await forget_file(unit.conn, job.id, keep_parts=dry_run)
    return Progress(done, report.model_dump(mode="json"), "done" if ended else "running")


async def _decided(unit: Unit, job_id: str, sort: RecordType, lines: Sequence[Line], *, dry_run: bool) -> list[Decision]:
    addresses = [address for line in lines for address in line.addresses]
    names = {name_key(line.account) for line in lines if line.account}
    if not dry_run:
        await lock_senders(unit.conn, keys_of(addresses))
        if names:
            await lock_account_names(unit.conn)
    owners = {key: by_sort[sort] for key, by_sort in (await owners_of(unit.conn, addresses)).items() if sort in by_sort}
    ids = set(owners.values())
    stored = Stored(
        owners,
        await known_records(unit.conn, ids, await addresses_of(unit.conn, ids)),
        await accounts_named(unit.conn, names),
        await spoken_of(unit.conn, job_id, ids),
    )
    decisions = [decide(line, stored) for line in lines]
    await remember_spoken_of(unit.conn, job_id, stored.spoken_of)
    return decisions


def _with_id(decision: Decision, job_id: str) -> Decision:
    """A new record's id is a function of job and line: a step that is repeated makes no second one."""
    return replace(decision, record_id=derived_id(job_id, decision.line.line, "record")) if decision.result == "created" else decision


async def _carry_out(unit: Unit, job: Row[Any], sort: RecordType, decisions: Sequence[Decision]) -> None:
    accounts = await _accounts(unit, job.id, [one.account for one in decisions if one.account])
    created = [one for one in decisions if one.result == "created"]
    updated = [one for one in decisions if one.result == "updated"]
    await insert_new(unit.conn, [_row(unit, one, sort, accounts) for one in created], _addresses(created, sort))
    for one in updated:
        await _update(unit, sort, one, accounts)
    addresses = [address for one in (*created, *updated) for address in one.addresses]
    await connect(unit, sort, addresses, job.actor, job_of=(job.id, job.done))


async def _accounts(unit: Unit, job_id: str, names: Sequence[str]) -> dict[str, str]:
    """Ids by folded name; those there are not are made."""
    by_key = {name_key(name): name for name in reversed(names)}
    known = await accounts_named(unit.conn, by_key)
    at = unit.clock()
    made = {key: derived_id(job_id, key, "account") for key in by_key if key not in known}
    rows = [
        {"id": made[key], "type": "account", "name": by_key[key], "created_at": at, "updated_at": at, **searched(by_key[key], None, ())}
        for key in sorted(made)
    ]
    await insert_new(unit.conn, rows, [])
    return known | made


def _row(unit: Unit, one: Decision, sort: RecordType, accounts: Mapping[str, str]) -> dict[str, Any]:
    at, company = unit.clock(), one.values.get("company")
    return {
        "id": one.record_id,
        "type": sort,
        "name": one.line.name,
        "phone": one.values.get("phone"),
        "company": company,
        "website": one.values.get("website"),
        "account_id": accounts[name_key(one.account)] if one.account else None,
        "note": one.values.get("note", ""),
        "created_at": at,
        "updated_at": at,
        "version": 1,
        **searched(one.line.name, company, one.addresses),
    }


def _addresses(created: Sequence[Decision], sort: RecordType) -> list[dict[str, Any]]:
    return [row for one in created for row in address_rows(one.record_id or "", sort, one.addresses)]


async def _update(unit: Unit, sort: RecordType, one: Decision, accounts: Mapping[str, str]) -> None:
    record = (await find_records(unit.conn, sort, [one.record_id or ""]))[0]
    await insert_new(unit.conn, [], address_rows(record.id, sort, one.addresses, len(record.addresses)))
    account = {"account_id": accounts[name_key(one.account)]} if one.account else {}
    await update_record(unit.conn, record, {**one.values, **account}, [*record.addresses, *one.addresses])


def _report(job: Row[Any]) -> RecordImportReport:
    if job.result is not None:
        return RecordImportReport.model_validate(job.result)
    return RecordImportReport(dry_run=job.input["dry_run"], ignored_columns=job.input["ignored_columns"])


def _reported(report: RecordImportReport, decisions: Sequence[Decision], total: int) -> RecordImportReport:
    for one in decisions:
        setattr(report, one.result, getattr(report, one.result) + 1)
        listed = total <= LISTED_LINES or one.result != "created"
        if listed and len(report.lines) < LISTED_LINES:
            report.lines.append(
                RecordImportLine(line=one.line.line, result=one.result, record_id=one.record_id, name=one.line.name, problem=one.problem)
            )
    return report
