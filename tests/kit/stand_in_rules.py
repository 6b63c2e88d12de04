"""The rules service's part of the stand-in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import uuid4

from fastapi import FastAPI, Header

from shared import api
from shared.http import ProblemError, check_if_match, not_found
from tests.kit.stand_in_rule_set import broken_by, statistics
from tests.kit.stand_in_world import World, new_decision, one

IfMatch = Annotated[str | None, Header(alias="If-Match")]
Actor = Annotated[str, Header(alias="X-Actor")]


def serve_rules(app: FastAPI, world: World) -> None:
    """Its paths."""
    sets = _Sets(world)
    for add in (_serve_sets, _serve_single, _serve_versions, _serve_files):
        add(app, sets)
    _serve_examples(app, world)

    @app.get("/mails/{key}/decision")
    def decision(key: str) -> api.Decision:
        if key in {"mail-4", "mail-5"}:
            raise not_found("decision", key)
        return new_decision(key)


class _Sets:
    """The rules as the service keeps them: every change is a version, and asks when an example breaks."""

    def __init__(self, world: World) -> None:
        self.world = world

    @property
    def version(self) -> int:
        return max(self.world.rule_versions)

    def listed(self, scanner_id: str) -> api.RuleList:
        rules = sorted((rule for rule in self.world.rules.values() if rule.scanner_id == scanner_id), key=lambda rule: rule.position)
        return api.RuleList(items=[rule.model_copy(update={"version": self.version}) for rule in rules], version=self.version)

    def one(self, rule_id: str) -> api.Rule:
        return one(self.world.rules, rule_id, "rule").model_copy(update={"version": self.version})

    def save(self, scanner_id: str, rules: Sequence[api.Rule], note: str, if_match: str | None, accept_broken: bool) -> api.RuleList:
        check_if_match(if_match, self.version)
        if self.world.breaking and not accept_broken:
            broken = [item.model_dump(mode="json") for item in self.world.breaking]
            raise ProblemError(409, "An example would break", "An example would become something else.", broken=broken)
        number = self.version + 1
        for rule in self.listed(scanner_id).items:
            del self.world.rules[rule.id]
        kept = [rule.model_copy(update={"position": place, "version": number}) for place, rule in enumerate(rules, 1)]
        self.world.rules |= {rule.id: rule for rule in kept}
        self.world.rule_versions[number] = api.RuleSetContent(
            version=number, author="user:otto@company.example", created_at=datetime.now(UTC), note=note, rules=kept
        )
        return self.listed(scanner_id)

    def made(self, scanner_id: str, wanted: api.RuleIn) -> api.Rule:
        return api.Rule(**wanted.model_dump(exclude={"builtin"}), id=str(uuid4()), scanner_id=scanner_id, position=1, version=1)


def _serve_sets(app: FastAPI, sets: _Sets) -> None:
    @app.get("/scanners/{key}/rules")
    def rules(key: str) -> api.RuleList:
        return sets.listed(key)

    @app.post("/scanners/{key}/rules", status_code=201)
    def create(key: str, wanted: api.RuleIn, if_match: IfMatch = None, accept_broken: bool = False) -> api.Rule:
        made = sets.made(key, wanted)
        sets.save(key, [*sets.listed(key).items, made], f"Rule {made.name!r} added", if_match, accept_broken)
        return sets.one(made.id)

    @app.put("/scanners/{key}/rules/order")
    def order(key: str, wanted: api.RuleOrder, if_match: IfMatch = None, accept_broken: bool = False) -> api.RuleList:
        by_id = {rule.id: rule for rule in sets.listed(key).items}
        if sorted(by_id) != sorted(wanted.rule_ids):
            raise ProblemError(409, "Not these rules", "The order must name each rule of the set once.")
        return sets.save(key, [by_id[rule_id] for rule_id in wanted.rule_ids], "Order changed", if_match, accept_broken)

    @app.get("/scanners/{key}/rules/statistics")
    def counted(key: str) -> api.RuleStatisticsList:
        return api.RuleStatisticsList(items=statistics() if key == "support" else [])


def _serve_single(app: FastAPI, sets: _Sets) -> None:
    def replaced(rule_id: str, by: Callable[[api.Rule], list[api.Rule]]) -> tuple[str, list[api.Rule]]:
        scanner_id = sets.one(rule_id).scanner_id
        rules = [by(rule) if rule.id == rule_id else [rule] for rule in sets.listed(scanner_id).items]
        return scanner_id, [rule for part in rules for rule in part]

    @app.get("/rules/{key}")
    def rule(key: str) -> api.Rule:
        return sets.one(key)

    @app.patch("/rules/{key}")
    def change(key: str, patch: api.RulePatch, if_match: IfMatch = None, accept_broken: bool = False) -> api.Rule:
        fields = patch.model_dump(exclude_unset=True)
        scanner_id, rules = replaced(key, lambda rule: [api.Rule.model_validate(rule.model_dump() | fields)])
        sets.save(scanner_id, rules, f"Rule {key} changed", if_match, accept_broken)
        return sets.one(key)

    @app.delete("/rules/{key}", status_code=204)
    def delete(key: str, if_match: IfMatch = None, accept_broken: bool = False) -> None:
        scanner_id, rules = replaced(key, lambda _: [])
        sets.save(scanner_id, rules, f"Rule {key} deleted", if_match, accept_broken)

    @app.post("/rules/{key}/duplicate", status_code=201)
    def duplicate(key: str) -> api.Rule:
        original = sets.one(key)
        fields = {"id": str(uuid4()), "name": f"{original.name} (copy)", "enabled": False, "builtin": False}
        copy = original.model_copy(update=fields)
        scanner_id, rules = replaced(key, lambda rule: [rule, copy])
        sets.save(scanner_id, rules, f"Rule {key} copied", None, True)
        return sets.one(copy.id)


def _serve_versions(app: FastAPI, sets: _Sets) -> None:
    def content(number: int) -> api.RuleSetContent:
        return one(sets.world.rule_versions, number, "version")

    @app.get("/scanners/{key}/rules/versions")
    def versions(key: str) -> api.Page[api.RuleSetVersion]:
        listed = sorted(sets.world.rule_versions.values(), key=lambda item: -item.version)
        return api.Page(items=[api.RuleSetVersion(**item.model_dump(exclude={"rules"})) for item in listed])

    @app.get("/scanners/{key}/rules/versions/{number}")
    def version(key: str, number: int) -> api.RuleSetContent:
        return content(number)

    @app.get("/scanners/{key}/rules/versions/{number}/changes")
    def changes(key: str, number: int, against: int) -> api.RuleSetComparison:
        return api.RuleSetComparison(version=number, against=against, changes=_changes(content(against).rules, content(number).rules))

    @app.post("/scanners/{key}/rules/versions/{number}/restore")
    def restore(key: str, number: int, if_match: IfMatch = None, accept_broken: bool = False) -> api.RuleList:
        return sets.save(key, content(number).rules, f"Version {number} restored", if_match, accept_broken)


def _changes(before: Sequence[api.Rule], after: Sequence[api.Rule]) -> list[api.RuleChange]:
    old, new = ({rule.id: rule for rule in rules} for rules in (before, after))
    found = [api.RuleChange(rule_id=rule.id, rule_name=rule.name, what="removed") for rule in before if rule.id not in new]
    for rule in after:
        if rule.id not in old:
            found.append(api.RuleChange(rule_id=rule.id, rule_name=rule.name, what="added"))
        elif fields := _fields(old[rule.id], rule):
            what: Any = "moved" if [field.field for field in fields] == ["position"] else "changed"
            found.append(api.RuleChange(rule_id=rule.id, rule_name=rule.name, what=what, fields=fields))
    return found


def _fields(before: api.Rule, after: api.Rule) -> list[api.RuleFieldChange]:
    one_side, other = before.model_dump(mode="json"), after.model_dump(mode="json")
    names = ("name", "enabled", "match", "position", "conditions", "action")
    return [api.RuleFieldChange(field=name, before=one_side[name], after=other[name]) for name in names if one_side[name] != other[name]]


def _serve_files(app: FastAPI, sets: _Sets) -> None:
    @app.get("/scanners/{key}/rules/export")
    def export(key: str) -> api.RuleExport:
        names = set(api.ExportedRule.model_fields)
        rules = [api.ExportedRule(**rule.model_dump(include=names)) for rule in sets.listed(key).items]
        return api.RuleExport(exported_at=datetime.now(UTC), scanner_name=sets.world.scanners[key].name, rules=rules)

    @app.post("/scanners/{key}/rules/import")
    def take(key: str, wanted: api.RuleImport, if_match: IfMatch = None, accept_broken: bool = False) -> api.RuleList:
        there = sets.listed(key).items if wanted.mode == "append" else []
        made = [sets.made(key, rule) for rule in wanted.file.rules if wanted.mode == "replace" or not rule.builtin]
        return sets.save(key, [*there, *made], "Rules of a file taken in", if_match, accept_broken)


def _serve_examples(app: FastAPI, world: World) -> None:
    @app.get("/scanners/{key}/rules/examples")
    def listed(key: str) -> api.ExampleList:
        return api.ExampleList(items=[item for item in world.examples.values() if item.scanner_id == key])

    @app.post("/scanners/{key}/rules/examples", status_code=201)
    def pin(key: str, wanted: api.ExampleIn, actor: Actor) -> api.Example:
        mail = one(world.mails, wanted.mail_id, "mail") if wanted.mail_id else None
        expected = wanted.expected or api.ExampleExpectation.model_validate({"outcome": "ticket", "rule_id": "r4"})
        made = api.Example(
            id=str(uuid4()),
            scanner_id=key,
            name=wanted.name,
            mail_id=wanted.mail_id,
            subject=mail.subject if mail else "As uploaded",
            sender=mail.sender if mail else "",
            expected=expected,
            rule_name=world.rules[expected.rule_id].name if expected.rule_id else None,
            author=actor,
            created_at=datetime.now(UTC),
        )
        world.examples[made.id] = made
        return made

    @app.post("/scanners/{key}/rules/examples/check")
    def check(key: str) -> api.ExampleCheck:
        return api.ExampleCheck(items=[_result(item) for item in world.examples.values()])

    @app.delete("/scanners/{key}/rules/examples/{example_id}", status_code=204)
    def unpin(key: str, example_id: str) -> None:
        world.examples.pop(example_id)


def _result(example: api.Example) -> api.ExampleResult:
    """The first holds, the second is broken, of the others nobody can tell."""
    if example.id == "e1":
        side = api.ResultSide(outcome=example.expected.outcome, rule_id="r2", rule_name=example.rule_name, ticket_id=128)
        return api.ExampleResult(example=example, after=side, holds=True)
    if example.id == "e2":
        return broken_by(example)
    return api.ExampleResult(example=example, after=None, holds=False, note="The tickets service is away; try again shortly.")
