"""Rules of a scanner: the rules themselves, their versions, statistics, export."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from pydantic import Field, ValidationInfo, field_validator

from shared.api.common import ApiModel, Name
from shared.events import Action


class ConditionField(StrEnum):
    """What a condition looks at."""

    FROM = "from"
    TO = "to"
    CC = "cc"
    RECIPIENTS = "recipients"
    """To, Cc, Delivered-To, X-Original-To and Envelope-To together."""
    SUBJECT = "subject"
    BODY = "body"
    NEW_TEXT = "new_text"
    """The body without quoted history and signature."""
    HEADER = "header"
    """Every field of that name, decoded; the name is the condition's `header`."""
    ATTACHMENT_NAME = "attachment_name"
    ATTACHMENT_SIZE = "attachment_size"
    """Bytes of each attachment, decoded."""
    KIND = "kind"
    """Of the mails rules are asked about: `mail`, `list`, `automatic`, `own`, `pec`, `pec_anomaly`."""
    AUTHENTICATION = "authentication"
    """Each result of the topmost Authentication-Results as `method=result`: `dmarc=fail`."""


class Operator(StrEnum):
    """How a condition compares; caseless by Unicode case folding, regex by RE2 with simple folding."""

    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    BEGINS_WITH = "begins_with"
    ENDS_WITH = "ends_with"
    REGEX = "regex"
    GREATER_THAN = "greater_than"
    """Of `attachment_size` alone; the value is a size such as `500000`, `500 KB`, `2.5 MB`."""
    LESS_THAN = "less_than"


SIZE_OPERATORS: Final = frozenset({Operator.GREATER_THAN, Operator.LESS_THAN})
_SIZE: Final = re.compile(r"\s*(\d{1,12}(?:[.,]\d{1,6})?)\s*(|b|kb|mb|gb|kib|mib|gib)\s*", re.ASCII | re.IGNORECASE)
_UNITS: Final = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
HEADER_NAME: Final = r"^[!-9;-~]{1,100}$"
"""A field name of RFC 5322, 2.2: printable ASCII without the colon."""


def size_in_bytes(value: str) -> int:
    """`500 KB` → 500000; powers of 1000, of 1024 with KiB, MiB, GiB. Raises ValueError that says what a size looks like."""
    match = _SIZE.fullmatch(value)
    if match is None:
        raise ValueError("must be a size such as 500000, 500 KB or 2.5 MB")
    return int(float(match[1].replace(",", ".")) * _UNITS[match[2].lower()])


class Condition(ApiModel):
    """One condition; a blank value is no condition."""

    field: ConditionField
    header: str | None = Field(
        default=None,
        validate_default=True,
        description="Name of the field, when `field` is `header`; else left out",
        json_schema_extra={"pattern": HEADER_NAME},
    )
    operator: Operator
    value: str = Field(default="", max_length=2000)

    @field_validator("header")
    @classmethod
    def _goes_with_header(cls, header: str | None, info: ValidationInfo) -> str | None:
        field = info.data.get("field")
        if field is ConditionField.HEADER and header is None:
            raise ValueError("must be the name of a field, such as List-Id, where `field` is `header`")
        if header is not None and re.fullmatch(HEADER_NAME, header) is None:
            raise ValueError("must be the name of a field, such as List-Id: no blanks, no colon, at most 100 characters")
        if field not in {ConditionField.HEADER, None} and header is not None:
            raise ValueError(f"must be left out where `field` is `{field}`")
        return header

    @field_validator("operator")
    @classmethod
    def _fits_the_field(cls, operator: Operator, info: ValidationInfo) -> Operator:
        field = info.data.get("field")
        size = field is ConditionField.ATTACHMENT_SIZE
        if field is not None and size != (operator in SIZE_OPERATORS):
            known = [one.value for one in Operator if (one in SIZE_OPERATORS) == size]
            raise ValueError(f"must be one of {', '.join(known)} where `field` is `{field}`")
        return operator

    @field_validator("value")
    @classmethod
    def _is_a_size(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("field") is ConditionField.ATTACHMENT_SIZE and value.strip():
            size_in_bytes(value)
        return value


class RuleIn(ApiModel):
    """POST /scanners/{id}/rules; the rule is put last."""

    name: Name
    enabled: bool = True
    match: Literal["all", "any"] = "all"
    conditions: list[Condition] = Field(default=[], max_length=100)
    action: Action


class RulePatch(ApiModel):
    """PATCH /rules/{id}."""

    name: Name | None = None
    enabled: bool | None = None
    match: Literal["all", "any"] | None = None
    conditions: list[Condition] | None = Field(default=None, max_length=100)
    action: Action | None = None


class Rule(RuleIn):
    """A rule of a scanner. `version` is its rule set's."""

    id: str
    scanner_id: str
    builtin: bool = False
    position: int = Field(description="From 1; the first rule whose action takes wins")
    version: int


class RuleList(ApiModel):
    """GET /scanners/{id}/rules: all of them, in order."""

    items: list[Rule]
    version: int
    next: None = Field(default=None, description="All are on one page")


class RuleOrder(ApiModel):
    """PUT /scanners/{id}/rules/order: exactly the set's ids, else 409."""

    rule_ids: list[str]


class RuleSetVersion(ApiModel):
    """One version of a scanner's rules."""

    version: int
    author: str
    created_at: datetime
    note: str = ""


class RuleSetContent(RuleSetVersion):
    """GET /scanners/{id}/rules/versions/{n}: the version with its rules."""

    rules: list[Rule]


class RuleFieldChange(ApiModel):
    """A part of a rule that differs: `name`, `enabled`, `match`, `position`, `conditions`, `action`. Values as in the rule's JSON."""

    field: str
    before: object
    after: object


class RuleChange(ApiModel):
    """A rule that differs between two versions."""

    rule_id: str
    rule_name: str = Field(description="In the later version, else in the earlier one")
    what: Literal["added", "removed", "changed", "moved"]
    fields: list[RuleFieldChange] = Field(default=[], description="Of a changed or moved rule")


class RuleSetComparison(ApiModel):
    """GET /scanners/{id}/rules/versions/{n}/changes?against=m: from version m to version n."""

    version: int
    against: int
    changes: list[RuleChange]


class RuleStatistics(ApiModel):
    """How often a rule of today's set matched and acted."""

    rule_id: str
    matched: int = Field(description="Mails it matched, since counting began")
    acted: int = Field(description="Mails whose outcome is its action's")
    last_matched_at: datetime | None = None
    last_acted_at: datetime | None = None
    never_matched: bool = Field(description="Matched no mail in 90 days, while it was there for as long")


class RuleStatisticsList(ApiModel):
    """GET /scanners/{id}/rules/statistics."""

    items: list[RuleStatistics]


class ExportedRule(RuleIn):
    """A rule without what belongs to one installation."""

    builtin: bool = False


class RuleExport(ApiModel):
    """GET /scanners/{id}/rules/export, and what import takes."""

    format: Literal["mailconverter.rules.v1"] = "mailconverter.rules.v1"
    exported_at: datetime | None = None
    scanner_name: str = ""
    rules: list[ExportedRule] = Field(max_length=1000)


class RuleImport(ApiModel):
    """POST /scanners/{id}/rules/import.

    `replace`: the set becomes the file's. `append`: the file's rules come last, without its built-in one.
    """

    mode: Literal["append", "replace"]
    file: RuleExport
