"""What RE2 refuses is said with its place; what it takes is quick whatever the pattern."""

from __future__ import annotations

import time

import pytest

from rules.domain.patterns import PatternRefusedError, compiled


@pytest.mark.parametrize(
    ("pattern", "position", "words"),
    [
        ("(foo", 0, "never closed"),
        ("a(b(c)", 1, "never closed"),
        (r"\((", 2, "never closed"),
        ("[(](", 3, "never closed"),
        ("[^)](", 4, "never closed"),
        ("foo)", 3, "closes nothing"),
        ("(a))b", 3, "closes nothing"),
        ("è[à", 1, "never closed"),
        ("ab(?<=c)", 2, "look-behind"),
        (r"(a)\1", 3, "back-references"),
        ("a**", 1, "repeated"),
        ("*a", 0, "nothing before it"),
        ("ab{2000}", 2, "1000"),
        ("x[z-a]", 2, "range"),
        ("abc\\", 3, "backslash"),
        ("x(?P<a", 1, "named group"),
    ],
)
def test_a_refused_pattern_is_named_with_position_and_reason(pattern: str, position: int, words: str) -> None:
    with pytest.raises(PatternRefusedError) as refused:
        compiled(pattern)
    assert refused.value.position == position
    assert words in refused.value.reason
    assert f"character {position + 1}" in str(refused.value)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*)*b", "((a{0,100}){0,10})$"])
def test_no_pattern_takes_long(pattern: str) -> None:
    started = time.perf_counter()
    compiled(pattern).find("a" * 100_000 + "!")
    assert time.perf_counter() - started < 2


def test_a_pattern_too_large_is_refused() -> None:
    with pytest.raises(PatternRefusedError, match="too large"):
        compiled(r"\pL{900}" * 30)
