"""What is kept of an evaluation: the compared values and what differs from the expected, never a copy of the rules."""

from __future__ import annotations

from rules.domain.evaluate import evaluate, prepare_rules
from rules.domain.evidence import Evidence, traces
from rules.domain.rule import StoredRule
from shared.api import RuleTrace
from shared.events import ActionType
from tests.unit.rules.builders import condition, evaluated, mail, rule, told

LINK = ActionType.LINK_SENDER


def size(number: int) -> int:
    """Bytes kept where that many rules match nothing."""
    rules = tuple(
        rule(str(n), LINK, condition("subject", "contains", f"zebra {n}"), condition("header", "equals", "x", header=f"X-{n}"))
        for n in range(number)
    )
    evidence = evaluate(mail(), prepare_rules(rules, 1)).evidence
    assert evidence is not None
    return len(evidence.model_dump_json(exclude_defaults=True))


def test_evidence_does_not_grow_with_the_rules_where_nothing_matched() -> None:
    assert size(1_000) == size(1) < 100


def test_a_condition_that_many_rules_share_is_kept_once() -> None:
    shared = condition("to", "contains", "help@")
    rules = [rule(str(n), LINK, shared, condition("subject", "contains", f"zebra {n}")) for n in range(500)]
    found = evaluated(mail(), *rules).evidence
    assert found is not None
    assert found.yes == [(0, 0)]
    assert all([one.matched for one in entry.conditions] == [True, False] for entry in told(mail(), *rules).trace)


def test_what_only_rules_behind_the_winner_ask_is_not_kept() -> None:
    found = evaluated(
        mail(),
        rule("win", ActionType.CREATE_TICKET, condition("subject", "contains", "printer")),
        rule("late", LINK, condition("body", "contains", "print")),
    ).evidence
    assert found is not None
    assert (found.stopped, found.yes, list(found.compared)) == (0, [(0, 0)], ["subject"])


def test_conditions_are_shown_with_header_value_and_what_was_compared() -> None:
    about = mail().model_copy(update={"headers": [("X-Order", "17")]})
    rules = [rule("r", LINK, condition("header", "equals", "18", header="x-order"), condition("cc", "contains", ""), match="any")]
    (entry,) = told(about, *rules).trace
    (only,) = entry.conditions
    assert (entry.match, only.header, only.value, only.compared, only.matched) == ("any", "x-order", "18", "17", False)


def test_a_trace_of_before_is_told_as_it_was() -> None:
    before = [RuleTrace(rule_id="r", rule_name="gone", matched=True, note="matched")]
    kept = {"trace": [one.model_dump(mode="json") for one in before]}
    assert traces(Evidence.model_validate(kept), ()) == before


def test_evidence_of_other_rules_is_told_as_far_as_it_goes() -> None:
    rules: tuple[StoredRule, ...] = (rule("r", LINK, condition("subject", "contains", "x")),)
    assert len(traces(Evidence(yes=[(0, 5), (7, 0)]), rules)) == 1
