"""Mails go to the folder their outcome wants, once, whatever the server offers and wherever the fetcher dies."""

from __future__ import annotations

import asyncio
import imaplib
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text, update

from fetcher.adapters.imap.errors import LeaseLostError
from fetcher.adapters.imap.syntax import quoted_name
from fetcher.adapters.tables import LEDGER
from fetcher.chores import Carrier
from fetcher.handlers import on_outcomes
from fetcher.scan import Scanning
from fetcher.settings import Settings
from shared.clock import utc_now
from shared.events import MailOutcome, OutcomeType
from shared.messaging.envelope import Envelope
from shared.messaging.outbox import Source, Unit
from shared.messaging.received import Received, Record
from shared.topics import MAIL_OUTCOMES
from tests.integration.fetcher.imap_strip import StrippedImap
from tests.integration.fetcher.rig import Rig, append, flags, mail, rig_on, running
from tests.kit.dovecot import PASSWORD, Dovecot
from tests.kit.eventually import eventually_async

pytestmark = pytest.mark.connected

WAYS = {"move": (), "uidplus": ("MOVE",), "neither": ("MOVE", "UIDPLUS")}
DONE, LOOK, SPAM = "Erledigt/Fälle", "Look at these", "Junk"
MOVING = {"move_matched_to": DONE, "move_unmatched_to": LOOK, "spam_folder": SPAM}
STEPS = ("mark", "flag", "transfer", "place", "remove", "record")


class PowerCutError(BaseException):
    """Not an Exception: nothing may handle it."""


@pytest.fixture(params=list(WAYS))
def server(request: pytest.FixtureRequest, dovecot: Dovecot) -> Iterator[StrippedImap]:
    """Dovecot as a server that has MOVE; UIDPLUS but no MOVE; neither."""
    with StrippedImap(dovecot.port, WAYS[request.param]) as stripped:
        yield stripped


async def decide(rig: Rig, scanner_id: str, outcomes: dict[str, OutcomeType], *, revision: int = 1, replay: str | None = None) -> None:
    """The outcomes of mails, by subject, as the consumer gets them."""
    ids = {line.subject: line.id for line in await rig.lines(scanner_id) if line.duplicate_of is None}
    received = []
    for subject, kind in outcomes.items():
        body = MailOutcome(mail_id=ids[subject], scanner_id=scanner_id, revision=revision, type=kind, at=utc_now())
        envelope = Envelope(f"{body.mail_id}-{revision}", "/test", MAIL_OUTCOMES.event_type, utc_now(), replay=replay)
        received.append(Received(envelope, body.mail_id, b"", Record("", 0, 0, None, {}, None), body))
    async with rig.engine.begin() as conn:
        await on_outcomes(Unit(conn, Source("fetcher", rig.settings.namespace)), received)


def folder(port: int, user: str, name: str) -> list[str]:
    """Subjects of the mails in a folder, those marked as deleted in brackets."""
    with imaplib.IMAP4("127.0.0.1", port, timeout=20) as client:
        client.login(user, PASSWORD)
        status, exists = client.select(quoted_name(name), readonly=True)  # type: ignore[arg-type]  # bytes are sent as they are
        if status != "OK" or exists == [b"0"]:
            return []
        found = client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
    mails = [(one[0], one[1].decode().partition(": ")[2].strip()) for one in found if isinstance(one, tuple)]
    return [f"[{subject}]" if b"\\Deleted" in marks else subject for marks, subject in mails]


async def due_now(rig: Rig) -> None:
    """The pause after a failed try is over."""
    async with rig.engine.begin() as conn:
        await conn.execute(update(LEDGER).where(LEDGER.c.move_to.is_not(None)).values(move_after=text("now()")))


async def everything_settled(rig: Rig, scanner_id: str) -> None:
    for line in await rig.lines(scanner_id):
        assert (line.move_to, line.moving_to, line.move_error, line.move_tries) == (None, None, None, 0), line.subject


