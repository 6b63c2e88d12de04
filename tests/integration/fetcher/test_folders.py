"""The folders of a mailbox, as Dovecot lists them; and as servers do that are older or odder."""

from __future__ import annotations

import imaplib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fetcher.adapters.imap.syntax import quoted_name
from tests.integration.fetcher.imap_script import ScriptedImap, ok
from tests.integration.fetcher.rig import Rig, append, flags, mail
from tests.kit import dovecot as dovecot_kit
from tests.kit.dovecot import PASSWORD, Dovecot

pytestmark = pytest.mark.connected

PUBLIC = """
namespace public {
  type = public
  prefix = Public/
  separator = /
  location = maildir:%s/mail/public
  subscriptions = no
  list = %s
}
"""


class PublicDovecot(Dovecot):
    """Has folders that everybody shares. `shown`: whether LIST shows them unasked."""

    shown = "children"

    def _prepare(self) -> None:
        super()._prepare()
        with (self.folder / "dovecot.conf").open("a") as config:
            config.write(PUBLIC % (self.folder, self.shown))


@pytest.fixture(params=["children", "no"])
def public(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    if not dovecot_kit.installed():
        pytest.skip(dovecot_kit.MISSING)
    folder = Path(tempfile.mkdtemp(prefix="mailconverter-public-"))
    server = PublicDovecot(folder)
    server.shown = request.param
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


async def listed(rig: Rig, scanner_id: str) -> dict[str, dict[str, Any]]:
    answer = await rig.api.get(f"/scanners/{scanner_id}/folders")
    assert answer.status_code == 200, answer.text
    return {one["name"]: one for one in answer.json()["items"]}


def as_user(port: int, user: str, work: Callable[[Any], object]) -> None:
    client = imaplib.IMAP4("127.0.0.1", port, timeout=20)
    try:
        client.login(user, PASSWORD)
        work(client)
    finally:
        client.logout()


async def test_folders_are_a_tree_with_special_use_and_counts(rig: Rig, dovecot: Dovecot, user: str) -> None:
    append(dovecot.port, user, PASSWORD, [mail("Read", "<1@x>")], flags="(\\Seen)")
    append(dovecot.port, user, PASSWORD, [mail("Unread", "<2@x>")])
    as_user(dovecot.port, user, lambda c: c.create(quoted_name("Kunden/Entwürfe/受信箱")))
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    folders = await listed(rig, scanner_id)

    assert list(folders) == ["INBOX", "Junk", "Kunden", "Kunden/Entwürfe", "Kunden/Entwürfe/受信箱"]
    assert folders["INBOX"] | {"selected": True, "messages": 2, "unread": 1, "delimiter": "/", "selectable": True} == folders["INBOX"]
    assert folders["Junk"]["special_use"] == "\\Junk"
    assert [name for name, one in folders.items() if one["selected"]] == ["INBOX"], "new folders are not ticked"
    assert not folders["Kunden"]["selectable"]
    assert folders["Kunden/Entwürfe/受信箱"]["messages"] == 0


@pytest.mark.parametrize("name", ["Entwürfe", 'He said "no"', "back\\slash", "100%", "R&D", "007"])
async def test_a_folder_of_any_name_is_read(rig: Rig, dovecot: Dovecot, user: str, name: str) -> None:
    folder = quoted_name(name)
    as_user(dovecot.port, user, lambda c: [c.create(folder), c.append(folder, "", "", mail("In it", "<in@x>"))])
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    assert name in await listed(rig, scanner_id)
    await rig.api.put(f"/scanners/{scanner_id}/folders", json={"selected": [name]})
    assert await rig.scan(scanner_id)
    assert [(line.folder, line.subject) for line in await rig.lines(scanner_id)] == [(name, "In it")]


async def test_shared_folders_are_listed_and_say_that_they_are(rig: Rig, public: Dovecot, user: str) -> None:
    append(public.port, user, PASSWORD, [mail("For all", "<all@x>")], "Public/Team")
    scanner_id = await rig.add_scanner(public.port, user, PASSWORD)
    folders = await listed(rig, scanner_id)
    assert {name: one["namespace"] for name, one in folders.items()} == {
        "INBOX": "personal",
        "Junk": "personal",
        "Public": "shared",
        "Public/Team": "shared",
    }
    assert folders["Public/Team"]["messages"] == 1


async def test_a_renamed_folder_is_reported_with_its_new_name_and_heals(rig: Rig, dovecot: Dovecot, user: str) -> None:
    append(dovecot.port, user, PASSWORD, [mail("Before", "<before@x>")], "Orders")
    append(dovecot.port, user, PASSWORD, [], "Other")
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.api.put(f"/scanners/{scanner_id}/folders", json={"selected": ["INBOX", "Orders"]})
    await rig.scan(scanner_id)

    as_user(dovecot.port, user, lambda c: c.rename("Orders", "Old orders".join('""')))
    append(dovecot.port, user, PASSWORD, [mail("In INBOX", "<inbox@x>")])
    assert await rig.scan(scanner_id), "the other folders are read"
    [problem] = (await rig.state(scanner_id))["problems"]
    assert (problem["folder"], problem["renamed_to"]) == ("Orders", "Old orders")
    folders = await listed(rig, scanner_id)
    assert folders["Orders"] | {"missing": True, "selected": True, "selectable": False, "renamed_to": "Old orders"} == folders["Orders"]
    assert not folders["Old orders"]["selected"]
    assert "In INBOX" in [line.subject for line in await rig.lines(scanner_id)]

    as_user(dovecot.port, user, lambda c: c.rename("Old orders".join('""'), "Orders"))
    await rig.scan(scanner_id)
    state = await rig.state(scanner_id)
    assert (state["problems"], state["last_error"]) == ([], None)
    assert len(await rig.raw_mails(scanner_id)) == 2, "nothing is published twice"


async def test_a_deleted_folder_is_reported_and_a_new_one_of_its_name_is_read(rig: Rig, dovecot: Dovecot, user: str) -> None:
    append(dovecot.port, user, PASSWORD, [mail("Before", "<before@x>")], "Orders")
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    await rig.api.put(f"/scanners/{scanner_id}/folders", json={"selected": ["Orders"]})
    await rig.scan(scanner_id)
    as_user(dovecot.port, user, lambda c: c.delete("Orders"))
    await rig.scan(scanner_id)
    [problem] = (await rig.state(scanner_id))["problems"]
    assert (problem["folder"], problem["renamed_to"]) == ("Orders", None)
    assert (await listed(rig, scanner_id))["Orders"]["missing"]

    append(dovecot.port, user, PASSWORD, [mail("After", "<after@x>")], "Orders")
    await rig.scan(scanner_id)
    assert (await rig.state(scanner_id))["problems"] == []
    assert [line.subject for line in await rig.lines(scanner_id)] == ["Before", "After"]


async def test_inbox_is_selected_by_any_case(rig: Rig, dovecot: Dovecot, user: str) -> None:
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    answer = await rig.api.put(f"/scanners/{scanner_id}/folders", json={"selected": ["inbox"]})
    assert [one["name"] for one in answer.json()["items"]] == ["INBOX"]
    assert not (await listed(rig, scanner_id))["INBOX"]["missing"]


async def test_reading_changes_no_flag(rig: Rig, dovecot: Dovecot, user: str) -> None:
    append(dovecot.port, user, PASSWORD, [mail("One", "<1@x>")], flags="(\\Flagged \\Answered)")
    append(dovecot.port, user, PASSWORD, [mail("Two", "<2@x>")])
    before = flags(dovecot.port, user, PASSWORD)
    scanner_id = await rig.add_scanner(dovecot.port, user, PASSWORD)
    assert await rig.scan(scanner_id)
    assert [line.replace(b" \\Recent", b"").replace(b"\\Recent", b"") for line in flags(dovecot.port, user, PASSWORD)] == [
        line.replace(b" \\Recent", b"").replace(b"\\Recent", b"") for line in before
    ]
    with ScriptedImap(ok) as server:
        scanner_id = await rig.add_scanner(server.port, user, PASSWORD)
        await rig.scan(scanner_id)
    commands = [line.split(" ")[1].upper() for line in server.received if " " in line]
    assert "EXAMINE" in commands
    assert "SELECT" not in commands, "who writes nothing opens the folder for reading only"


# --- servers that are older or odder ------------------------------------------------------------------------------------------------


def answering(answers: dict[str, list[bytes]]) -> Callable[[str, str, str], list[bytes] | None]:
    """Answers by the beginning of `COMMAND arguments`; OK to everything else."""

    def answer(tag: str, command: str, arguments: str) -> list[bytes] | None:
        line = f"{command} {arguments}"
        found = next((lines for start, lines in answers.items() if line.startswith(start)), [])
        if found == [b"NO"]:
            return [f"{tag} NO not now".encode()]
        return [*found, f"{tag} OK done".encode()]

    return answer


async def folders_of(rig: Rig, user: str, answers: dict[str, list[bytes]], capability: str = "IMAP4rev1") -> dict[str, dict[str, Any]]:
    with ScriptedImap(answering(answers), capability=capability) as server:
        scanner_id = await rig.add_scanner(server.port, user, PASSWORD)
        return await listed(rig, scanner_id)


async def test_names_come_as_literals_atoms_and_without_delimiter(rig: Rig, user: str) -> None:
    lines = [
        b'* LIST (\\HasNoChildren) "/" {7}\r\nOrders!',
        b'* LIST () "/" NIL',
        b"* LIST () NIL flat.name",
        b'* LIST (\\Noselect) "/" ""',
        b'* LIST () "." "a.b.c"',
        b'* LIST (\\NonExistent) "\\\\" "x\\\\y"',
        b'* LIST () "/" Inbox',
    ]
    counts = {"STATUS": [b"* STATUS x (MESSAGES 3 UNSEEN 1)"], 'STATUS "a.b.c"': [b"NO"]}
    folders = await folders_of(rig, user, {'LIST "" "*"': lines} | dict(reversed(counts.items())))
    assert list(folders) == ["INBOX", "a", "a.b", "a.b.c", "flat.name", "NIL", "Orders!", "x", "x\\y"]
    assert {name for name, one in folders.items() if not one["selectable"]} == {"a", "a.b", "x", "x\\y"}
    assert folders["flat.name"]["delimiter"] is None
    assert (folders["Orders!"]["messages"], folders["Orders!"]["unread"]) == (3, 1)
    assert folders["a.b.c"]["messages"] is None, "a folder that may not be looked into has no counts"


@pytest.mark.parametrize("wire", [b"R&D", b"Entw\xfcrfe", "Entwürfe".encode()], ids=repr)
async def test_a_name_that_does_not_decode_is_chosen_by_exactly_its_bytes(rig: Rig, user: str, wire: bytes) -> None:
    with ScriptedImap(answering({"LIST": [b'* LIST () "/" "' + wire + b'"']})) as server:
        scanner_id = await rig.add_scanner(server.port, user, PASSWORD)
        [name] = set(await listed(rig, scanner_id)) - {"INBOX"}
        await rig.api.put(f"/scanners/{scanner_id}/folders", json={"selected": [name]})
        await rig.scan(scanner_id)
    assert f'EXAMINE "{wire.decode(errors="replace")}"' in [line.partition(" ")[2] for line in server.received]


async def test_hidden_namespaces_are_asked_for_and_merged(rig: Rig, user: str) -> None:
    answers = {
        "NAMESPACE": [b'* NAMESPACE (("" "/")) (("~" "/")) (("#shared/" "/")("#public/" "/"))'],
        'LIST "" "*"': [b'* LIST () "/" INBOX', b'* LIST () "/" "#public/news"'],
        'LIST "" "~*"': [b"NO"],
        'LIST "" "#shared/*"': [b'* LIST () "/" "#shared/team"'],
        'LIST "" "#public/*"': [b'* LIST () "/" "#public/never asked"'],
    }
    folders = await folders_of(rig, user, answers, "IMAP4rev1 NAMESPACE")
    chosen = {name: one["namespace"] for name, one in folders.items() if one["selectable"]}
    assert chosen == {"INBOX": "personal", "#public/news": "shared", "#shared/team": "shared"}


async def test_a_server_that_refuses_its_own_extensions_is_asked_plainly(rig: Rig, user: str) -> None:
    answers = {'LIST "" "*" RETURN': [b"NO"], 'LIST "" "*"': [b'* LIST (\\Sent) "/" Sent']}
    folders = await folders_of(rig, user, answers, "IMAP4rev1 LIST-EXTENDED SPECIAL-USE LIST-STATUS")
    assert folders["Sent"]["special_use"] == "\\Sent"


async def test_special_use_by_its_predecessor(rig: Rig, user: str) -> None:
    answers = {'XLIST "" "*"': [b'* XLIST (\\Inbox) "/" INBOX', b'* XLIST (\\Spam) "/" "Werbung"']}
    folders = await folders_of(rig, user, answers, "IMAP4rev1 XLIST")
    assert folders["Werbung"]["special_use"] == "\\Junk"


@pytest.mark.parametrize("line", [b"* LIST ((((", b"* LIST () (x) y", b'* LIST () "/" (z)'])
async def test_garbage_in_the_list_is_said_in_plain_words(rig: Rig, user: str, line: bytes) -> None:
    with ScriptedImap(answering({"LIST": [line]})) as server:
        scanner_id = await rig.add_scanner(server.port, user, PASSWORD)
        answer = await rig.api.get(f"/scanners/{scanner_id}/folders")
    assert answer.status_code == 502
    assert "no good IMAP" in answer.json()["detail"]
