"""Who gives tokens, what is asked for, and when one is renewed. Without I/O."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from shared.api import OAuthFields, OAuthGrant, OAuthProvider

DISCOVERY = "/.well-known/openid-configuration"
GOOGLE_SCOPE = "https://mail.google.com/"
MICROSOFT_APPLICATION = "https://outlook.office365.com/.default"
OIDC_PERSON = "openid offline_access"
RENEW_AHEAD = timedelta(minutes=5)


@dataclass(frozen=True)
class Purpose:
    """What tokens are for. `thing` is what people know as the holder, `microsoft` the scopes of a person at Microsoft 365."""

    thing: str
    protocol: str
    microsoft: str


IMAP = Purpose("mailbox", "IMAP", "https://outlook.office.com/IMAP.AccessAsUser.All offline_access")
SMTP = Purpose("SMTP identity", "SMTP", "https://outlook.office.com/SMTP.Send offline_access")
"""Google and Microsoft's applications have one scope for both (SMTP needs the application permission SMTP.SendAsApp)."""


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
class Holder:
    """Whose tokens they are. `ca_file`: authorities that are trusted besides the system's, for providers of one's own."""

    id: str
    oauth: OAuthFields
    username: str = ""
    ca_file: str | None = None


@dataclass(frozen=True)
class Client:
    """A holder as its provider knows it."""

    oauth: OAuthFields
    secrets: Secrets
    purpose: Purpose
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


def scope_of(oauth: OAuthFields, purpose: Purpose) -> str:
    """What is asked for: as set, else what the provider wants for the purpose."""
    application = oauth.grant is OAuthGrant.CLIENT_CREDENTIALS
    match oauth.provider:
        case OAuthProvider.GOOGLE:
            usual = GOOGLE_SCOPE
        case OAuthProvider.MICROSOFT:
            usual = MICROSOFT_APPLICATION if application else purpose.microsoft
        case _:
            usual = "" if application else OIDC_PERSON
    return oauth.scope or usual


def token_request(client: Client) -> dict[str, str]:
    """Parameters of a renewal (RFC 6749, 4.4 and 6). A refresh asks for what was granted; Microsoft takes the scope for the audience."""
    oauth = client.oauth
    usual = scope_of(oauth, client.purpose)
    if oauth.grant is OAuthGrant.CLIENT_CREDENTIALS:
        return {"grant_type": "client_credentials", "scope": usual}
    scope = usual if oauth.provider is OAuthProvider.MICROSOFT else oauth.scope
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
    """Fields that do not fit together, each with its reason."""
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
    odd = [name for name in ("client_id", "issuer", "scope") if has_controls(getattr(oauth, name))]
    return found + [(f"oauth.{name}", CONTROLS) for name in odd]


CONTROLS = "must not hold control characters"


def has_controls(value: str) -> bool:
    """Whether it could end a header or a line of somebody else's."""
    return any(ord(char) < 32 for char in value)


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
