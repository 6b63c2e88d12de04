"""Fields of OAuth 2.0 and secrets, as the forms of mailboxes and SMTP identities have them."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData

from console.pages.page import text
from shared.api import OAuthFields, OAuthProvider

FIELDS = ("provider", "grant", "client_id", "scope")
NEW_OAUTH = OAuthFields(provider=OAuthProvider.GOOGLE, client_id="x").model_dump(mode="json") | {"client_id": ""}


def oauth_values(form: FormData) -> dict[str, str]:
    """What was filled in, without the secret. Tenant and issuer belong to one provider each; of the others they are left out."""
    values = {name: text(form, f"oauth.{name}") for name in FIELDS}
    return values | {
        "tenant": text(form, "oauth.tenant") if values["provider"] == OAuthProvider.MICROSOFT else "",
        "issuer": text(form, "oauth.issuer") if values["provider"] == OAuthProvider.OIDC else "",
    }


def with_secret(values: dict[str, Any], form: FormData) -> dict[str, Any]:
    """As a service is sent it: a secret that was left blank stays as it is."""
    return values | secret(form, "oauth.client_secret", "client_secret")


def secret(form: FormData, field: str, name: str) -> dict[str, str]:
    """The secret under its name; nothing where the field was left blank."""
    given = str(form.get(field, ""))
    return {name: given} if given else {}
