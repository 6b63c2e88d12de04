"""Which mails a draft is tried on, between the form and its JSON. Pure but for the reading of an upload."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from starlette.datastructures import FormData

from console.pages.page import text, texts_of
from console.pages.uploads import uploaded
from shared.http import ProblemError

USUAL_MAILS = 200
WHICH = ("last", "span", "chosen", "file", "raw")


def new_choice() -> dict[str, Any]:
    """Values of an empty form."""
    return {"which": "last", "last": str(USUAL_MAILS), "since": "", "until": "", "raw": "", "mail": []}


def choice_values(form: FormData) -> dict[str, Any]:
    """What was filled in, to be shown again."""
    values: dict[str, Any] = {name: text(form, name) for name in ("last", "since", "until", "raw")}
    which = text(form, "which")
    return values | {"which": which if which in WHICH else "last", "mail": texts_of(form, "mail")}


def draft_of(form: FormData) -> list[dict[str, Any]] | None:
    """The rules that the form carries; None for today's, or those of a version."""
    carried = text(form, "draft")
    if not carried:
        return None
    try:
        rules = json.loads(carried)
    except ValueError as error:
        raise ProblemError(422, "The draft cannot be read", "Go back to the rule and try it again.") from error
    return rules if isinstance(rules, list) else None


async def chosen_mails(form: FormData) -> dict[str, Any]:
    """`SimulationMails` as JSON. Raises ProblemError that names the field."""
    if mail_id := text(form, "mail_id"):
        return {"ids": [mail_id]}
    values = choice_values(form)
    which = values["which"]
    if which == "chosen":
        if not values["mail"]:
            raise _wrong("mail", "Tick at least one mail.")
        return {"ids": values["mail"]}
    if which == "file":
        content = await uploaded(form, "file")
        if not content:
            raise _wrong("file", "Choose a file.")
        return {"raw_base64": base64.b64encode(content).decode()}
    if which == "raw":
        if not text(form, "raw"):
            raise _wrong("raw", "Paste the mail, with its headers.")
        return {"raw": text(form, "raw")}
    return _span(form) if which == "span" else {"last": _number(form)}


def _number(form: FormData) -> int:
    given = text(form, "last")
    if not given.isdecimal() or not 1 <= int(given[:9]) <= 10_000:
        raise _wrong("last", "Give a number from 1 to 10,000.")
    return int(given)


def _span(form: FormData) -> dict[str, Any]:
    """Whole days, UTC; the last one is in it."""
    first, last = _day(form, "since"), _day(form, "until")
    if first is None and last is None:
        raise _wrong("since", "Give the first day, the last day, or both.")
    if first and last and last < first:
        raise _wrong("until", "The last day is before the first one.")
    return {
        **({"since": _midnight(first)} if first else {}),
        **({"until": _midnight(last + timedelta(days=1))} if last else {}),
    }


def _day(form: FormData, name: str) -> date | None:
    given = text(form, name)
    try:
        return date.fromisoformat(given) if given else None
    except ValueError as error:
        raise _wrong(name, "Give a day as 2026-11-23.") from error


def _midnight(day: date) -> str:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).isoformat()


def _wrong(field: str, message: str) -> ProblemError:
    return ProblemError(422, "Which mails?", message, errors=[{"field": field, "message": message}])
