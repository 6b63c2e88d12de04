"""Rule sets in force, compiled once per version: a batch of mails compiles nothing that was compiled before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from rules.adapters import rule_store
from rules.adapters.rule_store import Stamp
from rules.domain.evaluate import PreparedRules, prepare_rules
from rules.domain.rule import FIRST_VERSION, builtin_rules

KEPT: Final = 500
"""Sets kept compiled, the least recently used leaves first."""


class PreparedSets:
    """One per process."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Stamp, PreparedRules] = OrderedDict()

    async def current(self, conn: AsyncConnection, scanner_ids: Iterable[str]) -> dict[str, PreparedRules]:
        """The set in force of each scanner, read now; version 1 for a scanner whose event has not come yet."""
        wanted = sorted(set(scanner_ids))
        stamps = await rule_store.current_stamps(conn, wanted)
        for loaded in await rule_store.load(conn, [stamp for stamp in stamps.values() if stamp not in self._kept]):
            self._kept[loaded.scanner_id, loaded.version] = prepare_rules(loaded.rules, loaded.version)
        return {name: self._take(stamps[name]) if name in stamps else _builtin(name) for name in wanted}

    def _take(self, stamp: Stamp) -> PreparedRules:
        self._kept.move_to_end(stamp)
        found = self._kept[stamp]
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found


def _builtin(scanner_id: str) -> PreparedRules:
    return prepare_rules(builtin_rules(scanner_id), FIRST_VERSION)
