"""Erasures asked for, the services' reports, and the end: when all have reported, the address itself is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from shared.events import Erasure, ErasureReport, address_digest, derived_id
from shared.http import ProblemError
from shared.messaging.outbox import Unit
from shared.observability import get_logger
from shared.topics import PRIVACY_ERASURES, TOPICS
from tickets.adapters.desk import own_addresses
from tickets.adapters.erasure_store import add_erasure, end_erasure, get_erasure, put_reports, under_way
from tickets.adapters.job_store import add_job, save_job
from tickets.domain.keys import address_key

log = get_logger("erasure")

JOB_KIND: Final = "erasure"
SERVICES: Final = PRIVACY_ERASURES.read_by
BACKUPS: Final = "Backups of the databases and of the archive keep what they hold for as long as you keep them."
COMPACTED: Final = "The topic privacy.erasures keeps the address itself until Kafka compacts it."


def job_of(erasure_id: str) -> str:
    """Id of the job that shows an erasure's progress."""
    return f"tickets-{erasure_id}"


async def start(unit: Unit, address: str, actor: str) -> str:
    """Id of the address' erasure that is under way, begun now where there was none. Raises ProblemError 409 for a mailbox of ours."""
    if address_key(address) in await own_addresses(unit.conn):
        detail = f"{address} is the address of a mailbox of yours: every mail it sent and received would go. Delete the mailbox instead."
        raise ProblemError(409, "A mailbox of your own", detail)
    digest = address_digest(address)
    known = await under_way(unit.conn, digest)
    if known is not None:
        return str(known.id)
    erasure_id, at = str(uuid4()), unit.clock()
    row = {"id": erasure_id, "address": address, "digest": digest, "requested_by": actor, "before": at, "created_at": at}
    await add_erasure(unit.conn, row)
    await add_job(unit.conn, job_of(erasure_id), JOB_KIND, actor, {}, len(SERVICES))
    await save_job(unit.conn, job_of(erasure_id), {"state": "running", "result": {"erasure_id": erasure_id}})
    _emit(unit, Erasure(erasure_id=erasure_id, address=address, digest=digest, before=at), "asked for")
    log.info("erasure asked for", erasure=erasure_id, actor=actor)
    return erasure_id


async def record(unit: Unit, report: ErasureReport) -> None:
    """Keep a service's report; a second one of the same is ignored. With the last one the erasure is done."""
    row = await get_erasure(unit.conn, report.erasure_id, lock=True)
    if row is None or report.more or report.service in {one["service"] for one in row.reports}:
        return
    part = {"service": report.service, "removed": report.removed, "kept": report.kept, "finished_at": report.at.isoformat()}
    reports = [*row.reports, part]
    await put_reports(unit.conn, row.id, reports)
    over = not waiting_for(reports)
    await save_job(unit.conn, job_of(row.id), {"done": len(reports), "state": "done" if over else "running"})
    if over:
        await end_erasure(unit.conn, row.id)
        _emit(unit, Erasure(erasure_id=row.id, digest=row.digest, before=row.before), "done")
        log.info("erasure done", erasure=row.id)


async def record_own(unit: Unit, report: ErasureReport) -> None:
    """This service's own report, which says what the parts that are nobody's keep, and until when."""
    await record(unit, report.model_copy(update={"kept": [*report.kept, *_kept_in_kafka(report.at), COMPACTED, BACKUPS]}))


def waiting_for(reports: Sequence[dict[str, Any]]) -> list[str]:
    """Services that have not reported."""
    return [name for name in SERVICES if name not in {one["service"] for one in reports}]


def _kept_in_kafka(at: datetime) -> list[str]:
    """By topic. Events of before are all older than the report; those that say something of the mails are in these topics."""
    days = sorted({topic.retention_days for topic in TOPICS if topic.retention_days is not None}, reverse=True)
    names = {keep: ", ".join(topic.name for topic in TOPICS if topic.retention_days == keep) for keep in days}
    return [f"Kafka keeps the events of {names[keep]} until {at + timedelta(days=keep):%Y-%m-%d} ({keep} days)." for keep in days]


def _emit(unit: Unit, body: Erasure, what: str) -> None:
    unit.emit(PRIVACY_ERASURES, event_id=derived_id(body.erasure_id, what, "erasure"), key=body.erasure_id, body=body)
