"""Why no token is given: by error codes and Microsoft's numbers, in plain words with what to do."""

from __future__ import annotations

from shared.oauth.model import Purpose


class OAuthError(Exception):
    """There is no token; the message is for the administrator."""


class ProviderAwayError(OAuthError):
    """No answer, or none of use: tried again soon."""


class ProviderRefusedError(OAuthError):
    """Somebody has to sign in again, or to correct the settings."""


class CaFileError(ProviderRefusedError):
    """The file with authorities of one's own is of no use."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The file in CA_FILE cannot be used ({reason}): correct the parameter; it needs certificates as PEM.")


_SIGN_IN = "The provider takes the saved sign-in no more: sign in again on the page of the {thing}."
_SECRET = "The provider does not know this client, or its secret has expired: enter client_id and client_secret anew."  # noqa: S105 -- words
_CONSENT = "The application has no right to this {thing}: give it the permission for {protocol} at the provider, then sign in again."
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
    "AADSTS50173": "The account's password was changed since: sign in again on the page of the {thing}.",
}
_ANYTHING = "The provider refused to give a token: check the settings of OAuth 2.0, then sign in again."
_TRY_AGAIN = {"temporarily_unavailable", "server_error", "slow_down"}


def refusal_words(code: str, description: str, purpose: Purpose) -> str | None:
    """In plain words with what to do; None where the provider wants to be asked again later."""
    if code in _TRY_AGAIN:
        return None
    special = next((words for mark, words in _MICROSOFT.items() if f"{mark}:" in description), None)
    words = (special or _WORDS.get(code, _ANYTHING)).format(thing=purpose.thing, protocol=purpose.protocol)
    said = " ".join(f"{code}: {description}".split())[:300] if description else code[:100]
    return f"{words} The provider said: {said}"
