"""What every page is made with: who asks, the services, templates, forms, and errors told as pages."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import httpx
from fastapi import Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from console.dependencies import Dependencies, dependencies_of
from console.domain.principal import Principal
from console.pages.templates import environment
from console.security import SignInRequiredError, administrator, csrf_token, current_user, signed_in
from console.settings import ServiceName
from shared.http import ProblemError
from shared.observability import get_logger

log = get_logger("pages")

FLASH_COOKIE = "flash"
FLASH_SECONDS = 60
MAX_FLASH_CHARS = 1500
AWAY = frozenset({502, 503, 504})
"""Statuses of a service that does not answer as it should (`console.backend`)."""

Tone = Literal["good", "bad", "info"]

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Of every page that sets none of its own; the other security headers come from `console.middleware`."""


@dataclass(frozen=True)
class Flash:
    """A message of one line, shown once."""

    text: str
    tone: Tone


class Page:
    """One request of a page. `principal` is None only on the pages before sign-in."""

    def __init__(self, request: Request, principal: Principal | None) -> None:
        self.request = request
        self.principal = principal
        self.deps: Dependencies = dependencies_of(request)

    @property
    def who(self) -> Principal:
        """The signed-in user. Only for pages that let nobody else in."""
        if self.principal is None:
            raise ProblemError(401, "Sign in first", "This page is for signed-in users.")
        return self.principal

    async def get(self, service: ServiceName, path: str, **params: Any) -> Any:
        """A service's answer to a GET. Raises its problem."""
        return await self.deps.backend.get_json(service, path, actor=self.who, params=params)

    async def send(
        self, method: str, service: ServiceName, path: str, json: Any = None, *, headers: Mapping[str, str] | None = None, **params: Any
    ) -> Any:
        """A service's answer to a change. Raises its problem."""
        return await self.deps.backend.send_json(service, method, path, actor=self.who, json=json, params=params, headers=headers)

    async def call(self, method: str, service: ServiceName, path: str, **options: Any) -> httpx.Response:
        """A service's whole response, whatever its status."""
        return await self.deps.backend.call(service, method, path, actor=self.who, **options)

    def render(self, template: str, *, code: int = 200, **values: Any) -> Response:
        """A page from its template."""
        flash = read_flash(self.request)
        response = HTMLResponse(self._html(template, flash=flash, **values), code)
        if flash is not None:
            response.delete_cookie(FLASH_COOKIE, path="/")
        return response

    def fragment(self, template: str, **values: Any) -> Response:
        """A part of a page, for a script that shows it in place of the old one; the message waits for a whole page."""
        return HTMLResponse(self._html(template, **values))

    def _html(self, template: str, **values: Any) -> str:
        found = environment().get_template(template)
        return found.render(
            request=self.request, path=self.request.url.path, principal=self.principal, csrf=csrf_token(self.request), **values
        )


async def anyone(request: Request) -> Page:
    """The page for whoever asks, signed in or not."""
    return Page(request, await current_user(request))


async def _signed(request: Request, principal: Annotated[Principal, Depends(signed_in)]) -> Page:
    return Page(request, principal)


async def _administrators(request: Request, principal: Annotated[Principal, Depends(administrator)]) -> Page:
    return Page(request, principal)


async def _form(request: Request) -> FormData:
    return await request.form()


AnyonesPage = Annotated[Page, Depends(anyone)]
SignedPage = Annotated[Page, Depends(_signed)]
AdministratorsPage = Annotated[Page, Depends(_administrators)]
Form = Annotated[FormData, Depends(_form)]


def text(form: FormData, name: str, default: str = "") -> str:
    """A field of a form as text, without surrounding blanks and NUL."""
    value = form.get(name, default)
    return value.replace("\x00", "").strip() if isinstance(value, str) else default


def texts_of(form: FormData, name: str) -> list[str]:
    """All values of a field that occurs several times, as they are."""
    return [value.replace("\x00", "") for value in form.getlist(name) if isinstance(value, str)]


def redirect(path: str, flash: str = "", tone: Tone = "good") -> Response:
    """See Other: the page after a form, with a message for it."""
    response = RedirectResponse(path, 303)
    if flash:
        value = base64.urlsafe_b64encode(json.dumps([flash[:MAX_FLASH_CHARS], tone]).encode()).decode()
        response.set_cookie(FLASH_COOKIE, value, max_age=FLASH_SECONDS, httponly=True, samesite="lax", path="/")
    return response


def read_flash(request: Request) -> Flash | None:
    """The message the page before left; what is no message of ours is none."""
    try:
        told, tone = json.loads(base64.urlsafe_b64decode(request.cookies.get(FLASH_COOKIE, "")))
    except (ValueError, TypeError, binascii.Error):
        return None
    return Flash(told, tone) if isinstance(told, str) and tone in {"good", "bad", "info"} else None


def field_errors(error: ProblemError) -> dict[str, str]:
    """What a service says of single fields (`conditions.2.value`), empty where it speaks of the whole; anything but 422 is raised on."""
    if error.status not in {409, 412, 422}:
        raise error
    extra = error.problem.model_extra or {}
    items = extra.get("errors")
    listed = items if isinstance(items, list) else []
    return {str(item.get("field", "")): _plain(str(item.get("message", ""))) for item in listed if isinstance(item, dict)}


def form_errors(error: ProblemError) -> dict[str, str]:
    """As `field_errors`, with what is about the whole under `form`; so is that a service is away, for the form must keep what was typed."""
    if error.status in AWAY:
        return {"form": error.problem.detail}
    return field_errors(error) or {"form": error.problem.detail}


def _plain(message: str) -> str:
    """The words of a validation error for somebody who fills in a form."""
    if "at least 1 character" in message:
        return "Please fill this in."
    if "valid integer" in message:
        return "Please give a whole number."
    if "should have at most" in message:
        return message.replace("String", "This").replace("List", "This") + "."
    return message.removeprefix("Value error, ")


class PageRoute(APIRoute):
    """A route whose errors are pages, and whose answers carry the pages' headers."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                response = await answer(request)
            except ProblemError as error:
                response = await self.refusal(request, error)
            except RequestValidationError:
                response = await error_page(request, ProblemError(404, "No such page", "The address is not one of this console."))
            except HTTPException as error:
                response = await error_page(request, _plain_problem(error))
            except SignInRequiredError:
                raise
            except Exception:
                # A bug is told as a page too; its reason is in the log.
                log.exception("a page failed", path=request.url.path)
                response = await error_page(
                    request, ProblemError(500, "Something went wrong", "The console failed here; its log has the reason.")
                )
            finally:
                await request.close()  # the files of its form
            response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
            return response

        return handler

    async def refusal(self, request: Request, error: ProblemError) -> Response:
        """What is shown when a page raises a problem."""
        return await error_page(request, error)


async def error_page(request: Request, error: ProblemError) -> Response:
    """A page that says what is wrong."""
    page = await anyone(request)
    return page.render("error.html", code=error.status, problem=error.problem)


def _plain_problem(error: HTTPException) -> ProblemError:
    """Starlette's own refusals; the one a person can do something about in plain words."""
    if "exceeded maximum size" in str(error.detail):
        return ProblemError(413, "Too much text", "What was pasted is larger than 1 MiB. Go back and upload it as a file, or paste less.")
    return ProblemError(error.status_code, str(error.detail))
