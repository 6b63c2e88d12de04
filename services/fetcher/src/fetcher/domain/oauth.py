"""OAuth 2.0 of a mailbox: who gives its tokens, what is asked for, when one is renewed, and why it is refused."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from shared.api import OAuthFields, OAuthGrant, OAuthProvider

DISCOVERY = "/.well-known/openid-configuration"
GOOGLE_SCOPE = "https://mail.google.com/"
MICROSOFT_APPLICATION = "https://outlook.office365.com/.default"
MICROSOFT_PERSON = "https://outlook.office.com/IMAP.AccessAsUser.All offline_access"
OIDC_PERSON = "openid offline_access"
RENEW_AHEAD = timedelta(minutes=5)


@dataclass(frozen=True)
class Endpoints:
    """Where a provider is spoken to. `basic`: whether a client shows its secret in the header (RFC 6749, 2.3.1)."""

    authorize: str
    token: str
    basic: bool = False


@dataclass(frozen=True)
class Secrets:
    """What tokens are got with; in no representation of it."""

    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Client:
    """A mailbox as its provider knows it. `ca_file`: authorities that are trusted besides the system's, for providers of one's own."""

    oauth: OAuthFields
    secrets: Secrets
    username: str = ""
    ca_file: str | None = None

    @property
    def signed_in(self) -> bool:
        """Whether there is what tokens are got with."""
        return can_renew(self.oauth, self.secrets.client_secret, self.secrets.refresh_token)


@dataclass(frozen=True)
class Token:
    """A provider's answer. `refresh_token` is empty where the one that was used stays good."""

    access_token: str = field(repr=False)
    seconds: int
    refresh_token: str = field(default="", repr=False)


def known_endpoints(oauth: OAuthFields) -> Endpoints | None:
    """Of the providers that everybody has; None where they are read from the issuer."""
    if oauth.provider is OAuthProvider.GOOGLE:
        return Endpoints("https://accounts.google.com/o/oauth2/v2/auth", "https://oauth2.googleapis.com/token")
    if oauth.provider is OAuthProvider.MICROSOFT:
        base = f"https://login.microsoftonline.com/{oauth.tenant or 'common'}/oauth2/v2.0"
        return Endpoints(f"{base}/authorize", f"{base}/token")
    return None


def scope_of(oauth: OAuthFields) -> str:
    """What is asked for: as set, else what the provider's IMAP needs."""
    application = oauth.grant is OAuthGrant.CLIENT_CREDENTIALS
    match oauth.provider:
        case OAuthProvider.GOOGLE:
            usual = GOOGLE_SCOPE
        case OAuthProvider.MICROSOFT:
            usual = MICROSOFT_APPLICATION if application else MICROSOFT_PERSON
        case _:
            usual = "" if application else OIDC_PERSON
    return oauth.scope or usual


def token_request(client: Client) -> dict[str, str]:
    """Parameters of a renewal (RFC 6749, 4.4 and 6). A refresh asks for what was granted; Microsoft takes the scope for the audience."""
    oauth = client.oauth
    if oauth.grant is OAuthGrant.CLIENT_CREDENTIALS:
        return {"grant_type": "client_credentials", "scope": scope_of(oauth)}
    scope = scope_of(oauth) if oauth.provider is OAuthProvider.MICROSOFT else oauth.scope
    return {"grant_type": "refresh_token", "refresh_token": client.secrets.refresh_token, "scope": scope}


def consent_request(client: Client) -> dict[str, str]:
    """What is added to the authorization request, so that the right account signs in and a refresh token is given."""
    hint = {"login_hint": client.username} if "@" in client.username else {}
    if client.oauth.provider is OAuthProvider.GOOGLE:
        return hint | {"access_type": "offline", "prompt": "consent"}
    return hint


def can_renew(oauth: OAuthFields, client_secret: str, refresh_token: str) -> bool:
    """Whether there is what tokens are got with; the secrets may be sealed."""
    return bool(client_secret if oauth.grant is OAuthGrant.CLIENT_CREDENTIALS else refresh_token)


def same_client(one: OAuthFields, other: OAuthFields) -> bool:
    """Whether secrets of one are good for the other. They are shown to nobody else: another issuer could ask for them only to have them."""
    return all(getattr(one, name) == getattr(other, name) for name in ("provider", "client_id", "tenant", "issuer"))


