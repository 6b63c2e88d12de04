"""One IMAP connection, blocking: it runs in threads, behind `fetcher.mailbox.Mailbox`.

IMAP4rev1 (RFC 3501) on servers of every age. Mails are always read with BODY.PEEK[]: reading changes no flag by accident.
"""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from imapclient import IMAPClient, SocketTimeout

from fetcher.adapters.imap_errors import FolderMissingError, LoginRefusedError, MailboxError, no_starttls
from fetcher.domain.mails import Listed
from fetcher.domain.parameters import Parameters
from shared.api import SslMethod, SslType

SEARCH_STEP = 50_000
"""imaplib refuses lines over 1 MB, so the UIDs of a large folder are asked for in steps."""
MAX_HEADER_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Account:
    """Where and as whom to sign in. The password is in no representation of it."""

    server: str
    port: int
    username: str
    password: str = field(repr=False)
    ssl_type: SslType = SslType.SSL
    ssl_method: SslMethod = SslMethod.VALIDATE
    parameters: Parameters = field(default_factory=Parameters)
    connect_timeout: float = 15.0
    read_timeout: float = 60.0


@dataclass(frozen=True)
class Opened:
    """A selected folder."""

    uid_validity: int
    uid_next: int
    exists: int


@dataclass(frozen=True)
class Listing:
    """A folder of the server's list; `name` is decoded from modified UTF-7 (RFC 3501, 5.1.3)."""

    name: str
    delimiter: str | None
    special_use: str | None
    selectable: bool


SPECIAL_USES = ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash", "\\Important")


