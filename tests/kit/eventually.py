"""Patience without sleeps in tests: ask again until it holds, fail with the last answer when it never does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
EVERY_SECONDS = 0.1


def eventually(check: Callable[[], T | None], seconds: float = 15.0, every: float = EVERY_SECONDS, what: str = "") -> T:
    """The first true answer of `check`, which may also `assert`. Raises its last AssertionError, or one with its last answer.

    `what` tells in the message what was waited for.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = check()
            if answer:
                return answer
            failure = _late(what, seconds, answer)
        except AssertionError as error:
            failure = error
        if time.monotonic() > deadline:
            raise failure
        time.sleep(every)


async def eventually_async(
    check: Callable[[], Awaitable[T | None]], seconds: float = 15.0, every: float = EVERY_SECONDS, what: str = ""
) -> T:
    """As `eventually`, for a coroutine function."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = await check()
            if answer:
                return answer
            failure = _late(what, seconds, answer)
        except AssertionError as error:
            failure = error
        if time.monotonic() > deadline:
            raise failure
        await asyncio.sleep(every)


def _late(what: str, seconds: float, answer: object) -> AssertionError:
    return AssertionError(f"{what or 'what was waited for'} not within {seconds:g} s; the last answer was {answer!r}")
