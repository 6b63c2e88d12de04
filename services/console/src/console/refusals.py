"""What a model refuses, as the caller is told it."""

from __future__ import annotations

from pydantic import ValidationError

from shared.http import PYDANTIC_PREFIX, ProblemError


def refusal_of(error: ValidationError) -> ProblemError:
    """422 that names the fields, without what was in them: it may have been a password."""
    found = error.errors(include_input=False, include_url=False, include_context=False)
    errors = [{"field": ".".join(map(str, item["loc"])) or "body", "message": item["msg"].removeprefix(PYDANTIC_PREFIX)} for item in found]
    detail = "; ".join(f"{item['field']}: {item['message']}" for item in errors)
    return ProblemError(422, "The request is not valid", detail, errors=errors)
