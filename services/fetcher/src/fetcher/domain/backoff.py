"""How long a failing mailbox is left alone."""

from __future__ import annotations

LOGIN_FIRST_S = 300.0
"""A refused login locks accounts when it is repeated: five minutes at once."""
LOGIN_MOST_S = 3600.0
FIRST_S = 1.0
MOST_S = 300.0


def pause(failures: int, *, login: bool, jitter: float) -> float:
    """Seconds to wait after `failures` failures in a row (1 for the first). `jitter` from 0 to 1 spreads mailboxes of one server."""
    first, most = (LOGIN_FIRST_S, LOGIN_MOST_S) if login else (FIRST_S, MOST_S)
    steps = min(max(failures - 1, 0), 20)
    return float(min(first * 2**steps, most) * (1 + 0.2 * jitter))