async def scanner_of(rig: Rig, dovecot: Dovecot, user: str, subjects: list[str], *, port: int | None = None, **more: Any) -> str:
    """A scanner that moves, with these mails read."""
    append(dovecot.port, user, PASSWORD, [mail(subject, f"<{subject}.{user}>".replace(" ", "-")) for subject in subjects])
    scanner_id = await rig.add_scanner(port or dovecot.port, user, PASSWORD, **(MOVING | more))
    assert await rig.scan(scanner_id)
    return scanner_id


def inbox_left(server: StrippedImap, subjects: list[str]) -> list[str]:
    """What stays behind of mails moved away: without MOVE and UIDPLUS they can only be marked."""
    return [f"[{subject}]" for subject in subjects] if knows_nothing(server) else []


def knows_nothing(server: StrippedImap) -> bool:
    """Neither MOVE nor UIDPLUS."""
    return not any("UID MOVE " in line or "UID EXPUNGE " in line for line in server.commands)


async def test_mails_go_where_their_outcome_wants_them(rig: Rig, dovecot: Dovecot, user: str, server: StrippedImap) -> None:
    subjects = ["Acted", "None acted", "Spam", "Receipt"]
    scanner_id = await scanner_of(rig, dovecot, user, subjects, port=server.port)
    append(dovecot.port, user, PASSWORD, [mail("Foreign", "<foreign@x>")], flags="(\\Deleted)")
    kinds = [OutcomeType.TICKET, OutcomeType.UNMATCHED, OutcomeType.SPAM, OutcomeType.RECEIPT]
    await decide(rig, scanner_id, dict(zip(subjects, kinds, strict=True)))
    assert await rig.scan(scanner_id)

    assert [folder(dovecot.port, user, name) for name in (DONE, LOOK, SPAM)] == [["Acted"], ["None acted"], ["Spam"]]
    left = inbox_left(server, subjects[:3])
    assert folder(dovecot.port, user, "INBOX") == [*left, "Receipt", "[Foreign]"], "a foreign mail marked as deleted is still there"
    await everything_settled(rig, scanner_id)
    before = len(server.commands)
    assert await rig.scan(scanner_id)
    assert not [line for line in server.commands[before:] if "UID MOVE" in line or "UID COPY" in line], "once"


async def test_a_move_into_a_ticked_folder_publishes_nothing_again(rig: Rig, dovecot: Dovecot, user: str, server: StrippedImap) -> None:
    scanner_id = await scanner_of(rig, dovecot, user, ["One", "Two"], port=server.port, after_scanning="read")
    append(dovecot.port, user, PASSWORD, [mail("There before", "<before@x>")], "Erledigt/F&AOQ-lle".join('""'))
    await rig.api.put(f"/scanners/{scanner_id}/folders", json={"selected": ["INBOX", DONE]})
    await decide(rig, scanner_id, {"One": OutcomeType.TICKET, "Two": OutcomeType.IGNORED})
    before = len(server.commands)
    assert await rig.scan(scanner_id)
    assert await rig.scan(scanner_id)

    assert sorted(folder(dovecot.port, user, DONE)) == ["One", "There before", "Two"]
    lines = await rig.lines(scanner_id)
    places = {line.subject: line for line in lines if line.outcome_type == "duplicate"}
    firsts = {line.subject: line for line in lines if line.duplicate_of is None}
    assert {subject: line.duplicate_of for subject, line in places.items()} == {name: firsts[name].id for name in ("One", "Two")}
    for name in ("One", "Two"):
        assert firsts[name].at_folder == DONE
        assert firsts[name].at_uid == (None if knows_nothing(server) else places[name].uid)
        assert firsts[name].outcome_type in {"ticket", "ignored"}
    assert len(await rig.raw_mails(scanner_id)) == 3
    fetched = [line.split(" ")[3] for line in server.commands[before:] if "BODY.PEEK[]" in line]
    assert knows_nothing(server) or fetched == ["1"], "where the server says where they are, they are not even read again"


