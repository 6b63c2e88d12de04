"""The spam list and marking tickets as spam, as an operator does it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.kit.browsing import Console, Watched, accessible, new_context
from tests.kit.stand_in_spam import finish_work
from tests.kit.stand_in_world import World

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(180)]


def many_tickets(world: World, count: int) -> list[int]:
    """So many mail tickets beside the others."""
    like = next(ticket for ticket in world.tickets.values() if ticket.source == "mail")
    numbers = list(range(5000, 5000 + count))
    for number in numbers:
        sender = f"s{number}@lottery.example"
        world.tickets[number] = like.model_copy(update={"id": number, "sender": sender, "title": f"Prize {number}", "deleted": False})
    return numbers


@pytest.mark.parametrize("path", ["/spam", "/spam?q=nobody-at-all", "/tickets/spam?id=125&id=127"])
def test_a_page_is_accessible_and_quiet(watched: Watched, path: str) -> None:
    watched.go(path)
    accessible(watched.page)
    watched.page.emulate_media(color_scheme="dark")
    watched.page.set_viewport_size({"width": 390, "height": 844})
    accessible(watched.page)


def test_a_domain_is_added_and_found_again(watched: Watched) -> None:
    watched.go("/spam")
    page = watched.page
    page.get_by_label("Add an address or a domain").fill("shop.example")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("Mails from @shop.example and all below it are spam from now on.")).to_be_visible()
    page.get_by_label("Search the list").fill("shop")
    page.get_by_role("button", name="Search").click()
    rows = page.get_by_role("table", name="Spam senders").get_by_role("row")
    expect(rows).to_have_count(2)
    expect(rows.last).to_contain_text("Domain")


def test_a_colleague_is_refused_with_the_reason_at_the_field(watched: Watched, world: World) -> None:
    watched.go("/spam")
    page = watched.page
    page.get_by_label("Add an address or a domain").fill("carl@company.example")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("a colleague's mails would be stopped")).to_be_visible()
    expect(page.get_by_label("Add an address or a domain")).to_have_value("carl@company.example")
    assert len(world.spam) == 1


@pytest.mark.parametrize("restore", [True, False])
def test_an_entry_is_taken_off_with_or_without_what_it_concerned(watched: Watched, world: World, *, restore: bool) -> None:
    watched.go("/spam")
    page = watched.page
    page.get_by_label("Restore what it stopped").set_checked(restore)
    page.get_by_role("button", name="Take win@lottery.example off the list").click()
    said = "3 tickets restored and 41 held mails sent on their way again" if restore else "What it removed stays removed."
    expect(page.get_by_text(said)).to_be_visible()
    expect(page.get_by_role("heading", name="Nobody is on the list")).to_be_visible()
    assert world.spam == {}


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ("Their whole domains", "On the spam list now: @lottery.example."),
        ("The senders’ addresses", "On the spam list now: 2 senders."),
        ("Nobody", "Nobody was put on the spam list."),
    ],
)
def test_what_of_the_senders_is_listed_is_chosen(watched: Watched, world: World, choice: str, said: str) -> None:
    one, other = many_tickets(world, 2)
    watched.go(f"/tickets/spam?id={one}&id={other}")
    page = watched.page
    page.get_by_label(choice).check()
    page.get_by_role("button", name="Mark as spam").click()
    expect(page.get_by_text("2 tickets are marked as spam.")).to_contain_text(said)
    assert world.tickets[one].deleted
    assert world.tickets[other].deleted


def test_a_refused_ticket_is_named_and_left_out_by_one_press(watched: Watched, world: World) -> None:
    (number,) = many_tickets(world, 1)
    manual = next(ticket.id for ticket in world.tickets.values() if ticket.source == "manual")
    watched.go(f"/tickets/spam?id={number}&id={manual}")
    page = watched.page
    page.get_by_role("button", name="Mark as spam").click()
    expect(page.get_by_role("alert")).to_contain_text(f"Ticket {manual} was opened by hand")
    expect(page.get_by_text("Refused", exact=True)).to_have_count(1)
    assert not world.tickets[number].deleted
    page.get_by_role("button", name="Leave it out and mark the other").click()
    expect(page.get_by_text("1 ticket is marked as spam.")).to_be_visible()
    assert (world.tickets[number].deleted, world.tickets[manual].deleted) == (True, False)


def test_hundreds_are_marked_while_the_page_shows_how_far_it_is(watched: Watched, world: World) -> None:
    numbers = many_tickets(world, 300)
    watched.go("/tickets/spam?" + "&".join(f"id={number}" for number in numbers))
    page = watched.page
    expect(page.get_by_text("and 280 more")).to_be_visible()
    page.get_by_role("button", name="Mark as spam").click()
    expect(page).to_have_url(re.compile("/spam/work/"))
    expect(page.get_by_text("150 of 300 done.")).to_be_visible()
    accessible(page)
    finish_work(world)
    expect(page.get_by_text("300 tickets are marked as spam.").first).to_be_visible(timeout=60_000)


def test_everything_works_without_scripts(console: Console, signed_in_state: dict[str, object], browser: Browser, world: World) -> None:
    numbers = many_tickets(world, 120)
    context = new_context(browser, signed_in_state, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{console.url}/tickets/spam?" + "&".join(f"id={number}" for number in numbers))
    page.get_by_role("button", name="Mark as spam").click()
    expect(page.get_by_text("60 of 120 done.")).to_be_visible()
    finish_work(world)
    page.get_by_role("link", name="Look again").click()
    expect(page.get_by_text("120 tickets are marked as spam.")).to_be_visible()
    assert world.tickets[numbers[-1]].deleted
    context.close()