def due(now: datetime, renewed_at: datetime | None, expires_at: datetime | None) -> bool:
    """Whether less than five minutes or a tenth of its life is left, of a short life less than half."""
    if renewed_at is None or expires_at is None:
        return True
    life = expires_at - renewed_at
    return expires_at - now < min(max(RENEW_AHEAD, life / 10), life / 2)


def problems(auth: str, oauth: OAuthFields | None, *, has_secret: bool) -> list[tuple[str, str]]:
    """Fields of a scanner that do not fit together, each with its reason."""
    if oauth is None:
        return [("oauth", "is needed with auth oauth2: provider and client_id at least")] if auth == "oauth2" else []
    application = oauth.grant is OAuthGrant.CLIENT_CREDENTIALS
    found: list[tuple[str, str]] = []
    if oauth.provider is OAuthProvider.OIDC and not safe_url(oauth.issuer):
        found.append(("oauth.issuer", "is needed with provider oidc: the issuer's URL, which begins with https://"))
    if oauth.provider is OAuthProvider.MICROSOFT and application and not oauth.tenant:
        found.append(("oauth.tenant", "is needed with client_credentials of Microsoft 365: the directory (tenant) id or domain"))
    if oauth.provider is OAuthProvider.GOOGLE and application:
        found.append(("oauth.grant", "Google gives no tokens for a client's secret alone: choose refresh_token"))
    if application and not has_secret:
        found.append(("oauth.client_secret", "is needed with client_credentials; one that was saved for another client does not count"))
    odd = [name for name in ("client_id", "issuer", "scope") if any(ord(char) < 32 for char in getattr(oauth, name))]
    return found + [(f"oauth.{name}", "must not hold control characters") for name in odd]


def safe_url(url: str) -> bool:
    """Secrets go there: by https, or to this machine itself."""
    try:
        parts = urlsplit(url)
        host = "" if parts.port == 0 else parts.hostname or ""
    except ValueError:
        return False
    return bool(host) and not parts.username and (parts.scheme == "https" or (parts.scheme == "http" and _loopback(host)))


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_SIGN_IN = "The provider takes the saved sign-in no more: sign in again on the mailbox's page."
_SECRET = "The provider does not know this client, or its secret has expired: enter client_id and client_secret anew."  # noqa: S105 -- words
_CONSENT = "The application has no right to this mailbox: give it the permission for IMAP at the provider, then sign in again."
_WORDS = {
    "invalid_grant": _SIGN_IN,
    "interaction_required": _SIGN_IN,
    "login_required": _SIGN_IN,
    "invalid_client": _SECRET,
    "unauthorized_client": "The provider allows this client no tokens of this kind: check its registration there, and the chosen grant.",
    "unsupported_grant_type": "The provider gives no tokens of this kind: choose the other grant.",
    "invalid_scope": "The provider does not know the scope: correct it, or leave it blank.",
    "consent_required": _CONSENT,
    "access_denied": "The person or the provider said no: sign in again and agree, or give the application its permission at the provider.",
    "invalid_request": "The provider found the request incomplete: check client_id, client_secret and tenant.",
}
"""By error code (RFC 6749, 5.2; OpenID Connect Core, 3.1.2.6)."""
_MICROSOFT = {
    "AADSTS65001": _CONSENT,
    "AADSTS7000215": _SECRET,
    "AADSTS7000222": "The client's secret has expired: make a new one at Microsoft Entra and enter it here.",
    "AADSTS700016": "Microsoft Entra does not know this client in the tenant: check client_id and tenant.",
    "AADSTS90002": "Microsoft Entra does not know the tenant: correct it.",
    "AADSTS50057": "The account is disabled: ask its administrator.",
    "AADSTS50173": "The account's password was changed since: sign in again on the mailbox's page.",
}
_TRY_AGAIN = {"temporarily_unavailable", "server_error", "slow_down"}


def refusal_words(code: str, description: str) -> str | None:
    """In plain words with what to do; None where the provider wants to be asked again later."""
    if code in _TRY_AGAIN:
        return None
    special = next((words for mark, words in _MICROSOFT.items() if f"{mark}:" in description), None)
    words = special or _WORDS.get(code, "The provider refused to give a token: check the settings of OAuth 2.0, then sign in again.")
    said = " ".join(f"{code}: {description}".split())[:300] if description else code[:100]
    return f"{words} The provider said: {said}"
