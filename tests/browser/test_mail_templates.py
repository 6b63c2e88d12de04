"""Templates in the browser: made, previewed before they are saved, changed, deleted."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from shared.http import ProblemError
from tests.kit.browsing import Console, Watched, accessible
from tests.kit.stand_in_world import World

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(180)]


def test_a_template_is_previewed_before_it_is_saved(watched: Watched, world: World) -> None:
    world.empty()
    watched.go("/tickets")
    page = watched.page
    page.get_by_role("link", name="Templates").click()
    page.get_by_role("link", name="Add a canned answer").click()
    expect(page.get_by_label("HTML")).to_have_count(0)
    page.get_by_label("Name").fill("Thanks")
    page.get_by_label("Text").fill("Dear {{ customer.name }},\n\nthank you for {{ ticket.id }}.")
    page.get_by_role("button", name="Show what it makes").click()
    frame = page.frame_locator("iframe[name=preview]")
    expect(frame.locator("pre")).to_contain_text("Dear Anna Verdi,")
    assert world.templates == {}, "a preview saves nothing"
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Thanks")).to_be_visible()
    (made,) = world.templates.values()
    assert (made.kind, made.scanner_id, made.text) == ("canned", None, "Dear {{ customer.name }},\n\nthank you for {{ ticket.id }}.")
    expect(frame.locator("pre")).to_contain_text("thank you for 123.")
    accessible(page)


def test_what_is_wrong_is_told_in_the_preview_and_at_the_field(watched: Watched, world: World) -> None:
    watched.go("/mail-templates/new?kind=answer")
    page = watched.page
    expect(page.get_by_label("HTML")).to_be_visible()
    page.get_by_label("Name").fill("Company")
    page.get_by_label("Text").fill("{{ answer }} {{ nothing }}")
    page.get_by_role("button", name="Show what it makes").click()
    expect(page.frame_locator("iframe[name=preview]").get_by_text("there is no variable")).to_be_visible()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Text")).to_have_accessible_description(
        "line 1: there is no variable `nothing`; use one of: customer.name, ticket.id"
    )
    expect(page.get_by_label("Name")).to_have_value("Company")
    assert all(item.name != "Company" for item in world.templates.values())


def test_a_second_acknowledgement_is_refused_with_the_first_ones_name(watched: Watched) -> None:
    watched.go("/mail-templates/new?kind=acknowledgement")
    page = watched.page
    page.get_by_label("Name").fill("Another")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("“Acknowledgement” is it: change that one")


def test_a_change_made_meanwhile_is_told_and_keeps_what_was_typed(watched: Watched, world: World) -> None:
    watched.go("/mail-templates/t1")
    page = watched.page
    page.get_by_label("Text").fill("Mine.")
    world.refuse = ProblemError(412, "Changed meanwhile", "It has another version.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Somebody changed this template meanwhile")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text="Saved")).to_be_visible()
    assert world.templates["t1"].text == "Mine."


def test_templates_work_without_scripts(scriptless: Page, console: Console, world: World) -> None:
    page = scriptless
    page.goto(f"{console.url}/mail-templates/t2")
    expect(page.get_by_text("For Billing.")).to_be_visible()
    page.get_by_role("link", name="Delete this template").click()
    page.get_by_role("button", name="Delete the template").click()
    assert "t2" not in world.templates
    expect(page.get_by_role("status")).to_contain_text("deleted")
