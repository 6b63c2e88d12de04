"""An address is found where it stands for itself, and nowhere else."""

from __future__ import annotations

import pytest

from shared.erasure.person import Person

ANNA = Person("Anna.Keller@customer.example")


@pytest.mark.parametrize(
    "text",
    [
        "anna.keller@customer.example",
        "Anna <ANNA.KELLER@customer.example>",
        "550 <anna.keller@customer.example>: no such user",
        "ask anna.keller@customer.example.",
        "(anna.keller@customer.example)",
    ],
)
def test_the_address_is_found(text: str) -> None:
    assert ANNA.named_in(text)
    assert "keller@" not in str(ANNA.without(text)).lower()


@pytest.mark.parametrize(
    "text",
    [
        "hanna.keller@customer.example",
        "x-anna.keller@customer.example",
        "anna.keller+shop@customer.example",
        "anna.keller@customer.example.org",
        "anna.keller@customer.example-shop.org",
        "anna-keller@customer.example",
        "",
    ],
)
def test_a_longer_address_is_another_one(text: str) -> None:
    assert not ANNA.named_in(text)
    assert ANNA.without(text) == text


def test_in_lists_of_addresses_the_name_goes_too() -> None:
    listed = '"Keller, Anna" <anna.keller@customer.example>, Bert <bert@customer.example>'
    assert ANNA.without_name(listed) == "erased, Bert <bert@customer.example>"
    assert ANNA.without_name("Bert <bert@c.example>, Anna <anna.keller@customer.example>") == "Bert <bert@c.example>, erased"


def test_addresses_within_json_lose_their_names() -> None:
    people = [{"name": "Anna", "address": "Anna.Keller@customer.example"}, {"name": "Bert", "address": "bert@c.example"}]
    assert ANNA.without({"to": people}) == {"to": [{"name": "", "address": "erased"}, people[1]]}


def test_the_senders_own_address_counts_not_a_name_that_looks_like_it() -> None:
    assert ANNA.wrote("Anna <anna.keller@customer.example>")
    assert not ANNA.wrote("anna.keller@customer.example via list <list@lists.example>")
