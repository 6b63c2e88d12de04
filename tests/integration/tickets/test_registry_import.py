"""CSV files of contacts, accounts and leads, taken in by a job."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from tests.integration.tickets.rig import Rig, command, mail
from tickets.adapters.tables import import_parts, records

pytestmark = pytest.mark.connected

ODD = (
    "\ufeffNome;Cognome;Indirizzo e-mail;E-mail 2;Telefono;Azienda;Note;Codice\r\n"
    'Anna;Rossi;anna@x.example;"a2@x.example, a3@x.example";+39 02 1;"Rossi ""& Figli"" S.r.l.";"due\r\nrighe";7\r\n'
    "\r\n"
    "Bo;;=1+2;;;;;\r\n"
    ";;c@x.example;;;;;\r\n"
    "Dora;;ANNA@x.example;;;;;\r\n"
    "Ezio;;Ezio <ezio@x.example>;;@SUM(A1);rossi “& FIGLI” s.r.l.;;;;\r\n"
    "Fabio;;f@x.example;;;;;8;one too many\r\n"
)


async def take_in(rig: Rig, csv: str, path: str = "/contacts", **fields: Any) -> dict[str, Any]:
    """The report of the whole import."""
    answer = await rig.api.post(f"{path}/import", json={"csv": csv, **fields} if csv else fields)
    assert answer.status_code == 202, answer.text
    await rig.run_jobs()
    job = await rig.get(f"/jobs/{answer.json()['id']}")
    assert (job["state"], job["done"]) == ("done", job["total"])
    report: dict[str, Any] = job["result"]
    return report | {"job_id": answer.json()["id"]}


def told(report: dict[str, Any]) -> list[tuple[int, str]]:
    return [(line["line"], line["result"]) for line in report["lines"]]


async def stored(rig: Rig, path: str = "/contacts") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await rig.get(path, limit=200))["items"]
    return items


async def test_a_file_as_a_spreadsheet_writes_it(rig: Rig) -> None:
    report = await take_in(rig, ODD)
    results = [(2, "created"), (5, "refused"), (6, "refused"), (7, "refused"), (8, "created"), (9, "refused")]
    assert told(report) == results
    problems = {line["line"]: line["problem"] for line in report["lines"]}
    assert "“=1+2” is no e-mail address" in problems[5]
    assert "no name" in problems[6]
    assert "is in line 2 already" in problems[7]
    assert "9 cells" in problems[9]
    assert report["ignored_columns"] == ["Codice"]
    anna, ezio = await stored(rig)
    accounts = {item["id"]: item["name"] for item in await stored(rig, "/accounts")}
    assert (anna["name"], anna["addresses"]) == ("Anna Rossi", ["anna@x.example", "a2@x.example", "a3@x.example"])
    assert (anna["phone"], anna["note"], accounts[anna["account_id"]]) == ("+39 02 1", "due\r\nrighe", 'Rossi "& Figli" S.r.l.')
    assert (ezio["addresses"], ezio["phone"]) == (["ezio@x.example"], "@SUM(A1)")


async def test_a_dry_run_touches_nothing_and_its_file_can_be_taken_in(rig: Rig) -> None:
    tried = await take_in(rig, ODD, dry_run=True)
    assert await stored(rig) == await stored(rig, "/accounts") == []
    report = await take_in(rig, "", job_id=tried["job_id"])
    assert told(tried) == told(report)
    assert len(await stored(rig)) == 2
    async with rig.engine.connect() as conn:
        kept = (await conn.execute(select(import_parts.c.job_id).distinct())).scalars().all()
    assert kept == [tried["job_id"]]
    assert (await rig.api.post("/leads/import", json={"job_id": tried["job_id"]})).status_code == 404


async def test_a_line_with_a_known_address_updates_what_the_file_has(rig: Rig) -> None:
    made = (await rig.api.post("/contacts", json={"name": "Anna", "addresses": ["anna@x.example"], "phone": "1", "note": "kept"})).json()
    file = "name,address,address 2,phone,note\nAnna,anna@x.example,,2,\n"
    assert told(await take_in(rig, file)) == [(2, "updated")]
    changed = await rig.get(f"/contacts/{made['id']}")
    assert (changed["phone"], changed["note"], changed["addresses"], changed["version"]) == ("2", "kept", ["anna@x.example"], 2)
    assert told(await take_in(rig, file)) == [(2, "unchanged")]
    assert (await rig.get(f"/contacts/{made['id']}"))["version"] == 2
    assert told(await take_in(rig, "name,address\n,anna@x.example a2@x.example\n")) == [(2, "updated")]
    assert (await rig.get("/contacts", address="a2@x.example"))["items"][0]["addresses"] == ["anna@x.example", "a2@x.example"]


async def test_addresses_of_two_records_and_two_lines_of_one_record_are_refused(rig: Rig) -> None:
    await rig.api.post("/contacts", json={"name": "Anna", "addresses": ["anna@x.example", "a2@x.example", "a3@x.example"]})
    await rig.api.post("/contacts", json={"name": "Bo", "addresses": ["bo@x.example"]})
    lines = "name,address\nX,a3@x.example bo@x.example\nAnna,anna@x.example\nAnna,a2@x.example\n"
    report = await take_in(rig, lines)
    assert told(report) == [(2, "refused"), (3, "unchanged"), (4, "refused")]
    assert "a3@x.example to “Anna” and bo@x.example to “Bo”" in report["lines"][0]["problem"]
    assert "Line 3 speaks of the same record" in report["lines"][2]["problem"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
async def test_leads_keep_their_company_and_accounts_take_it_as_their_name(rig: Rig, delimiter: str) -> None:
    lead = delimiter.join(("E-Mail", "Società", "NOME")) + "\r" + delimiter.join(("l@x.example", "A & Co", "Lia")) + "\r"
    await take_in(rig, lead, "/leads")
    await take_in(rig, f"sep={delimiter}\nAzienda{delimiter}Email\nA & Co{delimiter}info@a.example\n", "/accounts")
    assert [(item["name"], item["company"]) for item in await stored(rig, "/leads")] == [("Lia", "A & Co")]
    assert [item["name"] for item in await stored(rig, "/accounts")] == ["A & Co"]


@pytest.mark.parametrize("text", ["Anna,anna@x.example\n", "name,address\n", "\n\n", "name;phone\nAnna;1\n"])
async def test_what_is_no_table_of_addresses_is_refused_at_once(rig: Rig, text: str) -> None:
    answer = await rig.api.post("/contacts/import", json={"csv": text})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "csv"


async def test_tickets_of_imported_addresses_are_connected(rig: Rig) -> None:
    await rig.carry_out(command(mail("anna@x.example")))
    await take_in(rig, "name,address\nAnna,anna@x.example\n")
    (anna,) = await stored(rig)
    assert [item["id"] for item in (await rig.get("/tickets", contact_id=anna["id"]))["items"]] == [1]


async def test_an_import_goes_on_after_a_restart_and_makes_no_double(rig: Rig, other_replica: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "".join(f"Person {number},p{number}@x.example\n" for number in range(450))
    answer = await rig.api.post("/contacts/import", json={"csv": f"name,address\n{lines}"}, headers={"Idempotency-Key": "k"})
    again = await rig.api.post("/contacts/import", json={"csv": f"name,address\n{lines}"}, headers={"Idempotency-Key": "k"})
    job_id = answer.json()["id"]
    assert again.json()["id"] == job_id
    await rig.jobs._step()
    assert (await rig.get(f"/jobs/{job_id}"))["done"] == 200
    with monkeypatch.context() as patch:
        patch.setattr("tickets.jobs.save_job", _crash)
        with pytest.raises(RuntimeError):
            await rig.jobs._step()
    assert (await rig.get(f"/jobs/{job_id}"))["done"] == 200
    await other_replica.run_jobs()
    job = await rig.get(f"/jobs/{job_id}")
    assert (job["state"], job["done"], job["result"]["created"]) == ("done", 450, 450)
    async with rig.engine.connect() as conn:
        assert await conn.scalar(select(func.count()).select_from(records)) == 450
        assert await conn.scalar(select(func.count()).select_from(import_parts)) == 0


async def _crash(*_: Any) -> None:
    raise RuntimeError("the process ends here")


CELLS = st.sampled_from(
    ["", "Anna", "Bo", "Città", "=1", '"', "a@x.example", "b@x.example", "c@x.example b@x.example", "bad@", "Firm", "+39"]
)
FILES = st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), min_size=1, max_size=12)


@given(before=FILES, after=FILES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_dry_run_says_what_the_import_does(rig: Rig, before: Any, after: Any) -> None:
    await rig.start()
    await take_in(rig, _file(before))
    tried = await take_in(rig, _file(after), dry_run=True)
    report = await take_in(rig, _file(after))
    assert told(tried) == told(report)
    assert [line["problem"] for line in tried["lines"]] == [line["problem"] for line in report["lines"]]
    assert {name: tried[name] for name in ("created", "updated", "unchanged", "refused")} == {
        name: report[name] for name in ("created", "updated", "unchanged", "refused")
    }
    again = await take_in(rig, _file(after))
    assert (again["created"], again["updated"]) == (0, 0)


def _file(rows: list[tuple[str, ...]]) -> str:
    return "name,address,phone,account\n" + "x,x@x.example,,\n" + "".join(",".join(row) + "\n" for row in rows)
