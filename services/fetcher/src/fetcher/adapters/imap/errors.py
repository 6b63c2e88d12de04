"""What goes wrong with a mailbox, in plain words with what to do."""

from __future__ import annotations

import errno
import imaplib
import re
import socket
import ssl

from fetcher.adapters.imap.tls_errors import tls_words, too_old_words, waits_for_somebody
from fetcher.domain.refusals import why_ended, why_no_token, why_refused

_TOOK = re.compile(r" ?\([\d.]+ \+ [\d.]+(?: \+ [\d.]+)? secs\)\.?")
"""Dovecot says so, and the same answer would look new each time."""


class MailboxError(Exception):
    """The scan ends here; the message is for the administrator. Tried again after a while."""

    login = False
    """Whether a longer pause is due, so that the account is not locked."""


class LoginRefusedError(MailboxError):
    """The server refused user name or password, or the account."""

    def __init__(self, answer: str, server: str = "") -> None:
        refusal = why_refused(answer, server)
        self.login = refusal.person
        super().__init__(f"{refusal.words} The server said: {answer or 'nothing'}")


class TokenRefusedError(MailboxError):
    """The server refused an access token. `token`: whether another token may help."""

    login = True

    def __init__(self, status: str, answer: str) -> None:
        refusal = why_no_token(answer)
        self.token = refusal is None
        self.login = refusal is None or refusal.person
        words = refusal.words if refusal is not None else "The server refused the access token: sign in again, as the user of this mailbox."
        said = f"status {status}, {answer}" if status else answer
        super().__init__(f"{words} The server said: {said or 'nothing'}")


class NoTokenError(MailboxError):
    """The provider gave no access token. `login`: somebody has to sign in again, or to correct the settings."""

    def __init__(self, words: str, *, login: bool) -> None:
        self.login = login
        super().__init__(words)


class NoWayToSignInError(MailboxError):
    """Nothing that the server offers is allowed; nothing secret was sent."""

    login = True


class CaFileError(MailboxError):
    """The parameter CA_FILE is of no use."""

    login = True

    def __init__(self, reason: str) -> None:
        super().__init__(f"The file in CA_FILE cannot be used ({reason}): correct the parameter; it needs certificates as PEM.")


class FolderMissingError(MailboxError):
    """A selected folder cannot be opened."""

    def __init__(self, folder: str, answer: str) -> None:
        super().__init__(
            f"The folder {folder} cannot be opened: was it renamed or deleted? Choose the folders again. The server said: {answer}"
        )


class LeaseLostError(Exception):
    """Another fetcher has the mailbox, or its settings changed: stop at once, write nothing more."""


IMAP_ERRORS = (OSError, imaplib.IMAP4.error, MailboxError)
"""All that a server can do to us (ssl.SSLError and socket time-outs are OSErrors; abort is an error)."""


def no_starttls(server: str) -> MailboxError:
    """The password stays here: it would travel readable for everybody."""
    return NoWayToSignInError(
        f"{server} offers no STARTTLS, so no password was sent: choose SSL type SSL with its port, or ask the provider"
    )


def starttls_refused(server: str) -> MailboxError:
    """Offered, but not done when it was asked for."""
    return NoWayToSignInError(
        f"{server} offers STARTTLS but refused it, so no password was sent: choose SSL type SSL with its port, or ask the provider"
    )


def tls_too_old(server: str, spoken: str) -> MailboxError:
    """Older than TLS_MINIMUM."""
    return NoWayToSignInError(too_old_words(server, spoken))


def needs_somebody(error: BaseException) -> bool:
    """Whether trying again soon is of no use, or may even lock the account."""
    return error.login if isinstance(error, MailboxError) else isinstance(error, ssl.SSLError) and waits_for_somebody(error)


def explain(error: BaseException, server: str, port: int) -> str:
    """One or two sentences: what failed, and what to do."""
    match error:
        case MailboxError():
            return str(error)
        case ssl.SSLError() if not isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return tls_words(error, server, port)
        case OSError():
            return _network_words(error, server, port)
        case imaplib.IMAP4.error():
            return _protocol_words(error, server, port)
        case _:
            return f"The scan failed ({type(error).__name__}: {_short(error)}); see the fetcher's log."


def _network_words(error: OSError, server: str, port: int) -> str:
    match error:
        case socket.gaierror():
            return f"The server name {server} was not found: check its spelling, or the name service of the fetcher's machine."
        case ConnectionRefusedError():
            return f"{server} refused the connection on port {port}: check the port, and whether the mail server runs."
        case TimeoutError():
            return (
                f"{server} port {port} did not answer in time: check server, port and firewall, or raise CONNECT_TIMEOUT or READ_TIMEOUT."
            )
        case OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH | errno.EACCES | errno.EPERM):
            return f"{server} cannot be reached from the fetcher's machine ({error.strerror}): check its network and the firewall."
        case _:
            return f"The connection to {server} port {port} broke ({_short(error)}): it is tried again by itself."


def _protocol_words(error: imaplib.IMAP4.error, server: str, port: int) -> str:
    said = _short(error)
    refusal = why_ended(said)
    if refusal is not None:
        return f"{refusal.words} {server} said: {said}"
    if "BYE" in said:
        return f"{server} ended the connection by itself; it is tried again. It said: {said}"
    if isinstance(error, imaplib.IMAP4.abort):
        return f"The connection to {server} port {port} broke ({said}): it is tried again by itself."
    return f"{server} gave an answer that is no good IMAP ({said}): it is tried again by itself."


def first_line(error: BaseException) -> str:
    """What the server said: one line, bounded, without what cannot be shown or stored, and without how long it took to say it."""
    text = _TOOK.sub("", str(error))
    first = text.splitlines()[0] if text else ""
    if first.startswith(("b'", 'b"')):
        first = first[2:].rstrip("'\"")
    return "".join(char for char in first if char.isprintable())[:200]


def _short(error: BaseException) -> str:
    return first_line(error) or type(error).__name__
