"""Whatever path is left: a page for people, a problem document for programs."""

from __future__ import annotations

from fastapi import APIRouter, Response

from console.pages.page import AnyonesPage, PageRoute
from shared.http import ProblemError, problem_response

router = APIRouter(route_class=PageRoute)


@router.get("/{rest:path}")
async def no_such_page(page: AnyonesPage, rest: str) -> Response:
    error = ProblemError(404, "No such page", f"There is nothing at /{rest}. The address may be mistyped, or what was there is gone.")
    if "text/html" not in page.request.headers.get("accept", ""):
        return problem_response(error.problem)
    raise error
