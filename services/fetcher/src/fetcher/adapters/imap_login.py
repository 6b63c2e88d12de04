"""Signing in: the way that the server offers and the scanner's parameters allow."""

from __future__ import annotations

import imaplib
from collections.abc import Callable
from typing import Any

from imapclient import IMAPClient

from fetcher.adapters.imap_account import Account
from fetcher.adapters.imap_errors import LoginRefusedError, MailboxError, first_line


def sign_in(client: IMAPClient, account: Account) -> str:
    """Returns the way's name. Raises LoginRefusedError; MailboxError where no way is left."""
    way, run = _way(client, account)
    try:
        run()
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:
        if isinstance(error.__context__, imaplib.IMAP4.abort):
            raise error.__context__ from None
        raise LoginRefusedError(first_line(error)) from None
    return way


def _way(client: IMAPClient, account: Account) -> tuple[str, Callable[[], object]]:
    allowed, shared = _allowed(client, account), account.parameters.shared_mailbox
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


def _allowed(client: IMAPClient, account: Account) -> set[str]:
    capabilities = {bytes(one).upper() for one in client.capabilities()}
    offered = {name for name in ("PLAIN", "CRAM-MD5") if f"AUTH={name}".encode() in capabilities}
    if b"LOGINDISABLED" not in capabilities:
        offered.add("LOGIN")
    return offered - account.parameters.disabled


def _checked(answer: tuple[str, Any]) -> None:
    if answer[0] != "OK":
        raise imaplib.IMAP4.error(str(answer[1]))
