"""Rules of a scanner."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from shared.api.common import ApiModel, Name
from shared.events import Action


class ConditionField(StrEnum):
    """What a condition looks at."""

    FROM = "from"
    TO = "to"
    SUBJECT = "subject"
    BODY = "body"


class Operator(StrEnum):
    """How a condition compares; caseless by Unicode case folding, regex by RE2 with simple folding."""

    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    BEGINS_WITH = "begins_with"
    ENDS_WITH = "ends_with"
    REGEX = "regex"


class Condition(ApiModel):
    """One condition; a blank value is no condition."""

    field: ConditionField
    operator: Operator
    value: str = Field(default="", max_length=2000)


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