async def test_spam_goes_to_the_spam_folder_and_back(rig: Rig, dovecot: Dovecot, user: str, server: StrippedImap) -> None:
    scanner_id = await scanner_of(rig, dovecot, user, ["Offer"], port=server.port, move_matched_to=None)
    for round_, (kind, inbox, junk) in enumerate(
        [(OutcomeType.TICKET, 1, 0), (OutcomeType.SPAM, 0, 1), (OutcomeType.TICKET, 1, 0), (OutcomeType.SPAM, 0, 1)], 1
    ):
        await decide(rig, scanner_id, {"Offer": kind}, revision=round_)
        assert await rig.scan(scanner_id)
        found = [[one for one in folder(dovecot.port, user, name) if not one.startswith("[")] for name in ("INBOX", SPAM)]
        assert [len(one) for one in found] == [inbox, junk]
    await everything_settled(rig, scanner_id)
    assert len(await rig.raw_mails(scanner_id)) == 1


async def test_without_copyuid_the_mail_is_found_again_by_its_bytes(rig: Rig, user: str, dovecot: Dovecot) -> None:
    with StrippedImap(dovecot.port, WAYS["neither"]) as server:
        scanner_id = await scanner_of(rig, dovecot, user, ["Offer"], port=server.port, move_matched_to=None)
        append(dovecot.port, user, PASSWORD, [mail("Before it", f"<Offer.{user}>")], SPAM)
        await decide(rig, scanner_id, {"Offer": OutcomeType.SPAM})
        await rig.scan(scanner_id)
        append(dovecot.port, user, PASSWORD, [mail("Behind it", f"<Offer.{user}>")], SPAM)
        await decide(rig, scanner_id, {"Offer": OutcomeType.TICKET}, revision=2)
        await rig.scan(scanner_id)
    assert folder(dovecot.port, user, "INBOX") == ["[Offer]", "Offer"]
    assert folder(dovecot.port, user, SPAM) == ["Before it", "[Offer]", "Behind it"], "the same Message-ID is not the same mail"


# --- crashes ------------------------------------------------------------------------------------------------------------------------


def crashing(step: str) -> type[Carrier]:
    """Dies after one of its steps, which is before the next."""

    class Crashing(Carrier):
        def __getattribute__(self, name: str) -> Any:
            found = super().__getattribute__(name)
            if name != step:
                return found

            async def dying(*arguments: Any) -> None:
                await found(*arguments)
                raise PowerCutError

            return dying

    return Crashing


@pytest.mark.parametrize("step", STEPS)
async def test_a_crash_after_any_step_leaves_each_mail_once_in_its_folder(
    rig: Rig, dovecot: Dovecot, user: str, server: StrippedImap, step: str
) -> None:
    scanner_id = await scanner_of(rig, dovecot, user, ["One", "Two"], port=server.port, after_scanning="read")
    await rig.api.put(f"/scanners/{scanner_id}/folders", json={"selected": ["INBOX", DONE]})
    await decide(rig, scanner_id, {"One": OutcomeType.TICKET, "Two": OutcomeType.TICKET})
    with pytest.raises(PowerCutError):
        await rig.scan(scanner_id, with_carrier(rig, crashing(step)))
    await due_now(rig)
    assert await rig.scan(scanner_id)
    assert await rig.scan(scanner_id)

    assert sorted(folder(dovecot.port, user, DONE)) == ["One", "Two"]
    assert folder(dovecot.port, user, "INBOX") == inbox_left(server, ["One", "Two"])
    await everything_settled(rig, scanner_id)
    firsts = [line for line in await rig.lines(scanner_id) if line.duplicate_of is None]
    assert [(line.subject, line.at_folder) for line in firsts] == [("One", DONE), ("Two", DONE)]
    assert len(await rig.raw_mails(scanner_id)) == 2


async def test_a_mail_that_was_wanted_back_while_its_move_was_cut_short_goes_back(
    rig: Rig, dovecot: Dovecot, user: str, server: StrippedImap
) -> None:
    scanner_id = await scanner_of(rig, dovecot, user, ["Offer"], port=server.port, move_matched_to=None)
    await decide(rig, scanner_id, {"Offer": OutcomeType.SPAM})
    with pytest.raises(PowerCutError):
        await rig.scan(scanner_id, with_carrier(rig, crashing("transfer")))
    await decide(rig, scanner_id, {"Offer": OutcomeType.TICKET}, revision=2)
    assert await rig.scan(scanner_id)
    assert await rig.scan(scanner_id)
    places = [[one for one in folder(dovecot.port, user, name) if not one.startswith("[")] for name in ("INBOX", SPAM)]
    assert places == [["Offer"], []]
    await everything_settled(rig, scanner_id)


