"""What was decided under the first schema is kept, there and back."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from alembic import command
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from rules.domain.evidence import Evidence, traces
from rules.domain.rule import builtin_rules
from shared.api import RuleTrace
from shared.database import alembic_config
from shared.events import Action, ActionType, Candidate, CommandKind, CommandMail, TicketCommand
from shared.service import migrations_folder
from tests.integration.rules.desk import NOW
from tests.kit.stack import TestStack

pytestmark = pytest.mark.connected

CANDIDATE = Candidate(rule_id="r", rule_name="all", action=Action(type=ActionType.CREATE_TICKET), key="7")
COMMAND = TicketCommand(
    mail_id="m",
    kind=CommandKind.MAIL,
    scanner_id="s",
    received_at=NOW,
    archive_key="s/m",
    mail=CommandMail(subject="x"),
    rule_set_version=3,
    candidates=[CANDIDATE],
)
TRACE = [RuleTrace(rule_id="r", rule_name="all", matched=True, note="matched: create ticket always takes, no further rule is asked")]
OLD_ROW = """
    insert into decisions
        (mail_id, run, scanner_id, kind, rule_set_version, trace, command_id, command, decided_at, outcome, outcome_revision)
    values ('m', 1, 's', 'mail', 3, %s, 'c', %s, %s, %s, 1)
"""
NEW_ROW = """
    insert into decisions (mail_id, run, scanner_id, kind, rule_set_version, candidates, evidence, received_at, archive_key, decided_at)
    values ('n', 1, 's', 'bounce', null, '[]', null, %s, 's/n', %s)
"""


def run(url: str, statement: str, *values: Any) -> list[dict[str, Any]]:
    with psycopg.connect(url.replace("+psycopg", ""), row_factory=dict_row) as connection:
        found = connection.execute(statement, values)
        return found.fetchall() if found.description else []


def test_decisions_of_the_first_schema_keep_candidates_and_trace_there_and_back(stack: TestStack) -> None:
    url = stack.database_url("rules_old")
    config = alembic_config(migrations_folder("rules"), url)
    command.upgrade(config, "0001")
    trace = [one.model_dump(mode="json") for one in TRACE]
    stored = COMMAND.model_dump(mode="json", by_alias=True, exclude_none=True)
    run(url, OLD_ROW, Jsonb(trace), Jsonb(stored), NOW, Jsonb({"type": "ticket", "rule_id": "r"}))
    command.upgrade(config, "head")

    (row,) = run(url, "select * from decisions")
    assert [Candidate.model_validate(one) for one in row["candidates"]] == [CANDIDATE]
    assert traces(Evidence.model_validate(row["evidence"]), builtin_rules("s")) == TRACE
    assert (row["received_at"], row["archive_key"], row["rule_set_version"], row["kind_reason"]) == (NOW, "s/m", 3, "")
    assert row["outcome"]["type"] == "ticket"
    assert row["acted_rule_id"] == "r"

    run(url, NEW_ROW, NOW, NOW)
    run(url, "insert into scanners (scanner_id, version, settings, deleted) values ('gone', 1, '{}', true), ('s', 1, '{}', false)")
    command.downgrade(config, "0001")
    old, new = run(url, "select * from decisions order by mail_id")
    assert old["trace"] == trace
    assert new["trace"] == []
    again = TicketCommand.model_validate(old["command"])
    assert again == COMMAND.model_copy(update={"mail": None})
    assert TicketCommand.model_validate(new["command"]).mail_id == "n"
    assert [one["scanner_id"] for one in run(url, "select scanner_id from scanners")] == ["s"]
    command.upgrade(config, "head")
    assert [one["mail_id"] for one in run(url, "select mail_id from decisions order by 1")] == ["m", "n"]
