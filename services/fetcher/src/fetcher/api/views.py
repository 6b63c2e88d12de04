"""Rows as the API shows them, and what goes onto the `scanners` topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.accounts import address_of
from fetcher.adapters import scanners
from fetcher.domain.parameters import ParameterError, read_parameters
from fetcher.tokens import STORE
from shared.api import (
    FolderProblem,
    Job,
    Mail,
    MailOutcomeView,
    Scanner,
    ScannerFields,
    ScannerState,
    ScanRecord,
    SslMethod,
    SslType,
)
from shared.events import ScannerSettings
from shared.http import invalid
from shared.oauth.model import problems
from shared.oauth.settings import state_of

FIELDS = tuple(ScannerFields.model_fields)
MAIL_FIELDS = tuple(name for name in Mail.model_fields if name not in {"outcome", "places"})
POP3_PORTS = (110, 995)


@dataclass(frozen=True)
class About:
    """What is told of scanners besides their rows, by scanner id."""

    problems: Mapping[str, list[FolderProblem]]
    read_last_hour: Mapping[str, int]
    oauth: Mapping[str, Row[Any]]


async def about(conn: AsyncConnection, scanner_ids: Sequence[str]) -> About:
    """For all scanners of a page at once."""
    folders: dict[str, list[FolderProblem]] = {}
    for row in await scanners.problems(conn, scanner_ids):
        shown = FolderProblem(folder=row.name, message=row.problem, renamed_to=row.renamed_to)
        folders.setdefault(row.scanner_id, []).append(shown)
    return About(folders, await scanners.read_last_hour(conn, scanner_ids), await STORE.of(conn, scanner_ids))


def scanner_view(row: Row[Any], more: About) -> Scanner:
    """Without secrets."""
    state = ScannerState(
        last_scan_at=row.last_scan_at,
        last_success_at=row.last_success_at,
        last_error=row.last_error,
        next_scan_at=row.next_scan_at if row.enabled else None,
        backlog=row.backlog,
        read_last_hour=more.read_last_hour.get(row.id, 0),
        watching=row.watching,
        fetcher=row.lease_holder,
        problems=more.problems.get(row.id, []),
        oauth=state_of(row.auth, row.oauth, more.oauth.get(row.id)),
    )
    fields = {name: getattr(row, name) for name in FIELDS}
    about_it = {"id": row.id, "version": row.version, "warnings": warnings(row), "state": state}
    return Scanner.model_validate(fields | about_it | {"created_at": row.created_at, "updated_at": row.updated_at})


def warnings(row: Row[Any]) -> list[str]:
    """What is unsafe in the settings."""
    if row.ssl_type == SslType.NONE:
        return ["The connection is not encrypted: passwords and mails can be read on the way."]
    if row.ssl_method == SslMethod.NO_VALIDATE:
        return ["The server's certificate is not validated: somebody on the way could pretend to be it and read password and mails."]
    return []


def scan_view(row: Row[Any]) -> ScanRecord:
    """One scan of the past."""
    return ScanRecord(started_at=row.started_at, seconds=round(row.seconds, 3), found=row.found, read=row.read, error=row.error)


def settings_event(row: Row[Any]) -> ScannerSettings:
    """Without server, user and secrets."""
    return ScannerSettings(
        scanner_id=row.id,
        version=row.version,
        name=row.name,
        enabled=row.enabled,
        address=address_of(row),
        sender_id=row.sender_id,
        pec=row.pec,
        spam_folder=row.spam_folder,
    )


def mail_view(row: Row[Any]) -> Mail:
    """A line of the ledger."""
    outcome = None
    if row.outcome_type is not None:
        names = ("type", "run", "revision", "ticket_id", "rule_id", "rule_name", "reason")
        outcome = MailOutcomeView.model_validate({name: getattr(row, f"outcome_{name}") for name in names})
    fields = {name: getattr(row, name) for name in MAIL_FIELDS}
    return Mail.model_validate(fields | {"outcome": outcome})


def job_view(row: Row[Any]) -> Job:
    """A scan that was asked for."""
    return Job(id=row.id, state=row.state, done=row.done, total=row.total, result=row.result)


def checked(values: dict[str, Any], *, has_secret: bool = False) -> dict[str, Any]:
    """A scanner's fields, validated together. `has_secret`: whether there is a client_secret of OAuth, now or from before.

    Raises ProblemError 422 that names the field and the reason.
    """
    try:
        fields = ScannerFields.model_validate(values)
        read_parameters(fields.parameters, oauth=fields.auth == "oauth2")
    except ValidationError as error:
        raise invalid([(".".join(str(part) for part in item["loc"]), item["msg"]) for item in error.errors()]) from error
    except ParameterError as error:
        raise invalid([(f"parameters.{error.name}", str(error))]) from error
    if found := problems(fields.auth, fields.oauth, has_secret=has_secret):
        raise invalid(found)
    if fields.port in POP3_PORTS:
        raise invalid([("port", f"{fields.port} is a port of POP3, which has no folders and no flags; IMAP uses 993 (SSL) or 143")])
    for name in ("username", "server"):
        if any(ord(char) < 32 for char in getattr(fields, name)):
            raise invalid([(name, "must not hold control characters")])
    dumped = fields.model_dump(mode="json")
    return {name: _clean(value) for name, value in dumped.items()}


def _clean(value: Any) -> Any:
    """Text columns take no NUL."""
    return value.replace("\x00", "") if isinstance(value, str) else value
