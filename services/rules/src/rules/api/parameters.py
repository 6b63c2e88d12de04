"""Parameters that every saving call takes."""

from __future__ import annotations

from typing import Annotated
from uuid import uuid4

from fastapi import Depends, Query

from rules.rule_sets import Saving
from shared.events import derived_id
from shared.http import Actor, IfMatch

AcceptBroken = Annotated[bool, Query(description="Save although an example breaks or cannot be tried; the version's note says so")]


async def _saving(actor: Actor, if_match: IfMatch = None, accept_broken: AcceptBroken = False) -> Saving:
    return Saving(actor, if_match, accept_broken=accept_broken)


SavingCall = Annotated[Saving, Depends(_saving)]


def new_id(author: str, key: str | None, *what: str) -> str:
    """An id for what the call makes of `what`: the same for the same caller and key, so that a repeated call makes nothing more."""
    return derived_id("idempotency", *what, author, key) if key else str(uuid4())
