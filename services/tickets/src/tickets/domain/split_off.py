"""Which Message-IDs lead to a ticket that was made of another's message."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from shared.events import CommandMail
from tickets.domain.keys import id_key
from tickets.domain.learned import learned_ids
from tickets.domain.state import OURS_ORIGIN, REFERRED_ORIGIN


def ids_split_off(mail: CommandMail, known: Mapping[str, str], wanted_still: Collection[str]) -> dict[str, str]:
    """Key → origin on the new ticket. They lead to the old one no more.

    `known`: key → origin on the old ticket. `wanted_still`: keys its other mails refer to.

    The message's own id leads as strongly as one of ours: an operator has said where answers to it belong, and they mostly refer to an
    earlier answer of ours too, which stays on the old ticket. Ids of the old ticket's other messages stay there alone, since who answers
    one of those means that ticket.
    """
    own = {id_key(mail.message_id): OURS_ORIGIN} if mail.message_id else {}
    unclaimed = (key for key, _ in learned_ids(mail) if known.get(key, REFERRED_ORIGIN) == REFERRED_ORIGIN and key not in wanted_still)
    return {**dict.fromkeys(unclaimed, REFERRED_ORIGIN), **own}
