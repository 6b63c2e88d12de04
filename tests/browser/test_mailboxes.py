"""Mailboxes as an administrator sees them: the whole form, the state as it changes, folders, and signing in with a provider."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from shared import api
from shared.http import ProblemError
from tests.kit.browsing import Console, Watched, accessible
from tests.kit.stand_in_fetcher import PROVIDER_HOST
from tests.kit.stand_in_mailboxes import NOW
from tests.kit.stand_in_world import World

pytestmark = [pytest.mark.browser, pytest.mark.connected, pytest.mark.timeout(180)]

STATES = [
    ("support", "Reading"),
    ("billing", "Cannot be read"),
    ("expired", "Cannot be read"),
    ("renamed", "Read in part"),
    ("lapsed", "Cannot be read"),
    ("fresh", "Waits for a sign-in"),
    ("busy", "Catching up"),
    ("old", "Disabled"),
]


@pytest.mark.parametrize(("scanner_id", "told"), STATES)
def test_a_mailbox_says_in_a_word_how_it_is(watched: Watched, scanner_id: str, told: str) -> None:
    watched.go(f"/mailboxes/{scanner_id}")
    expect(watched.page.get_by_role("region", name="State").locator(".badge")).to_have_text(told)


@pytest.mark.parametrize("path", ["", "/plain", "/plain/edit", "/plain/folders", "/plain/rules"])
def test_what_is_unsafe_is_shown_wherever_the_mailbox_is(watched: Watched, path: str) -> None:
    watched.go(f"/mailboxes{path}")
    expect(watched.page.get_by_text("The connection is not encrypted").first).to_be_visible()


@pytest.mark.parametrize("path", ["/mails?scanner_id=plain", "/status"])
def test_what_is_unsafe_is_shown_on_other_pages_too(watched: Watched, path: str) -> None:
    watched.go(path)
    expect(watched.page.get_by_text("The connection is not encrypted")).to_be_visible()


def test_the_status_page_lists_mailboxes_that_need_somebody_and_no_other(watched: Watched) -> None:
    watched.go("/status")
    listed = watched.page.get_by_role("region", name="Mailboxes")
    for name in ("Billing", "Shop", "Press", "Contracts (Microsoft 365)"):
        expect(listed.get_by_role("link", name=name)).to_be_visible()
    for name in ("Support", "All of last year", "Old server in the cellar"):
        expect(listed.get_by_role("link", name=name)).to_have_count(0)


def test_the_state_tells_what_an_administrator_asks(watched: Watched) -> None:
    watched.go("/mailboxes/support")
    state = watched.page.get_by_role("region", name="State")
    for told in ("by push, and asked every 60 s", "38 mails", "fetcher-1"):
        expect(state).to_contain_text(told)
    scans = watched.page.get_by_role("table", name="Recent scans")
    expect(scans.get_by_role("row")).to_have_count(4)
    expect(scans).to_contain_text("3 min 32 s")
    expect(scans).to_contain_text("The server cut the connection")
    watched.go("/mailboxes/busy")
    expect(state).to_contain_text("48,211 mails")


def test_tokens_are_shown_with_their_end_and_why_they_were_not_renewed(watched: Watched) -> None:
    watched.go("/mailboxes/ending")
    tokens = watched.page.get_by_role("region", name="Sign-in with Google")
    expect(tokens).to_contain_text(re.compile(r"Token ends\s*in \d+ (min|s) \(renewed before that\)"))
    watched.go("/mailboxes/lapsed")
    expect(watched.page.get_by_text("the consent withdrawn. Sign in again.")).to_have_count(1)
    expect(watched.page.get_by_role("button", name="Sign in again with Microsoft 365")).to_be_visible()


# --- what changes by itself -------------------------------------------------------------------------------------------------------


def test_the_state_changes_on_the_page_by_itself_and_is_told(watched: Watched, world: World) -> None:
    watched.go("/mailboxes/lapsed")
    page = watched.page
    page.evaluate("window.untouched = true")
    page.get_by_role("button", name="Sign in again").focus()
    lapsed = world.scanners["lapsed"]
    tokens = api.OAuthState(signed_in=True, expires_at=NOW + timedelta(hours=1), renewed_at=NOW)
    state = lapsed.state.model_copy(update={"last_error": None, "oauth": tokens})
    world.scanners["lapsed"] = lapsed.model_copy(update={"state": state})
    expect(page.get_by_role("region", name="State").locator(".badge")).to_have_text("Reading")
    expect(page.get_by_role("status").filter(has_text="Reading")).to_have_count(1)
    expect(page.get_by_role("button", name="Sign in again")).to_be_focused()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    assert page.evaluate("window.untouched")
    accessible(page)


def test_scan_now_shows_its_progress_live(watched: Watched, world: World) -> None:
    world.jobs["fetcher-1"] = api.Job(id="fetcher-1", state="queued")
    watched.go("/mailboxes/support")
    page = watched.page
    page.get_by_role("button", name="Scan now").click()
    expect(page.get_by_text("The scan is about to start")).to_be_visible()
    world.jobs["fetcher-1"] = api.Job(id="fetcher-1", state="running", done=120, total=1300)
    expect(page.get_by_text("1,300 mails found, 120 of 1,300 read")).to_be_visible()
    accessible(page)
    ended = {"found": 1300, "read": 1300}
    world.jobs["fetcher-1"] = api.Job(id="fetcher-1", state="done", done=1300, total=1300, result=ended)
    expect(page.get_by_text("The scan is finished: 1,300 mails found, 1,300 read.").first).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="The scan is finished")).to_have_count(1)


def test_a_failed_scan_says_why(watched: Watched, world: World) -> None:
    told = {"found": 0, "read": 0, "error": "The server's certificate ended. Renew it there."}
    world.jobs["fetcher-1"] = api.Job(id="fetcher-1", state="failed", result=told)
    watched.go("/mailboxes/support?job=fetcher-1")
    expect(watched.page.get_by_text("The scan failed. The server's certificate ended. Renew it there.")).to_be_visible()


# --- the form ---------------------------------------------------------------------------------------------------------------------


def test_a_mailbox_with_oauth_and_moves_goes_through_the_form_and_back(watched: Watched, world: World) -> None:
    watched.go("/mailboxes/new")
    page = watched.page
    page.get_by_label("Name", exact=True).first.fill("Orders")
    page.get_by_label("IMAP server").fill("outlook.office365.com")
    page.get_by_label("Protocol").select_option("imap2")
    server = page.get_by_role("group", name="Server")
    server.get_by_label("User name").fill("orders@company.example")
    expect(page.get_by_label("Client id")).to_be_hidden()
    page.get_by_label("Authentication").select_option("oauth2")
    expect(server.get_by_label("Password")).to_be_hidden()
    expect(page.get_by_text("/oauth/callback")).to_be_visible()
    expect(page.get_by_label("Tenant")).to_be_hidden()
    page.get_by_label("Provider").select_option("microsoft")
    expect(page.get_by_label("Issuer's URL")).to_be_hidden()
    page.get_by_label("Tenant").fill("company.onmicrosoft.com")
    page.get_by_label("Client id").fill("0b7e")
    page.get_by_label("Client secret").fill("s3cret")
    page.get_by_role("button", name="Add a parameter").click()
    first = page.get_by_role("group", name="Parameter 1")
    first.get_by_label("Name").select_option("READ_TIMEOUT")
    first.get_by_label("Value").fill("90")
    page.get_by_label("When a rule acted, move to").fill("Done")
    page.get_by_label("When no rule acted, move to").fill("Left over/März")
    page.get_by_label("Spam folder").fill("Spam")
    page.get_by_label("Push: let the server").uncheck()
    page.get_by_label("PEC").check()
    accessible(page)
    page.get_by_label("SMTP identity").select_option("smtp-1")
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_role("status").first).to_contain_text("Saved. Next, sign in with Microsoft 365 below.")
    made = next(item for item in world.scanners.values() if item.name == "Orders")
    oauth = api.OAuthFields(provider=api.OAuthProvider.MICROSOFT, client_id="0b7e", tenant="company.onmicrosoft.com")
    assert (made.auth, made.oauth, made.protocol) == ("oauth2", oauth, "imap2")
    assert (made.move_matched_to, made.move_unmatched_to, made.spam_folder) == ("Done", "Left over/März", "Spam")
    assert (made.parameters, made.push, made.pec) == ({"READ_TIMEOUT": "90"}, False, True)
    assert world.secrets[made.id] == {"client_secret": "s3cret"}
    page.get_by_role("link", name="Edit").click()
    expect(page.get_by_label("Client id")).to_have_value("0b7e")
    expect(page.get_by_label("Client secret")).to_have_value("")
    expect(page.get_by_label("When no rule acted, move to")).to_have_value("Left over/März")
    page.get_by_role("button", name="Remove this parameter").click()
    page.get_by_role("button", name="Save without test").click()
    assert world.scanners[made.id].parameters == {}
    assert world.secrets[made.id] == {"client_secret": "s3cret"}


def test_going_back_to_a_password_leaves_oauth_behind(watched: Watched, world: World) -> None:
    watched.go("/mailboxes/lapsed/edit")
    page = watched.page
    page.get_by_label("Authentication").select_option("password")
    expect(page.get_by_label("Client id")).to_be_hidden()
    page.get_by_role("group", name="Server").get_by_label("Password").fill("new one")
    page.get_by_role("button", name="Save without test").click()
    expect(page.get_by_role("heading", name="Sign-in with")).to_have_count(0)
    assert (world.scanners["lapsed"].auth, world.scanners["lapsed"].oauth) == ("password", None)
    assert world.secrets["lapsed"] == {"password": "new one"}


def test_what_the_fetcher_refuses_lands_at_its_field(watched: Watched, world: World) -> None:
    errors = [
        {"field": "oauth.issuer", "message": "Value error, must be an https URL"},
        {"field": "parameters.READ_TIMEOUT", "message": "READ_TIMEOUT must be a whole number from 1 to 600"},
        {"field": "move_matched_to", "message": "is a folder that is read"},
    ]
    world.refuse = ProblemError(422, "The request is not valid", "see errors", errors=errors)
    watched.go("/mailboxes/fresh/edit")
    page = watched.page
    page.get_by_label("Issuer's URL").fill("ftp://nowhere.example")
    page.get_by_label("Client secret").fill("typed")
    page.get_by_role("button", name="Add a parameter").click()
    page.get_by_role("group", name="Parameter 1").get_by_label("Name").select_option("READ_TIMEOUT")
    page.get_by_role("group", name="Parameter 1").get_by_label("Value").fill("9000")
    page.get_by_label("When a rule acted, move to").fill("INBOX")
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_role("alert")).to_contain_text("Not saved yet")
    expect(page.get_by_label("Issuer's URL")).to_have_accessible_description(re.compile("must be an https URL"))
    expect(page.get_by_label("Issuer's URL")).to_have_value("ftp://nowhere.example")
    value = page.get_by_role("group", name="Parameter 1").get_by_label("Value")
    expect(value).to_have_accessible_description("READ_TIMEOUT must be a whole number from 1 to 600")
    expect(value).to_have_value("9000")
    expect(page.get_by_label("When a rule acted, move to")).to_have_accessible_description("is a folder that is read")
    expect(page.get_by_label("Client secret")).to_have_value("")
    accessible(page)


def test_a_parameter_twice_and_one_without_a_name_are_refused_before_anybody_is_asked(watched: Watched, world: World) -> None:
    watched.go("/mailboxes/old/edit")
    page = watched.page
    add = page.get_by_role("button", name="Add a parameter")
    add.click()
    page.get_by_role("group", name="Parameter 3").get_by_label("Name").select_option("READ_TIMEOUT")
    page.get_by_role("group", name="Parameter 3").get_by_label("Value").fill("40")
    add.click()
    page.get_by_role("group", name="Parameter 4").get_by_label("Value").fill("no name")
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_text("Each parameter once, please.").first).to_be_visible()
    expect(page.get_by_text("Choose the parameter's name.")).to_be_visible()
    assert world.scanners["old"].version == 3


def test_what_concerns_no_field_of_the_form_is_told_above_it(watched: Watched, world: World) -> None:
    errors = [{"field": "oauth.refresh_token", "message": "a refresh token is needed"}]
    world.refuse = ProblemError(422, "The request is not valid", "see errors", errors=errors)
    watched.go("/mailboxes/fresh/edit")
    watched.page.get_by_role("button", name="Save and test").click()
    expect(watched.page.get_by_role("alert")).to_have_text("a refresh token is needed")


def test_unsafe_choices_are_warned_of_while_they_are_made(watched: Watched) -> None:
    watched.go("/mailboxes/new")
    page = watched.page
    expect(page.get_by_text("Without validation")).to_be_hidden()
    page.get_by_label("SSL method").first.select_option("no_validate")
    expect(page.get_by_text("Without validation")).to_be_visible()
    page.get_by_label("SSL type").select_option("none")
    expect(page.get_by_text("Without SSL everybody")).to_be_visible()
    expect(page.get_by_label("SSL method")).to_be_hidden()
    expect(page.get_by_text("Without validation")).to_be_hidden()


def test_the_servers_folders_are_offered_once_a_folder_field_is_entered(watched: Watched) -> None:
    watched.go("/mailboxes/support/edit")
    page = watched.page
    offered = page.locator("#folder-names option")
    expect(offered).to_have_count(0)
    page.get_by_label("Spam folder").focus()
    expect(offered).to_have_count(8)
    values = page.evaluate("[...document.querySelectorAll('#folder-names option')].map((one) => one.value)")
    assert "Public/Übersicht" in values
    assert "Public" not in values


def test_the_whole_form_works_without_scripts(console: Console, world: World, scriptless: Page) -> None:
    page = scriptless
    page.goto(f"{console.url}/mailboxes/fresh/edit")
    page.get_by_role("group", name="Parameter 2").get_by_label("Name").select_option("BATCH_SIZE")
    page.get_by_role("group", name="Parameter 2").get_by_label("Value").fill("20")
    page.get_by_label("Provider").select_option("google")
    expect(page.get_by_label("Issuer's URL")).to_be_hidden()
    page.get_by_label("Who signs in").select_option("client_credentials")
    expect(page.get_by_text("Register this redirect address")).to_be_hidden()
    page.get_by_label("When a rule acted, move to").fill("Done")
    page.get_by_role("button", name="Save and test").click()
    expect(page.get_by_text("Saved. Signed in as")).to_be_visible()
    saved = world.scanners["fresh"]
    assert (saved.parameters, saved.move_matched_to) == ({"BATCH_SIZE": "20"}, "Done")
    assert saved.oauth is not None
    assert (saved.oauth.provider, saved.oauth.grant, saved.oauth.issuer) == ("google", "client_credentials", "")
    expect(page.get_by_text("Live", exact=True)).to_be_hidden()


# --- folders and mails ------------------------------------------------------------------------------------------------------------


def test_folders_are_a_tree_with_counts_by_namespace(watched: Watched) -> None:
    watched.go("/mailboxes/renamed/folders")
    page = watched.page
    expect(page.get_by_label("INBOX", exact=True)).to_have_accessible_description("1,204 mails, 12 unread")
    expect(page.get_by_role("group", name="Other people's folders").get_by_label("user/anna/INBOX")).not_to_be_checked()
    shared = page.get_by_role("group", name="Shared folders")
    expect(shared.get_by_text("(holds folders only)")).to_be_visible()
    expect(shared.get_by_role("checkbox")).to_have_count(1)
    gone = page.get_by_role("group", name="No longer on the server").get_by_label("Bestellungen")
    expect(gone).to_be_checked()
    expect(gone).to_have_accessible_description(re.compile("seems to be “Aufträge” now"))


def test_a_renamed_folder_is_chosen_with_one_press(watched: Watched, world: World) -> None:
    watched.go("/mailboxes/renamed")
    page = watched.page
    problems = page.get_by_role("region", name="Folders that cannot be read")
    expect(problems.get_by_text("Archive/2019", exact=True)).to_be_visible()
    problems.get_by_role("button", name="Read “Aufträge” instead").click()
    expect(page.get_by_text("“Aufträge” is read in place of “Bestellungen”.")).to_be_visible()
    assert world.folders == ["INBOX", "Aufträge"]


def test_a_mail_shows_its_places_and_why_it_was_not_moved(watched: Watched) -> None:
    watched.go("/mails/mail-2")
    places = watched.page.get_by_role("region", name="Where it is").get_by_role("listitem")
    expect(places.nth(0)).to_contain_text("moved away from here")
    expect(places.nth(1)).to_contain_text("Moved here")
    expect(places.nth(2).get_by_role("link")).to_have_attribute("href", "/mails/mail-1")
    watched.go("/mails/mail-3")
    expect(watched.page.get_by_text("It could not be moved to “Spam”. The server has no folder Spam.")).to_be_visible()


# --- signing in with a provider ---------------------------------------------------------------------------------------------------


def only_the_provider_was_foreign(watched: Watched) -> bool:
    """Forget that the browser went to the provider; true when it complained of nothing else."""
    told, watched.complaints[:] = list(watched.complaints), []
    return bool(told) and all(one.startswith(f"foreign request: http://{PROVIDER_HOST}:") for one in told)


def test_who_is_sent_away_is_told_where_to(watched: Watched, world: World) -> None:
    world.provider = "https://login.company.example/authorize?client_id=a&state=b"
    watched.page.route("https://login.company.example/**", lambda route: route.fulfill(status=204))
    watched.go("/mailboxes/fresh")
    watched.page.get_by_role("button", name="Sign in with login.company.example").click()
    expect(watched.page.get_by_role("link", name="Go on to login.company.example")).to_have_attribute("href", world.provider)
    accessible(watched.page)
    watched.complaints.clear()


def test_nobody_is_sent_to_an_unsafe_address(watched: Watched, world: World) -> None:
    world.provider = "http://login.company.example/authorize"
    watched.go("/mailboxes/fresh")
    watched.page.get_by_role("button", name="Sign in with login.company.example").click()
    expect(watched.page).to_have_url(f"{watched.home}/mailboxes/fresh")
    expect(watched.page.get_by_text("Nobody can sign in now. The provider's sign-in page is not on https.")).to_be_visible()


def test_somebody_signs_in_with_the_provider_and_comes_back(watched: Watched, world: World) -> None:
    watched.go("/mailboxes/fresh")
    page = watched.page
    page.get_by_role("button", name="Sign in with login.company.example").click()
    expect(page.get_by_role("heading", name="Provider")).to_be_visible()
    page.get_by_role("link", name="Allow").click()
    expect(page).to_have_url(f"{watched.home}/mailboxes/fresh")
    expect(page.get_by_role("status").filter(has_text="Signed in.")).to_be_visible()
    expect(page.get_by_role("button", name="Sign in again")).to_be_visible()
    assert only_the_provider_was_foreign(watched)
    accessible(page)


def test_somebody_who_refuses_is_told_what_to_do(watched: Watched) -> None:
    watched.go("/mailboxes/fresh")
    page = watched.page
    page.get_by_role("button", name="Sign in with login.company.example").click()
    page.get_by_role("link", name="Deny").click()
    expect(page).to_have_url(f"{watched.home}/mailboxes/fresh")
    expect(page.get_by_text("The sign-in failed. The provider said: access_denied.")).to_be_visible()
    assert only_the_provider_was_foreign(watched)


def test_signing_in_works_without_scripts(console: Console, world: World, scriptless: Page) -> None:
    scriptless.goto(f"{console.url}/mailboxes/fresh")
    scriptless.get_by_role("button", name="Sign in with login.company.example").click()
    scriptless.get_by_role("link", name="Allow").click()
    expect(scriptless.get_by_text("Signed in. The mailbox is read")).to_be_visible()


@pytest.mark.parametrize("query", ["", "?state=x", "?code=c", "?state=never-begun&code=c"])
def test_a_sign_in_nobody_began_is_refused(watched: Watched, query: str) -> None:
    watched.go(f"/oauth/callback{query}")
    expect(watched.page.get_by_role("heading", name="Not a sign-in")).to_be_visible()
    accessible(watched.page)
