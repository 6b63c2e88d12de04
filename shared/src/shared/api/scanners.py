"""Mailboxes: settings, state, folders (fetcher)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from shared.api.common import ApiModel, HostName, Name, PortNumber


class SslType(StrEnum):
    """How the connection is secured."""

    NONE = "none"
    STARTTLS = "starttls"
    SSL = "ssl"


class SslMethod(StrEnum):
    """Whether the server's certificate is checked."""

    VALIDATE = "validate"
    NO_VALIDATE = "no_validate"


class OAuthProvider(StrEnum):
    """Who gives the tokens. Google and Microsoft 365 are known; `oidc` is anybody with an issuer's URL."""

    GOOGLE = "google"
    MICROSOFT = "microsoft"
    OIDC = "oidc"


class OAuthGrant(StrEnum):
    """How tokens are got: for a person who signed in once, or for the application itself (RFC 6749, 6 and 4.4)."""

    REFRESH_TOKEN = "refresh_token"  # noqa: S105 -- the grant's name (RFC 6749)
    CLIENT_CREDENTIALS = "client_credentials"


class OAuthFields(ApiModel):
    """OAuth 2.0 of a mailbox or sender, without its secrets."""

    provider: OAuthProvider
    grant: OAuthGrant = OAuthGrant.REFRESH_TOKEN
    client_id: Annotated[str, Field(min_length=1, max_length=500)]
    tenant: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9._-]*$")] = Field(
        default="", description="microsoft: the directory (tenant) id or domain; needed for client_credentials"
    )
    issuer: Annotated[str, Field(max_length=1000)] = Field(
        default="", description="oidc: the issuer's URL; its endpoints are read from `/.well-known/openid-configuration` below it"
    )
    scope: Annotated[str, Field(max_length=1000)] = Field(default="", description="Blank: what the provider wants for IMAP, or for SMTP")


class OAuthIn(OAuthFields):
    """With its secrets, which are write only: left out, the saved ones stay."""

    client_secret: str | None = Field(default=None, max_length=5000, description="Write only")
    refresh_token: str | None = Field(default=None, max_length=10_000, description="Write only; got by itself when somebody signs in")


class OAuthState(ApiModel):
    """How the tokens are doing."""

    signed_in: bool = Field(description="Whether there is what tokens are got with: a refresh token, or the client's own secret")
    expires_at: datetime | None = Field(default=None, description="When the access token ends; it is renewed ahead of that")
    renewed_at: datetime | None = None
    error: str | None = Field(default=None, description="Why the last renewal failed, in plain words, with what to do")


class OAuthSignIn(ApiModel):
    """POST /scanners/{id}/oauth, /senders/{id}/oauth: where the browser goes to sign in; it comes back to `/oauth/callback`."""

    url: str


class OAuthSignInIn(ApiModel):
    """POST /scanners/{id}/oauth and /senders/{id}/oauth, as the console asks fetcher and notifier."""

    redirect_uri: str = Field(min_length=1, max_length=2000, description="The console's own `/oauth/callback`")


class OAuthCallbackIn(ApiModel):
    """POST /oauth/callback of fetcher and notifier: what the provider sent the browser back with (RFC 6749, 4.1.2)."""

    state: str = Field(min_length=1, max_length=500)
    code: str | None = Field(default=None, max_length=10_000)
    error: str | None = Field(default=None, max_length=100, description="The refusal's code, such as access_denied")
    error_description: str = Field(default="", max_length=1000, description="The same in the provider's words")


SENDER_STATE = "sender."
"""A state that begins so is of a sign-in of an SMTP identity, any other of a mailbox's."""


class OAuthSignedIn(ApiModel):
    """Whose tokens are kept now: a mailbox's (fetcher) or an SMTP identity's (notifier).

    A refusal is a problem document; where it is known whose, it carries the id too.
    """

    scanner_id: str | None = None
    sender_id: str | None = None


PROTOCOLS = ("imap4", "imap2")


def _protocol(value: object) -> object:
    if isinstance(value, str) and value.casefold().startswith("pop"):
        raise ValueError("POP3 is not offered: it has no folders and no lasting ids, so mails would be lost or doubled. Choose imap4")
    if value not in PROTOCOLS:
        raise ValueError("must be imap4, or imap2, which is spoken to as imap4")
    return value


Protocol = Annotated[Literal["imap4", "imap2"], BeforeValidator(_protocol)]
FolderName = Annotated[str, Field(min_length=1, max_length=500)]

SCANNER_PARAMETERS: Mapping[str, str] = {
    "DISABLE_AUTHENTICATOR": "ways to sign in that are not used, joined by `|`: PLAIN, LOGIN, CRAM-MD5, OAUTHBEARER, XOAUTH2",
    "CONNECT_TIMEOUT": "seconds to wait for a connection, 1 to 300",
    "READ_TIMEOUT": "seconds to wait for each answer, 1 to 600",
    "BATCH_SIZE": "most mails fetched together, 1 to 500",
    "CA_FILE": "file on the fetcher's machine with the certificate authorities (PEM) that are trusted instead of the system's",
    "SHARED_MAILBOX": "name of the shared mailbox to open with this user's password or token (SASL PLAIN authorization identity, RFC 4616)",
    "TLS_MINIMUM": "oldest version of TLS that is spoken: 1.0, 1.1, 1.2 or 1.3; 1.2 where it is left out",
    "TLS_SECURITY_LEVEL": "OpenSSL's security level, 0 to 5: 0 or 1 accept short keys and old ciphers; the system's where it is left out",
}
"""The closed list of a mailbox's parameters, and what each one means; any other name is refused."""


