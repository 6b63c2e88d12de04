"""Operators × fields × all/any × blank, as an administrator expects them."""

from __future__ import annotations

from itertools import product

import pytest

from rules.domain.fields import FIELDS
from shared.api import SIZE_OPERATORS, Condition, ConditionField, Operator
from shared.events import ActionType
from shared.mail.model import Address, Attachment, Fold, FoldKind, Kind, ParsedMail
from tests.unit.rules.builders import SALES, Match, condition, evaluated, holds, mail, rule

EMPTY = ParsedMail()
TEXT = "It does not print.\nThanks\n> Did you plug it in?\n"


def attachment(name: str, size: int) -> Attachment:
    return Attachment(part="2", name=name, type="application/pdf", size=size, sha256="0" * 64)


MAIL = mail(text=TEXT).model_copy(
    update={
        "cc": [Address(name="Bob", address="bob@Partner.example"), SALES],
        "delivered_to": ["Box+help@company.example"],
        "folds": [Fold(start=TEXT.index(">"), end=len(TEXT), kind=FoldKind.QUOTE)],
        "headers": [("X-Order", "First 17"), ("x-order", "Second Größe"), ("X-Other", "zebra")],
        "attachments": [attachment("Rechnung 1.PDF", 1_000), attachment("photo.jpg", 2_500_000)],
        "kind": Kind.LIST,
        "authentication": ["dkim=pass", "dmarc=fail"],
    }
)

# For each field of the mail above a value each operator says yes to, in another case on purpose.
FITS = {
    "from": ("CUSTOMER", "anna@customer.EXAMPLE", "ANNA@", ".Example", r"^anna@[a-z]+\.example$"),
    "to": ("SALES@", "HELP@company.example", "sales", "company.EXAMPLE", r"^(help|x)@"),
    "cc": ("PARTNER", "bob <BOB@partner.example>", "bob", "Partner.EXAMPLE", r"^bob@.*e$"),
    "recipients": ("+HELP", "BOX+help@company.example", "box", "PARTNER.example", r"^box\+(\w+)@"),
    "subject": ("INTER BRO", "printer BROKEN", "PRINT", "Broken", r"printer\s+(\w+)$"),
    "body": ("NOT PRINT", "it does not print.\nthanks\n> did you PLUG it in?", "it DOES", "IN?", r"(?m)^thanks$"),
    "new_text": ("NOT PRINT", "it does not print.\nthanks", "it DOES", "THANKS", r"(?m)^thanks$"),
    "header": ("GRÖSSE", "second GRÖßE", "FIRST", "17", r"^second (\S+)$"),
    "attachment_name": ("RECHNUNG", "PHOTO.jpg", "rechnung", ".pdf", r"^photo\.(jpe?g)$"),
    "kind": ("IS", "LIST", "li", "ST", "^l.st$"),
    "authentication": ("FAIL", "DMARC=fail", "dkim", "=PASS", "^dmarc=(fail|none)$"),
}
OPERATORS = ("contains", "equals", "begins_with", "ends_with", "regex")
NEGATED = {"contains": "not_contains", "equals": "not_equals"}
TEXTS = [operator for operator in Operator if operator not in SIZE_OPERATORS]


def test_the_table_knows_every_field_and_operator() -> None:
    assert {*FITS, "attachment_size"} == {field.value for field in ConditionField} == {field.value for field in FIELDS} | {"header"}
    assert {*OPERATORS, *NEGATED.values()} == {operator.value for operator in TEXTS}


@pytest.mark.parametrize("field", FITS)
@pytest.mark.parametrize(("place", "operator"), list(enumerate(OPERATORS)))
def test_an_operator_fits_what_it_says_and_nothing_else(field: str, place: int, operator: str) -> None:
    value = FITS[field][place]
    assert holds(MAIL, field, operator, value)
    assert not holds(MAIL, field, operator, "no such thing")
    if field != "kind":  # which no mail is without
        assert not holds(EMPTY, field, operator, value)


@pytest.mark.parametrize("field", FITS)
@pytest.mark.parametrize("operator", NEGATED)
def test_a_negated_operator_is_the_contrary_and_holds_for_an_empty_field(field: str, operator: str) -> None:
    value = FITS[field][OPERATORS.index(operator)]
    assert not holds(MAIL, field, NEGATED[operator], value)
    assert holds(MAIL, field, NEGATED[operator], "no such thing")
    assert holds(EMPTY, field, NEGATED[operator], value)


ALL_CONDITIONS = [
    *(pytest.param(field, operator.value, id=f"{field} {operator.value}") for field in FITS for operator in TEXTS),
    *(pytest.param("attachment_size", operator.value, id=f"attachment_size {operator.value}") for operator in sorted(SIZE_OPERATORS)),
]


@pytest.mark.parametrize(("field", "operator"), ALL_CONDITIONS)
@pytest.mark.parametrize("blank", ["", "  ", "\r\n", "\u3000"])
@pytest.mark.parametrize("match", ["all", "any"])
def test_a_blank_value_is_no_condition(field: str, operator: str, blank: str, match: Match) -> None:
    blank_one = condition(field, operator, blank)
    assert evaluated(EMPTY, rule("r", ActionType.IGNORE, blank_one, match=match)).candidates
    impossible = condition("subject", "equals", "zebra")
    assert not evaluated(MAIL, rule("r", ActionType.IGNORE, blank_one, impossible, match=match)).candidates


