"""Signing in at the provider of a mailbox or an SMTP identity: to its page and back."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import APIRouter, Response
from pydantic import ValidationError

from console.backend import quoted
from console.oauth import CALLBACK, MAILBOX, SENDER, Holder, begin_sign_in, end_sign_in, holder_of
from console.pages.page import AdministratorsPage, PageRoute, redirect
from shared.api import OAuthCallbackIn
from shared.http import ProblemError

router = APIRouter(route_class=PageRoute)

MAX_REASON_CHARS = 500


@dataclass(frozen=True)
class _Pages:
    """Where a sign-in begins and ends."""

    holder: Holder
    path: str
    account: str
    """Whose account is asked for, in words."""
    signed_in: str


_MAILBOX = _Pages(MAILBOX, "/mailboxes", "the mailbox's account", "Signed in. The mailbox is read with this account from now on.")
_SENDER = _Pages(SENDER, "/senders", "the account that mails leave by", "Signed in. Mails leave by this account from now on.")


@router.post("/mailboxes/{scanner_id}/sign-in")
async def leave_mailbox(page: AdministratorsPage, scanner_id: str) -> Response:
    return await _leave(page, _MAILBOX, scanner_id)


@router.post("/senders/{sender_id}/sign-in")
async def leave_sender(page: AdministratorsPage, sender_id: str) -> Response:
    return await _leave(page, _SENDER, sender_id)


async def _leave(page: AdministratorsPage, pages: _Pages, holder_id: str) -> Response:
    """A page that goes on to the provider by itself.

    No redirect: browsers hold all redirects after a form to our `form-action` (CSP 3), and providers redirect to anywhere.
    """
    back = f"{pages.path}/{quoted(holder_id)}"
    try:
        begun = await begin_sign_in(page.deps.backend, page.deps.settings, page.who, pages.holder, holder_id)
    except ProblemError as refused:
        if refused.status not in {409, 502}:
            raise
        return redirect(back, f"Nobody can sign in now. {refused.problem.detail}", "bad")
    return page.render("leaving.html", url=begun.url, host=urlsplit(begun.url).hostname, account=pages.account, back=back)


@router.get(CALLBACK)
async def come_back(page: AdministratorsPage, state: str = "", code: str = "", error: str = "", error_description: str = "") -> Response:
    """What is no answer to a sign-in begun here is refused with a plain page."""
    came = _came(state, code, error, error_description[:MAX_REASON_CHARS])
    pages = _SENDER if holder_of(state) is SENDER else _MAILBOX
    try:
        done = await end_sign_in(page.deps.backend, page.who, came)
    except ProblemError as refused:
        holder_id = (refused.problem.model_extra or {}).get(pages.holder.id_field)
        if not isinstance(holder_id, str):
            raise
        return redirect(f"{pages.path}/{quoted(holder_id)}", f"The sign-in failed. {refused.problem.detail}", "bad")
    return redirect(f"{pages.path}/{quoted(getattr(done, pages.holder.id_field))}", pages.signed_in)


def _came(state: str, code: str, error: str, description: str) -> OAuthCallbackIn:
    """Raises ProblemError 400 for what no provider sends."""
    try:
        if code or error:
            return OAuthCallbackIn(state=state, code=code or None, error=error or None, error_description=description)
    except ValidationError:
        pass
    detail = "Providers send the browser here after a sign-in, and this call does not come from one."
    raise ProblemError(400, "Not a sign-in", f"{detail} Begin on the page of the mailbox or the SMTP identity.")
