"""What `up` tells while it works: one line per part, and a line that moves while something is downloaded."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

BIG_BYTES = 1_000_000
"""Without a terminal, only files of this size get a line of their own."""


class Progress:
    """Prints to `out`; silent without one. On a terminal, downloads share one moving line."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out
        self._terminal = out is not None and out.isatty()
        self._moving = False
        self._step = ""

    def say(self, line: str) -> None:
        self.done()
        if self.out:
            print(line, file=self.out, flush=True)

    def step(self, text: str) -> None:
        """What the next file belongs to."""
        self._step = text

    @contextmanager
    def file(self, name: str, total_bytes: int) -> Iterator[Callable[[int], None]]:
        """Around one download; the function given is told the bytes of each chunk."""
        if not self._terminal and total_bytes >= BIG_BYTES:
            self.say(f"  {self._step}: {name}, {total_bytes / 1e6:.1f} MB")
        so_far = 0

        def more(count: int) -> None:
            nonlocal so_far
            so_far += count
            self._move(f"  {self._step}: {name} {so_far / 1e6:.1f} of {total_bytes / 1e6:.1f} MB")

        yield more

    def done(self) -> None:
        """End the moving line."""
        if self._moving and self.out:
            print("\r\x1b[K", end="", file=self.out, flush=True)
        self._moving = False

    def _move(self, text: str) -> None:
        if self._terminal and self.out:
            print(f"\r\x1b[K{text}", end="", file=self.out, flush=True)
            self._moving = True


def to_stdout() -> Progress:
    return Progress(sys.stdout)