def yes_and_no(field: str, operator: str) -> tuple[Condition, Condition]:
    """A condition that holds for the mail, and one that does not."""
    if field == "attachment_size":
        values = ("1 MB", "1 GB") if operator == "greater_than" else ("1 MB", "10 B")
        return condition(field, operator, values[0]), condition(field, operator, values[1])
    plain = {negated: positive for positive, negated in NEGATED.items()}.get(operator, operator)
    fitting, strange = condition(field, operator, FITS[field][OPERATORS.index(plain)]), condition(field, operator, "no such thing")
    return (fitting, strange) if plain == operator else (strange, fitting)


@pytest.mark.parametrize(("field", "operator"), ALL_CONDITIONS)
def test_all_and_any_for_every_field_and_operator(field: str, operator: str) -> None:
    conditions = dict(zip((True, False), yes_and_no(field, operator), strict=True))
    others = dict(zip((True, False), yes_and_no("subject", "contains"), strict=True))
    for first, second in product((True, False), repeat=2):
        for order in ([conditions[first], others[second]], [others[second], conditions[first]]):
            assert bool(evaluated(MAIL, rule("r", ActionType.IGNORE, *order, match="all")).candidates) is (first and second)
            assert bool(evaluated(MAIL, rule("r", ActionType.IGNORE, *order, match="any")).candidates) is (first or second)


@pytest.mark.parametrize("match", ["all", "any"])
def test_a_rule_without_condition_matches_every_mail(match: Match) -> None:
    assert evaluated(EMPTY, rule("r", ActionType.CREATE_TICKET, match=match)).candidates


@pytest.mark.parametrize(("match", "matched"), [("all", False), ("any", True)])
def test_a_condition_and_its_contrary_never_hold_together_and_one_of_them_always_does(match: Match, matched: bool) -> None:
    both = [condition("subject", operator, "printer") for operator in ("contains", "not_contains")]
    for about in (MAIL, EMPTY):
        assert bool(evaluated(about, rule("r", ActionType.IGNORE, *both, match=match)).candidates) is matched


@pytest.mark.parametrize(
    ("operator", "value"),
    [
        ("equals", "anna@customer.example"),
        ("equals", "Rossi, Anna <anna@customer.example>"),
        ("equals", '"Rossi, Anna" <anna@customer.example>'),
        ("begins_with", "rossi, anna"),
        ("contains", "Anna <anna@"),
        ("regex", "^rossi, anna <"),
    ],
)
def test_an_address_matches_with_and_without_its_display_name(operator: str, value: str) -> None:
    assert holds(mail(), "from", operator, value)


def test_to_means_any_of_the_recipients_and_not_means_none_of_them() -> None:
    assert holds(mail(), "to", "equals", "sales@company.example")
    assert not holds(mail(), "to", "not_equals", "sales@company.example")
    assert not holds(mail(), "to", "equals", "help@company.example, sales@company.example")


def test_a_header_is_asked_for_by_its_name_whatever_its_case_and_in_every_occurrence() -> None:
    assert holds(MAIL, "header", "equals", "first 17", header="x-ORDER")
    assert holds(MAIL, "header", "contains", "größe", header="X-ORDER")
    assert not holds(MAIL, "header", "contains", "zebra", header="X-Order")
    assert not holds(MAIL, "header", "not_contains", "second", header="X-Order")
    assert holds(MAIL, "header", "not_contains", "second", header="X-Missing")


@pytest.mark.parametrize(("header", "empty"), [("X-Missing", True), ("X-Order", False)])
def test_a_pattern_can_ask_whether_a_header_is_missing(header: str, empty: bool) -> None:
    assert holds(MAIL, "header", "regex", "^$", header=header) is empty


@pytest.mark.parametrize(
    ("operator", "value", "held"),
    [
        ("greater_than", "2.4 MB", True),
        ("greater_than", "2500000", False),
        ("greater_than", "2499999", True),
        ("less_than", "1 KB", False),
        ("less_than", "1 KiB", True),
        ("less_than", "1001", True),
    ],
)
def test_sizes_are_compared_with_each_attachment(operator: str, value: str, held: bool) -> None:
    assert holds(MAIL, "attachment_size", operator, value) is held


@pytest.mark.parametrize("operator", ["greater_than", "less_than"])
def test_a_mail_without_attachment_has_no_size(operator: str) -> None:
    assert not holds(EMPTY, "attachment_size", operator, "0")
    assert not holds(EMPTY, "attachment_size", operator, "1 GB")


@pytest.mark.parametrize(
    ("subject", "value"),
    [
        ("STRASSE 5", "straße"),
        ("ﬁnal offer", "FINAL"),
        ("ΟΔΟΣ", "οδος"),
        ("Perche\u0300", "PERCHÉ".replace("É", "È")),
        ("GRÜSSE", "grüße"),
        ("PERCHÈ", "perche\u0300"),
    ],
)
@pytest.mark.parametrize("operator", ["begins_with", "contains"])
def test_case_is_folded_as_unicode_has_it(subject: str, value: str, operator: str) -> None:
    assert holds(mail(subject=subject), "subject", operator, value)


@pytest.mark.parametrize(("subject", "value"), [("ÀÈ", "àè"), ("ΣΑΣ", "σας")])
def test_a_regex_ignores_case_beyond_ascii(subject: str, value: str) -> None:
    assert holds(mail(subject=subject), "subject", "regex", f"^{value}$")


def test_blanks_around_a_value_do_not_matter_where_it_touches_the_edge() -> None:
    assert holds(mail(), "subject", "equals", " printer broken ")
    assert holds(mail(), "subject", "begins_with", " printer ")
    assert not holds(mail(subject="Printers"), "subject", "begins_with", "printer ")
    assert holds(mail(), "body", "contains", "print.\r\nThanks")
