"""Fields that forbid automatic answers."""

from __future__ import annotations

import pytest

from shared.mail.kinds.answerable import SHOWN, forbidding


@pytest.mark.parametrize(
    ("name", "value", "forbids"),
    [
        ("X-Auto-Response-Suppress", "All", True),
        ("X-Auto-Response-Suppress", "DR, OOF, AutoReply", True),
        ("X-Auto-Response-Suppress", "DR, RN", False),
        ("X-Auto-Response-Suppress", "None", False),
        ("Auto-Submitted", "no", False),
        ("Auto-Submitted", "No (a person)", False),
        ("auto-submitted", "auto-generated", True),
        ("Precedence", "bulk", True),
        ("Precedence", "first-class", False),
        ("Return-Path", "<>", True),
        ("Return-Path", "<anna@customer.example>", False),
        ("List-Unsubscribe", "<https://shop.example/u>", True),
        ("X-Mail-Converter-Id", "x", True),
        ("Subject", "All", False),
    ],
)
def test_which_fields_forbid_an_automatic_answer(name: str, value: str, forbids: bool) -> None:
    assert forbidding([("From", "a@b.example"), (name, value)]) == (f"{name}: {value}" if forbids else "")


def test_a_long_field_is_cut() -> None:
    assert len(forbidding([("List-Help", "x" * 500)])) == SHOWN
