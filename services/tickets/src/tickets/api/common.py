"""What the routers share."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

from shared.events import derived_id
from shared.http import ProblemError, decode_cursor


def new_id(actor: str, key: str | None) -> str:
    """Id of what a POST creates: with an Idempotency-Key the same each time."""
    return derived_id("idempotency", actor, key) if key else str(uuid4())


def time_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    """A cursor of (time, id). Raises ProblemError 400."""
    values = decode_cursor(cursor, 2)
    if values is None:
        return None
    try:
        return datetime.fromisoformat(values[0]), _text(values[1])
    except (TypeError, ValueError) as error:
        raise ProblemError(400, "Not a cursor of this list", "Use the `next` of the page before, unchanged.") from error


def number_cursor(cursor: str | None) -> int | None:
    """A cursor of one number. Raises ProblemError 400."""
    values = decode_cursor(cursor, 1)
    if values is None:
        return None
    if not isinstance(values[0], int) or not 0 < values[0] < 2**63:
        raise ProblemError(400, "Not a cursor of this list", "Use the `next` of the page before, unchanged.")
    return values[0]


def plain(text: str) -> str:
    """Without NUL, which Postgres does not take."""
    return text.replace("\x00", "")


def one_line_title(text: str, field: str = "title") -> str:
    """A title as people type it, on one line. Raises ProblemError 422 where nothing is left of it."""
    title = " ".join(plain(text).split())
    if not title:
        raise ProblemError(422, "The request is not valid", f"{field}: must not be blank")
    return title


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError(value)
    return value
