"""Bodies that only the console itself gives."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from console.domain.own_address import own_address
from shared.api import ApiModel, Name
from shared.mail.words import one_line


class Me(ApiModel):
    """GET /me."""

    id: str
    name: str
    email: str
    role: Literal["operator", "administrator"]
    kind: Literal["user", "token"]
    mail_address: str = Field(default="", description="From which their personal answers leave; blank: none can")


class MePatch(ApiModel):
    """PATCH /me: the fields given; a blank address takes it away. Tokens have neither (409)."""

    name: Name | None = None
    mail_address: Annotated[str, Field(max_length=320)] | None = None

    @field_validator("name", mode="before")
    @classmethod
    def _of_one_line(cls, value: Any) -> Any:
        """It stands before the address in mails."""
        return one_line(value) if isinstance(value, str) else value

    @field_validator("mail_address")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        return None if value is None else own_address(value)
