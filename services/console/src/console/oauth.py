"""Signing in at the provider of a mailbox or an SMTP identity (RFC 6749, 4.1).

The console sends browsers there and takes them back; the fetcher keeps the tokens of mailboxes, the notifier those of SMTP identities.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from console.backend import Backend, quoted
from console.domain.principal import Principal
from console.settings import Settings
from shared.api import SENDER_STATE, OAuthCallbackIn, OAuthSignedIn, OAuthSignIn, OAuthSignInIn
from shared.http import ProblemError

CALLBACK = "/oauth/callback"
"""The one redirect URI, which people register with their provider."""


def redirect_uri(settings: Settings) -> str:
    """The whole address of the callback, as the provider must know it."""
    return settings.public_url + CALLBACK


@dataclass(frozen=True)
class Holder:
    """Whose account it is that somebody signs in to."""

    service: Literal["fetcher", "notifier"]
    path: str
    """Of its kind, in the service and in the public API."""

    @property
    def id_field(self) -> str:
        """What its id is called in answers and problems of a sign-in."""
        return f"{self.path.strip('/').removesuffix('s')}_id"


MAILBOX = Holder("fetcher", "/scanners")
SENDER = Holder("notifier", "/senders")


def holder_of(state: str) -> Holder:
    """Who began the sign-in with this state."""
    return SENDER if state.startswith(SENDER_STATE) else MAILBOX


async def begin_sign_in(backend: Backend, settings: Settings, actor: Principal, holder: Holder, holder_id: str) -> OAuthSignIn:
    """Where the browser goes to sign in. Raises the service's problem, or 502 for an address no browser should be sent to."""
    asked = OAuthSignInIn(redirect_uri=redirect_uri(settings)).model_dump()
    answer = await backend.send_json(holder.service, "POST", f"{holder.path}/{quoted(holder_id)}/oauth", actor=actor, json=asked)
    begun = OAuthSignIn.model_validate(answer)
    if not is_safe(begun.url):
        raise ProblemError(
            502, "The provider's address is not safe", "The provider's sign-in page is not on https. Check the issuer's URL."
        )
    return begun


async def end_sign_in(backend: Backend, actor: Principal, came: OAuthCallbackIn) -> OAuthSignedIn:
    """What the provider sent the browser back with becomes tokens. Raises the service's problem."""
    service = holder_of(came.state).service
    answer = await backend.send_json(service, "POST", CALLBACK, actor=actor, json=came.model_dump(exclude_none=True))
    return OAuthSignedIn.model_validate(answer)


def is_safe(url: str) -> bool:
    """https, or plain http on this machine (RFC 8252, 8.3)."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if not host or not url.isascii() or not url.isprintable() or " " in url:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
