"""An administrator erases an address: told what happens, asked twice, and shown the report as it comes."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.kit.browsing import Console, Watched, accessible, new_context
from tests.kit.stand_in_erasures import SERVICES, part
from tests.kit.stand_in_world import World

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(180)]

ANNA = "anna@customer.example"


@pytest.mark.parametrize("path", ["/erasures", "/erasures/e1", "/erasures/e2"])
def test_a_page_is_accessible_and_quiet(watched: Watched, path: str) -> None:
    watched.go(path)
    accessible(watched.page)
    watched.page.emulate_media(color_scheme="dark")
    watched.page.set_viewport_size({"width": 390, "height": 844})
    accessible(watched.page)


def test_the_empty_page_says_what_to_do_next(watched: Watched, world: World) -> None:
    world.erasures.clear()
    watched.go("/erasures")
    expect(watched.page.locator(".empty p").first).to_be_visible()
    accessible(watched.page)


def test_an_address_is_typed_twice_and_the_services_report_as_they_are_done(watched: Watched, world: World) -> None:
    page = watched.page
    watched.go("/tickets")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Erasures").click()
    page.get_by_label("Address").fill(ANNA)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Erase {ANNA}?")
    assert ANNA not in page.url
    accessible(page)

    page.get_by_label("Type the address again").fill("anna@custommer.example")
    page.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_text("not the same address")).to_be_visible()
    assert "e3" not in world.erasures
    accessible(page)

    page.get_by_label("Type the address again").fill(ANNA.upper())
    page.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_text("0 of 4 services are done")).to_be_visible()
    accessible(page)

    world.erasures["e3"] = world.erasures["e3"].model_copy(update={"parts": [part("fetcher")], "waiting_for": list(SERVICES[1:])})
    report = page.locator("[data-follow]")
    expect(report.get_by_text("1 of 4 services are done")).to_be_visible()
    done = {"state": "done", "address": None, "parts": [part(name) for name in SERVICES], "waiting_for": []}
    world.erasures["e3"] = world.erasures["e3"].model_copy(update=done | {"finished_at": world.erasures["e3"].created_at})
    expect(report.get_by_text("the address itself is forgotten")).to_be_visible()
    expect(report.get_by_text("Kafka keeps the events")).to_be_visible()
    accessible(page)


def test_a_mailbox_of_ours_is_refused_with_the_reason(watched: Watched) -> None:
    page = watched.page
    watched.go("/erasures")
    page.get_by_label("Address").fill("help@company.example")
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Type the address again").fill("help@company.example")
    page.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_text("a mailbox of yours")).to_be_visible()
    accessible(page)


def test_it_works_without_scripts(console: Console, signed_in_state: dict[str, object], browser: Browser, world: World) -> None:
    page = new_context(browser, signed_in_state, java_script_enabled=False).new_page()
    page.goto(f"{console.url}/erasures")
    page.get_by_label("Address").fill(ANNA)
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Type the address again").fill(ANNA)
    page.get_by_role("button", name="Erase for good").click()
    expect(page.get_by_text("0 of 4 services are done")).to_be_visible()
    assert world.erasures["e3"].address == ANNA
    page.context.close()
