"""Mails whose sender came off the spam list: published again from the archive, and moved to where their new outcome wants them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from fetcher.handlers import on_outcomes
from fetcher.released import Releaser
from fetcher.settings import Settings
from shared.clock import utc_now
from shared.events import MailOutcome, OutcomeType
from shared.messaging.envelope import Envelope
from shared.messaging.outbox import Source, Unit
from shared.messaging.producer import Message, make_producer, send_all
from shared.messaging.received import Received, Record
from shared.topics import MAIL_OUTCOMES
from tests.integration.fetcher.rig import Rig, header, running
from tests.integration.fetcher.test_moves import folder, scanner_of
from tests.kit.dovecot import Dovecot
from tests.kit.eventually import eventually_async

pytestmark = pytest.mark.connected
SPAM_ONLY: dict[str, Any] = {"move_matched_to": None, "move_unmatched_to": None, "spam_folder": "Junk"}


class PowerCutError(BaseException):
    """Not an Exception: nothing may handle it."""


async def line_of(rig: Rig, scanner_id: str, subject: str) -> Any:
    return next(line for line in await rig.lines(scanner_id) if line.subject == subject and line.duplicate_of is None)


async def decide(rig: Rig, scanner_id: str, subject: str, kind: OutcomeType, revision: int, run: int = 1) -> None:
    """An outcome as the consumer gets it."""
    mail_id = (await line_of(rig, scanner_id, subject)).id
    body = MailOutcome(mail_id=mail_id, scanner_id=scanner_id, run=run, revision=revision, type=kind, at=utc_now())
    envelope = Envelope(f"{mail_id}-{run}-{revision}", "/test", MAIL_OUTCOMES.event_type, utc_now())
    received = Received(envelope, mail_id, b"", Record("", 0, 0, None, {}, None), body)
    async with rig.engine.begin() as conn:
        await on_outcomes(Unit(conn, Source("fetcher", rig.settings.namespace)), [received])


async def api_outcome(rig: Rig, scanner_id: str, subject: str) -> Any:
    mail_id = (await line_of(rig, scanner_id, subject)).id
    return (await rig.api.get(f"/mails/{mail_id}")).json()["outcome"]


def places(dovecot: Dovecot, user: str) -> list[list[str]]:
    return [folder(dovecot.port, user, name) for name in ("INBOX", "Junk")]


async def held(rig: Rig, dovecot: Dovecot, user: str, *subjects: str, **more: Any) -> str:
    """A scanner whose mails are spam, and in its spam folder."""
    scanner_id = await scanner_of(rig, dovecot, user, list(subjects), **(SPAM_ONLY | more))
    for subject in subjects:
        await decide(rig, scanner_id, subject, OutcomeType.SPAM, 1)
    assert await rig.scan(scanner_id)
    assert places(dovecot, user) == [[], list(subjects)]
    return scanner_id


async def test_a_released_mail_is_under_way_again_and_published_once_more(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await held(rig, dovecot, user, "Offer")
    await decide(rig, scanner_id, "Offer", OutcomeType.RELEASED, 2)
    assert await api_outcome(rig, scanner_id, "Offer") is None
    assert await Releaser(rig.tools).publish_some() == 1
    assert await Releaser(rig.tools).publish_some() == 0
    first, again = await rig.raw_mails(scanner_id)
    assert (header(first, "ce_id"), first.value) == (header(again, "ce_id"), again.value)
    assert (header(first, "ce_resend"), header(again, "ce_resend")) == ("", "1")
    assert await rig.scan(scanner_id)
    assert places(dovecot, user) == [[], ["Offer"]], "it stays where it is until it is known what it is"


@pytest.mark.parametrize("spam_folder", ["Junk", None], ids=["setting kept", "setting gone meanwhile"])
async def test_its_new_outcome_takes_it_out_of_the_spam_folder(rig: Rig, dovecot: Dovecot, user: str, spam_folder: str | None) -> None:
    scanner_id = await held(rig, dovecot, user, "Offer")
    await rig.api.patch(f"/scanners/{scanner_id}", json={"spam_folder": spam_folder})
    await decide(rig, scanner_id, "Offer", OutcomeType.RELEASED, 2)
    await Releaser(rig.tools).publish_some()
    await decide(rig, scanner_id, "Offer", OutcomeType.TICKET, 3)
    assert await rig.scan(scanner_id)
    assert places(dovecot, user) == [["Offer"], []]
    assert (await api_outcome(rig, scanner_id, "Offer"))["type"] == "ticket"
    assert len(await rig.raw_mails(scanner_id)) == 2, "moved back, it is no new mail"


async def test_it_goes_straight_where_acted_mails_go(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await held(rig, dovecot, user, "Offer", move_matched_to="Done")
    await decide(rig, scanner_id, "Offer", OutcomeType.RELEASED, 2)
    await Releaser(rig.tools).publish_some()
    await decide(rig, scanner_id, "Offer", OutcomeType.TICKET, 3)
    assert await rig.scan(scanner_id)
    assert [*places(dovecot, user), folder(dovecot.port, user, "Done")] == [[], [], ["Offer"]]


async def test_older_news_told_again_does_not_end_the_release(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await held(rig, dovecot, user, "Offer")
    await decide(rig, scanner_id, "Offer", OutcomeType.RELEASED, 2)
    await decide(rig, scanner_id, "Offer", OutcomeType.SPAM, 1)
    await decide(rig, scanner_id, "Offer", OutcomeType.RELEASED, 2)
    assert await api_outcome(rig, scanner_id, "Offer") is None
    assert await Releaser(rig.tools).publish_some() == 1
    await decide(rig, scanner_id, "Offer", OutcomeType.RELEASED, 2)
    assert await Releaser(rig.tools).publish_some() == 0


async def test_a_release_that_was_overtaken_changes_nothing(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await held(rig, dovecot, user, "Offer")
    await decide(rig, scanner_id, "Offer", OutcomeType.SPAM, 3)
    await decide(rig, scanner_id, "Offer", OutcomeType.RELEASED, 2)
    assert (await api_outcome(rig, scanner_id, "Offer"))["type"] == "spam"
    assert await Releaser(rig.tools).publish_some() == 0


async def test_one_released_before_it_was_moved_stays_where_it_is(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await scanner_of(rig, dovecot, user, ["Offer"], **SPAM_ONLY)
    await decide(rig, scanner_id, "Offer", OutcomeType.SPAM, 1)
    await decide(rig, scanner_id, "Offer", OutcomeType.RELEASED, 2)
    assert await rig.scan(scanner_id)
    assert places(dovecot, user) == [["Offer"], []]


async def test_one_the_archive_holds_no_more_is_failed_and_says_so(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await held(rig, dovecot, user, "Kept", "Lost")
    await rig.tools.archive.remove_many([(await line_of(rig, scanner_id, "Lost")).archive_key])
    for subject in ("Kept", "Lost"):
        await decide(rig, scanner_id, subject, OutcomeType.RELEASED, 2)
    await Releaser(rig.tools).publish_some()
    outcome = await api_outcome(rig, scanner_id, "Lost")
    assert (outcome["type"], outcome["run"], outcome["revision"]) == ("failed", 1, 2)
    assert (
        outcome["reason"]
        == "the archive holds the mail no more; it was to be published again, since its sender was taken off the spam list"
    )
    assert await api_outcome(rig, scanner_id, "Kept") is None
    await decide(rig, scanner_id, "Lost", OutcomeType.SPAM, 1)
    assert (await api_outcome(rig, scanner_id, "Lost"))["type"] == "failed", "older news does not hide it"


async def test_a_crash_between_publishing_and_noting_it_publishes_the_same_event(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await held(rig, dovecot, user, "Offer")
    await decide(rig, scanner_id, "Offer", OutcomeType.RELEASED, 2)
    with pytest.raises(PowerCutError):
        async with dying_after_publishing(rig) as releaser:
            await releaser.publish_some()
    await Releaser(rig.tools).publish_some()
    _, first, again = await rig.raw_mails(scanner_id)
    assert [(header(one, "ce_id"), header(one, "ce_resend")) for one in (first, again)] == [(header(first, "ce_id"), "1")] * 2


@asynccontextmanager
async def dying_after_publishing(rig: Rig) -> AsyncIterator[Releaser]:
    """The transaction is lost when all of it is done but its end."""
    async with rig.engine.connect() as conn, conn.begin():

        class Engine:
            @asynccontextmanager
            async def begin(self) -> AsyncIterator[Any]:
                yield conn
                raise PowerCutError

        yield Releaser(replace(rig.tools, engine=Engine()))  # type: ignore[arg-type]  # only what is asked of it


async def test_the_running_service_does_it_by_itself(rig: Rig, settings: Settings, dovecot: Dovecot, user: str) -> None:
    scanner_id = await held(rig, dovecot, user, "Offer")
    mail_id = (await line_of(rig, scanner_id, "Offer")).id
    producer = make_producer(settings.kafka_bootstrap, "test")
    await producer.start()

    async def tell(kind: OutcomeType, revision: int) -> None:
        body = MailOutcome(mail_id=mail_id, scanner_id=scanner_id, revision=revision, type=kind, at=utc_now())
        envelope = Envelope(f"{mail_id}-{revision}", "/test", MAIL_OUTCOMES.event_type, utc_now())
        topic = MAIL_OUTCOMES.full_name(settings.namespace)
        message = Message(topic, mail_id.encode(), envelope.headers(), body.model_dump_json().encode())
        assert await send_all(producer, [message]) == [None]

    async def published_again() -> bool:
        return len(await rig.raw_mails(scanner_id)) == 2

    async def back() -> bool:
        return places(dovecot, user) == [["Offer"], []]

    try:
        async with running(settings):
            await tell(OutcomeType.RELEASED, 2)
            await eventually_async(published_again, seconds=60)
            await tell(OutcomeType.TICKET, 3)
            await eventually_async(back, seconds=60)
    finally:
        await producer.stop()
