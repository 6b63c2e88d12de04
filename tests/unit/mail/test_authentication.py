"""What the provider found out about the sender (RFC 8601)."""

from __future__ import annotations

import time
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.mail.authentication import authentication
from shared.mail.fields import Fields
from shared.mail.parse import parse


def read(*values: str, name: str = "Authentication-Results") -> list[str]:
    return authentication(Fields([(name, value) for value in values], 0))


EXAMPLES: Final[dict[str, tuple[str, list[str]]]] = {
    "one method": ("mx.desk.example; spf=pass smtp.mailfrom=kunde.example", ["spf=pass"]),
    "several, in order": ("mx; dkim=fail; spf=pass; dmarc=none", ["dkim=fail", "spf=pass", "dmarc=none"]),
    "each once": ("mx; dkim=pass header.d=a; dkim=pass header.d=b; dkim=fail header.d=c", ["dkim=pass", "dkim=fail"]),
    "case": ("MX; DKIM=Pass", ["dkim=pass"]),
    "nothing checked": ("mx.desk.example; none", []),
    "versions": ("mx 1; dkim/1=pass; spf / 1 = softfail", ["dkim=pass", "spf=softfail"]),
    "comments": ("mx; (first) dkim=pass (2048-bit; key=good) header.d=a; spf=pass (a (nested; dmarc=pass) one)", ["dkim=pass", "spf=pass"]),
    "an escape and a quote in a comment": ('mx; dkim=pass (5" \\) ; dmarc=pass) header.d=a', ["dkim=pass"]),
    "quoted strings": ('mx; dkim=fail reason="; dmarc=pass; \\"; spf=pass"; spf=none', ["dkim=fail", "spf=none"]),
    "Gmail": (
        "mx.google.com; dkim=pass header.i=@a header.s=x; spf=pass (google.com: domain of a@b) smtp.mailfrom=a@b; dmarc=pass (p=NONE)",
        ["dkim=pass", "spf=pass", "dmarc=pass"],
    ),
    "Microsoft, which leaves out its own name": (
        "spf=none (sender IP is 192.0.2.1) smtp.helo=a; dkim=none (message not signed) header.d=none;dmarc=fail action=none; compauth=pass",
        ["spf=none", "dkim=none", "dmarc=fail", "compauth=pass"],
    ),
    "a property is no result": ("mx; header.i=pass; smtp.mailfrom=x; dkim=pass", ["dkim=pass"]),
    "a result that is no word": ("mx; dkim=pass/fail; spf=<x>; dmarc=; arc=pass", ["arc=pass"]),
    "an open comment": ("mx; dkim=pass (and so on", []),
    "an open quote": ('mx; dkim=fail reason="x; spf=pass', []),
    "a comment that was not begun": ("mx; dkim=pass) ; spf=pass", []),
    "empty": ("", []),
    "nonsense": (";;;===;;", []),
}


@pytest.mark.parametrize(("value", "expected"), EXAMPLES.values(), ids=EXAMPLES)
def test_results_are_read(value: str, expected: list[str]) -> None:
    assert read(value) == expected


def test_only_the_topmost_field_is_the_provider_s() -> None:
    assert read("mx; dmarc=fail", "mx; dmarc=pass") == ["dmarc=fail"]
    assert read("", "mx; dmarc=pass") == []


@pytest.mark.parametrize("name", ["ARC-Authentication-Results", "X-Authentication-Results", "Received-SPF"])
def test_other_fields_are_not_asked(name: str) -> None:
    assert read("i=1; mx; dmarc=pass", name=name) == []


def test_at_most_twenty_results_are_kept() -> None:
    assert len(read("mx; " + "; ".join(f"x-m{number}=pass" for number in range(50)))) == 20


def test_they_are_in_the_parsed_mail() -> None:
    assert parse(b"Authentication-Results: mx;\r\n dkim=pass\r\n (ok);\r\n dmarc=fail\r\n\r\nText").authentication == [
        "dkim=pass",
        "dmarc=fail",
    ]


@given(st.text(alphabet='();="\\ a-/\n', max_size=200))
def test_no_value_makes_it_fail(value: str) -> None:
    for result in read(value):
        assert result.count("=") == 1


@pytest.mark.parametrize("piece", ["(", "()", '"', '\\"', ";", "a=", "a=b;", "a/", " ", "(\\"])
def test_a_giant_value_is_read_in_a_moment(piece: str) -> None:
    began = time.process_time()
    read(piece * (128 * 1024 // len(piece)))
    assert time.process_time() - began < 0.5
