"""One connection to an SMTP server that does whatever servers do: commands in one piece, replies matched, and nothing believed too soon."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from notifier.adapters.smtp import Connection, CutShortError, HandedOverError, Patience, Server, ServerProblemError, StaleError
from notifier.domain.extensions import Letter
from notifier.domain.schedule import Result
from shared.api import SslMethod, SslType
from tests.kit.smtp_script import CLOSE, HOLD, SILENT, SmtpScript

pytestmark = pytest.mark.connected

SENDER = "help@help.example"
ANNA, BRUNO, CARLA = "anna@lakeside.example", "bruno@bikes.example", "carla@cakes.example"
DATA = b"Subject: hello\r\nMessage-ID: <1@help.example>\r\n\r\nhello\r\n.hidden\r\n"
AUTOMATIC = Letter("", (ANNA,), DATA, bounces_to=SENDER)
PLAIN = ("SIZE 1000000", "ENHANCEDSTATUSCODES")
PATIENT, IMPATIENT = Patience(30, 30, 30), Patience(30, 0.5, 0.5)
"""The impatient one is for servers that never answer."""


@pytest.fixture
def server() -> Iterator[SmtpScript]:
    made = SmtpScript()
    made.start()
    yield made
    made.stop()


@asynccontextmanager
async def connected(server: SmtpScript, patience: Patience = PATIENT, *, pipelining: bool = True) -> AsyncIterator[Connection]:
    connection = Connection(Server("127.0.0.1", server.port, SslType.NONE, SslMethod.VALIDATE), patience, pipelining=pipelining)
    await connection.connect()
    try:
        yield connection
    finally:
        await connection.quit()


async def results(connection: Connection, *people: str, data: bytes = DATA) -> list[Result]:
    verdicts = await connection.send(Letter(SENDER, people, data))
    return [verdicts[one].result for one in people]


async def test_all_commands_of_a_mail_go_in_one_piece(server: SmtpScript) -> None:
    async with connected(server) as connection:
        assert await results(connection, ANNA, BRUNO) == [Result.SENT, Result.SENT]
        assert await results(connection, CARLA) == [Result.SENT]
    size = len(DATA)
    expected = f"MAIL FROM:<{SENDER}> SIZE={size}\r\nRCPT TO:<{ANNA}>\r\nRCPT TO:<{BRUNO}>\r\nDATA\r\n".encode()
    assert expected in server.pieces
    assert [one.recipients for one in server.mails] == [[ANNA, BRUNO], [CARLA]]
    assert {one.data for one in server.mails} == {DATA}
    assert server.connections == 1
    assert server.commands("RSET") == []


@pytest.mark.parametrize("switched_off", [False, True])
async def test_commands_go_one_by_one_where_it_is_not_offered(server: SmtpScript, switched_off: bool) -> None:
    server.extensions = server.extensions if switched_off else PLAIN
    async with connected(server, pipelining=not switched_off) as connection:
        assert await results(connection, ANNA, BRUNO) == [Result.SENT, Result.SENT]
    assert b"DATA\r\n" in server.pieces
    assert all(piece.count(b"\r\n") == 1 for piece in server.pieces if not piece.startswith(b"Subject"))


@pytest.mark.parametrize("extensions", [("PIPELINING",), PLAIN])
async def test_a_refused_recipient_is_the_right_one(server: SmtpScript, extensions: tuple[str, ...]) -> None:
    server.extensions = extensions
    server.answers["rcpt"] = ["250 OK", "550-5.1.1 no\r\n550 5.1.1 such user", "451 4.3.0 later"]
    async with connected(server) as connection:
        verdicts = await connection.send(Letter(SENDER, (ANNA, BRUNO, CARLA), DATA))
    assert [verdicts[one].result for one in (ANNA, BRUNO, CARLA)] == [Result.SENT, Result.PERMANENT, Result.TEMPORARY]
    assert verdicts[BRUNO].detail == "550 5.1.1 no 5.1.1 such user"
    assert [one.recipients for one in server.mails] == [[ANNA]]


@pytest.mark.parametrize("extensions", [("PIPELINING",), PLAIN])
@pytest.mark.parametrize("point", ["mail", "rcpt", "data", "end"])
async def test_after_a_refusal_the_next_mail_goes_over_the_same_connection(
    server: SmtpScript, extensions: tuple[str, ...], point: str
) -> None:
    server.extensions = extensions
    server.answers[point] = ["554 5.7.1 not this one"]
    async with connected(server) as connection:
        assert await results(connection, ANNA) == [Result.PERMANENT]
        assert connection.open
        assert await results(connection, BRUNO) == [Result.SENT]
    assert [one.recipients for one in server.taken] == [[BRUNO]]
    assert server.connections == 1
    assert len(server.commands("RSET")) == (1 if point in {"rcpt", "data"} else 0)  # only what left a mail begun is taken back


async def test_a_server_that_wants_the_mail_though_nobody_takes_it_gets_an_empty_one(server: SmtpScript) -> None:
    """RFC 2920, 3.1: DATA may be answered with 354 all the same."""
    server.answers["rcpt"] = ["550 5.1.1 no such user"]
    server.answers["data"] = ["354 go ahead"]
    async with connected(server) as connection:
        assert await results(connection, ANNA) == [Result.PERMANENT]
        assert await results(connection, BRUNO) == [Result.SENT]
    assert [(one.recipients, one.data) for one in server.mails] == [([], b""), ([BRUNO], DATA)]


@pytest.mark.parametrize("extensions", [("PIPELINING",), PLAIN])
async def test_recipients_beyond_the_limit_of_the_server_wait_for_the_next_dialogue(
    server: SmtpScript, extensions: tuple[str, ...]
) -> None:
    server.extensions = extensions
    server.answers["rcpt"] = ["250 OK", "452 4.5.3 too many recipients", "452 4.5.3 too many recipients"]
    async with connected(server) as connection:
        assert await results(connection, ANNA, BRUNO, CARLA) == [Result.SENT, Result.NEXT, Result.NEXT]


async def test_no_more_than_a_hundred_recipients_go_in_one_dialogue(server: SmtpScript) -> None:
    people = [f"p{number}@lakeside.example" for number in range(130)]
    async with connected(server) as connection:
        verdicts = await connection.send(Letter(SENDER, tuple(people), DATA))
    assert [verdicts[one].result for one in people] == [Result.SENT] * 100 + [Result.NEXT] * 30


async def test_when_nobody_got_the_mail_nobody_is_next(server: SmtpScript) -> None:
    server.answers["rcpt"] = ["250 OK", "452 4.5.3 too many recipients"]
    server.answers["end"] = ["451 4.3.0 disk trouble"]
    async with connected(server) as connection:
        assert await results(connection, ANNA, BRUNO) == [Result.TEMPORARY, Result.TEMPORARY]


@pytest.mark.parametrize("point", ["mail", "rcpt", "data"])
async def test_good_bye_in_the_middle_ends_the_dialogue_and_nothing_is_handed_over(server: SmtpScript, point: str) -> None:
    server.answers[point] = ["421 4.3.2 shutting down"]
    async with connected(server) as connection:
        with pytest.raises(ServerProblemError, match=r"421 4\.3\.2 shutting down") as raised:
            await connection.send(Letter(SENDER, (ANNA, BRUNO), DATA))
        assert type(raised.value) is ServerProblemError
        assert not connection.open
        assert not connection.grouped  # which is no fault of sending in one piece
    assert server.mails == []


@pytest.mark.parametrize("action", [CLOSE, SILENT, "what a day", "25 short", "250-one\r\n550 other", "99 \r\n250 OK"])
@pytest.mark.parametrize("point", ["mail", "rcpt", "data"])
async def test_what_is_no_answer_breaks_the_dialogue_off(server: SmtpScript, point: str, action: str) -> None:
    server.answers[point] = [action]
    async with connected(server, IMPATIENT if action == SILENT else PATIENT) as connection:
        with pytest.raises(ServerProblemError) as raised:
            await connection.send(Letter(SENDER, (ANNA, BRUNO), DATA))
        assert type(raised.value) is ServerProblemError
        assert not connection.open
    assert server.mails == []


@pytest.mark.parametrize("action", [CLOSE, SILENT, "what a day", "354 more of it"])
async def test_after_the_mail_was_handed_over_nobody_knows(server: SmtpScript, action: str) -> None:
    server.answers["end"] = [action]
    async with connected(server, IMPATIENT if action == SILENT else PATIENT) as connection:
        with pytest.raises(HandedOverError, match="the server may have the mail"):
            await connection.send(Letter(SENDER, (ANNA,), DATA))
        assert not connection.open


async def test_good_bye_after_the_mail_is_an_answer(server: SmtpScript) -> None:
    server.answers["end"] = ["421 4.3.2 shutting down"]
    async with connected(server) as connection:
        assert await results(connection, ANNA) == [Result.TEMPORARY]
        assert not connection.open


async def test_a_server_that_gives_too_many_answers_is_not_believed(server: SmtpScript) -> None:
    """Its next ones would be about something else."""
    server.answers["rcpt"] = ["250 OK\r\n250 OK"]
    async with connected(server) as connection:
        with pytest.raises(ServerProblemError, match=r"answered DATA with '250 OK'|more answers than it was asked for"):
            await connection.send(Letter(SENDER, (ANNA,), DATA))
        assert connection.grouped
    assert server.mails == []


async def test_a_connection_that_the_server_had_enough_of_is_stale(server: SmtpScript) -> None:
    server.most_mails = 1
    async with connected(server) as connection:
        assert await results(connection, ANNA) == [Result.SENT]
        with pytest.raises(StaleError, match="enough mails"):
            await connection.send(Letter(SENDER, (BRUNO,), DATA))


async def test_a_connection_that_was_idle_too_long_is_not_open(server: SmtpScript) -> None:
    async with connected(server) as connection:
        assert await results(connection, ANNA) == [Result.SENT]
        server.hang_up()
        with pytest.raises(StaleError):
            await connection.send(Letter(SENDER, (BRUNO,), DATA))
        assert not connection.open
    assert len(server.mails) == 1


async def test_trickling_answers_of_many_lines_are_read_whole(server: SmtpScript) -> None:
    server.trickling = True
    server.answers["mail"] = ["250-2.1.0 let me think\r\n250-2.1.0 about it\r\n250 2.1.0 OK"]
    async with connected(server) as connection:
        assert await results(connection, ANNA) == [Result.SENT]


async def test_answers_without_end_are_cut(server: SmtpScript) -> None:
    server.answers["mail"] = ["250-more\r\n" * 50_000 + "250 OK"]
    async with connected(server) as connection:
        with pytest.raises(ServerProblemError):
            await connection.send(Letter(SENDER, (ANNA,), DATA))


async def test_a_large_mail_arrives_as_it_is(server: SmtpScript) -> None:
    data = b"Subject: large\r\n\r\n" + b"".join(b".%d\r\n" % number for number in range(300_000))
    async with connected(server) as connection:
        assert await results(connection, ANNA, data=data) == [Result.SENT]
    assert server.mails[0].data == data


async def test_a_mail_larger_than_the_server_takes_is_not_even_begun(server: SmtpScript) -> None:
    server.extensions = ("PIPELINING", "SIZE 100")
    async with connected(server) as connection:
        verdicts = await connection.send(Letter(SENDER, (ANNA,), b"x" * 101))
        assert verdicts[ANNA].result is Result.PERMANENT
        assert "send fewer or smaller files" in verdicts[ANNA].detail
    assert server.commands("MAIL") == []


@pytest.mark.parametrize("offered", [True, False])
async def test_an_international_address_goes_where_it_is_offered(server: SmtpScript, offered: bool) -> None:
    server.extensions = ("PIPELINING", "8BITMIME", "SMTPUTF8") if offered else ("PIPELINING",)
    address = "jürgen@lakeside.example"
    async with connected(server) as connection:
        verdicts = await connection.send(Letter(SENDER, (address,), DATA))
    assert verdicts[address].result is (Result.SENT if offered else Result.PERMANENT)
    assert ("SMTPUTF8" in verdicts[address].detail) is not offered
    assert [one.recipients for one in server.mails] == ([[address]] if offered else [])


async def test_the_empty_sender_of_automatic_mails(server: SmtpScript) -> None:
    async with connected(server) as connection:
        await connection.send(AUTOMATIC)
    assert server.mails[0].sender == ""
    assert server.commands("MAIL")[0].startswith("MAIL FROM:<>")


@pytest.mark.parametrize("extensions", [("PIPELINING",), PLAIN])
@pytest.mark.parametrize(
    ("point", "words"),
    [
        ("mail", "501 Invalid MAIL FROM address provided"),
        ("mail", "550 5.1.7 empty senders are not taken"),
        ("rcpt", "503 MAIL must come before RCPT"),
        ("rcpt", "550 5.1.8 sender rejected"),
    ],
)
async def test_a_server_that_takes_no_empty_sender_gets_an_address_and_is_asked_once(
    server: SmtpScript, extensions: tuple[str, ...], point: str, words: str
) -> None:
    server.extensions, server.answers[point] = extensions, [words]
    async with connected(server) as connection:
        verdicts = [(await connection.send(AUTOMATIC))[ANNA] for _ in range(2)]
    assert [one.result for one in verdicts] == [Result.SENT, Result.SENT]
    assert all(f"return path {SENDER}" in one.detail for one in verdicts)
    assert [one.sender for one in server.taken] == [SENDER, SENDER]
    assert [one.split(" ")[1] for one in server.commands("MAIL")] == ["FROM:<>", f"FROM:<{SENDER}>", f"FROM:<{SENDER}>"]


async def test_what_is_refused_with_an_address_too_is_refused(server: SmtpScript) -> None:
    server.answers["mail"] = ["550 5.7.1 you are blocked", "550 5.7.1 you are blocked"]
    async with connected(server) as connection:
        assert (await connection.send(AUTOMATIC))[ANNA].result is Result.PERMANENT
    assert server.mails == []


@pytest.mark.parametrize("words", ["550 5.1.1 no such user", "451 4.7.1 come back later"])
async def test_a_recipient_refused_for_another_reason_is_not_tried_with_an_address(server: SmtpScript, words: str) -> None:
    server.answers["rcpt"] = [words]
    async with connected(server) as connection:
        assert (await connection.send(AUTOMATIC))[ANNA].detail == words
    assert len(server.commands("MAIL")) == 1


async def test_the_id_the_server_gave_is_told(server: SmtpScript) -> None:
    server.answers["end"] = ["250 2.6.0 <other@server.example> [InternalId=1, Hostname=EX1] Queued mail for delivery"]
    async with connected(server) as connection:
        verdicts = await connection.send(Letter(SENDER, (ANNA,), DATA), "<1@help.example>")
    assert verdicts[ANNA].alias == "<other@server.example>"


@pytest.mark.parametrize(
    ("point", "action", "says"),
    [
        ("banner", SILENT, "connect to"),
        ("banner", CLOSE, "connect to"),
        ("banner", "554 5.7.1 not you", "554 5.7.1 not you"),
        ("banner", "421 4.7.0 too many connections", "421 4.7.0 too many connections"),
        ("ehlo", CLOSE, "greeting"),
        ("ehlo", "421 4.3.2 not now", "421 4.3.2 not now"),
    ],
)
async def test_a_server_that_does_not_let_us_in(server: SmtpScript, point: str, action: str, says: str) -> None:
    server.answers[point] = [action]
    connection = Connection(Server("127.0.0.1", server.port, SslType.NONE, SslMethod.VALIDATE), Patience(0.5, 0.5, 0.5))
    with pytest.raises(ServerProblemError, match=says):
        await connection.connect()
    assert not connection.open


async def test_a_server_that_refuses_tls_gets_no_mail_in_clear_text(server: SmtpScript) -> None:
    server.extensions = (*server.extensions, "STARTTLS")
    connection = Connection(Server("127.0.0.1", server.port, SslType.STARTTLS, SslMethod.VALIDATE), PATIENT)
    with pytest.raises(ServerProblemError, match=r"454 4\.7\.0 no TLS today"):
        await connection.connect()
    assert server.commands("MAIL") == []


async def test_a_server_that_knows_only_helo_gets_its_mails(server: SmtpScript) -> None:
    server.answers["ehlo"] = ["502 5.5.2 what?"]
    async with connected(server) as connection:
        assert await results(connection, ANNA) == [Result.SENT]
    assert server.commands("HELO")


async def test_the_transcript_shows_the_last_lines(server: SmtpScript) -> None:
    server.answers["rcpt"] = ["550 5.1.1 no such user"]
    async with connected(server) as connection:
        await connection.send(Letter(SENDER, (ANNA,), DATA))
        assert f"C: RCPT TO:<{ANNA}>" in connection.transcript
        assert "S: 550 5.1.1 no such user" in connection.transcript


async def _read_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An SMTP server at the end of a link of 16 MB/s."""
    for words in ("220 slow.test", "250 slow.test", "250 OK", "250 OK", "354 go ahead"):
        writer.write(f"{words}\r\n".encode())
        await (reader.readline() if words[:3] != "354" else asyncio.sleep(0))
    end = b""
    while not end.endswith(b"\r\n.\r\n"):
        piece = await reader.read(256 * 1024)
        end = end[-5:] + piece
        await asyncio.sleep(len(piece) / 16e6)
    writer.write(b"250 OK\r\n")
    await reader.readline()
    writer.write(b"221 bye\r\n")
    writer.close()
    await writer.wait_closed()


