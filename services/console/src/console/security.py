"""Who calls, for pages: sessions in a cookie, CSRF tokens, and the dependencies that let somebody in.

`SignedIn` and `Administrator` are parameters of a page; `csrf_token(request)` goes into every form as `csrf_token` (or into the header
`X-CSRF-Token`), `check_csrf` is a dependency of the whole pages router, so that no POST can forget it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Annotated
from urllib.parse import quote, urlsplit

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from console.accounts import NewSession
from console.dependencies import dependencies_of
from console.domain.principal import Principal, Role
from console.secret import new_secret
from console.settings import Settings
from shared.http import ProblemError

__all__ = [
    "Administrator",
    "Principal",
    "Role",
    "SignedIn",
    "check_csrf",
    "csrf_token",
    "end_session_cookie",
    "session_secret",
    "set_session_cookie",
]

CSRF_FIELD = "csrf_token"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_SECRET_CHARS = 100
MAX_FORM_FIELDS = 2000
MAX_FORM_FILES = 20


class SignInRequiredError(Exception):
    """The page needs somebody signed in: the app redirects to `location`."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


def cookie_name(settings: Settings, kind: str = "session") -> str:
    """Over TLS with the `__Host-` prefix. Else with the port, because cookies of two ports of a host are one jar."""
    if settings.secure:
        return f"__Host-mailconverter-{kind}"
    return f"mailconverter-{urlsplit(settings.public_url).port or 80}-{kind}"


def session_secret(request: Request) -> str | None:
    """The session cookie's value, if any; not yet checked."""
    value = request.cookies.get(cookie_name(dependencies_of(request).settings))
    return value if value and len(value) <= MAX_SECRET_CHARS else None


def set_session_cookie(response: Response, settings: Settings, session: NewSession) -> None:
    """Hand the session to the browser."""
    _set_cookie(response, settings, "session", session.secret, settings.session_max_hours * 3600)


def end_session_cookie(response: Response, settings: Settings) -> None:
    """Take the cookie back. `accounts.sessions.end(secret)` ends the session itself."""
    _set_cookie(response, settings, "session", "", 0)


def install_sign_in_redirect(app: FastAPI) -> None:
    """SignInRequiredError sends the browser to the sign-in page."""

    @app.exception_handler(SignInRequiredError)
    async def on_sign_in_required(_: Request, error: SignInRequiredError) -> Response:
        return RedirectResponse(error.location, 303)


async def current_user(request: Request) -> Principal | None:
    """Who has this session, None where nobody has; looked up once per request."""
    if not hasattr(request.state, "principal"):
        secret = session_secret(request)
        request.state.principal = await dependencies_of(request).accounts.sessions.find(secret) if secret else None
    principal: Principal | None = request.state.principal
    return principal


async def signed_in(request: Request) -> Principal:
    """The user of a page; without one the browser is sent to the sign-in page and back afterwards."""
    principal = await current_user(request)
    if principal is None:
        there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        raise SignInRequiredError(f"/sign-in?next={quote(there, safe='')}" if request.method == "GET" and there != "/" else "/sign-in")
    return principal


async def administrator(principal: Annotated[Principal, Depends(signed_in)]) -> Principal:
    """As `signed_in`, and 403 for an operator."""
    if not principal.is_administrator:
        raise ProblemError(403, "For administrators", "Your role is operator; ask an administrator to do this.")
    return principal


SignedIn = Annotated[Principal, Depends(signed_in)]
Administrator = Annotated[Principal, Depends(administrator)]


def csrf_token(request: Request) -> str:
    """The token of this browser's session. Before sign-in it hangs on a cookie of its own, which the answer then sets."""
    return _token_of(session_secret(request) or _visitor_secret(request))


async def check_csrf(request: Request) -> None:
    """Let unsafe verbs pass only from our own pages: same origin, and the session's token. Raises ProblemError 403."""
    if request.method in SAFE_METHODS:
        return
    check_origin(request)
    given = request.headers.get(CSRF_HEADER)
    if given is None:
        given = str((await request.form(max_fields=MAX_FORM_FIELDS, max_files=MAX_FORM_FILES)).get(CSRF_FIELD, ""))
    if not is_csrf_token(request, given):
        raise ProblemError(403, "The form is too old", "It belongs to a session that has ended. Load the page again and repeat.")


def check_origin(request: Request) -> None:
    """Refuse what a browser says comes from another site (Origin, RFC 6454; Sec-Fetch-Site). Raises ProblemError 403."""
    origin = request.headers.get("origin")
    public = urlsplit(dependencies_of(request).settings.public_url).netloc
    foreign = origin is not None and urlsplit(origin).netloc not in {public, request.headers.get("host", public)}
    if foreign or request.headers.get("sec-fetch-site") == "cross-site":
        raise ProblemError(403, "Comes from another site", "Only the console's own pages may do this.")


def is_csrf_token(request: Request, given: str) -> bool:
    """True for the token of this browser's session."""
    settings = dependencies_of(request).settings
    own = session_secret(request) or request.cookies.get(cookie_name(settings, "visitor"), "")
    return bool(own) and secrets.compare_digest(_token_of(own).encode(), given.encode())


def _token_of(secret: str) -> str:
    # A function of the cookie's secret: it needs no place of its own, and tells nothing about the cookie.
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def _visitor_secret(request: Request) -> str:
    known = request.cookies.get(cookie_name(dependencies_of(request).settings, "visitor"))
    if known and len(known) <= MAX_SECRET_CHARS:
        return known
    if not hasattr(request.state, "new_visitor"):
        request.state.new_visitor = new_secret()  # `console.middleware` sets the cookie
    secret: str = request.state.new_visitor
    return secret


def set_visitor_cookie(response: Response, settings: Settings, secret: str) -> None:
    """What the CSRF token of somebody not signed in hangs on."""
    _set_cookie(response, settings, "visitor", secret, None)


def _set_cookie(response: Response, settings: Settings, kind: str, value: str, seconds: int | None) -> None:
    response.set_cookie(
        cookie_name(settings, kind), value, max_age=seconds, path="/", secure=settings.secure, httponly=True, samesite="lax"
    )
