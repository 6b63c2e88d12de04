"""Who calls the REST API: a bearer token (RFC 6750), or a console session with its CSRF token."""

from __future__ import annotations

from fastapi import Request

from console.api.routes import Route
from console.dependencies import dependencies_of
from console.domain.principal import Principal
from console.security import CSRF_HEADER, SAFE_METHODS, check_origin, current_user, is_csrf_token
from shared.http import ProblemError

MAX_TOKEN_CHARS = 200


async def admitted(request: Request, route: Route) -> Principal:
    """The caller, who may do this. Raises ProblemError 401 (nobody known) or 403 (wrong role, or a session without its CSRF token)."""
    principal = await _by_token(request) if "authorization" in request.headers else await _by_session(request)
    request.state.principal = principal  # the audit log names it, refused or not
    if not principal.may(route.roles):
        raise ProblemError(403, "Not for your role", f"Your role is {principal.role}; this needs {' or '.join(route.roles)}.")
    return principal


async def _by_token(request: Request) -> Principal:
    scheme, _, secret = request.headers["authorization"].partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret or len(secret) > MAX_TOKEN_CHARS:
        raise ProblemError(401, "Not a bearer token", "Send `Authorization: Bearer <token>`; `mailconverter token create` makes one.")
    principal = await dependencies_of(request).accounts.tokens.find(secret)
    if principal is None:
        raise ProblemError(401, "Unknown token", "It may have been revoked; `mailconverter token create` makes a new one.")
    return principal


async def _by_session(request: Request) -> Principal:
    principal = await current_user(request)
    if principal is None:
        raise ProblemError(401, "Sign in first", "Send `Authorization: Bearer <token>`; `mailconverter token create` makes one.")
    if request.method not in SAFE_METHODS:
        check_origin(request)
        if not is_csrf_token(request, request.headers.get(CSRF_HEADER, "")):
            raise ProblemError(403, "CSRF token missing", f"A call by session needs the session's token in `{CSRF_HEADER}`.")
    return principal
