"""One mail over a connection that is set up (RFC 5321, 3.3), its commands in one piece where the server offers PIPELINING (RFC 2920).

aiosmtplib waits for each reply before the next command and drops what comes unasked, so from the sign-in on the connection is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from notifier.adapters.wire import CLOSING, Wire, WireError
from notifier.domain.extensions import Letter, Offer, mail_command, on_the_wire, refusal
from notifier.domain.replies import Reply, recipient_verdict, refuses_sender, verdict
from notifier.domain.schedule import Result, Verdict

GO_AHEAD: Final = 354
MOST_RECIPIENTS: Final = 100
"""So many every server takes in one mail (RFC 5321, 4.5.3.1.8)."""
NOT_ALLOWED: Final = frozenset({454, 530, 534, 535, 538})
"""Authentication is missing or refused (RFC 4954, 6): the identity is wrong, not the mail."""
NO_EMPTY_PATH: Final = "(sent with the return path {}: the server takes no empty one)"
ENOUGH: Final = Verdict(Result.NEXT, "in the next dialogue: this one has its fill of recipients")


class BrokenOffError(Exception):
    """The dialogue ended before anything of the mail was handed over."""


class HalfSentError(BrokenOffError):
    """As that, in the middle of the mail: its end did not leave, so the server has nothing it could deliver."""


class UnknownError(Exception):
    """The mail was handed over, and no answer came: the server may have it."""


@dataclass(frozen=True)
class Times:
    """Seconds to wait for the answer to a command, and for the one to a mail."""

    command: float
    data: float


@dataclass(frozen=True)
class _Opening:
    """Replies to MAIL, to each RCPT, and to DATA where it was sent."""

    mail: Reply
    people: Sequence[Reply]
    data: Reply | None


class Dialogue:
    """Sends mails one after the other. After one of its errors, or a 421, the wire is closed."""

    def __init__(self, wire: Wire, offer: Offer, times: Times, *, pipelining: bool) -> None:
        self._wire = wire
        self._offer = offer
        self._times = times
        self._pipelining = pipelining and offer.pipelining
        self._begun = False
        self._takes_empty_path = True
        self.grouped = False
        """Whether the last commands went in one piece, so that a server which lies about PIPELINING may have stumbled over them."""
        self.accepted: Reply | None = None
        """What the server said when it took the last mail."""

    async def send(self, letter: Letter) -> dict[str, Verdict]:
        """The verdict for each recipient. Raises BrokenOffError, HalfSentError or UnknownError."""
        self.accepted = None
        refused = refusal(self._offer, letter)
        if refused is not None:
            return dict.fromkeys(letter.recipients, refused)
        now = replace(letter, recipients=letter.recipients[:MOST_RECIPIENTS])
        verdicts = dict.fromkeys(letter.recipients[MOST_RECIPIENTS:], ENOUGH) | await self._with_a_path_it_takes(now)
        if any(one.result is Result.SENT for one in verdicts.values()):
            return verdicts
        return {name: _refused(one) for name, one in verdicts.items()}

    async def _with_a_path_it_takes(self, letter: Letter) -> dict[str, Verdict]:
        """Some submission servers take no empty reverse-path: an automatic mail goes there with an address that only notes bounces."""
        if letter.sender or not letter.bounces_to:
            return (await self._try(letter))[0]
        if self._takes_empty_path:
            verdicts, opening = await self._try(letter)
            if not refuses_sender(opening.mail, opening.people):
                return verdicts
            self._takes_empty_path = False
        verdicts, _ = await self._try(replace(letter, sender=letter.bounces_to))
        return {name: replace(one, detail=f"{one.detail} {NO_EMPTY_PATH.format(letter.bounces_to)}") for name, one in verdicts.items()}

    async def _try(self, letter: Letter) -> tuple[dict[str, Verdict], _Opening]:
        try:
            opening = await self._open(letter)
        except WireError as error:
            raise BrokenOffError(str(error)) from error
        return await self._finish(letter, opening), opening

    async def _open(self, letter: Letter) -> _Opening:
        """All before the mail itself. A transaction left open by the mail before is ended first, in the same piece."""
        reset = [b"RSET"] if self._begun else []
        mail = mail_command(self._offer, letter)
        people = [f"RCPT TO:<{one}>".encode() for one in letter.recipients]
        self._begun, self.grouped = True, self._pipelining
        if self._pipelining:
            replies = (await self._together([*reset, mail, *people, b"DATA"]))[len(reset) :]
            return _Opening(replies[0], replies[1:-1], replies[-1])
        if reset:
            await self._one(b"RSET")
        first = await self._one(mail)
        if not first.taken:
            return _Opening(first, [], None)
        answers = [await self._one(one) for one in people]
        return _Opening(first, answers, await self._one(b"DATA") if any(one.taken for one in answers) else None)

    async def _finish(self, letter: Letter, opening: _Opening) -> dict[str, Verdict]:
        self._begun = opening.mail.taken
        if opening.mail.code in NOT_ALLOWED:
            self._wire.close()
            raise BrokenOffError(f"the server wants another sign-in: {opening.mail.words}")
        verdicts, taken = _people(letter.recipients, opening)
        answer = opening.data
        if answer is not None and answer.code == GO_AHEAD:
            answer = await self._content(letter.data if taken else b"")
            self.accepted = answer if taken and answer.taken else None
        elif answer is not None and answer.taken:
            self._wire.abort()
            raise BrokenOffError(f"the server answered DATA with {answer.words!r}: it may have mixed up its answers")
        return verdicts | (dict.fromkeys(taken, verdict(answer)) if answer is not None else {})

    async def _content(self, data: bytes) -> Reply:
        """Where nobody was taken and the server wants the mail all the same, it gets an empty one (RFC 2920, 3.1)."""
        try:
            await self._wire.content(on_the_wire(data) if data else [b".\r\n"], self._times.data)
            reply = await self._wire.reply(self._times.data)
        except WireError as error:
            raise (UnknownError if data and self._wire.handed_over else HalfSentError)(str(error)) from error
        self._begun = False
        if reply.code == CLOSING or not self._wire.handed_over:
            self._wire.abort()
        elif not 200 <= reply.code < 600 or reply.code // 100 == 3:
            self._wire.abort()
            raise UnknownError(f"the server answered the mail with {reply.words!r}")
        return reply

    async def _together(self, commands: Sequence[bytes]) -> list[Reply]:
        self._wire.write(commands)
        replies = [await self._read() for _ in commands]
        self._wire.check_silence()
        return replies

    async def _one(self, command: bytes) -> Reply:
        self._wire.write([command])
        return await self._read()

    async def _read(self) -> Reply:
        """With 421 the server ends the dialogue, whatever it was asked (RFC 5321, 3.8)."""
        reply = await self._wire.reply(self._times.command)
        if reply.code == CLOSING:
            self._wire.close()
            self.grouped = False
            raise _ClosingError(reply)
        return reply


class _ClosingError(WireError):
    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.words)


def _people(recipients: Sequence[str], opening: _Opening) -> tuple[dict[str, Verdict], list[str]]:
    """Verdicts for who was refused, and who was taken."""
    if not opening.mail.taken:
        return dict.fromkeys(recipients, verdict(opening.mail)), []
    refused: dict[str, Verdict] = {}
    taken: list[str] = []
    for one, reply in zip(recipients, opening.people, strict=True):
        if reply.taken:
            taken.append(one)
        else:
            refused[one] = recipient_verdict(reply, len(taken))
    return refused, taken


def _refused(one: Verdict) -> Verdict:
    """Where nobody got the mail, a recipient too many is refused like any other."""
    return replace(one, result=Result.TEMPORARY) if one.result is Result.NEXT else one
