"""Users, sessions, tokens and the one-time set-up link: the use cases of signing in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import uuid4

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncEngine

from console.adapters.attempts import Attempts
from console.adapters.sessions import Sessions
from console.adapters.setup import SetupLink
from console.adapters.tokens import Tokens
from console.adapters.users import Users
from console.api.models import MePatch
from console.domain.login_limit import try_again_at
from console.domain.principal import Principal, Role
from console.refusals import refusal_of
from console.secret import new_secret
from console.settings import Settings
from shared.api import Token, User, UserIn
from shared.clock import Clock, utc_now
from shared.http import ProblemError

T = TypeVar("T")

MAX_HASHING = 2
"""Argon2 takes 64 MiB and a core for a moment: so many at once, the others wait."""
MAX_WAITING = 20
MAX_PASSWORD_CHARS = 200


class SignInRefusedError(Exception):
    """The message is for the person who tries to sign in. `limited` asks for status 429."""

    def __init__(self, message: str, *, limited: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.limited = limited


@dataclass(frozen=True)
class NewSession:
    """A session that has just begun: `secret` goes into the cookie and is kept nowhere else."""

    secret: str
    principal: Principal
    ends_at: datetime


class Accounts:
    """Who may use the console. Passwords are Argon2id, sessions and tokens are kept as SHA-256 only."""

    def __init__(self, engine: AsyncEngine, settings: Settings, clock: Clock = utc_now) -> None:
        self.engine = engine
        self.users = Users(engine)
        self.sessions = Sessions(engine, settings, clock)
        self.tokens = Tokens(engine, clock)
        self.setup = SetupLink(engine, settings)
        self._attempts = Attempts(engine)
        self._clock = clock
        self._hasher = PasswordHasher()
        self._hashing = asyncio.Semaphore(MAX_HASHING)
        self._waiting = 0
        self._nobody = ""

    async def sign_in(self, email: str, password: str, address: str, old_session: str | None = None) -> NewSession:
        """A new session; `old_session` (the cookie of before) ends. Raises SignInRefusedError with what to tell the person.

        `address` is the client's; ten wrong tries in 15 minutes from it or for the account close the door for a while. A try is
        counted before its password is checked, so that many at once count too.
        """
        email = email.strip().lower()
        scopes = (f"address:{address}", f"account:{email}"[:400])
        attempt = await self._begin_attempt(scopes)
        found = await self.users.by_email(email)
        if not await self._verify(found.password_hash if found else await self._nobody_hash(), password) or found is None:
            raise SignInRefusedError("The e-mail address or the password is wrong.")
        await self._attempts.forget(attempt)
        if self._hasher.check_needs_rehash(found.password_hash):
            await self.users.set_password(found.principal.id, await self.hash_password(password))
        return await self.start_session(found.principal, old_session)

    async def start_session(self, principal: Principal, old_session: str | None = None) -> NewSession:
        """A session of this user; the one of before, if any, ends (its id is never used again)."""
        if old_session:
            await self.sessions.end(old_session)
        secret = new_secret()
        ends_at = await self.sessions.start(secret, principal.id)
        await self.users.signed_in(principal.id, self._clock())
        return NewSession(secret, principal, ends_at)

    async def set_up(self, token: str, *, name: str, email: str, password: str) -> NewSession:
        """The first administrator, by the one-time link. Raises ProblemError 404 when the link holds no longer, 422 for bad fields."""
        user = new_user(email, name, "administrator", password)
        if not await self.setup.is_open(token):
            raise _no_link()  # before the costly hash
        hashed = await self.hash_password(password)
        if not await self.setup.use(token, user, hashed):
            raise _no_link()
        return await self.start_session(Principal(user.id, user.name, user.email, user.role, "user"))

    async def create_user(self, wanted: UserIn) -> User:
        """A further user. Raises ProblemError 409 when the address has one."""
        user = new_user(wanted.email, wanted.name, wanted.role, wanted.password)
        if not await self.users.add(user, await self.hash_password(wanted.password)):
            raise ProblemError(409, "There is a user with this address", f"{user.email} can sign in already.")
        return user

    async def change_own(self, principal: Principal, wanted: MePatch) -> Principal:
        """The user with what they changed of themselves. Raises ProblemError 409 for a token, 404 for a user deleted meanwhile."""
        if principal.kind == "token":
            raise ProblemError(409, "A token is nobody", "Only users have a name and an address of their own; sign in to set them.")
        return await self.users.change(principal.id, wanted.model_dump(exclude_none=True))

    async def create_token(self, name: str, role: Role) -> Token:
        """A token, shown this once."""
        secret = f"mc_{new_secret()}"
        token = Token(id=str(uuid4()), name=name.replace("\x00", "").strip() or "token", role=role, created_at=self._clock())
        await self.tokens.add(token, secret)
        return token.model_copy(update={"token": secret})

    async def hash_password(self, password: str) -> str:
        """Argon2id. Raises ProblemError 503 when too many wait for theirs."""
        return await self._argon(self._hasher.hash, password)

    async def _begin_attempt(self, scopes: tuple[str, ...]) -> list[int]:
        now = self._clock()
        attempt, earlier = await self._attempts.begin(scopes, now)
        blocked = [at for times in earlier if (at := try_again_at(times, now)) is not None]
        if blocked:
            # A refused try is no wrong password: it does not move the end of the wait.
            await self._attempts.forget(attempt)
            until = max(blocked)
            minutes = max(1, round((until - now).total_seconds() / 60 + 0.49))
            message = f"Too many wrong passwords. Try again at {until:%H:%M} UTC (in {minutes} min)."
            raise SignInRefusedError(message, limited=True)
        return attempt

    async def _nobody_hash(self) -> str:
        """A hash to check against when there is no such user, so that the time tells nothing."""
        if not self._nobody:
            self._nobody = await self.hash_password(new_secret())
        return self._nobody

    async def _verify(self, hashed: str, password: str) -> bool:
        try:
            return await self._argon(self._hasher.verify, hashed, password[: MAX_PASSWORD_CHARS + 1])
        except (VerificationError, InvalidHashError):
            return False

    async def _argon(self, work: Callable[..., T], *args: str) -> T:
        if self._waiting >= MAX_WAITING:
            raise ProblemError(503, "Too many people sign in at once", "Try again in a few seconds.")
        self._waiting += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(work, *args)
        finally:
            self._waiting -= 1


def _no_link() -> ProblemError:
    return ProblemError(404, "This set-up link is not valid", "It works once, while there is no administrator. Sign in instead.")


def new_user(email: str, name: str, role: Role, password: str) -> User:
    """A user that is not stored yet. Raises ProblemError 422 that names the fields."""
    try:
        fields = UserIn(email=email.strip().lower(), name=name.replace("\x00", "").strip(), role=role, password=password)
    except ValidationError as error:
        raise refusal_of(error) from error
    return User(id=str(uuid4()), email=fields.email, name=fields.name, role=fields.role, created_at=utc_now())
