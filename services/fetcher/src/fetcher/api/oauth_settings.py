"""A scanner's OAuth 2.0 as the API takes it: secrets are written only, and left out they stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from fetcher.adapters import token_store
from fetcher.api.views import invalid
from fetcher.domain.oauth import same_client
from shared.api import OAuthFields
from shared.secrets import KeyRing

SECRETS = ("client_secret", "refresh_token")


async def sealed_secrets(
    conn: AsyncConnection, keys: KeyRing, scanner_id: str, before: Mapping[str, Any] | None, given: Mapping[str, Any] | None
) -> dict[str, str]:
    """Secrets as they are to be stored after a change. `before`: the settings until now; `given`: from now on. Raises ProblemError.

    Saved ones stay where none is given, unless the client or the provider is another: they were not given to that one.
    """
    row = (await token_store.of(conn, [scanner_id])).get(scanner_id)
    old, new = _fields(before), _fields(without_secrets(given))
    kept = row is not None and old is not None and new is not None and same_client(old, new)
    return {name: _sealed(keys, scanner_id, name, (given or {}).get(name), getattr(row, name) if kept else "") for name in SECRETS}


def without_secrets(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What is kept beside the scanner's other settings."""
    return None if values is None else {name: value for name, value in values.items() if name not in SECRETS}


def _fields(values: Mapping[str, Any] | None) -> OAuthFields | None:
    return None if values is None else OAuthFields.model_validate(values)


def _sealed(keys: KeyRing, scanner_id: str, name: str, given: str | None, saved: str) -> str:
    if given is None:
        return saved
    if any(ord(char) < 32 for char in given):
        raise invalid([(f"oauth.{name}", "must not hold control characters")])
    return keys.encrypt(given, token_store.place(scanner_id, name)) if given else ""
