"""A folder's UIDs on the server against its lines, in steps whose memory is bounded however large either side is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

STEP = 10_000


@dataclass(frozen=True)
class Step:
    """The UIDs above `after` and up to `upper` (None: all that follow), on both sides."""

    after: int
    upper: int | None
    server: Sequence[int]
    lines: Sequence[int]

    def missing(self, cursor: int) -> list[int]:
        """On the server without a line, although reading has passed them. What is above the cursor is not read yet."""
        known = set(self.lines)
        return [uid for uid in self.server if uid not in known and uid <= cursor]

    def gone(self, uid_next: int) -> int:
        """Lines whose UID the server has no more. One from `uid_next` on came after the server was asked."""
        present = set(self.server)
        return sum(uid not in present and uid < uid_next for uid in self.lines)


def bound(server: Sequence[int], after: int) -> int | None:
    """The last UID of the next step as the server's side has it: at most STEP mails. `server` ascends."""
    last = bisect_right(server, after) + STEP - 1
    return server[last] if last < len(server) - 1 else None


def step(server: Sequence[int], lines: Sequence[int], after: int, upper: int | None) -> Step:
    """The step from `after`; it ends earlier than `upper` where STEP lines were found before: the rest is the next one's."""
    if len(lines) == STEP:
        upper = lines[-1]
    end = len(server) if upper is None else bisect_right(server, upper)
    return Step(after, upper, server[bisect_right(server, after) : end], lines)
