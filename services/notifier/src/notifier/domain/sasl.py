"""Signing in by access token: the client's side of OAUTHBEARER (RFC 7628) and XOAUTH2, and what a refusal means."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

INLINE_OCTETS = 512
"""A longer AUTH command must not carry the first response with it (RFC 4954, 4)."""
SHOWN_CHARS = 200


class Way(StrEnum):
    """By the names servers offer them under, the standard first."""

    OAUTHBEARER = "OAUTHBEARER"
    XOAUTH2 = "XOAUTH2"


@dataclass(frozen=True)
class Bearer:
    """Who signs in where."""

    username: str
    host: str
    port: int
    token: str = field(repr=False)


@dataclass(frozen=True)
class Refusal:
    """`another`: whether another token may be taken."""

    words: str
    another: bool = False


_OFF = Refusal("The provider has switched off sending over SMTP for this account: switch on Authenticated SMTP for it there.")
_SCOPE = Refusal("The access token gives no right to send mails: correct the scope, or leave it blank, then sign in again.")
_AWAY = Refusal("The server cannot check access tokens at the moment: it is tried again by itself.")
_SWITCHED_OFF = re.compile(r"5\.7\.139|smtpclientauth\w* is disabled", re.IGNORECASE)


def choose(offered: Iterable[str]) -> Way | None:
    """The first way that is offered."""
    names = {one.upper() for one in offered}
    return next((way for way in Way if way in names), None)


def first_response(way: Way, bearer: Bearer) -> bytes:
    """User and token, as they are sent once."""
    if way is Way.XOAUTH2:
        return _encoded(f"user={bearer.username}\x01auth=Bearer {bearer.token}\x01\x01".encode())
    user = bearer.username.replace("=", "=3D").replace(",", "=2C")
    return _encoded(f"n,a={user},\x01host={bearer.host}\x01port={bearer.port}\x01auth=Bearer {bearer.token}\x01\x01".encode())


def fits_inline(way: Way, response: bytes) -> bool:
    """Whether the response may be sent with the command."""
    return len(f"AUTH {way} \r\n") + len(response) <= INLINE_OCTETS


def after_error(way: Way) -> bytes:
    """The answer to a server that explains its refusal, before it refuses (RFC 7628, 3.2.3)."""
    return _encoded(b"\x01") if way is Way.OAUTHBEARER else b""


def status_of(challenge: str) -> str:
    """The status in a server's explanation, which is JSON in base64; empty where there is none."""
    try:
        found: Any = json.loads(base64.b64decode(challenge, validate=True))
        return str(found["status"])[:SHOWN_CHARS]
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        return ""


def refusal(code: int, answer: str, status: str, username: str) -> Refusal:
    """What was refused, and what to do."""
    found = _refusal(code, answer, status, username)
    said = " ".join(f"{f'status {status}, ' if status else ''}{code} {answer}".split())[:SHOWN_CHARS]
    return Refusal(f"{found.words} The server said: {said}", found.another)


def _refusal(code: int, answer: str, status: str, username: str) -> Refusal:
    if _SWITCHED_OFF.search(answer):
        return _OFF
    if status == "insufficient_scope":
        return _SCOPE
    if code < 500 and not status:
        return _AWAY
    return Refusal(f"The server does not take the access token: sign in again, as {username}.", another=True)


def _encoded(value: bytes) -> bytes:
    return base64.b64encode(value)
