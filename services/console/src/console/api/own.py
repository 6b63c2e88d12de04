"""The part of the REST API that the console answers itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from console import aggregates
from console.api.models import Me, MePatch
from console.dependencies import Dependencies
from console.domain.principal import Principal
from console.oauth import MAILBOX, SENDER, begin_sign_in
from console.refusals import refusal_of
from shared.api import AuditEntry, DropRequest, Job, OAuthSignIn, Page, Status, Token, TokenIn, User, UserIn
from shared.http import ProblemError, not_found

M = TypeVar("M", bound=BaseModel)
MAX_LIMIT = 200
DEFAULT_LIMIT = 50
ONCE_MORE = "Make a user of the same address and delete it again to remove the account too."


@dataclass(frozen=True)
class Call:
    """One call of an own operation, by somebody who may."""

    request: Request
    principal: Principal
    deps: Dependencies

    @property
    def id(self) -> str:
        return str(self.request.path_params["id"])

    @property
    def limit(self) -> int:
        """Raises ProblemError 422 when `limit` is no number from 1 to 200."""
        text = self.request.query_params.get("limit", str(DEFAULT_LIMIT))
        if not text.isdecimal() or not 1 <= int(text[:6]) <= MAX_LIMIT:
            raise ProblemError(422, "The request is not valid", f"limit: must be a number from 1 to {MAX_LIMIT}")
        return int(text)

    @property
    def cursor(self) -> str | None:
        return self.request.query_params.get("cursor")

    async def body(self, model: type[M]) -> M:
        """The request's body. Raises ProblemError 422 that names the fields."""
        try:
            return model.model_validate_json(await self.request.body())
        except ValidationError as error:
            raise refusal_of(error) from error


async def begin_mailbox_oauth(call: Call) -> OAuthSignIn:
    """The redirect URI is the console's own, whoever asks."""
    return await begin_sign_in(call.deps.backend, call.deps.settings, call.principal, MAILBOX, call.id)


async def begin_sender_oauth(call: Call) -> OAuthSignIn:
    """As for a mailbox."""
    return await begin_sign_in(call.deps.backend, call.deps.settings, call.principal, SENDER, call.id)


async def get_job(call: Call) -> Job:
    return await aggregates.job(call.deps.backend, call.principal, call.id)


async def get_status(call: Call) -> Status:
    return await aggregates.status(call.deps, call.principal)


async def list_dead_letters(call: Call) -> aggregates.DeadLetterPage:
    state = call.request.query_params.get("state", "waiting")
    return await aggregates.dead_letters(call.deps.backend, call.principal, limit=call.limit, cursor=call.cursor, state=state)


async def retry_dead_letter(call: Call) -> dict[str, str]:
    return await aggregates.act_on_dead_letter(call.deps.backend, call.principal, call.id, "retry")


async def drop_dead_letter(call: Call) -> dict[str, str]:
    wanted = await call.body(DropRequest)
    return await aggregates.act_on_dead_letter(call.deps.backend, call.principal, call.id, "drop", wanted.model_dump())


async def get_me(call: Call) -> Me:
    return _shown(call.principal)


async def change_me(call: Call) -> Me:
    return _shown(await call.deps.accounts.change_own(call.principal, await call.body(MePatch)))


def _shown(who: Principal) -> Me:
    return Me(id=who.id, name=who.name, email=who.email, role=who.role, kind=who.kind, mail_address=who.mail_address)


async def list_users(call: Call) -> Page[User]:
    return await call.deps.accounts.users.list(call.limit, call.cursor)


async def create_user(call: Call) -> User:
    return await call.deps.accounts.create_user(await call.body(UserIn))


async def delete_user(call: Call) -> None:
    """The user first: shutting somebody out waits for no other service. Their own SMTP account with its password follows."""
    gone = await call.deps.accounts.users.delete(call.id)
    try:
        await call.deps.backend.send_json("notifier", "DELETE", "/me/sender", actor=gone)
    except ProblemError as error:
        if error.status != 404:
            detail = f"{gone.email} is deleted, but the SMTP account of their own could not be: {error.problem.detail} {ONCE_MORE}"
            raise ProblemError(error.status, "Deleted in part", detail) from error


async def list_tokens(call: Call) -> Page[Token]:
    return await call.deps.accounts.tokens.list(call.limit, call.cursor)


async def create_token(call: Call) -> Token:
    wanted = await call.body(TokenIn)
    return await call.deps.accounts.create_token(wanted.name, wanted.role)


async def delete_token(call: Call) -> None:
    if not await call.deps.accounts.tokens.delete(call.id):
        raise not_found("token", call.id)


async def list_audit(call: Call) -> Page[AuditEntry]:
    return await call.deps.audit.list(call.limit, call.cursor)


HANDLERS: dict[str, Callable[[Call], Awaitable[Any]]] = {
    "POST /scanners/{id}/oauth": begin_mailbox_oauth,
    "POST /senders/{id}/oauth": begin_sender_oauth,
    "GET /jobs/{id}": get_job,
    "GET /status": get_status,
    "GET /dead-letters": list_dead_letters,
    "POST /dead-letters/{id}/retry": retry_dead_letter,
    "POST /dead-letters/{id}/drop": drop_dead_letter,
    "GET /me": get_me,
    "PATCH /me": change_me,
    "GET /users": list_users,
    "POST /users": create_user,
    "DELETE /users/{id}": delete_user,
    "GET /tokens": list_tokens,
    "POST /tokens": create_token,
    "DELETE /tokens/{id}": delete_token,
    "GET /audit": list_audit,
}
"""By the route's name; `tests/unit/console` checks that none is missing."""
