"""Simulations asked for, looked at, and applied: what the API's routes ask for."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from rules.adapters import rule_store, simulations
from rules.adapters.rule_store import RuleSet
from rules.adapters.simulations import PASTED, JobRow
from rules.domain.evidence import Evidence, traces
from rules.domain.rule import RuleRefusedError, Rules, StoredRule
from rules.pasted import pasted_bytes
from rules.rule_sets import RuleSets, Saving
from rules.simulation.difference import Change
from rules.simulation.draft import drafted, shown
from shared.api import Page, RuleSimulation, RuleSimulationIn, SimulatedMail, SimulatedMailDetail, SimulationMails
from shared.events import OutcomeType
from shared.http import ProblemError, etag, not_found, page

MOST_WAITING: Final = 20
"""Of one scanner."""
ID_CHARS: Final = 100


class Simulations:
    """Refusals are problem documents."""

    def __init__(self, engine: AsyncEngine, sets: RuleSets) -> None:
        self._engine = engine
        self._sets = sets

    async def ask(self, simulation_id: str, wanted: RuleSimulationIn, author: str) -> JobRow:
        """Queue it. The same id again is the same simulation. Raises ProblemError 404, 409, 422 or 429."""
        today = await self._sets.current(clean(wanted.scanner_id))
        version, rules = await self._tried(today, wanted, simulation_id)
        values = {
            "id": simulation_id,
            "scanner_id": today.scanner_id,
            "author": author[:300],
            "mails": _stored_mails(wanted.mails),
            "base_version": today.version,
            "version": version,
            "rules": [rule.model_dump(mode="json") for rule in rules],
        }
        async with self._engine.begin() as conn:
            await rule_store.lock_scanner(conn, today.scanner_id)  # so that all who ask count the same
            if await simulations.find(conn, simulation_id) is None:
                if await simulations.waiting(conn, today.scanner_id) >= MOST_WAITING:
                    raise ProblemError(429, "Too many simulations", f"{MOST_WAITING} of this mailbox wait already; try again in a while.")
                await simulations.add(conn, values)
        return await self.row(simulation_id)

    async def row(self, simulation_id: str) -> JobRow:
        """Raises ProblemError 404."""
        async with self._engine.connect() as conn:
            found = await simulations.find(conn, clean(simulation_id))
        if found is None:
            raise ProblemError(404, "No such simulation", f"There is no simulation {simulation_id}; they are kept for some days only.")
        return found

    async def show(self, simulation_id: str) -> RuleSimulation:
        """Raises ProblemError 404."""
        row = await self.row(simulation_id)
        known = {name: getattr(row, name) for name in RuleSimulation.model_fields if name not in {"rules", "error"}}
        error = row.error if row.state == "failed" else None
        return RuleSimulation.model_validate({**known, "error": error, "rules": shown(_rules(row))})

    async def mails(
        self, simulation_id: str, limit: int, after: int, change: Change | None, before: OutcomeType | None, result: OutcomeType | None
    ) -> Page[SimulatedMail]:
        """Those of the change and the outcomes given, by position. Raises ProblemError 404."""
        row = await self.row(simulation_id)
        async with self._engine.connect() as conn:
            rows = await simulations.mails(conn, row.id, limit + 1, after, change, before and before.value, result and result.value)
        return page([SimulatedMail.model_validate(one._asdict()) for one in rows], limit, lambda one: (one.position,))

    async def mail(self, simulation_id: str, position: int) -> SimulatedMailDetail:
        """One mail with its trace, told from what was kept and the rules that were tried. Raises ProblemError 404."""
        row = await self.row(simulation_id)
        async with self._engine.connect() as conn:
            found = await simulations.mail(conn, row.id, position)
        if found is None:
            raise not_found("mail of this simulation", position)
        return _detail(found, _rules(row))

    async def apply(self, simulation_id: str, saving: Saving) -> RuleSet:
        """The rules that were tried become the set's next version. Raises ProblemError 404, 409 or 412. Done twice, it is done once."""
        row = await self.row(simulation_id)
        rules, today = _rules(row), await self._sets.current(row.scanner_id)
        if today.rules == rules:
            return today
        if today.version != row.base_version:
            raise ProblemError(
                412,
                "Changed meanwhile",
                f"The simulation was asked for at version {row.base_version} of the rules, today's is {today.version}. Simulate again.",
            )
        based = replace(saving, if_match=etag(row.base_version))
        return await self._sets.change(row.scanner_id, based, lambda _: rules, "From a simulation: {}".format)

    async def _tried(self, today: RuleSet, wanted: RuleSimulationIn, seed: str) -> tuple[int | None, Rules]:
        if wanted.version is not None and wanted.version > today.version:
            raise not_found("version of these rules", wanted.version)
        if wanted.version is not None:
            return wanted.version, (await self._sets.version(today.scanner_id, wanted.version)).rules
        if wanted.rules is None:
            return today.version, today.rules
        try:
            return None, drafted(today.rules, wanted.rules, seed)
        except RuleRefusedError as error:
            raise ProblemError(409, "Not possible with this rule set", str(error)) from error


def clean(text: str) -> str:
    """Postgres keeps no NUL in a text, and looks for none."""
    return text.replace("\x00", "")


def _stored_mails(mails: SimulationMails) -> dict[str, Any]:
    given = mails.model_dump(mode="json", exclude_none=True, exclude={"raw", "raw_base64"})
    if "ids" in given:
        given["ids"] = [clean(mail_id)[:ID_CHARS] for mail_id in given["ids"]]
    if mails.raw is None and mails.raw_base64 is None:
        return given
    return {PASTED: base64.b64encode(pasted_bytes(mails.raw, mails.raw_base64)).decode()}


def _rules(row: JobRow) -> Rules:
    return tuple(StoredRule.model_validate(rule) for rule in row.rules)


def _detail(found: Row[Any], rules: Rules) -> SimulatedMailDetail:
    values = found._asdict()
    evidence = values.pop("evidence")
    trace = [] if evidence is None else traces(Evidence.model_validate(evidence), rules)
    return SimulatedMailDetail.model_validate({**values, "trace": trace})
