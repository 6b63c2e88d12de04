"""One IMAP connection, blocking: it runs in threads, behind `fetcher.mailbox.Mailbox`.

IMAP4rev1 (RFC 3501) on servers of every age. Mails are always read with BODY.PEEK[]: reading changes no flag by accident.
"""

from __future__ import annotations

import imaplib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from fetcher.adapters.imap import fetch as imap_fetch
from fetcher.adapters.imap.account import Account
from fetcher.adapters.imap.errors import FolderMissingError, first_line
from fetcher.adapters.imap.folders import Listing, list_folders, renamed
from fetcher.adapters.imap.login import sign_in
from fetcher.adapters.imap.tls import open_client, secure
from fetcher.adapters.imap.wire import Client, Wire
from fetcher.domain.mails import Listed

SEARCH_STEP = 50_000
"""imaplib refuses lines over 1 MB, so the UIDs of a large folder are asked for in steps."""
MAX_HEADER_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Opened:
    """A selected folder."""

    uid_validity: int
    uid_next: int
    exists: int


class Connection:
    """Raises MailboxError or one of imaplib's, ssl's and the socket's errors; `imap.errors.explain` puts them in plain words."""

    def __init__(self, account: Account) -> None:
        """Nothing is opened yet."""
        self._account = account
        self._client: Client | None = None
        self._wire = Wire()

    @property
    def client(self) -> Client:
        if self._client is None:
            raise ConnectionError("the connection is not open")
        return self._client

    def connect(self) -> None:
        """Connect, with TLS as the scanner asks for; no password is sent."""
        self._client = client = open_client(self._account, self._wire)
        secure(client, self._account)

    def tls(self) -> str:
        """Version of TLS in use, empty without."""
        return str(getattr(self.client.socket(), "version", lambda: "")() or "")

    def login(self) -> str:
        """Sign in with what the server offers and the parameters allow; returns the way's name. Raises MailboxError."""
        return sign_in(self.client, self._account)

    def select(self, folder: str, *, writable: bool) -> Opened:
        """SELECT, or EXAMINE where nothing will be changed. Raises FolderMissingError."""
        try:
            answer = self.client.select_folder(folder, readonly=not writable)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            raise FolderMissingError(folder, first_line(error)) from None
        exists = int(answer.get(b"EXISTS", 0))
        uid_next = answer.get(b"UIDNEXT")
        if uid_next is None:  # optional before IMAP4rev2
            uid_next = max(self.client.search(["UID", "*"]), default=0) + 1 if exists else 1
        return Opened(int(answer.get(b"UIDVALIDITY", 0)), int(uid_next), exists)

    def search(self, low: int, exists: int, *, unread: bool = False) -> list[int]:
        """UIDs above `low`, ascending. `n:*` names the last mail even when it is below n (RFC 3501, 6.4.8), so they are filtered."""
        if exists == 0:
            return []
        found: set[int] = set()
        for first in range(1, exists + 1, SEARCH_STEP):
            part = [f"{first}:{min(first + SEARCH_STEP - 1, exists)}"] if exists > SEARCH_STEP else []
            found.update(self.client.search([*part, "UID", f"{low + 1}:*", *(["UNSEEN"] if unread else [])]))
        return sorted(uid for uid in found if uid > low)

    def search_since(self, day: date) -> list[int]:
        """UIDs of mails whose INTERNALDATE is that day or later, by the server's calendar. Ascending."""
        return sorted(self.client.search(["SINCE", day]))

    def details(self, uids: Sequence[int]) -> list[Listed]:
        """Size as the server counts it, and INTERNALDATE; a UID that is gone is left out. Ascending."""
        return imap_fetch.listed(self.client, uids)

    def bodies(self, uids: Sequence[int]) -> dict[int, bytes]:
        """Whole mails, by UID; one that is gone is left out. A large one is a `LargeLiteral`."""
        return imap_fetch.bodies(self.client, uids)

    def headers(self, uids: Sequence[int]) -> dict[int, bytes]:
        """Header blocks, by UID."""
        found = imap_fetch.section(self.client.fetch(list(uids), ["BODY.PEEK[HEADER]"]), b"BODY[HEADER]")
        return {uid: data[:MAX_HEADER_BYTES] for uid, data in found.items()}

    def mark_read(self, uids: Iterable[int]) -> None:
        r"""Set \Seen; UIDs that are gone are no error."""
        self.client.add_flags(list(uids), [b"\\Seen"], silent=True)

    def folders(self, *, counted: bool = False) -> list[Listing]:
        """All folders as a tree; with the numbers of their mails where there is time for it."""
        return list_folders(self.client, counted=counted)

    def renamed_to(self, uid_validity: int, selected: Collection[str]) -> str | None:
        """The folder that a missing one seems to have become: the only one with its UIDVALIDITY that is not `selected`."""
        return renamed(list_folders(self.client, counted=True), uid_validity, selected)

    def noop(self) -> None:
        """Whether the connection lives."""
        self.client.noop()

    def expect(self, size: int) -> None:
        """So many bytes are wanted by what follows; a server that sends far more is cut off."""
        self._wire.expected = size

    def abandon(self) -> None:
        """Cut the connection from another thread, open or not, so that a call that hangs ends. Never waits."""
        self._wire.cut()

    def close(self) -> None:
        """Sign out if the server still listens; never raises."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            client.socket().settimeout(2.0)
            client.logout()
        except (OSError, imaplib.IMAP4.error, AttributeError):
            try:
                client.shutdown()
            except (OSError, imaplib.IMAP4.error):
                return
