"""Signing in to a mailbox's provider: to its page and back."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi import APIRouter, Response
from pydantic import ValidationError

from console.backend import quoted
from console.oauth import CALLBACK, begin_sign_in, end_sign_in
from console.pages.page import AdministratorsPage, PageRoute, redirect
from shared.api import OAuthCallbackIn
from shared.http import ProblemError

router = APIRouter(route_class=PageRoute)

MAX_REASON_CHARS = 500


@router.post("/mailboxes/{scanner_id}/sign-in")
async def leave(page: AdministratorsPage, scanner_id: str) -> Response:
    """A page that goes on to the provider by itself.

    No redirect: browsers hold all redirects after a form to our `form-action` (CSP 3), and providers redirect to anywhere.
    """
    try:
        begun = await begin_sign_in(page.deps.backend, page.deps.settings, page.who.actor, scanner_id)
    except ProblemError as refused:
        if refused.status not in {409, 502}:
            raise
        return redirect(f"/mailboxes/{quoted(scanner_id)}", f"Nobody can sign in now. {refused.problem.detail}", "bad")
    return page.render("mailboxes/leaving.html", url=begun.url, host=urlsplit(begun.url).hostname, scanner_id=scanner_id)


@router.get(CALLBACK)
async def come_back(page: AdministratorsPage, state: str = "", code: str = "", error: str = "", error_description: str = "") -> Response:
    """What is no answer to a sign-in begun here is refused with a plain page."""
    came = _came(state, code, error, error_description[:MAX_REASON_CHARS])
    try:
        done = await end_sign_in(page.deps.backend, page.who.actor, came)
    except ProblemError as refused:
        scanner_id = (refused.problem.model_extra or {}).get("scanner_id")
        if not isinstance(scanner_id, str):
            raise
        return redirect(f"/mailboxes/{quoted(scanner_id)}", f"The sign-in failed. {refused.problem.detail}", "bad")
    return redirect(f"/mailboxes/{quoted(done.scanner_id)}", "Signed in. The mailbox is read with this account from now on.")


def _came(state: str, code: str, error: str, description: str) -> OAuthCallbackIn:
    """Raises ProblemError 400 for what no provider sends."""
    try:
        if code or error:
            return OAuthCallbackIn(state=state, code=code or None, error=error or None, error_description=description)
    except ValidationError:
        pass
    detail = "Providers send the browser here after a sign-in, and this call does not come from one. Begin on the mailbox's page."
    raise ProblemError(400, "Not a sign-in", detail)