async def test_a_slow_link_gets_a_large_mail_as_long_as_it_moves() -> None:
    """It takes longer in all than a piece of it may."""
    patience = Patience(30, 30, 1.0)
    async with await asyncio.start_server(_read_slowly, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        connection = Connection(Server("127.0.0.1", port, SslType.NONE, SslMethod.VALIDATE), patience)
        await connection.connect()
        began = time.monotonic()
        assert await results(connection, ANNA, data=b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * 600_000) == [Result.SENT]
        assert time.monotonic() - began > patience.data
        await connection.quit()


async def test_a_mail_whose_end_never_left_was_not_handed_over(server: SmtpScript) -> None:
    server.answers["content"] = [SILENT]
    data = b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * 400_000
    async with connected(server, IMPATIENT) as connection:
        with pytest.raises(CutShortError, match=r"took no more of the mail for 0\.5 seconds") as raised:
            await connection.send(Letter(SENDER, (ANNA,), data))
        assert "may have" not in str(raised.value)
        assert not connection.open
    assert server.mails == []


async def test_a_server_that_hangs_up_in_the_middle_of_a_mail_was_not_given_it(server: SmtpScript) -> None:
    server.answers["content"] = [CLOSE]
    data = b"Subject: large\r\n\r\n" + (b"x" * 70 + b"\r\n") * 400_000
    async with connected(server) as connection:
        with pytest.raises(CutShortError):
            await connection.send(Letter(SENDER, (ANNA,), data))


async def test_only_the_connection_itself_is_in_a_hurry(server: SmtpScript) -> None:
    """EHLO is a command like any other: servers look us up before they answer it."""
    server.answers["ehlo"] = [HOLD]
    connection = Connection(Server("127.0.0.1", server.port, SslType.NONE, SslMethod.VALIDATE), Patience(0.3, 30, 30))
    connecting = asyncio.create_task(connection.connect())
    await asyncio.wait({connecting}, timeout=1)
    assert not connecting.done()
    server.go_on()
    await connecting
    assert connection.open
    await connection.quit()