def tls_context(account: Account) -> ssl.SSLContext:
    """Validates unless switched off; raises OSError or ssl.SSLError where CA_FILE cannot be read."""
    context = ssl.create_default_context(cafile=account.parameters.ca_file)
    if account.ssl_method is SslMethod.NO_VALIDATE:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Connection:
    """Raises MailboxError or one of imaplib's, ssl's and the socket's errors; `imap_errors.explain` puts them in plain words."""

    def __init__(self, account: Account) -> None:
        """Nothing is opened yet."""
        self._account = account
        self._client: IMAPClient | None = None

    @property
    def client(self) -> IMAPClient:
        if self._client is None:
            raise ConnectionError("the connection is not open")
        return self._client

    def connect(self) -> None:
        """Connect, with TLS as the scanner asks for; no password is sent."""
        account = self._account
        over_tls = account.ssl_type is SslType.SSL
        context = tls_context(account) if account.ssl_type is not SslType.NONE else None
        timeout = SocketTimeout(account.connect_timeout, account.read_timeout)
        self._client = client = IMAPClient(account.server, account.port, ssl=over_tls, ssl_context=context, timeout=timeout)
        # imapclient formats every line for a debug log; without it reading is five times faster, and no mail reaches a log.
        client._imap.debug = 0  # noqa: SLF001 -- there is no public way; pinned by a test
        client.normalise_times = False
        if account.ssl_type is SslType.STARTTLS:
            self._start_tls(client, context)

    def _start_tls(self, client: IMAPClient, context: ssl.SSLContext | None) -> None:
        if not client.has_capability("STARTTLS"):
            raise no_starttls(self._account.server)
        client.starttls(context)

    def tls(self) -> str:
        """Version of TLS in use, empty without."""
        return str(getattr(self.client.socket(), "version", lambda: "")() or "")

    def login(self) -> str:
        """Sign in with what the server offers and the parameters allow; returns the way's name. Raises LoginRefusedError."""
        way, sign_in = self._way(self.client)
        try:
            sign_in()
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            if isinstance(error.__context__, imaplib.IMAP4.abort):
                raise error.__context__ from None
            raise LoginRefusedError(_first_line(error)) from None
        return way

    def _way(self, client: IMAPClient) -> tuple[str, Callable[[], object]]:
        account, allowed = self._account, self._allowed(client)
        shared = account.parameters.shared_mailbox
        if "PLAIN" in allowed:
            return "PLAIN", lambda: client.plain_login(account.username, account.password, shared)
        if shared:
            raise MailboxError("SHARED_MAILBOX needs a server that offers AUTH=PLAIN, and this one does not: leave the parameter out")
        if "LOGIN" in allowed:
            if not (account.username + account.password).isascii():
                raise MailboxError("The user name or password has letters beyond ASCII, which needs AUTH=PLAIN; this server offers none")
            imap = client._imap  # noqa: SLF001 -- imaplib quotes the password, but not the user name
            return "LOGIN", lambda: client.login(imap._quote(account.username), account.password)  # noqa: SLF001 -- as above
        if "CRAM-MD5" in allowed:
            return "CRAM-MD5", lambda: _checked(client._imap.login_cram_md5(account.username, account.password))  # noqa: SLF001 -- imapclient has no CRAM-MD5
        raise MailboxError("The server offers no way to sign in that the scanner allows: check SSL type and DISABLE_AUTHENTICATOR")

    def _allowed(self, client: IMAPClient) -> set[str]:
        capabilities = {bytes(one).upper() for one in client.capabilities()}
        offered = {name for name in ("PLAIN", "CRAM-MD5") if f"AUTH={name}".encode() in capabilities}
        if b"LOGINDISABLED" not in capabilities:
            offered.add("LOGIN")
        return offered - self._account.parameters.disabled

    def select(self, folder: str, *, writable: bool) -> Opened:
        """SELECT, or EXAMINE where nothing will be changed. Raises FolderMissingError."""
        try:
            answer = self.client.select_folder(folder, readonly=not writable)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            raise FolderMissingError(folder, _first_line(error)) from None
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
        answer = self.client.fetch(list(uids), ["RFC822.SIZE", "INTERNALDATE"])
        return [Listed(uid, int(data.get(b"RFC822.SIZE", 0)), _utc(data.get(b"INTERNALDATE"))) for uid, data in sorted(answer.items())]

    def bodies(self, uids: Sequence[int]) -> dict[int, bytes]:
        """Whole mails, by UID; one that is gone is left out."""
        return _section(self.client.fetch(list(uids), ["BODY.PEEK[]"]), b"BODY[]")

    def headers(self, uids: Sequence[int]) -> dict[int, bytes]:
        """Header blocks, by UID."""
        found = _section(self.client.fetch(list(uids), ["BODY.PEEK[HEADER]"]), b"BODY[HEADER]")
        return {uid: data[:MAX_HEADER_BYTES] for uid, data in found.items()}

    def mark_read(self, uids: Iterable[int]) -> None:
        r"""Set \Seen; UIDs that are gone are no error."""
        self.client.add_flags(list(uids), [b"\\Seen"], silent=True)

    def folders(self) -> list[Listing]:
        """All folders, as the server lists them."""
        return [_listing(flags, delimiter, name) for flags, delimiter, name in self.client.list_folders()]

    def renamed_to(self, folder: str, uid_validity: int) -> str | None:  # noqa: ARG002 -- the contract
        """The folder that a missing one seems to have become: the only one with its UIDVALIDITY."""
        return None

    def noop(self) -> None:
        """Whether the connection lives."""
        self.client.noop()

    def abandon(self) -> None:
        """Cut the socket from another thread, so that a call that hangs ends."""
        if self._client is not None:
            try:
                self._client.shutdown()
            except (OSError, imaplib.IMAP4.error):
                return

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


def _checked(answer: tuple[str, Any]) -> None:
    if answer[0] != "OK":
        raise imaplib.IMAP4.error(str(answer[1]))


def _section(answer: Mapping[int, Mapping[bytes, Any]], name: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    for uid, data in answer.items():
        value = data.get(name)
        if isinstance(value, bytes):
            found[uid] = value
        elif value is not None:  # a bare number or NIL between quotes
            found[uid] = str(value).encode()
    return found


def _listing(flags: Iterable[bytes], delimiter: bytes | None, name: str) -> Listing:
    marks = {bytes(flag).decode("ascii", "replace").casefold() for flag in flags}
    special = next((use for use in SPECIAL_USES if use.casefold() in marks), None)
    selectable = not marks & {"\\noselect", "\\nonexistent"}
    return Listing(name, delimiter.decode("ascii", "replace") if delimiter else None, special, selectable)


def _utc(moment: object) -> datetime:
    if not isinstance(moment, datetime):
        return datetime.fromtimestamp(0, UTC)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _first_line(error: Exception) -> str:
    text = str(error)
    if text.startswith(("b'", 'b"')):
        text = text[2:-1]
    return text.splitlines()[0][:200] if text else ""
