"""A holder's OAuth 2.0 as the API takes it: secrets are written only, and left out they stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.api import OAuthFields, OAuthState
from shared.http import ProblemError
from shared.oauth.model import CONTROLS, can_renew, has_controls, same_client
from shared.oauth.store import SECRETS, TokenStore
from shared.secrets import KeyRing


async def sealed_secrets(
    conn: AsyncConnection,
    keys: KeyRing,
    store: TokenStore,
    holder_id: str,
    before: Mapping[str, Any] | None,
    given: Mapping[str, Any] | None,
) -> dict[str, str]:
    """Secrets as they are to be stored after a change. `before`: the settings until now; `given`: from now on. Raises ProblemError.

    Saved ones stay where none is given, unless the client or the provider is another: they were not given to that one.
    """
    row = (await store.of(conn, [holder_id])).get(holder_id)
    old, new = _fields(before), _fields(without_secrets(given))
    kept = row is not None and old is not None and new is not None and same_client(old, new)
    sealed: dict[str, str] = {}
    for name in SECRETS:
        secret = (given or {}).get(name)
        sealed[name] = (getattr(row, name) if kept else "") if secret is None else _sealed(keys, store.place(holder_id, name), name, secret)
    return sealed


def without_secrets(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What is kept beside the holder's other settings."""
    return None if values is None else {name: value for name, value in values.items() if name not in SECRETS}


def state_of(auth: str, oauth: Mapping[str, Any] | None, row: Row[Any] | None) -> OAuthState | None:
    """How the tokens are doing; None where the holder signs in by password."""
    if auth != "oauth2" or oauth is None:
        return None
    if row is None:
        return OAuthState(signed_in=False)
    signed_in = can_renew(OAuthFields.model_validate(oauth), row.client_secret, row.refresh_token)
    return OAuthState(signed_in=signed_in, expires_at=row.expires_at, renewed_at=row.renewed_at, error=row.error)


def _fields(values: Mapping[str, Any] | None) -> OAuthFields | None:
    return None if values is None else OAuthFields.model_validate(values)


def _sealed(keys: KeyRing, place: str, name: str, secret: str) -> str:
    if has_controls(secret):
        errors = [{"field": f"oauth.{name}", "message": CONTROLS}]
        raise ProblemError(422, "The request is not valid", f"oauth.{name}: {CONTROLS}", errors=errors)
    return keys.encrypt(secret, place) if secret else ""
