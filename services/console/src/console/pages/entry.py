"""Getting in and out: set-up link, sign-in, sign-out."""

from __future__ import annotations

from fastapi import APIRouter, Response

from console.accounts import NewSession, SignInRefusedError
from console.pages.page import AnyonesPage, Form, Page, PageRoute, field_errors, redirect, text
from console.security import end_session_cookie, session_secret, set_session_cookie
from shared.http import ProblemError

router = APIRouter(route_class=PageRoute)


@router.get("/")
async def home() -> Response:
    return redirect("/tickets")


@router.get("/sign-in")
async def sign_in_page(page: AnyonesPage, next: str = "") -> Response:  # noqa: A002 -- the query's name
    if page.principal is not None:
        return redirect(_own_path(next))
    return page.render("sign_in.html", next=_own_path(next), email="", error="")


@router.post("/sign-in")
async def sign_in(page: AnyonesPage, form: Form) -> Response:
    email, there = text(form, "email"), _own_path(text(form, "next"))
    address = page.request.client.host if page.request.client else ""
    try:
        session = await page.deps.accounts.sign_in(email, str(form.get("password", "")), address, session_secret(page.request))
    except SignInRefusedError as refused:
        status = 429 if refused.limited else 401
        return page.render("sign_in.html", code=status, next=there, email=email, error=refused.message)
    return _begin(page, session, there)


@router.post("/sign-out")
async def sign_out(page: AnyonesPage) -> Response:
    secret = session_secret(page.request)
    if secret:
        await page.deps.accounts.sessions.end(secret)
    response = redirect("/sign-in", "You are signed out.", "info")
    end_session_cookie(response, page.deps.settings)
    return response


@router.get("/setup")
async def setup_page(page: AnyonesPage, token: str = "") -> Response:
    return page.render("setup.html", token=token, name="", email="", errors={})


@router.post("/setup")
async def setup(page: AnyonesPage, form: Form) -> Response:
    name, email, password, token = text(form, "name"), text(form, "email"), str(form.get("password", "")), text(form, "token")
    errors: dict[str, str] = {}
    if password != str(form.get("repeated", "")):
        errors["repeated"] = "The two passwords differ."
    else:
        try:
            session = await page.deps.accounts.set_up(token, name=name, email=email, password=password)
            return _begin(page, session, "/mailboxes")
        except ProblemError as error:
            errors = field_errors(error)
    return page.render("setup.html", code=422, token=token, name=name, email=email, errors=errors)


def _begin(page: Page, session: NewSession, there: str) -> Response:
    response = redirect(there)
    set_session_cookie(response, page.deps.settings, session)
    return response


def _own_path(path: str) -> str:
    """The path when it leads nowhere but this console, else the start page: a link must not send people elsewhere after sign-in."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/tickets"
