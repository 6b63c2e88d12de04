"""Signing in: the way that the server offers and the scanner's parameters allow."""

from __future__ import annotations

import binascii
import imaplib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imapclient import IMAPClient

from fetcher.adapters.imap.account import Account
from fetcher.adapters.imap.errors import LoginRefusedError, NoWayToSignInError, TokenRefusedError, first_line
from fetcher.domain.parameters import OAUTH_WAYS, PASSWORD_WAYS


def sign_in(client: IMAPClient, account: Account) -> str:
    """Returns the way's name. Raises LoginRefusedError, TokenRefusedError, or NoWayToSignInError before any secret is sent."""
    way = choose(account, client.capabilities())
    try:
        _WAYS[way](client, account)
    except imaplib.IMAP4.error as error:
        raise LoginRefusedError(_answer(error), account.server) from None
    return way


def _answer(error: imaplib.IMAP4.error) -> str:
    """What the server said. Raises imaplib's abort where it said nothing: imapclient hides it in an ordinary error."""
    lost = error if isinstance(error, imaplib.IMAP4.abort) else error.__context__
    if isinstance(lost, imaplib.IMAP4.abort):
        raise lost from None
    return first_line(error)


def choose(account: Account, capabilities: tuple[bytes, ...]) -> str:
    """The first way of the account's kind that is offered and allowed. Raises NoWayToSignInError that says why there is none."""
    names = {bytes(one).decode("ascii", "replace").upper() for one in capabilities}
    offered = [way for way in (OAUTH_WAYS if account.access_token else PASSWORD_WAYS) if _offers(names, way)]
    allowed = [way for way in offered if way not in account.parameters.disabled]
    if not allowed:
        raise NoWayToSignInError(_why_none(account, names, offered))
    if not account.access_token and account.parameters.shared_mailbox and allowed[0] != "PLAIN":
        raise NoWayToSignInError("SHARED_MAILBOX needs a server that offers AUTH=PLAIN, and this one does not: leave the parameter out")
    if allowed[0] == "LOGIN" and not (account.username + account.password).isascii():
        raise NoWayToSignInError("The user name or password has letters beyond ASCII, which needs AUTH=PLAIN; this server offers none")
    return allowed[0]


def _offers(names: set[str], way: str) -> bool:
    return "LOGINDISABLED" not in names if way == "LOGIN" else f"AUTH={way}" in names


def _why_none(account: Account, names: set[str], offered: list[str]) -> str:
    if offered:
        return f"The parameter DISABLE_AUTHENTICATOR forbids all ways that the server offers ({', '.join(offered)}): allow one of them"
    if account.access_token:
        return "The server offers no sign-in with OAuth 2.0 (neither OAUTHBEARER nor XOAUTH2): choose authentication by password"
    if any(f"AUTH={way}" in names for way in OAUTH_WAYS):
        return "The server takes no passwords any more, only OAuth 2.0: choose it as the scanner's authentication and sign in"
    return "The server takes no password over this connection (LOGINDISABLED): choose SSL type STARTTLS or SSL; no password was sent"


def _plain(client: IMAPClient, account: Account) -> None:
    client.plain_login(account.username, account.password, account.parameters.shared_mailbox)


def _login(client: IMAPClient, account: Account) -> None:
    quoted = client._imap._quote(account.username)  # noqa: SLF001 -- imaplib quotes the password, but not the user name
    client.login(quoted, account.password)


def _cram_md5(client: IMAPClient, account: Account) -> None:
    status, answer = client._imap.login_cram_md5(account.username, account.password)  # noqa: SLF001 -- imapclient has no CRAM-MD5
    if status != "OK":
        raise imaplib.IMAP4.error(str(answer))


def _oauthbearer(client: IMAPClient, account: Account) -> None:
    """RFC 7628."""
    user = _mailbox_of(account).replace("=", "=3D").replace(",", "=2C")
    first = f"n,a={user},\x01host={account.server}\x01port={account.port}\x01auth=Bearer {account.access_token}\x01\x01"
    _by_token(client, "OAUTHBEARER", _Dialogue(first.encode(), b"\x01"))


def _xoauth2(client: IMAPClient, account: Account) -> None:
    """Google's and Microsoft's way before there was an RFC."""
    first = f"user={_mailbox_of(account)}\x01auth=Bearer {account.access_token}\x01\x01"
    _by_token(client, "XOAUTH2", _Dialogue(first.encode(), b""))


def _mailbox_of(account: Account) -> str:
    """A token's bearer may open another's mailbox by its name."""
    return account.parameters.shared_mailbox or account.username


@dataclass
class _Dialogue:
    """The client's side: the token once, then an empty answer to the error that the server explains in JSON."""

    first: bytes
    after_error: bytes
    sent: bool = False
    error: bytes = b""

    def __call__(self, challenge: bytes) -> bytes:
        if not self.sent:
            self.sent = True
            return self.first
        self.error = challenge
        return self.after_error


def _by_token(client: IMAPClient, way: str, dialogue: _Dialogue) -> None:
    try:
        client.sasl_login(way, dialogue)
    except binascii.Error:
        raise imaplib.IMAP4.abort("the server's challenge is no base64") from None
    except imaplib.IMAP4.error as error:
        raise TokenRefusedError(_status(dialogue.error), _answer(error)) from None


def _status(challenge: bytes) -> str:
    try:
        found: Any = json.loads(challenge)
        return str(found["status"])[:100]
    except (ValueError, KeyError, TypeError):
        return ""


_WAYS: dict[str, Callable[[IMAPClient, Account], None]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
    "OAUTHBEARER": _oauthbearer,
    "XOAUTH2": _xoauth2,
}
