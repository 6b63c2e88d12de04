"""CSV files as programs write them, and what is compared in the registry."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.api import RecordType
from tickets.domain.csv_file import NoTableError, read_table
from tickets.domain.keys import record_key
from tickets.domain.registry import filled, folded, next_owner, search_words, sender_keys, tagged_senders

GOOGLE = "Name,Given Name,Family Name,E-mail 1 - Value,E-mail 2 - Value,Phone 1 - Value,Organization,Address 1 - Street\n"
OUTLOOK = "Nome\tCognome\tSocietà\tTelefono ufficio\tIndirizzo posta elettronica\tIndirizzo\n"


@pytest.mark.parametrize(
    ("text", "name", "addresses", "account"),
    [
        (GOOGLE + "Anna Keller,Anna,Keller,a@x.example ::: b@x.example,c@x.example,1,Firm,Road 1\n", "Anna Keller", "a b c", "Firm"),
        (OUTLOOK + "Anna\tRossi\tDitta\t1\ta@x.example\tVia Roma 1\n", "Anna Rossi", "a", "Ditta"),
        ("FULL NAME; Address 1 ;address 2\nAnna; a@x.example ;<b@x.example>\n", "Anna", "a b", ""),
        ('name,e-mail\n"Keller, Anna",mailto:a@x.example\n', "Keller, Anna", "a", ""),
    ],
)
def test_exports_of_mail_programs_are_understood(text: str, name: str, addresses: str, account: str) -> None:
    (line,) = read_table(text, "contact").lines
    assert (line.problem, line.name, line.account) == ("", name, account)
    assert line.addresses == [f"{local}@x.example" for local in addresses.split()]


def test_a_line_too_long_in_a_field_is_refused_and_the_next_is_read() -> None:
    lines = read_table(f"name,mail\n{'x' * 201},a@x.example\nBo,b@x.example\n", "lead").lines
    assert ["longer than 200" in line.problem for line in lines] == [True, False]


def test_a_quote_that_is_never_closed_says_how_far_it_reaches() -> None:
    lines = read_table('name,mail\nAnna,a@x.example\n"Bo,b@x.example\nC,c@x.example\n', "contact").lines
    assert [line.line for line in lines] == [2, 3]
    assert "to line 4 could not be read" in lines[1].problem


ROWS = st.lists(st.tuples(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30)), min_size=1, max_size=8)


@given(ROWS, st.sampled_from([",", ";", "\t"]))
def test_whatever_is_in_the_cells_each_row_is_told_of_once(rows: list[tuple[str, ...]], delimiter: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows([("name", "address", "note"), *rows])
    try:
        lines = read_table(out.getvalue(), "contact").lines
    except NoTableError:
        lines = []
    assert len(lines) == sum(any(cell.replace("\x00", "").strip() for cell in row) for row in rows)
    assert all(line.problem or line.addresses for line in lines)


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    try:
        told = [line.problem or line.addresses for line in read_table(text, "contact").lines]
    except NoTableError as error:
        told = [str(error)]
    assert all(told)
    assert told


def test_text_is_compared_without_case_accents_and_odd_blanks() -> None:
    assert folded(" ÅSTRÖM\u00a0 Øre  Straße ") == "astrom ore strasse"
    assert search_words("Anna", None, ["A@X.example"]) == "anna\na@x.example"


def test_senders_of_an_address_are_looked_for_with_tags_only_where_the_domain_has_them() -> None:
    assert sender_keys("Anna+x@company.example") == ["anna+x@company.example"]
    assert tagged_senders("anna@company.example") == []
    assert sender_keys("anna@googlemail.com") == ["anna@gmail.com", "anna@googlemail.com"]
    for sender in ("anna+shop@gmail.com", "anna+@googlemail.com"):
        assert record_key(sender) == "anna@gmail.com"
        assert any(one.low <= sender < one.high and sender.endswith(one.ending) for one in tagged_senders("anna@gmail.com"))


def test_the_next_owner_is_the_strongest_that_is_left() -> None:
    owners = {"lead": "l", "contact": "c", "account": "a"}
    assert [next_owner(owners), next_owner(owners, ["c"]), next_owner(owners, ["c", "a", "l"])] == ["c", "a", None]


@pytest.mark.parametrize(
    ("sort", "expected"), [("contact", {"phone": "2", "account_id": "a9"}), ("lead", {"phone": "2", "company": "Firm"})]
)
def test_merging_fills_what_is_empty_with_fields_of_the_sort(sort: RecordType, expected: dict[str, str]) -> None:
    empty: dict[str, Any] = {"id": "k", "phone": None, "company": None, "website": None, "account_id": None, "note": "Same."}
    other = empty | {"id": "o", "phone": "2", "company": "Firm", "account_id": "a9"}
    assert filled(empty, [other], sort) == expected
    assert filled(empty, [empty | {"id": "p", "note": "More."}], sort) == {"note": "Same.\n\nMore."}
