"""Calls to the services: who acts is told, time is bounded, connections are kept, and what is away is named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx

from console.domain.principal import Principal
from console.settings import ServiceName, Settings
from shared.api import Problem
from shared.http import ACTOR_ADDRESS_HEADER, ACTOR_HEADER, ACTOR_NAME_HEADER, SERVICE_TOKEN_HEADER, ProblemError
from shared.observability import get_logger

log = get_logger("backend")

CONNECT_TIMEOUT_S = 3.0
POOL_TIMEOUT_S = 5.0
MAX_CONNECTIONS = 100
FORBIDDEN_IN_PATH = frozenset("/\\")
Params = Mapping[str, Any] | list[tuple[str, str]] | None


def make_client(settings: Settings) -> httpx.AsyncClient:
    """A client that keeps connections, follows no redirect and reads no proxy from the environment."""
    return httpx.AsyncClient(
        timeout=httpx.Timeout(settings.upstream_timeout_seconds, connect=CONNECT_TIMEOUT_S, pool=POOL_TIMEOUT_S),
        limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=20, keepalive_expiry=15.0),
        follow_redirects=False,
        trust_env=False,
    )


class Backend:
    """The services behind the console. `path` is the public API's without `/api/v1`; quote foreign parts with `quoted`."""

    def __init__(self, settings: Settings, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._client = client

    async def call(
        self,
        service: ServiceName,
        method: str,
        path: str,
        *,
        actor: Principal,
        params: Params = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The service's answer, whatever its status. Raises ProblemError 503 naming the service when it is away, 504 when it is silent."""
        async with self.stream(service, method, path, actor=actor, params=params, json=json, content=content, headers=headers) as response:
            try:
                await response.aread()
            except httpx.HTTPError as error:
                raise _away(service, error) from error
            return response

    @asynccontextmanager
    async def stream(
        self,
        service: ServiceName,
        method: str,
        path: str,
        *,
        actor: Principal,
        params: Params = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """As `call`, with the body not yet read."""
        request = self._client.build_request(
            method,
            self._settings.service_url(service) + path,
            params=_present(params),
            json=json,
            content=content,
            headers={**(headers or {}), **self._own_headers(actor)},
        )
        try:
            response = await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise _away(service, error) from error
        try:
            yield response
        finally:
            await response.aclose()

    async def get_json(self, service: ServiceName, path: str, *, actor: Principal, params: Params = None) -> Any:
        """The body of a GET. Raises ProblemError with the service's own problem on a status of 400 or more."""
        return checked(service, await self.call(service, "GET", path, actor=actor, params=params))

    async def send_json(
        self,
        service: ServiceName,
        method: str,
        path: str,
        *,
        actor: Principal,
        json: Any = None,
        params: Params = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The body (None where there is none) of a POST, PUT, PATCH or DELETE. Raises as `get_json`."""
        return checked(service, await self.call(service, method, path, actor=actor, params=params, json=json, headers=headers))

    def _own_headers(self, actor: Principal) -> dict[str, str]:
        # Header values are Latin-1 on the wire; an actor's name may hold any letter.
        return {
            SERVICE_TOKEN_HEADER: self._settings.service_token.get_secret_value(),
            ACTOR_HEADER: actor.actor.encode("ascii", "backslashreplace").decode(),
            ACTOR_NAME_HEADER: quote(actor.name),
            ACTOR_ADDRESS_HEADER: quote(actor.mail_address),
        }


def checked(service: ServiceName, response: httpx.Response) -> Any:
    """The JSON body of a good answer, None of an empty one; ProblemError otherwise."""
    if response.status_code >= 400:
        raise _problem_error(service, response)
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError as error:
        raise ProblemError(502, "Unreadable answer", f"The service {service} answered something that is no JSON.") from error


def quoted(part: object) -> str:
    """One path segment for a service's path. Raises ProblemError 404 for what could lead elsewhere once the service decodes it."""
    text = str(part)
    if not text.strip(".") or set(text) & FORBIDDEN_IN_PATH or not text.isprintable():
        raise ProblemError(404, "No such thing", "The path holds something that is no id.")
    return quote(text, safe="")


def _problem_error(service: ServiceName, response: httpx.Response) -> ProblemError:
    try:
        problem = Problem.model_validate(response.json())
    except ValueError:
        return ProblemError(502, "Unreadable answer", f"The service {service} answered {response.status_code} without saying why.")
    error = ProblemError(problem.status, problem.title, problem.detail)
    error.problem = problem
    return error


def _away(service: ServiceName, error: httpx.HTTPError) -> ProblemError:
    log.warning("service away", upstream=service, error=f"{type(error).__name__}: {error}"[:300])
    if isinstance(error, httpx.ReadTimeout | httpx.WriteTimeout):
        return ProblemError(
            504, f"The service {service} does not answer", f"The service {service} took too long; try again.", service=service
        )
    detail = f"The service {service} cannot be reached for the moment; try again shortly. `mailconverter status` shows what runs."
    return ProblemError(503, f"The service {service} is away", detail, service=service)


def _present(params: Params) -> Any:
    if isinstance(params, Mapping):
        return {name: value for name, value in params.items() if value is not None}
    return params
