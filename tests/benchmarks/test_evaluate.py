"""What rules cost: evaluations at 10, 100 and 1,000 rules; a large set prepared; a mail decided and its decision stored."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import psutil
import pytest
from pydantic import SecretStr
from sqlalchemy import Column, DateTime, MetaData, String, Table
from sqlalchemy.dialects.postgresql import JSONB, insert

from rules.adapters import decisions
from rules.adapters.prepared import PreparedSets
from rules.domain.evaluate import PreparedRules, evaluate, prepare_rules
from rules.domain.evidence import Evidence, traces
from rules.domain.rule import StoredRule, builtin_rules
from rules.handlers import Decided, Decider, _decided
from shared.api import Condition, ConditionField, Operator
from shared.database import make_engine, migrate
from shared.events import Action, ActionType, RawMail
from shared.mail.model import ParsedMail
from shared.mail.parse import parse
from shared.service import migrations_folder
from tests.benchmarks.mixed_mails import WORDS, mixed_mails
from tests.kit.stack import TestStack

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

MAILS: Final = 400
ROUNDS: Final = 5
ASKED: Final = 1.5
"""Times the cost of 10 rules that 1,000 may have."""
NOW: Final = datetime(2026, 11, 23, tzinfo=UTC)


def made_up(dice: random.Random) -> str:
    """A name that few mails have."""
    return "".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=4)) + dice.choice(WORDS)


def conditions(dice: random.Random, number: int) -> list[Condition]:
    """As people write them: a sender, a word of the subject or the text, a number to catch; all for one mailbox."""
    field = ConditionField
    name = made_up(dice)
    shapes = [
        [Condition(field=field.FROM, operator=Operator.ENDS_WITH, value=f"@{name}.example")],
        [Condition(field=field.FROM, operator=Operator.EQUALS, value=f"{name}@customer.example")],
        [Condition(field=field.SUBJECT, operator=Operator.CONTAINS, value=f"{name} {dice.choice(WORDS)}")],
        [Condition(field=field.SUBJECT, operator=Operator.REGEX, value=rf"{name} (?:no\.|nr\.?)? ?(\d+)")],
        [
            Condition(field=field.BODY, operator=Operator.CONTAINS, value=f"{name} {dice.choice(WORDS)}"),
            Condition(field=field.SUBJECT, operator=Operator.NOT_CONTAINS, value=dice.choice(WORDS)),
        ],
        [Condition(field=field.BODY, operator=Operator.REGEX, value=f"{name}.*{dice.choice(WORDS)}")],
        [Condition(field=field.HEADER, header="X-Mailer", operator=Operator.CONTAINS, value=name)],
    ]
    shared = Condition(field=field.RECIPIENTS, operator=Operator.CONTAINS, value="help@company.example")
    return [shared, *shapes[number % len(shapes)]]


def rules_of(number: int) -> tuple[StoredRule, ...]:
    dice = random.Random(number)
    update = Action(type=ActionType.UPDATE_TICKET)
    made = [StoredRule(id=str(n), name=f"rule {n}", conditions=tuple(conditions(dice, n)), action=update) for n in range(number - 2)]
    last = StoredRule(id="last", name="everything else", action=Action(type=ActionType.CREATE_TICKET))
    return (*builtin_rules("s"), *made, last)


def seconds(run: Callable[[], object], rounds: int = ROUNDS) -> float:
    """CPU seconds of the best round."""
    best = float("inf")
    for _ in range(rounds):
        gc.collect()
        began = time.process_time()
        run()
        best = min(best, time.process_time() - began)
    return best


def evaluate_all(mails: Sequence[ParsedMail], prepared: PreparedRules) -> None:
    for mail in mails:
        evaluate(mail, prepared)


def test_a_thousand_rules_cost_hardly_more_than_ten() -> None:
    mails = [parse(raw) for raw in mixed_mails(MAILS)]
    gc.freeze()
    print(f"\n{MAILS} mails, text {sum(len(mail.text) for mail in mails) / MAILS:.0f} characters each")
    prepared: dict[int, PreparedRules] = {}
    for number in (10, 100, 1_000):
        began = time.process_time()
        prepared[number] = prepare_rules(rules_of(number), 1)
        print(f"  {number:5} rules prepared in {(time.process_time() - began) * 1e3:.1f} ms")
    cost = dict.fromkeys(prepared, float("inf"))
    for _ in range(3 * ROUNDS):  # in turns, so that what else the machine does is the same for all
        for number, rules in prepared.items():
            cost[number] = min(cost[number], seconds(partial(evaluate_all, mails, rules), 1) / MAILS)
    for number, rules in prepared.items():
        evidence = [evaluate(mail, rules).evidence for mail in mails]
        kept = sum(len(one.model_dump_json(exclude_defaults=True)) for one in evidence if one) / MAILS
        print(f"  {number:5} rules: {1 / cost[number]:8.0f} evaluations/s, {cost[number] * 1e6:6.0f} us each, evidence {kept:.0f} bytes")
    print(f"  1,000 rules cost {cost[1_000] / cost[10]:.2f} x what 10 cost")
    assert cost[1_000] / cost[10] <= ASKED


LARGE: Final[dict[str, Callable[[random.Random], Condition]]] = {
    "literals": lambda dice: Condition(field=ConditionField.BODY, operator=Operator.CONTAINS, value=f"{made_up(dice)} {made_up(dice)}"),
    "patterns": lambda dice: Condition(
        field=ConditionField.SUBJECT, operator=Operator.REGEX, value=rf"{made_up(dice)}.*{made_up(dice)} (\d+)"
    ),
    "header names": lambda dice: Condition(
        field=ConditionField.HEADER, header=f"X-{made_up(dice)}", operator=Operator.CONTAINS, value=made_up(dice)
    ),
}


@pytest.mark.parametrize("kind", LARGE)
def test_a_set_of_100000_conditions_is_prepared_in_seconds(kind: str) -> None:
    dice = random.Random(1)
    rules = tuple(
        StoredRule(
            id=str(n),
            name=str(n),
            conditions=tuple(LARGE[kind](dice) for _ in range(100)),
            match="any",
            action=Action(type=ActionType.LINK_SENDER),
        )
        for n in range(1_000)
    )
    mails = [parse(raw) for raw in mixed_mails(20)]
    process = psutil.Process()
    before, began = process.memory_info().rss, time.process_time()
    prepared = prepare_rules(rules, 1)
    preparing = time.process_time() - began
    each = seconds(partial(evaluate_all, mails, prepared), 2) / len(mails)
    taken = (process.memory_info().rss - before) / 2**20
    print(f"\n100,000 {kind}: prepared in {preparing:.1f} s, {taken:.0f} MiB, {each * 1e3:.2f} ms each")
    assert prepared.one_by_one == 0
    assert preparing < 60
    assert taken < 1_024


# --- deciding a batch ------------------------------------------------------------------------------------------------------------------

BATCH: Final = 200
WHOLE = Table(
    "whole_decisions",
    MetaData(),
    Column("mail_id", String(100), primary_key=True),
    Column("decided_at", DateTime(timezone=True)),
    Column("trace", JSONB),
    Column("command", JSONB),
)
"""As decisions were kept before: the trace of every rule and the whole command."""


def decided(prepared: PreparedRules, raws: Sequence[bytes]) -> list[Decided]:
    of = partial(
        RawMail, scanner_id="s", folder="INBOX", uid_validity=1, uid=1, received_at=NOW, sha256="0", archive_key="k", conversation="c"
    )
    return [_decided(prepared, f"m{number}", of(size=len(raw)), raw) for number, raw in enumerate(raws)]


def whole_rows(ones: Sequence[Decided], rules: tuple[StoredRule, ...]) -> list[dict[str, Any]]:
    return [
        {
            "mail_id": one.command.mail_id,
            "decided_at": NOW,
            "trace": [entry.model_dump(mode="json") for entry in traces(one.evaluation.evidence or Evidence(), rules)],
            "command": one.command.model_dump(mode="json", by_alias=True, exclude_none=True),
        }
        for one in ones
    ]


@pytest.mark.connected
@pytest.mark.parametrize("number", [10, 1_000])
async def test_what_a_batch_costs_to_decide_and_to_store(stack: TestStack, number: int) -> None:
    rules = rules_of(number)
    prepared, raws = prepare_rules(rules, 1), list(mixed_mails(BATCH))
    deciding = seconds(lambda: decided(prepared, raws))
    ones = decided(prepared, raws)
    url = SecretStr(stack.database_url(f"bench_rules_{number}"))
    await asyncio.to_thread(migrate, migrations_folder("rules"), url)
    engine = make_engine(url, application="bench")
    decider = Decider(None, PreparedSets())  # type: ignore[arg-type]  # no archive: only its rows are asked for
    async with engine.begin() as conn:
        await conn.run_sync(WHOLE.metadata.create_all)

    async def store(whole: bool) -> tuple[float, float]:
        best = (float("inf"), float("inf"))
        for _ in range(ROUNDS):
            async with engine.connect() as conn:
                cpu, wall = time.process_time(), time.perf_counter()
                if whole:
                    await conn.execute(insert(WHOLE).on_conflict_do_nothing().returning(WHOLE.c.mail_id), whole_rows(ones, rules))
                else:
                    await decisions.keep_first(conn, [decider._row(one) for one in ones])
                best = min(best, (time.process_time() - cpu, time.perf_counter() - wall))
                await conn.rollback()
        return best

    before, after = await store(whole=True), await store(whole=False)
    await engine.dispose()
    each = 1e3 / BATCH
    print(f"\n{number} rules: parse, evaluate and command {deciding * each:.2f} ms CPU a mail; rows and statement")
    print(f"  whole command and trace  {before[0] * each:.2f} ms CPU, {before[1] * each:.2f} ms")
    print(f"  candidates and evidence  {after[0] * each:.2f} ms CPU, {after[1] * each:.2f} ms")
    assert after[0] < before[0]
