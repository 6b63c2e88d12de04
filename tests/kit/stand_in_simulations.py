"""The stand-in's simulations: each is done half at the first look and whole at the second, as a real one that takes a moment."""

from __future__ import annotations

from itertools import count
from typing import Annotated, Any

from fastapi import FastAPI, Header, Response

from shared import api
from shared.http import ProblemError
from tests.kit.stand_in_mailboxes import ago
from tests.kit.stand_in_rule_set import VERSION, rule_set
from tests.kit.stand_in_world import World, new_decision, one

Actor = Annotated[str, Header(alias="X-Actor")]
_TICKET = {"outcome": "ticket", "rule_id": "r4", "rule_name": "Everything else", "ticket_id": 128}
_MAILS: list[dict[str, Any]] = [
    {
        "mail_id": "mail-1",
        "subject": "Our spring offers",
        "sender": "Shop <offers@shop.example>",
        "kind": "list",
        "before": _TICKET | {"ticket_id": 127},
        "after": {"outcome": "archived", "rule_id": "n1", "rule_name": "Newsletters"},
        "change": "outcome",
    },
    {
        "mail_id": "mail-2",
        "subject": "Re: Invoice wrong – Überweisung",
        "sender": "Anna Keller <anna@customer.example>",
        "kind": "mail",
        "before": _TICKET | {"outcome": "update", "rule_id": "r2", "rule_name": "Answers by number"},
        "after": _TICKET | {"outcome": "update", "rule_id": "r1", "rule_name": "Reply to a known conversation"},
        "change": "rule",
    },
    {"mail_id": "mail-3", "subject": "Chairs", "kind": "mail", "before": _TICKET, "after": _TICKET | {"ticket_id": None}, "change": "none"},
    {"mail_id": "mail-9", "subject": "Lost", "before": _TICKET, "change": "failed", "note": "The archive no longer has this mail."},
]
_PASTED: dict[str, Any] = {
    "subject": "Pasted",
    "sender": "b@x.example",
    "kind": "mail",
    "after": _TICKET | {"ticket_id": None},
    "change": "new",
}


def serve_simulations(app: FastAPI, world: World) -> None:
    """Their paths."""
    numbers = count(1)
    looks: dict[str, int] = {}

    @app.post("/rule-simulations", status_code=202)
    def ask(wanted: api.RuleSimulationIn, actor: Actor) -> api.Job:
        made = _simulation(f"s{next(numbers)}", wanted, actor)
        world.simulations[made.id], world.asked = made, wanted
        looks[made.id] = 0
        return api.Job(id=f"rules-{made.id}", state="queued")

    @app.get("/rule-simulations/{key}")
    def show(key: str) -> api.RuleSimulation:
        found = _find(world, key)
        looks[key] = looks.get(key, 9) + 1
        if looks[key] > 1:
            return found
        return found.model_copy(update={"state": "running", "done": (found.total or 0) // 2, "changed": 0, "totals": []})

    @app.get("/rule-simulations/{key}/mails")
    def mails(key: str, change: str = "", before: str = "", after: str = "") -> api.Page[api.SimulatedMail]:
        found = [mail for mail in _mails(_find(world, key)) if change in {"", mail["change"]}]
        found = [mail for mail in found if before in {"", _outcome(mail, "before")} and after in {"", _outcome(mail, "after")}]
        return api.Page(items=[api.SimulatedMail.model_validate(mail) for mail in found])

    @app.get("/rule-simulations/{key}/mails/{position}")
    def mail(key: str, position: int) -> api.SimulatedMailDetail:
        found = _mails(_find(world, key))[position - 1]
        trace = new_decision("mail-1").trace
        reason = "List-Id is set (RFC 2919)" if found.get("kind") == "list" else ""
        return api.SimulatedMailDetail.model_validate(found | {"trace": trace, "kind_reason": reason})

    @app.post("/rule-simulations/{key}/apply")
    def apply(key: str, response: Response, *, accept_broken: bool = False) -> api.RuleList:
        found = _find(world, key)
        if world.breaking and not accept_broken:
            broken = [item.model_dump(mode="json") for item in world.breaking]
            raise ProblemError(409, "An example would break", "An example would become something else.", broken=broken)
        response.headers["ETag"] = f'"{VERSION + 1}"'
        world.applied.append(found.id)
        return api.RuleList(items=[], version=VERSION + 1)


def _find(world: World, key: str) -> api.RuleSimulation:
    """One that was asked for, or `ready`, which is always there."""
    ready = api.RuleSimulationIn(scanner_id="support", mails=api.SimulationMails(last=4), rules=[])
    return one({"ready": _simulation("ready", ready, "user:otto@company.example")} | world.simulations, key, "simulation")


def _simulation(key: str, wanted: api.RuleSimulationIn, actor: str) -> api.RuleSimulation:
    today = [api.DraftRule.model_validate(rule.model_dump(include=set(api.DraftRule.model_fields))) for rule in rule_set()]
    pasted = wanted.mails.raw or wanted.mails.raw_base64
    totals = [("ticket", "archived", "outcome"), ("update", "update", "rule"), ("ticket", "ticket", "none"), ("ticket", None, "failed")]
    return api.RuleSimulation.model_validate(
        {
            "id": key,
            "scanner_id": wanted.scanner_id,
            "author": actor,
            "created_at": ago(minutes=1),
            "state": "done",
            "done": 1 if pasted else 4,
            "total": 1 if pasted else 4,
            "base_version": VERSION,
            "version": wanted.version or (VERSION if wanted.rules is None else None),
            "rules": wanted.rules if wanted.rules is not None else today,
            "changed": 1 if pasted else 2,
            "totals": [
                {"before": before, "after": after, "change": change, "count": 1}
                for before, after, change in ([(None, "ticket", "new")] if pasted else totals)
            ],
        }
    )


def _mails(simulation: api.RuleSimulation) -> list[dict[str, Any]]:
    found = [_PASTED] if simulation.total == 1 else _MAILS
    return [{"position": position, "received_at": ago(hours=position), **mail} for position, mail in enumerate(found, 1)]


def _outcome(mail: dict[str, Any], side: str) -> str:
    return str((mail.get(side) or {}).get("outcome", ""))
