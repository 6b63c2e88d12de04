"""What look-ups compare."""

from __future__ import annotations

import pytest

from tickets.domain.keys import address_key, record_key


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("Anna@Customer.example", "anna@customer.example"),
        ("anna+shop@customer.example", "anna+shop@customer.example"),
        (" Anna+Shop@GMail.com ", "anna@gmail.com"),
        ("anna+a+b@googlemail.com", "anna@gmail.com"),
        ("an.na@gmail.com", "an.na@gmail.com"),
        ("+shop@gmail.com", "+shop@gmail.com"),
        ('"anna+shop"@gmail.com', '"anna+shop"@gmail.com'),
        ("anna+shop@sub.gmail.com", "anna+shop@sub.gmail.com"),
        ("anna+1@Outlook.com", "anna@outlook.com"),
        ("nobody", ""),
        ("", ""),
    ],
)
def test_a_record_is_found_without_the_plus_tag_where_the_domain_has_them(address: str, key: str) -> None:
    assert record_key(address) == key
    assert record_key(key) == key


def test_a_very_long_address_has_a_short_key() -> None:
    long = "x" * 100_000
    assert len(record_key(f"{long}@gmail.com").encode()) <= 400
    assert record_key(f"{long}+tag@gmail.com") == address_key(f"{long}@gmail.com")
