"""`mailconverter ledger`: counts, a check of mailboxes, lines and outcomes, and what it found."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import click

from console.client import Api, CommandError
from console.tables import cell, table

LOOK_EVERY_S = 0.5
AMISS = 1
ERROR = 2
SCANNERS_LISTED = 100_000


class CheckError(CommandError):
    """Nothing was found out: another exit status than findings have."""

    exit_code = ERROR


def run(scanner: str | None, *, repair: bool, as_json: bool) -> int:
    """The exit status: 0 when nothing is amiss, 1 with findings. Raises CheckError."""
    try:
        return _run(Api(), scanner, repair=repair, as_json=as_json)
    except CommandError as error:
        raise CheckError(error.message) from error


def _run(api: Api, scanner: str | None, *, repair: bool, as_json: bool) -> int:
    names = {str(one["id"]): str(one["name"]) for one in api.items("/scanners", SCANNERS_LISTED)}
    scanner_id = None if scanner is None else _scanner_id(names, scanner)
    job = api.call("POST", "/ledger", json={"scanner_id": scanner_id, "repair": repair})
    report = _wait(api, job)
    counts = api.call("GET", "/ledger", params={"scanner_id": scanner_id})
    if as_json:
        click.echo(json.dumps({"counts": counts, "report": report}, indent=2, ensure_ascii=False))
    else:
        _print(names, counts, report)
    return AMISS if report["finding_count"] else 0


def _scanner_id(names: Mapping[str, str], wanted: str) -> str:
    if wanted in names:
        return wanted
    found = [scanner_id for scanner_id, name in names.items() if name.casefold() == wanted.casefold()]
    if len(found) > 1:
        raise CommandError(f"several mailboxes are called {wanted}; say which by its id: {', '.join(found)}")
    if not found:
        raise CommandError(f"no mailbox {wanted}; there are: {', '.join(sorted(names.values())) or 'none'}")
    return found[0]


def _wait(api: Api, job: dict[str, Any]) -> dict[str, Any]:
    """The report. The job goes on where the command is interrupted."""
    shown = ""
    while job["state"] in {"queued", "running"}:
        shown = _progress(job, shown)
        time.sleep(LOOK_EVERY_S)
        job = api.call("GET", f"/jobs/{job['id']}")
    if shown:
        click.echo(err=True)
    result: dict[str, Any] = job["result"] or {}
    if job["state"] == "failed":
        raise CommandError(str(result.get("error") or "the check failed; the fetcher's log says why"))
    return result


def _progress(job: Mapping[str, Any], before: str) -> str:
    """A line that replaces itself, for people who watch."""
    if not sys.stderr.isatty():
        return ""
    so_far = f"{job['done']} of {job['total']} folders compared" if job["total"] is not None else "waiting for a fetcher to begin"
    click.echo("\r" + so_far.ljust(len(before)), nl=False, err=True)
    return so_far


def _print(names: Mapping[str, str], counts: Mapping[str, Any], report: Mapping[str, Any]) -> None:
    click.echo(table(["mailbox", "mails", "under way", "outcomes"], [_counted(names, one) for one in counts["items"]]))
    click.echo()
    found = Counter((one["scanner_id"], one["folder"]) for one in report["findings"])
    columns = ["mailbox", "folder", "in mailbox", "in ledger", "gone", "findings"]
    click.echo(table(columns, [_compared(names, found, one) for one in report["folders"]]))
    if (unlisted := report["folder_count"] - len(report["folders"])) > 0:
        click.echo(f"and {unlisted} more folders")
    click.echo()
    for one in report["findings"]:
        click.echo(_finding(names, one))
    click.echo(_verdict(report))


def _counted(names: Mapping[str, str], item: Mapping[str, Any]) -> list[object]:
    outcomes = ", ".join(f"{outcome} {count}" for outcome, count in sorted(item["outcomes"].items()))
    return [_name(names, item), item["mails"], item["under_way"], outcomes]


def _compared(names: Mapping[str, str], found: Mapping[tuple[str, str], int], folder: Mapping[str, Any]) -> list[object]:
    findings = found.get((folder["scanner_id"], folder["folder"]), 0)
    return [_name(names, folder), folder["folder"], folder["in_mailbox"], folder["in_ledger"], folder["gone"], findings]


def _finding(names: Mapping[str, str], one: Mapping[str, Any]) -> str:
    uid = f"UID {one['uid']}" if one["uid"] is not None else ""
    where = " / ".join(part for part in (_name(names, one), one["folder"], uid) if part)
    named = f" ({one['mail_id']})" if one["mail_id"] else ""
    state = f"{one['what']}, queued again" if one["repaired"] else one["what"]
    return cell(f"{state}: {where}{named}: {one['detail']}", sys.maxsize)


def _verdict(report: Mapping[str, Any]) -> str:
    count, listed = report["finding_count"], len(report["findings"])
    if not count:
        return "Nothing is amiss."
    repaired = sum(bool(one["repaired"]) for one in report["findings"])
    parts: Iterable[str] = (
        f"{count} finding{'s' if count > 1 else ''}",
        f"{repaired} queued again" if repaired else "",
        f"the first {listed} are listed" if listed < count else "",
    )
    return ", ".join(part for part in parts if part) + "."


def _name(names: Mapping[str, str], item: Mapping[str, Any]) -> str:
    return names.get(item["scanner_id"]) or f"deleted mailbox {item['scanner_id']}"
