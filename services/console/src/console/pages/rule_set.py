"""What all pages of a mailbox's rules share: paths, the mailbox, saving, and the question when an example would break."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from starlette.datastructures import FormData

from console.backend import quoted
from console.pages.page import Page, PageRoute, anyone, field_errors
from shared.http import ProblemError

ACCEPT = "accept_broken"
NOT_REPEATED = {"csrf_token", ACCEPT}


class RulesRoute(PageRoute):
    """A saving that would break an example is answered with a question, which repeats the form with `accept_broken`."""

    async def refusal(self, request: Request, error: ProblemError) -> Response:
        broken = broken_examples(error)
        if not broken:
            return await super().refusal(request, error)
        page, form = await anyone(request), await request.form()
        fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str) and name not in NOT_REPEATED]
        scanner = await scanner_of(page, request.path_params["scanner_id"])
        values = {"scanner": scanner, "broken": broken, "fields": fields, "detail": error.problem.detail}
        return page.render("rules/broken.html", code=error.status, again=form.get("back") == "form", **values)


def broken_examples(error: ProblemError) -> list[dict[str, Any]]:
    """The examples that a saving would break (`ExampleResult`); none for any other refusal."""
    listed = (error.problem.model_extra or {}).get("broken")
    return listed if error.status == 409 and isinstance(listed, list) else []


async def save(page: Page, form: FormData, method: str, path: str, json: Any = None, *, version: str = "", key: str = "") -> Any:
    """A change of the rules: of this version alone when one is given, and although examples break when the form says so."""
    given = {"If-Match": f'"{version}"' if version else "", "Idempotency-Key": key}
    headers = {name: value for name, value in given.items() if value}
    return await page.send(method, "rules", path, json, headers=headers, accept_broken="true" if ACCEPT in form else None)


def told(error: ProblemError) -> dict[str, str]:
    """What is wrong by field, for the form to show. Raises what no form can show: examples that break, services that are away."""
    if broken_examples(error):
        raise error
    return field_errors(error) or {"form": error.problem.detail}


def set_path(scanner_id: str) -> str:
    """The service's path of a mailbox's rules."""
    return f"/scanners/{quoted(scanner_id)}/rules"


def pages_path(scanner_id: str) -> str:
    """The pages' path of a mailbox's rules."""
    return f"/mailboxes/{quoted(scanner_id)}/rules"


async def scanner_of(page: Page, scanner_id: str) -> dict[str, Any]:
    """The mailbox, or what can be said of it while the fetcher is away."""
    try:
        found: dict[str, Any] = await page.get("fetcher", f"/scanners/{quoted(scanner_id)}")
    except ProblemError as error:
        if error.status == 404:
            raise
        return {"id": scanner_id, "name": "Mailbox", "warnings": []}
    return found
