"""What wraps every request: size limit, security headers, and the audit log of what changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response

from console.domain.principal import Principal
from console.pages.page import error_page
from console.security import SAFE_METHODS, set_visitor_cookie
from shared.api import Problem
from shared.http import ProblemError, problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from console.dependencies import Dependencies

MAX_BODY_BYTES = 10 * 1024 * 1024
TOO_MUCH = (
    "What was sent has more than 10 MB, the most for one submission, so nothing of it was taken. Go back: what you wrote is still there. "
    "Then send fewer or smaller files; in an answer “Attach” takes some before you choose the others."
)
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'self'; img-src 'self' data:"
)
UNTOLD = ("/draft",)
"""Ends of routes that the audit log leaves out: a draft is kept at every pause of whoever types, and changes nothing for others."""
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    # `no-referrer` would make browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


OnBug = Callable[[Request, Exception], Awaitable[Response]]


class BodyTooLargeError(Exception):
    """The body grew beyond the limit while it was read."""


class Guard:
    """Plain ASGI, so that streams stay streams. A page may set headers of its own, for example a stricter policy."""

    def __init__(self, app: ASGIApp, console: Dependencies, on_bug: OnBug) -> None:
        self._app = app
        self._console = console
        self._on_bug = on_bug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(self._console, scope, send)
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdecimal() and int(length) > MAX_BODY_BYTES:
            await (await _too_large(scope))(scope, receive, answer.send)
            return
        try:
            await self._app(scope, _limited(receive), answer.send)
        except BodyTooLargeError:
            if not answer.started:
                await (await _too_large(scope))(scope, receive, answer.send)
        except Exception as error:
            # Starlette answers bugs outside of all middleware; here the answer gets its headers and its line in the audit log.
            if answer.started:
                raise
            await (await self._on_bug(Request(scope), error))(scope, receive, answer.send)


class _Answer:
    """One answer on its way out."""

    def __init__(self, console: Dependencies, scope: Scope, send: Send) -> None:
        self._console = console
        self._scope = scope
        self._send = send
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            await self._audit(message["status"])
            self._add_headers(MutableHeaders(scope=message))
        await self._send(message)

    def _add_headers(self, headers: MutableHeaders) -> None:
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        if self._console.settings.secure:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        if not self._scope["path"].startswith("/static/"):
            headers.setdefault("Cache-Control", "no-store")
        visitor = self._scope.get("state", {}).get("new_visitor")
        if visitor:
            response = Response()
            set_visitor_cookie(response, self._console.settings, visitor)
            headers.append("Set-Cookie", response.headers["set-cookie"])

    async def _audit(self, status: int) -> None:
        principal = self._scope.get("state", {}).get("principal")
        if not isinstance(principal, Principal) or self._scope["method"] in SAFE_METHODS:
            return
        route = str(getattr(self._scope.get("route"), "path", self._scope["path"]))
        if route.endswith(UNTOLD):
            return
        await self._console.audit.write(principal.actor, f"{self._scope['method']} {route}", self._scope["path"], status)


def _limited(receive: Receive) -> Receive:
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > MAX_BODY_BYTES:
            raise BodyTooLargeError
        return message

    return limited


async def _too_large(scope: Scope) -> Response:
    """A page for a browser that shows what it gets, with what to do; a problem document for all others."""
    if "text/html" in Headers(scope=scope).get("accept", ""):
        return await error_page(Request(scope), ProblemError(413, "Too much at one time", TOO_MUCH))
    detail = f"A request's body may have {MAX_BODY_BYTES // 1024 // 1024} MiB."
    return problem_response(Problem(title="The request is too large", status=413, detail=detail))
