"""Forms while a service is away: they say so, and keep what was typed."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from shared.http import ProblemError
from tests.kit.browsing import Watched, accessible
from tests.kit.stand_in_world import World

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(180)]

DETAIL = "The service notifier cannot be reached for the moment; try again shortly."
AWAY = ProblemError(503, "The service notifier is away", DETAIL)


@pytest.mark.parametrize(
    ("path", "field", "typed", "button"),
    [
        ("/mail-templates/new?kind=canned", "Text", "Dear customer", "Save"),
        ("/mail-templates/t2", "Text", "Your invoice, again", "Save"),
        ("/senders/new", "SMTP server", "smtp.other.example", "Save"),
        ("/senders/smtp-3", "From name", "The help desk", "Save"),
        ("/ticket-settings", "Categories", "Chairs", "Save"),
        ("/me", "SMTP server", "smtp.own.example", "Save the account"),
    ],
)
def test_a_form_keeps_what_was_typed(watched: Watched, world: World, path: str, field: str, typed: str, button: str) -> None:
    watched.go(path)
    page = watched.page
    for label in ("Name", "SMTP server"):
        missing = page.get_by_label(label, exact=True)
        if missing.count() and not missing.input_value():
            missing.fill("smtp.company.example")
    page.get_by_label(field, exact=True).fill(typed)
    world.refuse = AWAY
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(DETAIL)
    expect(page.get_by_label(field, exact=True)).to_have_value(typed)
    accessible(page)


def test_a_form_can_be_sent_again_with_the_version_it_had(watched: Watched, world: World) -> None:
    watched.go("/mail-templates/t2")
    page = watched.page
    page.get_by_label("Text").fill("Your invoice, again")
    world.refuse = AWAY
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("For Billing.")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    assert world.templates["t2"].text == "Your invoice, again"


@pytest.mark.parametrize("path", ["/senders/smtp-1", "/me"])
def test_a_test_that_got_no_answer_is_one_that_failed(watched: Watched, world: World, path: str) -> None:
    watched.go("/me")
    page = watched.page
    page.get_by_label("SMTP server").fill("smtp.company.example")
    page.get_by_label("Signing in").select_option("none")
    page.get_by_role("button", name="Save the account").click()
    watched.go(path)
    world.refuse = ProblemError(504, "The service notifier does not answer", "The service notifier took too long; try again.")
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_role("heading", name="The connection failed")).to_be_visible()
    expect(page.get_by_text("The service notifier took too long; try again.")).to_be_visible()
