"""`/scanners/{id}/folders`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy import Row

from fetcher.accounts import Accounts
from fetcher.adapters import scanners
from fetcher.adapters.imap.errors import IMAP_ERRORS, explain
from fetcher.adapters.imap.folders import Listing, renamed
from fetcher.api.scanners import announce, found_scanner
from fetcher.domain.folder_names import canonical
from fetcher.mailbox import Mailbox
from shared.api import Folder, FolderList, FolderSelection
from shared.http import IfMatch, ProblemError, check_if_match, invalid, with_etag
from shared.messaging.outbox import Outbox
from shared.secrets import SecretUnreadableError


class FolderApi:
    """Lists a mailbox's folders from its server; chooses those that are read."""

    def __init__(self, outbox: Outbox, accounts: Accounts, pool: ThreadPoolExecutor) -> None:
        self._outbox = outbox
        self._accounts = accounts
        self._pool = pool

    def router(self) -> APIRouter:
        """All paths, as the public API has them."""
        router = APIRouter()
        router.get("/scanners/{scanner_id}/folders")(self.folders)
        router.put("/scanners/{scanner_id}/folders")(self.select_folders)
        return router

    async def folders(self, scanner_id: str) -> FolderList:
        """As the server lists them now, and those that are selected though it lists them no more."""
        async with self._outbox.engine.connect() as conn:
            row = await found_scanner(conn, scanner_id)
            selected = await scanners.selected_folders(conn, row)
        listed = await self._list_folders(row)
        names = {one.name for one in listed}
        missing = [_missing(name, state.uid_validity, listed, selected) for name, state in selected.items() if name not in names]
        return FolderList(items=[*(_shown(one, one.name in selected) for one in listed), *missing])

    async def _list_folders(self, row: Row[Any]) -> list[Listing]:
        mailbox: Mailbox | None = None
        try:
            mailbox = Mailbox(await self._accounts.of(row), self._pool)
            await mailbox.ensure_open()
            return await mailbox.call(lambda c: c.folders(counted=True))
        except SecretUnreadableError as error:
            raise ProblemError(502, "The folders cannot be listed", str(error)) from error
        except IMAP_ERRORS as error:
            raise ProblemError(502, "The folders cannot be listed", explain(error, row.server, row.port)) from error
        finally:
            if mailbox is not None:
                await mailbox.close()

    async def select_folders(self, scanner_id: str, body: FolderSelection, response: Response, if_match: IfMatch = None) -> FolderList:
        """Exactly these are read. They are not asked of the server: one that is missing shows in the scanner's state."""
        names = [canonical(name.replace("\x00", "")) for name in body.selected]
        if any(ord(char) < 32 for name in names for char in name):
            raise invalid([("selected", "a folder's name must not hold control characters")])
        async with self._outbox.transaction() as unit:
            row = await found_scanner(unit.conn, scanner_id, lock=True)
            check_if_match(if_match, row.version)
            await scanners.select_folders(unit.conn, row, names)
            row = await scanners.change(unit.conn, row, {}, new_mailbox=False)
            announce(unit, row)
        with_etag(response, row.version)
        return FolderList(items=[Folder(name=name, selected=True) for name in dict.fromkeys(names)])


def _shown(one: Listing, selected: bool) -> Folder:
    values = {name: value for name, value in asdict(one).items() if name in Folder.model_fields}
    return Folder(**values, selected=selected)


def _missing(name: str, uid_validity: int | None, listed: Sequence[Listing], selected: Collection[str]) -> Folder:
    renamed_to = renamed(listed, uid_validity, selected) if uid_validity is not None else None
    return Folder(name=name, selectable=False, selected=True, missing=True, renamed_to=renamed_to)
