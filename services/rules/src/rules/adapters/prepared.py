"""Rule sets in force, compiled once per version: a batch of mails compiles nothing that was compiled before."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Iterable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from rules.adapters import rule_store
from rules.adapters.rule_store import Stamp
from rules.domain.evaluate import PreparedRules, prepare_rules
from rules.domain.rule import FIRST_VERSION, Rules, builtin_rules
from shared.observability import CONDITIONS_ONE_BY_ONE, RULES_PREPARED, get_logger

log = get_logger("rules")

KEPT: Final = 500
"""Sets kept compiled, the least recently used leaves first."""
KEPT_MEMORY: Final = 512 * 1024 * 1024
"""Bytes they may come to take together; those of one batch are kept whatever they take."""
AT_ONCE: Final = 200
"""A set of more conditions is compiled in a thread: heartbeats and HTTP go on meanwhile."""


class PreparedSets:
    """One per process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Stamp, PreparedRules] = OrderedDict()

    async def current(self, conn: AsyncConnection, scanner_ids: Iterable[str]) -> dict[str, PreparedRules]:
        """The set in force of each scanner, read now; version 1 for a scanner whose event has not come yet."""
        wanted = sorted(set(scanner_ids))
        stamps = await rule_store.current_stamps(conn, wanted)
        for loaded in await rule_store.load(conn, [stamp for stamp in stamps.values() if stamp not in self._kept]):
            self._kept[loaded.scanner_id, loaded.version] = await _prepared(loaded.rules, loaded.version)
        found = {name: self._kept[stamps[name]] if name in stamps else _builtin(name) for name in wanted}
        self._forget(stamps.values())
        return found

    def _forget(self, used: Collection[Stamp]) -> None:
        """Make room; the ones just used are the last to go and stay."""
        for stamp in used:
            self._kept.move_to_end(stamp)
        memory = sum(rules.memory for rules in self._kept.values())
        while len(self._kept) > len(used) and (len(self._kept) > KEPT or memory > KEPT_MEMORY):
            memory -= self._kept.popitem(last=False)[1].memory


async def _prepared(rules: Rules, version: int) -> PreparedRules:
    with RULES_PREPARED.time():
        if sum(len(rule.conditions) for rule in rules) > AT_ONCE:
            prepared = await asyncio.to_thread(prepare_rules, rules, version)
        else:
            prepared = prepare_rules(rules, version)
    if prepared.one_by_one:
        CONDITIONS_ONE_BY_ONE.labels("too_many").inc(prepared.one_by_one)
        log.warning("too many conditions for one pass: they are asked one by one", rules=len(rules), fields=prepared.one_by_one)
    return prepared


def _builtin(scanner_id: str) -> PreparedRules:
    return prepare_rules(builtin_rules(scanner_id), FIRST_VERSION)
