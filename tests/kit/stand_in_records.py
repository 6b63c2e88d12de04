"""The stand-in's contacts, accounts and leads."""

from __future__ import annotations

from typing import Any

from shared import api
from tests.kit.stand_in_mailboxes import ago

Known = dict[str, api.Record]


def registry() -> dict[str, Known]:
    """By sort and id: a contact with a double, its account, a lead."""
    anna = ["anna@customer.example", "a.keller@customer.example"]
    items = [
        _record("c1", "contact", "Anna Keller", addresses=anna, account_id="a1"),
        _record("c2", "contact", "A. Keller", addresses=["anna.keller@home.example"], phone="+39 02 1234", note="Twin?"),
        _record("a1", "account", "Customer & Sons", addresses=["info@customer.example"], website="https://customer.example"),
        _record("l1", "lead", "Lia Neri", addresses=["lia@new.example"], company="Neri S.r.l.", note="Met at the fair."),
    ]
    return {sort: {item.id: item for item in items if item.type == sort} for sort in ("contact", "account", "lead")}


def _record(record_id: str, sort: str, name: str, **fields: Any) -> api.Record:
    values = {"id": record_id, "type": sort, "name": name, "created_at": ago(days=9), "updated_at": ago(days=9)}
    return api.Record.model_validate(values | fields)
