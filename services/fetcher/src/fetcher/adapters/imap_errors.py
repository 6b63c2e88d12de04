"""What goes wrong with a mailbox, in plain words with what to do."""

from __future__ import annotations

import imaplib
import socket
import ssl


class MailboxError(Exception):
    """The scan ends here; the message is for the administrator. Tried again after a while."""

    login = False
    """Whether a longer pause is due, so that the account is not locked."""


class LoginRefusedError(MailboxError):
    """The server refused user name or password."""

    login = True

    def __init__(self, answer: str) -> None:
        self.login = "[UNAVAILABLE]" not in answer.upper()  # RFC 5530: the server's fault, not the password's
        super().__init__(f"The server refused the user name or password: enter them anew, or unlock the account. It said: {answer}")


class FolderMissingError(MailboxError):
    """A selected folder cannot be opened."""

    def __init__(self, folder: str, answer: str) -> None:
        super().__init__(
            f"The folder {folder} cannot be opened: was it renamed or deleted? Choose the folders again. The server said: {answer}"
        )


class LeaseLostError(Exception):
    """Another fetcher has the mailbox, or its settings changed: stop at once, write nothing more."""


CONNECTION_ERRORS = (OSError, imaplib.IMAP4.abort)
"""After these the connection is of no use."""
IMAP_ERRORS = (OSError, imaplib.IMAP4.error, MailboxError)
"""All that a server can do to us (ssl.SSLError and socket time-outs are OSErrors; abort is an error)."""


def no_starttls(server: str) -> MailboxError:
    """The password stays here: it would travel readable for everybody."""
    return MailboxError(f"{server} offers no STARTTLS, so no password was sent: choose SSL type SSL with its port, or ask the provider")


def explain(error: BaseException, server: str, port: int) -> str:  # noqa: PLR0911 -- a table of errors
    """One or two sentences: what failed, and what to do."""
    match error:
        case MailboxError():
            return str(error)
        case socket.gaierror():
            return f"The server name {server} was not found: check its spelling, or the name service of the fetcher's machine."
        case ssl.SSLCertVerificationError():
            return (
                f"The certificate of {server} is not valid ({getattr(error, 'verify_message', error)}): check the server name, "
                "or give the parameter CA_FILE where the provider has its own authority."
            )
        case ssl.SSLError():
            return f"{server} port {port} does not speak TLS as expected ({getattr(error, 'reason', error)}): check SSL type and port."
        case ConnectionRefusedError():
            return f"{server} refused the connection on port {port}: check the port, and whether the mail server runs."
        case TimeoutError():
            return (
                f"{server} port {port} did not answer in time: check server, port and firewall, or raise CONNECT_TIMEOUT or READ_TIMEOUT."
            )
        case FileNotFoundError() | PermissionError() | IsADirectoryError():
            return f"The file in CA_FILE cannot be read ({error.strerror}): correct the parameter."
        case OSError() | imaplib.IMAP4.abort():
            return f"The connection to {server} port {port} broke ({_short(error)}): it is tried again by itself."
        case imaplib.IMAP4.error():
            return f"{server} gave an answer that is no good IMAP ({_short(error)}): it is tried again by itself."
        case _:
            return f"The scan failed ({type(error).__name__}: {_short(error)}); see the fetcher's log."


def first_line(error: Exception) -> str:
    """What the server said, bounded."""
    text = str(error)
    if text.startswith(("b'", 'b"')):
        text = text[2:-1]
    return text.splitlines()[0][:200] if text else ""


def _short(error: BaseException) -> str:
    return str(error).replace("\x00", "")[:200] or type(error).__name__
