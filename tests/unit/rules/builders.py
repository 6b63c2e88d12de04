"""Short ways to write mails, conditions and rules in tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rules.domain.evaluate import Evaluation, evaluate, prepare_rules
from rules.domain.evidence import Evidence, traces
from rules.domain.rule import StoredRule
from shared.api import Condition, ConditionField, Operator, RuleTrace
from shared.events import Action, ActionType, Candidate
from shared.mail.model import Address, ParsedMail

Match = Literal["all", "any"]
ANNA = Address(name="Rossi, Anna", address="Anna@Customer.example")
HELP = Address(name="Help desk", address="help@company.example")
SALES = Address(address="sales@company.example")


def mail(subject: str = "Printer broken", text: str = "It does not print.\nThanks\n", sender: Address | None = ANNA) -> ParsedMail:
    return ParsedMail.model_validate({"subject": subject, "text": text, "from": sender, "to": [HELP, SALES]})


def condition(field: str, operator: str, value: str, header: str = "X-Order") -> Condition:
    """`header` counts where the field is `header`."""
    name = header if field == "header" else None
    return Condition(field=ConditionField(field), header=name, operator=Operator(operator), value=value)


def rule(name: str, action: Action | ActionType, *conditions: Condition, match: Match = "all", enabled: bool = True) -> StoredRule:
    wanted = action if isinstance(action, Action) else Action(type=action)
    return StoredRule(id=name, name=name, enabled=enabled, match=match, conditions=conditions, action=wanted)


def evaluated(about: ParsedMail, *rules: StoredRule) -> Evaluation:
    return evaluate(about, prepare_rules(rules, 1))


@dataclass(frozen=True)
class Told:
    """Candidates, and the trace told from the evidence as it is kept."""

    candidates: list[Candidate]
    trace: list[RuleTrace]


def told(about: ParsedMail, *rules: StoredRule) -> Told:
    found = evaluated(about, *rules)
    assert found.evidence is not None
    kept = Evidence.model_validate_json(found.evidence.model_dump_json(exclude_defaults=True))
    return Told(found.candidates, traces(kept, rules))


def holds(about: ParsedMail, field: str, operator: str, value: str, header: str = "X-Order") -> bool:
    return told(about, rule("r", ActionType.IGNORE, condition(field, operator, value, header))).trace[0].matched
