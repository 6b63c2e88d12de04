"""Who acts, and what a role may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["operator", "administrator"]


@dataclass(frozen=True)
class Principal:
    """A signed-in user, or the holder of an API token. `email` is empty for a token.

    `mail_address` is where a user's personal answers come from: blank where they have set none.
    """

    id: str
    name: str
    email: str
    role: Role
    kind: Literal["user", "token"]
    mail_address: str = ""

    @property
    def actor(self) -> str:
        """As it is told to the services and written to the audit log."""
        return f"user:{self.email}" if self.kind == "user" else f"token:{self.name}"

    @property
    def is_administrator(self) -> bool:
        return self.role == "administrator"

    def may(self, roles: tuple[Role, ...]) -> bool:
        return self.role in roles
