"""The public REST API under `/api/v1`: the table of `routes`, its description, and an answer for every other path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.routing import Match

from console.api.callers import admitted
from console.api.gateway import forward
from console.api.openapi import document
from console.api.own import HANDLERS, Call
from console.api.routes import PREFIX, ROUTES, Route
from console.dependencies import Dependencies
from shared.http import ProblemError, problem_response

EVERY_VERB = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Endpoint = Callable[[Request], Awaitable[Response]]


def api_router(deps: Dependencies) -> APIRouter:
    """All of it. Errors are problem documents whatever happens."""
    router = APIRouter(prefix=PREFIX)
    described = document()

    @router.get("/openapi.json")
    async def openapi() -> Response:
        return JSONResponse(described)

    for route in ROUTES:
        router.add_api_route(route.path, _endpoint(deps, route), methods=[route.verb], response_model=None, name=route.name)
    known = list(router.routes)

    async def nothing_here(request: Request) -> Response:
        allowed = sorted({verb for one in known if one.matches(request.scope)[0] is Match.PARTIAL for verb in getattr(one, "methods", ())})
        if not allowed:
            return _refusal(ProblemError(404, "No such path", f"The API has no {request.url.path}; see {PREFIX}/openapi.json."))
        refusal = _refusal(ProblemError(405, "Not this verb", f"{request.url.path} knows {', '.join(allowed)}."))
        refusal.headers["Allow"] = ", ".join(allowed)
        return refusal

    for path in ("", "/{rest:path}"):
        router.add_api_route(path, nothing_here, methods=EVERY_VERB, response_model=None)
    return router


def _endpoint(deps: Dependencies, route: Route) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            principal = await admitted(request, route)
            if route.service != "console":
                return await forward(deps.backend, route.service, route, request, principal)
            return _shown(route, await HANDLERS[route.name](Call(request, principal, deps)))
        except ProblemError as error:
            return _refusal(error)

    return endpoint


def _shown(route: Route, result: object) -> Response:
    if result is None:
        return Response(status_code=route.status)
    content = result.model_dump(mode="json") if isinstance(result, BaseModel) else result
    return JSONResponse(content, route.status)


def _refusal(error: ProblemError) -> Response:
    response = problem_response(error.problem)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="mailconverter"'
    return response
