"""Operators × fields × blank, as an administrator expects them."""

from __future__ import annotations

import pytest

from shared.api import ConditionField, Operator
from shared.events import ActionType
from shared.mail.model import ParsedMail
from tests.unit.rules.builders import condition, evaluated, holds, mail, rule

EMPTY = ParsedMail()

# A value that fits each field of the builder's mail by each operator, and one that does not. Written in another case on purpose.
FITS = {
    "from": ("CUSTOMER", "anna@customer.EXAMPLE", "ANNA@", ".Example", r"^anna@[a-z]+\.example$"),
    "to": ("SALES@", "HELP@company.example", "sales", "company.EXAMPLE", r"^(help|x)@"),
    "subject": ("INTER BRO", "printer BROKEN", "PRINT", "Broken", r"printer\s+(\w+)$"),
    "body": ("NOT PRINT", "it does not print.\nthanks", "it DOES", "THANKS", r"(?m)^thanks$"),
}
OPERATORS = ("contains", "equals", "begins_with", "ends_with", "regex")
NEGATED = {"contains": "not_contains", "equals": "not_equals"}


def test_the_table_knows_every_field_and_operator() -> None:
    assert set(FITS) == {field.value for field in ConditionField}
    assert {*OPERATORS, *NEGATED.values()} == {operator.value for operator in Operator}


@pytest.mark.parametrize("field", FITS)
@pytest.mark.parametrize(("place", "operator"), list(enumerate(OPERATORS)))
def test_an_operator_fits_what_it_says_and_nothing_else(field: str, place: int, operator: str) -> None:
    value = FITS[field][place]
    assert holds(mail(), field, operator, value)
    assert not holds(mail(), field, operator, "zebra")
    assert not holds(EMPTY, field, operator, value)


@pytest.mark.parametrize("field", FITS)
@pytest.mark.parametrize("operator", NEGATED)
def test_a_negated_operator_is_the_contrary_and_holds_for_an_empty_field(field: str, operator: str) -> None:
    value = FITS[field][OPERATORS.index(operator)]
    assert not holds(mail(), field, NEGATED[operator], value)
    assert holds(mail(), field, NEGATED[operator], "zebra")
    assert holds(EMPTY, field, NEGATED[operator], value)


@pytest.mark.parametrize("field", FITS)
@pytest.mark.parametrize("operator", list(Operator))
@pytest.mark.parametrize("blank", ["", "  ", "\r\n"])
def test_a_blank_value_is_no_condition(field: str, operator: Operator, blank: str) -> None:
    blank_one = condition(field, operator.value, blank)
    assert evaluated(EMPTY, rule("r", ActionType.IGNORE, blank_one)).candidates
    for match in ("all", "any"):
        impossible = condition("subject", "equals", "zebra")
        assert not evaluated(mail(), rule("r", ActionType.IGNORE, blank_one, impossible, match=match)).candidates


@pytest.mark.parametrize(
    ("match", "first", "second", "matched"),
    [
        ("all", "broken", "printer", True),
        ("all", "broken", "zebra", False),
        ("any", "broken", "zebra", True),
        ("any", "zebra", "broken", True),
        ("any", "zebra", "zebra", False),
    ],
)
def test_all_and_any(match: str, first: str, second: str, matched: bool) -> None:
    conditions = [condition("subject", "contains", value) for value in (first, second)]
    assert bool(evaluated(mail(), rule("r", ActionType.IGNORE, *conditions, match=match)).candidates) is matched


@pytest.mark.parametrize("match", ["all", "any"])
def test_a_rule_without_condition_matches_every_mail(match: str) -> None:
    assert evaluated(EMPTY, rule("r", ActionType.CREATE_TICKET, match=match)).candidates


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("equals", "anna@customer.example"),
        ("equals", "Rossi, Anna <anna@customer.example>"),
        ("equals", '"Rossi, Anna" <anna@customer.example>'),
        ("begins_with", "rossi, anna"),
        ("contains", "Anna <anna@"),
    ],
)
def test_an_address_matches_with_and_without_its_display_name(operator: str, value: str) -> None:
    assert holds(mail(), "from", operator, value)


def test_to_means_any_of_the_recipients_and_not_means_none_of_them() -> None:
    assert holds(mail(), "to", "equals", "sales@company.example")
    assert not holds(mail(), "to", "not_equals", "sales@company.example")
    assert not holds(mail(), "to", "equals", "help@company.example, sales@company.example")


@pytest.mark.parametrize(
    ("subject", "value"),
    [
        ("STRASSE 5", "straße"),
        ("ﬁnal offer", "FINAL"),
        ("ΟΔΟΣ", "οδος"),
        ("Perche\u0300", "PERCHÉ".replace("É", "È")),
        ("GRÜSSE", "grüße"),
    ],
)
def test_case_is_folded_as_unicode_has_it(subject: str, value: str) -> None:
    assert holds(mail(subject=subject), "subject", "begins_with", value)


@pytest.mark.parametrize(("subject", "value"), [("ÀÈ", "àè"), ("ΣΑΣ", "σας")])
def test_a_regex_ignores_case_beyond_ascii(subject: str, value: str) -> None:
    assert holds(mail(subject=subject), "subject", "regex", f"^{value}$")


def test_blanks_around_a_value_do_not_matter_where_it_touches_the_edge() -> None:
    assert holds(mail(), "subject", "equals", " printer broken ")
    assert holds(mail(), "subject", "begins_with", " printer ")
    assert not holds(mail(subject="Printers"), "subject", "begins_with", "printer ")
    assert holds(mail(), "body", "contains", "print.\r\nThanks")
