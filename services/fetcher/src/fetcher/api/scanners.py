"""`/scanners` and `/jobs`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Response
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.accounts import Accounts, password_place
from fetcher.adapters import scanners
from fetcher.adapters.imap.errors import MailboxError
from fetcher.api.views import FIELDS, about, checked, job_view, scan_view, scanner_view, settings_event
from fetcher.connection_test import check
from fetcher.tokens import STORE
from shared.api import Job, Page, Scanner, ScannerIn, ScannerPatch, ScanRecord, TestResult
from shared.events import derived_id
from shared.http import (
    Actor,
    Cursor,
    IdempotencyKey,
    IfMatch,
    Limit,
    ProblemError,
    check_if_match,
    decode_cursor,
    invalid,
    not_found,
    page,
    with_etag,
)
from shared.messaging.outbox import Outbox, Unit
from shared.oauth.settings import sealed_secrets, without_secrets
from shared.observability import get_logger
from shared.secrets import KeyRing, SecretUnreadableError
from shared.topics import SCANNERS

log = get_logger("api")
NULLABLE = {"spam_folder", "move_matched_to", "move_unmatched_to", "sender_id", "oauth"}
MAILBOX_FIELDS = ("server", "username")
"""Another server or user is another mailbox: its UIDs mean other mails."""


class ScannerApi:
    """Reads and changes scanners; every change leaves as an event, in the same transaction."""

    def __init__(self, outbox: Outbox, keys: KeyRing, accounts: Accounts, pool: ThreadPoolExecutor, first_scan_after: float) -> None:
        self._outbox = outbox
        self._keys = keys
        self._accounts = accounts
        self._pool = pool
        self._first_scan_after = first_scan_after

    def router(self) -> APIRouter:
        """All paths, as the public API has them."""
        router = APIRouter()
        router.get("/scanners")(self.list_all)
        router.post("/scanners", status_code=201)(self.create)
        router.get("/scanners/{scanner_id}")(self.read)
        router.patch("/scanners/{scanner_id}")(self.change)
        router.delete("/scanners/{scanner_id}", status_code=204)(self.remove)
        router.post("/scanners/{scanner_id}/test")(self.test)
        router.post("/scanners/{scanner_id}/scan", status_code=202)(self.scan)
        router.get("/scanners/{scanner_id}/scans")(self.scans)
        router.get("/jobs/{job_id}")(self.job)
        return router

    async def list_all(self, limit: Limit = 50, cursor: Cursor = None) -> Page[Scanner]:
        """By name."""
        after = decode_cursor(cursor, 2)
        async with self._outbox.engine.connect() as conn:
            rows = await scanners.page(conn, (str(after[0]), str(after[1])) if after else None, limit + 1)
            more = await about(conn, [row.id for row in rows])
        return page([scanner_view(row, more) for row in rows], limit, lambda item: (item.name, item.id))

    async def create(self, body: ScannerIn, response: Response, actor: Actor, key: IdempotencyKey = None) -> Scanner:
        """With INBOX selected; its first scan begins after a moment. Settings are not tried: see `test`."""
        scanner_id = derived_id("idempotency", actor, key) if key else str(uuid4())
        oauth = body.oauth.model_dump(mode="json") if body.oauth is not None else None
        fields = body.model_dump(mode="json", exclude={"password", "oauth"}) | {"oauth": without_secrets(oauth)}
        values = checked(fields, has_secret=bool(oauth and oauth["client_secret"]))
        async with self._outbox.transaction() as unit:
            sealed = self._seal(scanner_id, body.password)
            secrets = await sealed_secrets(unit.conn, self._keys, STORE, scanner_id, None, oauth)
            if await scanners.add(unit.conn, values | {"id": scanner_id, "password": sealed}, self._first_scan_after):
                if oauth is not None:
                    await STORE.put_secrets(unit.conn, scanner_id, secrets)
                announce(unit, await found_scanner(unit.conn, scanner_id))
                log.info("scanner created", scanner=scanner_id, actor=actor)
            row = await found_scanner(unit.conn, scanner_id)
            more = await about(unit.conn, [scanner_id])
        response.headers["Location"] = f"/api/v1/scanners/{scanner_id}"
        with_etag(response, row.version)
        return scanner_view(row, more)

    async def read(self, scanner_id: str, response: Response) -> Scanner:
        async with self._outbox.engine.connect() as conn:
            row = await found_scanner(conn, scanner_id)
            more = await about(conn, [scanner_id])
        with_etag(response, row.version)
        return scanner_view(row, more)

    async def change(self, scanner_id: str, body: ScannerPatch, response: Response, actor: Actor, if_match: IfMatch = None) -> Scanner:
        """The fields given; the next scan begins at once, with them."""
        sent = body.model_dump(mode="json", exclude_unset=True)
        given = {name: value for name, value in sent.items() if value is not None or name in NULLABLE}
        password = given.pop("password", None)
        async with self._outbox.transaction() as unit:
            row = await found_scanner(unit.conn, scanner_id, lock=True)
            check_if_match(if_match, row.version)
            oauth = given.get("oauth", row.oauth)
            secrets = await sealed_secrets(unit.conn, self._keys, STORE, scanner_id, row.oauth, oauth)
            fields = {name: getattr(row, name) for name in FIELDS} | given | {"oauth": without_secrets(oauth)}
            values = checked(fields, has_secret=bool(secrets["client_secret"]))
            if password is not None:
                values["password"] = self._seal(scanner_id, password)
            row = await scanners.change(unit.conn, row, values, new_mailbox=_is_new_mailbox(row, values))
            if "oauth" in given:
                await STORE.put_secrets(unit.conn, scanner_id, secrets)
            announce(unit, row)
            more = await about(unit.conn, [scanner_id])
        log.info("scanner changed", scanner=scanner_id, actor=actor, fields=sorted(given))
        with_etag(response, row.version)
        return scanner_view(row, more)

    async def remove(self, scanner_id: str, actor: Actor, if_match: IfMatch = None) -> None:
        """Its mails stay in the ledger and in the archive."""
        async with self._outbox.transaction() as unit:
            row = await found_scanner(unit.conn, scanner_id, lock=True)
            check_if_match(if_match, row.version)
            await scanners.remove(unit.conn, scanner_id)
            unit.emit_tombstone(SCANNERS, key=scanner_id, event_id=derived_id(scanner_id, "deleted"))
        log.info("scanner deleted", scanner=scanner_id, actor=actor)

    async def test(self, scanner_id: str) -> TestResult:
        """Tries the stored settings, step by step."""
        async with self._outbox.engine.connect() as conn:
            row = await found_scanner(conn, scanner_id)
            selected = await scanners.selected_folders(conn, row)
        try:
            account = await self._accounts.of(row)
        except (SecretUnreadableError, MailboxError) as error:
            return TestResult(ok=False, message=str(error), steps=["Access token: failed"] if row.auth == "oauth2" else [])
        return await check(account, list(selected), self._pool)

    async def scan(self, scanner_id: str, response: Response, actor: Actor, key: IdempotencyKey = None) -> Job:
        """Scan now, whichever fetcher holds the mailbox."""
        job_id = f"fetcher-{derived_id('idempotency', actor, key) if key else uuid4()}"
        async with self._outbox.engine.begin() as conn:
            row = await found_scanner(conn, scanner_id)
            if not row.enabled:
                raise ProblemError(409, "The scanner is switched off", "Switch it on first, then scan.")
            await scanners.add_job(conn, job_id, scanner_id)
            found = await scanners.job(conn, job_id)
        response.headers["Location"] = f"/api/v1/jobs/{job_id}"
        return job_view(found) if found is not None else Job(id=job_id, state="queued")

    async def scans(self, scanner_id: str, limit: Limit = 50) -> Page[ScanRecord]:
        """The latest that read something, failed or were asked for; newest first."""
        async with self._outbox.engine.connect() as conn:
            await found_scanner(conn, scanner_id)
            rows = await scanners.scans(conn, scanner_id, limit)
        return Page(items=[scan_view(row) for row in rows])

    async def job(self, job_id: str) -> Job:
        async with self._outbox.engine.connect() as conn:
            row = await scanners.job(conn, job_id)
        if row is None:
            raise not_found("job", job_id)
        return job_view(row)

    def _seal(self, scanner_id: str, password: str) -> str:
        if any(ord(char) < 32 for char in password):
            raise invalid([("password", "must not hold control characters")])
        return self._keys.encrypt(password, password_place(scanner_id)) if password else ""


def announce(unit: Unit, row: Row[Any]) -> None:
    """The scanner's settings, for the other services."""
    unit.emit(SCANNERS, event_id=derived_id(row.id, row.version, "scanner"), key=row.id, body=settings_event(row))


async def found_scanner(conn: AsyncConnection, scanner_id: str, *, lock: bool = False) -> Row[Any]:
    row = await scanners.get(conn, scanner_id, lock=lock)
    if row is None:
        raise not_found("scanner", scanner_id)
    return row


def _is_new_mailbox(row: Row[Any], values: dict[str, Any]) -> bool:
    shared = "SHARED_MAILBOX"
    return any(getattr(row, name) != values[name] for name in MAILBOX_FIELDS) or row.parameters.get(shared) != values["parameters"].get(
        shared
    )
