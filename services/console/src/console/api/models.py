"""Bodies that only the console itself gives."""

from __future__ import annotations

from typing import Literal

from shared.api import ApiModel


class Me(ApiModel):
    """GET /me."""

    id: str
    name: str
    email: str
    role: Literal["operator", "administrator"]
    kind: Literal["user", "token"]
