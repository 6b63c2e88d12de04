"""Why a server refuses or ends: its answer, by response codes (RFC 5530) and the usual texts, in plain words with what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """`person`: nothing changes before somebody does something, and trying again may lock the account."""

    words: str
    person: bool = True


WRONG = Refusal("The server refused the user name or password: enter them anew, or unlock the account.")
BUSY = Refusal("Too many connections to this account are open: close other programs, or raise the server's limit.", False)
AWAY = Refusal("The server cannot check passwords or open the mailbox at the moment: it is tried again by itself.", False)

_PASSWORDS_OFF = Refusal("The provider takes no passwords over IMAP any more: choose OAuth 2.0 as authentication and sign in.")
_APP_PASSWORD = Refusal("Google takes no ordinary passwords over IMAP: choose OAuth 2.0, or enter an app password of the account.")
_BROWSER = Refusal("The provider wants a sign-in in the browser first: sign in to the account there, then scan again; or choose OAuth 2.0.")
_IMAP_OFF = Refusal("IMAP is switched off for this account: switch it on in the provider's settings of the account.")
_EXPIRED = Refusal("The password has expired: set a new one at the provider and enter it here.")
_LOCKED = Refusal("The account is locked after too many wrong passwords: unlock it at the provider, then enter the right password.")
_DISABLED = Refusal("The account is disabled: ask the mail server's administrator to switch it on.")
_CONTACT = Refusal("The server's administrator has barred this account: ask there.")
_NOT_ALLOWED = Refusal("The password is right, but this user may not open this mailbox: check SHARED_MAILBOX and the rights on the server.")
_NO_MAILBOX = Refusal("The user was let in, but there is no mailbox to open: check its licence and the rights on it.")
_ENCRYPT = Refusal("The server takes passwords over encrypted connections only: choose SSL type STARTTLS or SSL.")
_QUOTA = Refusal("The account has used up its allowance at the provider: free some space, or wait until the provider lets it in again.")

_REFUSALS: tuple[tuple[str, Refusal], ...] = (
    (r"application-specific password|app password", _APP_PASSWORD),
    (r"webalert|web browser|web login required", _BROWSER),
    (r"basic ?auth\w* (is )?(blocked|disabled)|basicauthblocked|oauth2? (is )?required", _PASSWORDS_OFF),
    (r"not enabled for imap|imap (access )?is (disabled|not enabled|turned off)|imap service disabled|imap access disabled", _IMAP_OFF),
    (r"authenticated but not connected", _NO_MAILBOX),
    (r"\[privacyrequired\]|cleartext logins? disabled|plaintext authentication disallowed|only available under a layer", _ENCRYPT),
    (r"bandwidth limit|\[overquota\]|over quota|quota exceeded", _QUOTA),
    (r"too many (simultaneous )?connections|maximum number of connections|max(imum)? connections|connection limit|\[limit\]", BUSY),
    (r"\[expired\]|password (has |is )?expired|must change (your )?password", _EXPIRED),
    (r"(account|user|mailbox)( is| has been)?( temporarily)? locked|too many (login|authentication)? ?(failures|failed|attempts)", _LOCKED),
    (r"(account|user|mailbox)( is| has been)? (disabled|suspended|inactive|closed|deactivated)", _DISABLED),
    (r"\[contactadmin\]", _CONTACT),
    (r"\[unavailable\]|\[inuse\]|temporary|temporarily|maintenance|try again later|server busy", AWAY),
    (r"\[authorizationfailed\]|not authorized to|\[noperm\]", _NOT_ALLOWED),
)

_PROVIDERS: tuple[tuple[str, Refusal], ...] = (
    (r"(^|\.)(outlook\.office365\.com|office365\.com|outlook\.com|hotmail\.com)$", _PASSWORDS_OFF),
    (r"(^|\.)(gmail\.com|googlemail\.com)$", _APP_PASSWORD),
)


def why_refused(answer: str, server: str = "") -> Refusal:
    """Of a sign-in by password. Providers that take no passwords do not always say so: they are known by their names."""
    return _found(_REFUSALS, answer) or _found(_PROVIDERS, server) or WRONG


def why_no_token(answer: str) -> Refusal | None:
    """Of a sign-in by access token; None where it is the token itself."""
    found = _found(_REFUSALS, answer)
    return found if found in {BUSY, AWAY, _IMAP_OFF, _NO_MAILBOX, _DISABLED, _LOCKED, _QUOTA} else None


def why_ended(text: str) -> Refusal | None:
    """Of a connection that the server ended or would not begin; None where it gives no reason that is known."""
    found = _found(_REFUSALS, text)
    return found if found in {BUSY, AWAY, _QUOTA, _DISABLED, _LOCKED} else None


def _found(table: tuple[tuple[str, Refusal], ...], text: str) -> Refusal | None:
    folded = text.casefold()
    return next((refusal for pattern, refusal in table if re.search(pattern, folded)), None)
