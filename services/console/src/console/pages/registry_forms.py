"""The sorts of records as the pages name them, and their forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from starlette.datastructures import FormData

from console.backend import quoted
from console.pages.page import Page, field_errors, text
from shared.http import ProblemError

Sort = Literal["contact", "account", "lead"]
OWN_FIELDS: Final[dict[Sort, tuple[str, ...]]] = {"contact": ("account_id",), "account": ("website",), "lead": ("company",)}


@dataclass(frozen=True)
class Kind:
    """One of the three sorts."""

    sort: Sort
    title: str

    @property
    def path(self) -> str:
        """Of its list, here and in the tickets service."""
        return f"/{self.sort}s"

    @property
    def a(self) -> str:
        """`an account`."""
        return f"{'an' if self.sort == 'account' else 'a'} {self.sort}"

    def of(self, record_id: str) -> str:
        """Path of a record."""
        return f"{self.path}/{quoted(record_id)}"


KINDS: Final = (Kind("contact", "Contacts"), Kind("account", "Accounts"), Kind("lead", "Leads"))


def empty_values() -> dict[str, Any]:
    """Of the form for a new record."""
    return {"name": "", "addresses": [], "phone": "", "company": "", "website": "", "account_id": "", "note": ""}


def record_values(form: FormData, kind: Kind) -> dict[str, Any]:
    """The form as a record: one address a line, an empty field for none."""
    addresses = [line.strip() for line in str(form.get("addresses", "")).replace("\x00", "").splitlines() if line.strip()]
    optional = {name: text(form, name) or None for name in ("phone", *OWN_FIELDS[kind.sort])}
    return {"name": text(form, "name"), "addresses": addresses, "note": text(form, "note"), **optional}


def told(error: ProblemError) -> dict[str, str]:
    """What is wrong, by field; `form` for what concerns the whole. Any other problem is raised on."""
    errors = field_errors(error) or {"form": error.problem.detail}
    for name, message in list(errors.items()):
        if name.startswith("addresses"):
            errors["addresses"] = "Give whole addresses, one a line, such as anna@company.example." if "pattern" in message else message
    if error.status == 409 and error.problem.title == "Address taken":
        errors = {"addresses": error.problem.detail}
    return errors


async def accounts_to_choose(page: Page, chosen: str | None, q: str = "") -> list[tuple[str, str]]:
    """For a select: none, the one chosen, and others that fit."""
    found = (await page.get("tickets", "/accounts", q=q or None, limit=200))["items"]
    listed = [(item["id"], item["name"]) for item in found]
    if chosen and chosen not in dict(listed):
        account = await account_of(page, chosen)
        listed = [(chosen, account["name"] if account else "An account that is gone"), *listed]
    return [("", "None"), *listed]


async def account_of(page: Page, account_id: str | None) -> dict[str, Any] | None:
    """The account a contact belongs to."""
    if not account_id:
        return None
    try:
        account: dict[str, Any] = await page.get("tickets", f"/accounts/{quoted(account_id)}")
    except ProblemError as error:
        if error.status != 404:
            raise
        return None
    return account