class ScannerFields(ApiModel):
    """What an administrator sets of a mailbox, without its secrets."""

    name: Name
    server: HostName
    port: PortNumber = 993
    protocol: Protocol = "imap4"
    username: Annotated[str, Field(min_length=1, max_length=320)]
    address: Annotated[str, Field(max_length=320)] = Field(
        default="", description="The mailbox's own address, from which answers go out; the user name where that is an address"
    )
    auth: Literal["password", "oauth2"] = "password"
    oauth: OAuthFields | None = Field(default=None, description="Needed with auth oauth2")
    ssl_type: SslType = SslType.SSL
    ssl_method: SslMethod = SslMethod.VALIDATE
    parameters: dict[str, str] = {}
    pec: bool = False
    enabled: bool = True
    find: Literal["all", "unread"] = "all"
    after_scanning: Literal["none", "read"] = "none"
    move_matched_to: FolderName | None = Field(default=None, description="Folder for mails on which a rule acted")
    move_unmatched_to: FolderName | None = Field(default=None, description="Folder for mails on which no rule acted")
    spam_folder: FolderName | None = Field(default=None, description="Folder for the mails of tickets marked as spam")
    start_from: str = Field(default="now", description="`now`, `everything`, or an ISO 8601 duration of days such as `P7D`")
    interval_seconds: int = Field(default=60, ge=1, le=86_400)
    push: bool = Field(default=True, description="Let the server tell of new mails at once (IDLE, NOTIFY), where it can")
    sender_id: str | None = Field(default=None, description="SMTP identity for answers")

    @field_validator("start_from")
    @classmethod
    def _known_start(cls, value: str) -> str:
        if value not in {"now", "everything"} and not re.fullmatch(r"P\d{1,4}D", value):
            raise ValueError("must be `now`, `everything` or a number of days such as `P7D`")
        return value


class ScannerIn(ScannerFields):
    """POST /scanners. Folder INBOX is selected until others are chosen."""

    password: str = Field(default="", max_length=1000, description="Write only")
    oauth: OAuthIn | None = None


class ScannerPatch(ApiModel):
    """PATCH /scanners/{id}: the fields given change. Another server or user starts a new mailbox generation with fresh cursors."""

    name: Name | None = None
    server: HostName | None = None
    port: PortNumber | None = None
    protocol: Protocol | None = None
    username: Annotated[str, Field(min_length=1, max_length=320)] | None = None
    address: Annotated[str, Field(max_length=320)] | None = None
    password: str | None = Field(default=None, max_length=1000, description="Write only")
    ssl_type: SslType | None = None
    ssl_method: SslMethod | None = None
    parameters: dict[str, str] | None = None
    pec: bool | None = None
    enabled: bool | None = None
    find: Literal["all", "unread"] | None = None
    after_scanning: Literal["none", "read"] | None = None
    move_matched_to: FolderName | None = None
    move_unmatched_to: FolderName | None = None
    spam_folder: FolderName | None = None
    start_from: str | None = None
    interval_seconds: int | None = Field(default=None, ge=1, le=86_400)
    sender_id: str | None = None
    push: bool | None = None
    auth: Literal["password", "oauth2"] | None = None
    oauth: OAuthIn | None = None


class FolderProblem(ApiModel):
    """A selected folder that cannot be read; the others are."""

    folder: str
    message: str = Field(description="In plain words, with what to do")
    renamed_to: str | None = Field(default=None, description="The folder it seems to have become, by its UIDVALIDITY")


class ScannerState(ApiModel):
    """How the mailbox is doing."""

    last_scan_at: datetime | None = None
    last_success_at: datetime | None = None
    last_error: str | None = Field(default=None, description="In plain words, with what to do")
    next_scan_at: datetime | None = None
    backlog: int = Field(default=0, description="Mails found and not read yet, as of the scan under way or the last one")
    read_last_hour: int = Field(default=0, description="Mails read in the last hour")
    watching: Literal["push", "poll"] | None = Field(
        default=None, description="Whether the server tells of new mails, or is asked each interval; null while nobody holds the mailbox"
    )
    fetcher: str | None = Field(default=None, description="Which fetcher holds the mailbox")
    problems: list[FolderProblem] = []
    oauth: OAuthState | None = None


class Scanner(ScannerFields):
    """GET /scanners/{id}."""

    id: str
    version: int
    warnings: list[str] = Field(default=[], description="What is unsafe in the settings; shown wherever the scanner is")
    state: ScannerState
    created_at: datetime
    updated_at: datetime


class ScanRecord(ApiModel):
    """One scan that read something, failed, or was asked for (GET /scanners/{id}/scans); kept for a week."""

    started_at: datetime
    seconds: float
    found: int
    read: int
    error: str | None = None


class TestResult(ApiModel):
    """POST /scanners/{id}/test and /senders/{id}/test: every step that was tried, and precisely what failed."""

    __test__ = False  # pytest: this is no test class

    ok: bool
    message: str
    steps: list[str] = []


class Folder(ApiModel):
    """A folder as the server lists it; `name` is decoded from modified UTF-7."""

    name: str
    delimiter: str | None = None
    special_use: str | None = None
    selectable: bool = True
    selected: bool = False
    messages: int | None = Field(default=None, description="Mails in it; null where the server does not say")
    unread: int | None = None
    namespace: Literal["personal", "other", "shared"] = Field(default="personal", description="RFC 2342: one's own, another user's, shared")
    missing: bool = Field(default=False, description="Selected, but the server lists it no more")
    renamed_to: str | None = Field(default=None, description="missing: the folder it seems to have become")


class FolderList(ApiModel):
    """GET /scanners/{id}/folders."""

    items: list[Folder]
    next: None = Field(default=None, description="All are on one page")


class FolderSelection(ApiModel):
    """PUT /scanners/{id}/folders."""

    selected: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(max_length=1000)
