"""What the rules answered about one mail: small enough to be kept for every mail, enough to tell the whole trace."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from rules.domain.rule import Rules
from shared.api import RuleTrace


class Evidence(BaseModel):
    """As kept with a decision."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    trace: list[RuleTrace] = []


def traces(evidence: Evidence, rules: Rules) -> list[RuleTrace]:
    """The trace: each rule of the version that decided, each condition with the compared value, why the next rule was reached."""
    del rules
    return evidence.trace
