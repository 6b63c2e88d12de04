"""A mail that a person gave as text or in base64."""

from __future__ import annotations

import base64
import binascii

from shared.http import ProblemError


def pasted_bytes(raw: str | None, raw_base64: str | None) -> bytes:
    """Its bytes; the lines of base64 may be wrapped. Raises ProblemError 422."""
    if raw is not None:
        return raw.encode("utf-8", "replace")
    try:
        return base64.b64decode("".join((raw_base64 or "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        errors = [{"field": "raw_base64", "message": f"cannot be read as base64: {error}"}]
        raise ProblemError(422, "Not base64", f"`raw_base64` cannot be read as base64: {error}.", errors=errors) from error
