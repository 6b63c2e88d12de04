"""Rules as an administrator works on them: order, conditions of every sort, versions, files, examples, what would break."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from shared.http import ProblemError
from tests.kit.browsing import Console, Watched, accessible
from tests.kit.stand_in_rule_set import broken_by
from tests.kit.stand_in_world import World

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(180)]

RULES = "/mailboxes/support/rules"
ORDER = ["Reply to a known conversation", "Answers by number", "Leave offers alone", "Everything else"]
FILE: dict[str, Any] = {
    "format": "mailconverter.rules.v1",
    "scanner_name": "Sales",
    "rules": [
        {"name": "Reply to a known conversation", "builtin": True, "action": {"type": "update_ticket", "lookup": "conversation"}},
        {
            "name": "<i>Invoices</i>",
            "conditions": [{"field": "subject", "operator": "contains", "value": "invoice"}],
            "action": {"type": "create_ticket", "tags": ["invoice"]},
        },
    ],
}


def names(world: World) -> list[str]:
    """The rules as they are stored, in their order."""
    return [rule.name for rule in sorted(world.rules.values(), key=lambda rule: rule.position)]


def shown(page: Page) -> Locator:
    return page.locator("li.rule h2 a")


def drag(page: Page, name: str, onto: str) -> None:
    """Take a rule by its number and let it go in the upper part of another one."""
    grip = page.locator("li.rule", has_text=name).locator("[data-grip]").bounding_box()
    there = page.locator("li.rule", has_text=onto).bounding_box()
    assert grip is not None
    assert there is not None
    page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    page.mouse.down()
    page.mouse.move(there["x"] + 40, there["y"] + there["height"] - 10)
    page.mouse.move(there["x"] + 40, there["y"] + 10, steps=5)
    page.mouse.up()


def breaking(world: World) -> None:
    """From now on every change of the rules breaks an example."""
    world.breaking = [broken_by(world.examples["e1"])]


def save_all_the_same(page: Page) -> None:
    expect(page.get_by_role("heading", name="An example would break")).to_be_visible()
    expect(page.get_by_text("Added to ticket by “Answers by number”")).to_be_visible()
    expect(page.get_by_text("Ignored by “Leave offers alone”")).to_be_visible()
    page.get_by_role("button", name="Save all the same").click()


# --- order ------------------------------------------------------------------------------------------------------------------------


def test_a_rule_is_dragged_to_another_place(watched: Watched, world: World) -> None:
    watched.go(RULES)
    page = watched.page
    drag(page, "Everything else", "Answers by number")
    moved = [ORDER[0], ORDER[3], ORDER[1], ORDER[2]]
    expect(shown(page)).to_have_text(moved)
    expect(page.get_by_text("“Everything else” is now number 2.")).to_have_count(1)
    expect(page.get_by_text("The rules below it are never reached.")).to_be_visible()
    assert names(world) == moved
    drag(page, "Leave offers alone", "Everything else")
    expect(page.get_by_text("“Leave offers alone” is now number 2.")).to_have_count(1)
    assert names(world) == [ORDER[0], ORDER[2], ORDER[3], ORDER[1]]
    accessible(page)


def test_escape_ends_a_drag_and_nothing_is_saved(watched: Watched, world: World) -> None:
    watched.go(RULES)
    page = watched.page
    grip = page.locator("[data-grip]").last
    grip.hover()
    page.mouse.down()
    page.locator("li.rule").first.hover(force=True)
    expect(shown(page)).not_to_have_text(ORDER)
    page.keyboard.press("Escape")
    expect(shown(page)).to_have_text(ORDER)
    page.mouse.up()
    assert max(world.rule_versions) == 7


def test_a_drag_does_not_undo_what_somebody_else_did(watched: Watched, world: World) -> None:
    watched.go(RULES)
    world.rules["r3"] = world.rules["r3"].model_copy(update={"name": "No offers"})
    world.rule_versions[8] = world.rule_versions[7].model_copy(update={"version": 8})
    drag(watched.page, "Everything else", "Answers by number")
    expect(watched.page.get_by_role("alert")).to_contain_text("Somebody changed the rules meanwhile")
    expect(shown(watched.page)).to_have_text([ORDER[0], ORDER[1], "No offers", ORDER[3]])
    assert max(world.rule_versions) == 8
    accessible(watched.page)


def test_a_drag_that_fails_puts_the_list_back_and_says_why(watched: Watched, world: World) -> None:
    watched.go(RULES)
    world.refuse = ProblemError(503, "Try again shortly", "The service's database or broker is away for the moment.")
    drag(watched.page, "Everything else", "Answers by number")
    expect(watched.page.get_by_role("alert")).to_have_text("The service's database or broker is away for the moment.")
    expect(shown(watched.page)).to_have_text(ORDER)
    assert names(world) == ORDER


def test_a_drag_that_breaks_an_example_asks_first(watched: Watched, world: World) -> None:
    breaking(world)
    watched.go(RULES)
    page = watched.page
    drag(page, "Everything else", "Answers by number")
    expect(page.get_by_role("heading", name="An example would break")).to_be_visible()
    assert names(world) == ORDER
    accessible(page)
    save_all_the_same(page)
    expect(shown(page).nth(1)).to_have_text("Everything else")
    assert names(world) == [ORDER[0], ORDER[3], ORDER[1], ORDER[2]]


def test_the_arrows_need_the_keyboard_only(watched: Watched, world: World) -> None:
    watched.go(RULES)
    watched.page.get_by_role("button", name="Move “Answers by number” down").press("Enter")
    expect(shown(watched.page)).to_have_text([ORDER[0], ORDER[2], ORDER[1], ORDER[3]])


# --- the list ---------------------------------------------------------------------------------------------------------------------


def test_the_list_tells_what_each_rule_did(watched: Watched) -> None:
    watched.go(RULES)
    rules = watched.page.locator("li.rule")
    expect(rules.nth(1)).to_contain_text("Matched 1,204 mails, last 3 h ago. Acted on 1,190, last 4 h ago.")
    expect(rules.nth(2)).to_contain_text("Never matched in 90 days")
    expect(rules.nth(3)).to_contain_text("matches every mail")
    expect(rules.nth(3)).to_contain_text("Never acted.")
    expect(rules.first).not_to_contain_text("Matched")
    expect(rules.first.get_by_role("link", name="Delete")).to_have_count(0)


def test_a_rule_is_duplicated_right_below_and_disabled(watched: Watched, world: World) -> None:
    watched.go(RULES)
    watched.page.get_by_role("button", name="Duplicate “Answers by number”").click()
    expect(watched.page.get_by_role("status").filter(has_text="is added right below")).to_be_visible()
    expect(shown(watched.page)).to_have_text([*ORDER[:2], "Answers by number (copy)", *ORDER[2:]])
    expect(watched.page.locator("li.rule").nth(2)).to_contain_text("Disabled")


# --- the form ---------------------------------------------------------------------------------------------------------------------


def test_conditions_of_every_sort_are_filled_in(watched: Watched, world: World) -> None:
    watched.go(f"{RULES}/new")
    page = watched.page
    page.get_by_label("Name", exact=True).fill("Campaigns")
    first = page.get_by_role("group", name="Condition 1")
    expect(first.get_by_label("Which header")).to_be_hidden()
    first.get_by_label("Field", exact=True).select_option("header")
    first.get_by_label("Which header").fill("X-Campaign")
    first.get_by_label("Operator").select_option("begins_with")
    first.get_by_label("Value").fill("spring")
    page.get_by_role("button", name="Add condition").click()
    second = page.get_by_role("group", name="Condition 2")
    second.get_by_label("Field", exact=True).select_option("kind")
    expect(second.get_by_label("Value")).to_be_hidden()
    expect(second.get_by_label("Operator").locator("option:not([disabled])")).to_have_text(["is exactly", "is not"])
    second.get_by_label("Kind").select_option("list")
    page.get_by_role("button", name="Add condition").click()
    third = page.get_by_role("group", name="Condition 3")
    third.get_by_label("Field", exact=True).select_option("attachment_size")
    expect(third.get_by_label("Operator").locator("option:not([disabled])")).to_have_text(["is larger than", "is smaller than"])
    expect(third.get_by_text("such as 500 KB")).to_be_visible()
    third.get_by_label("Value").fill("2.5 MB")
    page.get_by_label("File it with the sender").check()
    page.get_by_label("With the", exact=True).select_option("account")
    page.get_by_label("Make a lead where no record has the address").check()
    accessible(page)
    page.get_by_role("button", name="Save").click()
    told = "If Header X-Campaign begins with “spring” and Kind of mail is “mailing list or bulk” and an attachment is larger than “2.5 MB”"
    filed = "file it with the account that has the sender's address, or with a new lead when there is none"
    expect(page.locator("li.rule").last).to_contain_text(f"{told}: {filed}.")
    made = next(rule for rule in world.rules.values() if rule.name == "Campaigns")
    assert [(item.header, item.value) for item in made.conditions] == [("X-Campaign", "spring"), (None, "list"), (None, "2.5 MB")]


def test_a_rule_with_every_option_goes_through_the_form_unchanged(watched: Watched, world: World) -> None:
    gets = {"assignee": "otto@company.example", "tags": ["a", "b b"], "status": "waiting", "priority": "high", "category": "Sales"}
    found = {"lookup": "title", "create_when_missing": True, "participants_only": False, "reopen_days": 7}
    before = world.rule_versions[6].rules[3].model_dump()
    rule = type(world.rules["r3"]).model_validate(before | {"id": "r3", "action": {"type": "update_ticket"} | gets | found})
    world.rules["r3"] = rule
    watched.go(f"{RULES}/r3")
    watched.page.get_by_role("button", name="Save").click()
    expect(watched.page.get_by_text("is saved.")).to_be_visible()
    same = {"name", "enabled", "match", "conditions", "action"}
    assert world.rules["r3"].model_dump(include=same) == rule.model_dump(include=same)


def test_a_refused_pattern_is_shown_with_a_mark_at_its_place(watched: Watched, world: World) -> None:
    message = "at character 11: a bracket ( is never closed"
    errors = [{"field": "conditions.0.value", "message": message, "position": 10}]
    world.refuse = ProblemError(422, "The regular expression is not valid", "…", errors=errors)
    watched.go(f"{RULES}/r2")
    page = watched.page
    page.get_by_label("Value").fill("Ticket Id:(")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Value")).to_have_accessible_description(message)
    assert page.locator(".caret").inner_text() == "Ticket Id:(\n          ^"
    accessible(page)


def test_what_does_not_fit_is_told_at_its_row_in_plain_words(watched: Watched) -> None:
    watched.go(f"{RULES}/new")
    page = watched.page
    page.get_by_label("Name", exact=True).fill("Large")
    page.get_by_label("Field", exact=True).select_option("attachment_size")
    page.get_by_label("Value").fill("five apples")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Value")).to_have_accessible_description(re.compile("Give a size such as 500 KB"))
    page.get_by_label("Field", exact=True).select_option("header")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Which header")).to_have_accessible_description(re.compile("Give the header field's name"))
    accessible(page)


def test_a_changed_rule_is_tried_on_mails_before_it_is_saved(watched: Watched, world: World) -> None:
    watched.go(f"{RULES}/r2")
    page = watched.page
    page.get_by_label("Value").fill("(")
    page.get_by_label("Archive the mail").check()
    page.get_by_role("button", name="Try on mails first").click()
    expect(page.get_by_role("heading", name="Try the changed rules on mails")).to_be_visible()
    draft = json.loads(page.locator("[name=draft]").input_value())
    assert [(rule["id"], rule["action"]["type"]) for rule in draft][:2] == [("r1", "update_ticket"), ("r2", "archive")]
    assert len(draft) == 4
    assert world.rules["r2"].action.type == "update_ticket"


# --- the question before an example breaks ----------------------------------------------------------------------------------------


def test_saving_a_rule_that_breaks_an_example_asks_and_loses_nothing(watched: Watched, world: World) -> None:
    breaking(world)
    watched.go(f"{RULES}/r2")
    page = watched.page
    page.get_by_label("Name", exact=True).fill("By number")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="An example would break")).to_be_visible()
    accessible(page)
    page.set_viewport_size({"width": 390, "height": 844})
    accessible(page)
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("By number")
    expect(page.get_by_label("Value")).to_have_value(r"Ticket Id:\s*(\d+)")
    assert names(world) == ORDER
    page.get_by_role("button", name="Save").click()
    save_all_the_same(page)
    expect(page.get_by_text("The rule “By number” is saved.")).to_be_visible()
    assert names(world)[1] == "By number"


@pytest.mark.parametrize(
    ("path", "button"),
    [
        (RULES, "Disable “Answers by number”"),
        (RULES, "Move “Answers by number” down"),
        (f"{RULES}/r2/delete", "Delete the rule"),
        (f"{RULES}/versions/6/restore", "Restore version 6"),
    ],
)
def test_every_change_that_breaks_an_example_asks(watched: Watched, world: World, path: str, button: str) -> None:
    breaking(world)
    watched.go(path)
    watched.page.get_by_role("button", name=button).click()
    expect(watched.page.get_by_role("link", name="Back")).to_have_attribute("href", RULES)
    assert max(world.rule_versions) == 7
    save_all_the_same(watched.page)
    expect(shown(watched.page).first).to_be_visible()
    assert max(world.rule_versions) == 8


# --- versions ---------------------------------------------------------------------------------------------------------------------


def test_two_versions_are_compared_in_words(watched: Watched) -> None:
    watched.go(f"{RULES}/versions")
    page = watched.page
    page.get_by_label("Compare version").select_option("6")
    page.get_by_label("with version").select_option("7")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="From version 6 to version 7")).to_be_visible()
    changes = page.locator(".changes > li")
    expect(changes).to_have_count(4)
    expect(changes.filter(has_text="Campaigns")).to_contain_text("If an attachment is larger than “20 MB”")
    offers = changes.filter(has_text="Leave offers alone")
    expect(offers.locator("del").first).to_have_text("enabled")
    expect(offers.locator("ins").first).to_have_text("disabled")
    expect(offers.locator("ins").last).to_contain_text("From ends with “@shop.example”")
    expect(changes.filter(has_text="Answers by number").locator(".badge")).to_have_text("Moved")


def test_a_version_is_restored_after_a_look(watched: Watched, world: World) -> None:
    watched.go(f"{RULES}/versions")
    page = watched.page
    page.get_by_role("link", name="Version 6").click()
    expect(page.get_by_role("link", name="Try this version on mails")).to_have_attribute("href", f"{RULES}/try?version=6")
    page.get_by_role("link", name="Restore").click()
    expect(page.get_by_text("archive it")).to_be_visible()
    page.get_by_role("button", name="Restore version 6").click()
    expect(page.get_by_text("The rules of version 6 are in force again, as version 8.")).to_be_visible()
    assert names(world)[-1] == "Campaigns"


def test_a_restore_is_refused_when_the_rules_changed_meanwhile(watched: Watched, world: World) -> None:
    watched.go(f"{RULES}/versions/6/restore")
    world.rule_versions[8] = world.rule_versions[7].model_copy(update={"version": 8})
    watched.page.get_by_role("button", name="Restore version 6").click()
    expect(watched.page.get_by_role("heading", name="Changed meanwhile")).to_be_visible()
    assert names(world) == ORDER


# --- files ------------------------------------------------------------------------------------------------------------------------


def test_rules_go_out_as_a_file_and_into_another_mailbox(watched: Watched, world: World, tmp_path: Path) -> None:
    watched.go(RULES)
    page = watched.page
    with page.expect_download() as loading:
        page.get_by_role("link", name="Export").click()
    assert loading.value.suggested_filename == "rules-support.json"
    loading.value.save_as(tmp_path / "rules.json")
    watched.go("/mailboxes/old/rules/import")
    page.get_by_label("File of exported rules").set_input_files(tmp_path / "rules.json")
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_text("4 rules of the mailbox “Support”")).to_be_visible()
    page.get_by_role("button", name="Add these rules").click()
    expect(shown(page)).to_have_text(ORDER[1:])


def test_a_file_is_shown_before_it_is_taken(watched: Watched, world: World) -> None:
    watched.go(f"{RULES}/import")
    page = watched.page
    page.get_by_label("Or paste it").fill(json.dumps(FILE))
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_role("heading", name="Take these rules?")).to_be_visible()
    expect(page.get_by_text("If Subject contains “invoice”: create a ticket (sets tags “invoice”).")).to_be_visible()
    expect(page.locator("li", has_text="Reply to a known conversation").get_by_text("Left out")).to_be_visible()
    assert names(world) == ORDER
    accessible(page)
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_label("Or paste it")).to_have_value(re.compile("Invoices"))
    page.get_by_label("Replace this mailbox's rules").check()
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_text("Left out")).to_have_count(0)
    breaking(world)
    page.get_by_role("button", name="Replace the rules").click()
    save_all_the_same(page)
    expect(page.get_by_text("The file's rules are taken in, as version 8.")).to_be_visible()
    assert names(world) == [ORDER[0], "<i>Invoices</i>"]


def test_what_is_wrong_with_a_file_is_told_by_rule(watched: Watched, world: World, tmp_path: Path) -> None:
    watched.go(f"{RULES}/import")
    page = watched.page
    bad = FILE | {"rules": [FILE["rules"][1] | {"name": "Large", "match": "some"}]}
    page.get_by_label("Or paste it").fill(json.dumps(bad))
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_role("alert")).to_contain_text("Rule 1 “Large”")
    page.get_by_label("Or paste it").fill(json.dumps(FILE))
    page.get_by_role("button", name="Look at it").click()
    errors = [{"field": "file.rules.1.conditions.0.value", "message": "at character 1: a bracket ( is never closed", "position": 0}]
    world.refuse = ProblemError(422, "The regular expression is not valid", "…", errors=errors)
    page.get_by_role("button", name="Add these rules").click()
    expect(page.get_by_role("alert")).to_contain_text("Rule 2 “<i>Invoices</i>”, condition 1: at character 1")
    accessible(page)
    (tmp_path / "large.json").write_bytes(b"x" * (1024 * 1024 + 1))
    watched.go(f"{RULES}/import")
    page.get_by_label("File of exported rules").set_input_files(tmp_path / "large.json")
    page.get_by_role("button", name="Look at it").click()
    expect(page.get_by_role("alert")).to_contain_text("“large.json” is larger than 1 MiB")
    assert names(world) == ORDER


# --- examples ---------------------------------------------------------------------------------------------------------------------


def test_a_mail_is_pinned_checked_and_unpinned(watched: Watched, world: World) -> None:
    watched.go(f"{RULES}/examples/new?mail_id=mail-1")
    page = watched.page
    expect(page.get_by_text("it became: New ticket 128 by “Everything else”")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Invoice wrong – Überweisung")
    page.get_by_label("Name", exact=True).fill("A first mail of Anna")
    page.get_by_label("Result").select_option("ticket")
    page.get_by_label("By the rule").select_option("r4")
    page.get_by_role("button", name="Pin").click()
    row = page.get_by_role("row", name="A first mail of Anna")
    expect(row).to_contain_text("New ticket by “Everything else”")
    expect(row.get_by_role("link")).to_have_attribute("href", "/mails/mail-1")
    page.get_by_role("button", name="Check all now").click()
    expect(page.get_by_text("3 of 4 do not hold under today's rules.")).to_be_visible()
    expect(page.get_by_role("row", name="An answer by number")).to_contain_text("Holds")
    expect(page.get_by_role("row", name="campaign")).to_contain_text("Broken today: Ignored by “Leave offers alone”")
    expect(page.get_by_role("row", name="Hello")).to_contain_text("The tickets service is away; try again shortly.")
    accessible(page)
    page.set_viewport_size({"width": 390, "height": 844})
    accessible(page)
    page.get_by_role("button", name="Unpin “A first mail of Anna”").click()
    expect(page.get_by_text("The example is unpinned.")).to_be_visible()
    assert set(world.examples) == {"e1", "e2", "e3"}


def test_a_mail_is_pinned_from_a_file_within_bounds(watched: Watched, world: World, tmp_path: Path) -> None:
    watched.go(f"{RULES}/examples/new")
    page = watched.page
    page.get_by_label("Name", exact=True).fill("From a file")
    page.get_by_role("button", name="Pin").click()
    expect(page.get_by_label("File (.eml)")).to_have_accessible_description(re.compile("Choose a file, or paste the mail below."))
    (tmp_path / "large.eml").write_bytes(b"x" * (1024 * 1024 + 1))
    page.get_by_label("File (.eml)").set_input_files(tmp_path / "large.eml")
    page.get_by_role("button", name="Pin").click()
    expect(page.get_by_label("File (.eml)")).to_have_accessible_description(re.compile("larger than 1 MiB"))
    accessible(page)
    (tmp_path / "small.eml").write_bytes(b"Subject: Hello\r\n\r\nHello\xff")
    page.get_by_label("File (.eml)").set_input_files(tmp_path / "small.eml")
    page.get_by_role("button", name="Pin").click()
    expect(page.get_by_role("row", name="From a file")).to_contain_text("uploaded")


# --- without scripts --------------------------------------------------------------------------------------------------------------


def test_rules_are_worked_on_without_scripts(console: Console, world: World, scriptless: Page) -> None:
    page = scriptless
    page.goto(f"{console.url}{RULES}/new")
    page.get_by_label("Name", exact=True).fill("By hand")
    row = page.get_by_role("group", name="Condition 2")
    expect(row.get_by_label("Which header")).to_be_hidden()
    row.get_by_label("Field", exact=True).select_option("header")
    row.get_by_label("Which header").fill("List-Id")
    row.get_by_label("Value").fill("news")
    other = page.get_by_role("group", name="Condition 3")
    other.get_by_label("Field", exact=True).select_option("kind")
    other.get_by_label("Operator").select_option("equals")
    other.get_by_label("Kind").select_option("own")
    page.get_by_role("button", name="Save").click()
    made = next(rule for rule in world.rules.values() if rule.name == "By hand")
    assert [(item.field.value, item.header, item.value) for item in made.conditions] == [
        ("header", "List-Id", "news"),
        ("kind", None, "own"),
    ]
    page.get_by_role("button", name="Move “By hand” up").click()
    assert names(world)[3] == "By hand"
    breaking(world)
    page.get_by_role("button", name="Disable “By hand”").click()
    save_all_the_same(page)
    assert not world.rules[made.id].enabled
    page.goto(f"{console.url}{RULES}/import")
    page.get_by_label("Or paste it").fill(json.dumps(FILE))
    page.get_by_role("button", name="Look at it").click()
    world.breaking = []
    page.get_by_role("button", name="Add these rules").click()
    assert names(world)[-1] == "<i>Invoices</i>"


def test_an_address_of_an_unknown_rule_is_a_page(watched: Watched) -> None:
    watched.go(f"{RULES}/no-such-rule")
    expect(watched.page.get_by_role("heading", name="No such rule")).to_be_visible()