def with_carrier(rig: Rig, carrier: type[Carrier]) -> Scanning:
    scanning = Scanning(rig.tools, rig.settings, rig.scanning._accounts, rig.scanning._pool)
    scanning.carrier = carrier
    return scanning


# --- what goes wrong ----------------------------------------------------------------------------------------------------------------


async def test_a_mail_that_somebody_deleted_is_given_up_with_the_reason(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await scanner_of(rig, dovecot, user, ["One", "Two"])
    with imaplib.IMAP4("127.0.0.1", dovecot.port, timeout=20) as client:
        client.login(user, PASSWORD)
        client.select("INBOX")
        client.store("1", "+FLAGS", "(\\Deleted)")
        client.expunge()
    await decide(rig, scanner_id, {"One": OutcomeType.TICKET, "Two": OutcomeType.TICKET})
    assert await rig.scan(scanner_id)
    one, two = await firsts(rig, scanner_id)
    assert (one.move_to, one.move_after, two.at_folder) == (None, None, DONE)
    assert "moved or deleted by somebody else" in one.move_error
    assert "moved or deleted" in (await rig.api.get(f"/mails/{one.id}")).json()["move_error"]


async def test_a_refused_move_is_tried_again_later_and_stops_neither_others_nor_the_scan(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await scanner_of(rig, dovecot, user, ["Refused", "Fine"], move_matched_to="no//folder")
    append(dovecot.port, user, PASSWORD, [mail("New", "<new@x>")])
    await decide(rig, scanner_id, {"Refused": OutcomeType.TICKET, "Fine": OutcomeType.SPAM})
    assert await rig.scan(scanner_id)
    assert folder(dovecot.port, user, SPAM) == ["Fine"]
    assert "New" in [line.subject for line in await rig.lines(scanner_id)]
    [refused] = [line for line in await rig.lines(scanner_id) if line.subject == "Refused"]
    assert refused.move_error.startswith("The mail could not be moved to no//folder: the server refused it")
    assert 50 < (refused.move_after - utc_now()).total_seconds() <= 60

    for _ in range(8):
        await due_now(rig)
        assert await rig.scan(scanner_id)
    [refused] = [line for line in await rig.lines(scanner_id) if line.subject == "Refused"]
    assert (refused.move_to, refused.moving_to) == (None, None)
    assert "It is not tried again" in refused.move_error
    assert "Refused" in folder(dovecot.port, user, "INBOX")


async def test_a_server_that_breaks_at_a_move_is_read_all_the_same(rig: Rig, dovecot: Dovecot, user: str) -> None:
    with StrippedImap(dovecot.port, (), cut_at="UID MOVE") as server:
        scanner_id = await scanner_of(rig, dovecot, user, ["One"], port=server.port)
        await decide(rig, scanner_id, {"One": OutcomeType.TICKET})
        assert not await rig.scan(scanner_id)
        append(dovecot.port, user, PASSWORD, [mail("New", "<new@x>")])
        assert await rig.scan(scanner_id), "the next try waits"
        assert "New" in [line.subject for line in await rig.lines(scanner_id)]
        for _ in range(8):
            await due_now(rig)
            await rig.scan(scanner_id)
        [one, _] = await rig.lines(scanner_id)
        assert (one.move_to, one.moving_to) == (None, None)
        assert "broke at each try" in one.move_error


async def test_a_renumbered_folder_gives_its_mails_by_their_bytes(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await scanner_of(rig, dovecot, user, ["One"])
    maildir = dovecot.folder / "mail" / user / "Maildir"
    for file in [maildir / "dovecot-uidlist", *maildir.glob("dovecot.index*")]:
        file.unlink()
    append(dovecot.port, user, PASSWORD, [mail("Other", "<other@x>")])
    await decide(rig, scanner_id, {"One": OutcomeType.TICKET})
    assert await rig.scan(scanner_id)
    assert folder(dovecot.port, user, DONE) == ["One"]
    assert folder(dovecot.port, user, "INBOX") == ["Other"]


async def test_a_lost_lease_moves_nothing(rig: Rig, dovecot: Dovecot, user: str) -> None:
    class Losing(Carrier):
        async def flag(self, *arguments: Any) -> None:
            await super().flag(*arguments)
            self._lease.membership.lost = True

    scanner_id = await scanner_of(rig, dovecot, user, ["One"])
    await decide(rig, scanner_id, {"One": OutcomeType.TICKET})
    with pytest.raises(LeaseLostError):
        await rig.scan(scanner_id, with_carrier(rig, Losing))
    assert folder(dovecot.port, user, "INBOX") == ["One"]


# --- who is moved, and when ---------------------------------------------------------------------------------------------------------


async def test_a_mail_is_marked_read_before_it_is_moved_away(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await scanner_of(rig, dovecot, user, ["One"])
    async with rig.engine.begin() as conn:  # as a crash between publication and flag leaves it
        await conn.execute(update(LEDGER).values(flag_wanted=True))
    await rig.api.patch(f"/scanners/{scanner_id}", json={"after_scanning": "read"})
    await decide(rig, scanner_id, {"One": OutcomeType.TICKET})
    assert await rig.scan(scanner_id)
    assert all(b"\\Seen" in line for line in flags(dovecot.port, user, PASSWORD, '"Erledigt/F&AOQ-lle"'))


async def test_replayed_outcomes_older_mailboxes_and_older_revisions_move_nothing(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await scanner_of(rig, dovecot, user, ["Replayed", "Decided", "Older"])
    await decide(rig, scanner_id, {"Replayed": OutcomeType.TICKET}, replay="r1")
    await decide(rig, scanner_id, {"Decided": OutcomeType.RECEIPT}, revision=3)
    await decide(rig, scanner_id, {"Decided": OutcomeType.TICKET}, revision=2)
    assert [line.move_to for line in await rig.lines(scanner_id)] == [None, None, None]

    await decide(rig, scanner_id, {"Older": OutcomeType.TICKET})
    await rig.api.patch(f"/scanners/{scanner_id}", json={"username": f"other.{user}"})
    await rig.scan(scanner_id)
    await decide(rig, scanner_id, {"Replayed": OutcomeType.SPAM}, revision=2)
    assert [line.move_to for line in await rig.lines(scanner_id)] == [None, None, None]
    assert "another mailbox" in (await rig.lines(scanner_id))[2].move_error
    assert folder(dovecot.port, user, "INBOX") == ["Replayed", "Decided", "Older"]


async def test_a_made_folder_is_subscribed_to(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await scanner_of(rig, dovecot, user, ["One"])
    await decide(rig, scanner_id, {"One": OutcomeType.TICKET})
    await rig.scan(scanner_id)
    with imaplib.IMAP4("127.0.0.1", dovecot.port, timeout=20) as client:
        client.login(user, PASSWORD)
        assert any(b"Erledigt/F&AOQ-lle" in line for line in client.lsub()[1] if isinstance(line, bytes))


async def test_an_outcome_wakes_who_holds_the_mailbox(settings: Settings, dovecot: Dovecot, user: str) -> None:
    async with rig_on(settings) as rig, running(settings):
        scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD, interval_seconds=3600, push=False, **MOVING)
        append(dovecot.port, user, PASSWORD, [mail("One", f"<1.{user}>")])
        await rig.api.post(f"/scanners/{scanner_id}/scan")

        async def published() -> bool:
            return [line.state for line in await rig.lines(scanner_id)] == ["published"]

        await eventually_async(published, 30)
        await decide(rig, scanner_id, {"One": OutcomeType.TICKET})

        async def there() -> bool:
            return await asyncio.to_thread(folder, dovecot.port, user, DONE) == ["One"]

        await eventually_async(there, 30)


async def firsts(rig: Rig, scanner_id: str) -> list[Any]:
    return [line for line in await rig.lines(scanner_id) if line.duplicate_of is None]
