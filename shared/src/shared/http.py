"""What every HTTP interface shares: problem documents (RFC 9457), paging by cursor, ETags, the service token.

The services speak the public API's own paths and bodies on an internal port; the console checks who calls and passes on.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote

from fastapi import Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from shared.api import Page, Problem
from shared.messaging.errors import is_race, is_unavailable
from shared.observability import get_logger

log = get_logger("http")
T = TypeVar("T")

PROBLEM_TYPE = "application/problem+json"
PYDANTIC_PREFIX = "Value error, "
"""Before the words of a validator of ours."""
SERVICE_TOKEN_HEADER = "X-Service-Token"  # noqa: S105 -- a header's name
ACTOR_HEADER = "X-Actor"
"""Who acts, as the console authenticated it: `user:anna@company.example` or `token:<name>`."""
ACTOR_NAME_HEADER = "X-Actor-Name"
ACTOR_ADDRESS_HEADER = "X-Actor-Address"
"""Name, and address for personal answers, of who acts: percent-encoded UTF-8; missing or blank where there is none."""


class ProblemError(Exception):
    """Answer the request with this problem document. `extra` members are shown beside the standard ones."""

    def __init__(self, status: int, title: str, detail: str = "", **extra: Any) -> None:
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.problem = Problem(title=title, status=status, detail=detail or title, **extra)


def not_found(what: str, item_id: object) -> ProblemError:
    """404 that says what is missing."""
    return ProblemError(404, f"No such {what}", f"There is no {what} {item_id}; it may have been deleted.")


def invalid(errors: Sequence[tuple[str, str]]) -> ProblemError:
    """422 that names each field with its reason, in the shape of FastAPI's own."""
    listed = [{"field": field, "message": message} for field, message in errors]
    return ProblemError(422, "The request is not valid", "; ".join(f"{field}: {message}" for field, message in errors), errors=listed)


def problem_response(problem: Problem) -> JSONResponse:
    """The problem as a response, with its media type."""
    return JSONResponse(problem.model_dump(exclude_none=True), problem.status, media_type=PROBLEM_TYPE)


def install_problems(app: FastAPI) -> None:
    """Every error of the app becomes a problem document; what is away becomes 503 with Retry-After."""

    @app.exception_handler(ProblemError)
    async def on_problem(_: Request, error: ProblemError) -> Response:
        return problem_response(error.problem)

    @app.exception_handler(HTTPException)
    async def on_http(_: Request, error: HTTPException) -> Response:
        return problem_response(Problem(title=str(error.detail), status=error.status_code, detail=str(error.detail)))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> Response:
        errors = [{"field": _field(item["loc"]), "message": item["msg"].removeprefix(PYDANTIC_PREFIX)} for item in error.errors()]
        detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
        return problem_response(Problem(title="The request is not valid", status=422, detail=detail).model_copy(update={"errors": errors}))

    @app.exception_handler(DBAPIError)
    async def on_database(_: Request, error: DBAPIError) -> Response:
        return _failure(error)

    @app.exception_handler(Exception)
    async def on_bug(_: Request, error: Exception) -> Response:
        return _failure(error)


def _failure(error: Exception) -> Response:
    if is_race(error):
        problem = Problem(title="Try again", status=503, detail="Somebody changed the same at this moment; nothing of yours was stored.")
        response = problem_response(problem)
        response.headers["Retry-After"] = "1"
        return response
    if is_unavailable(error):
        log.warning("answered 503", error=str(error)[:300])
        problem = Problem(title="Try again shortly", status=503, detail="The service's database or broker is away for the moment.")
        response = problem_response(problem)
        response.headers["Retry-After"] = "2"
        return response
    log.error("answered 500", exc_info=error)
    return problem_response(Problem(title="Internal error", status=500, detail="The service failed; its log has the reason."))


def _field(location: Sequence[object]) -> str:
    return ".".join(str(part) for part in location if part not in {"body", "query", "path"}) or "body"


def require_service_token(expected: SecretStr) -> Any:
    """Dependency that refuses callers who do not show the services' common secret."""

    async def check(token: Annotated[str, Header(alias=SERVICE_TOKEN_HEADER)] = "") -> None:
        if not secrets.compare_digest(token.encode(), expected.get_secret_value().encode()):
            raise ProblemError(401, "Not a service", "Internal interfaces are called by Mail Converter's own services only.")

    return Depends(check)


async def actor_of(request: Request) -> str:
    """Who acts; `system` for calls between services."""
    return request.headers.get(ACTOR_HEADER, "system")


@dataclass(frozen=True)
class Person:
    """Who acts, with the name and the address that their personal answers carry; both may be blank."""

    actor: str
    name: str = ""
    address: str = ""


async def person_of(request: Request) -> Person:
    """As `actor_of`, with what the console knows of them."""
    name, address = (unquote(request.headers.get(one, "")) for one in (ACTOR_NAME_HEADER, ACTOR_ADDRESS_HEADER))
    return Person(await actor_of(request), name.replace("\x00", "")[:200].strip(), address.replace("\x00", "")[:320].strip())


Actor = Annotated[str, Depends(actor_of)]
Acting = Annotated[Person, Depends(person_of)]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=500)]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)]
IfMatch = Annotated[str | None, Header(alias="If-Match")]


def encode_cursor(*values: Any) -> str:
    """An opaque cursor from the last item's sort key (JSON values; give times as RFC 3339 strings)."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, length: int) -> list[Any] | None:
    """The sort key in a cursor of `length` values, None without a cursor. Raises ProblemError 400."""
    if cursor is None:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as error:
        raise ProblemError(400, "Not a cursor", "Use the `next` of the page before, unchanged.") from error
    if not isinstance(values, list) or len(values) != length:
        raise ProblemError(400, "Not a cursor of this list", "Use the `next` of the page before, unchanged.")
    return values


def page(items: Sequence[T], limit: int, key: Any) -> Page[T]:
    """A page from limit + 1 items; `key(item)` gives the cursor's values as a tuple."""
    shown = list(items[:limit])
    more = encode_cursor(*key(shown[-1])) if len(items) > limit else None
    return Page(items=shown, next=more)


def etag(version: int) -> str:
    """A strong ETag from a row's version."""
    return f'"{version}"'


def check_if_match(if_match: str | None, version: int) -> None:
    """Raise 412 when the caller's copy is not today's."""
    if if_match is not None and if_match.strip() not in {etag(version), "*"}:
        raise ProblemError(412, "Changed meanwhile", f"Somebody changed it; today's version is {etag(version)}. Read it again, then save.")


def with_etag(response: Response, version: int) -> None:
    """Set the response's ETag."""
    response.headers["ETag"] = etag(version)


def strip_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without the entries that are None."""
    return {name: value for name, value in values.items() if value is not None}
