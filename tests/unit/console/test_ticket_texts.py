"""How tickets are told: the filter in the address, the form's changes, history and belonging in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.datastructures import FormData, QueryParams

from console.pages import ticket_filter, ticket_history, ticket_texts
from console.pages.originals import split_source
from console.pages.ticket_form import as_patch, changed_fields, form_values, in_conflict, shown_before

NAMES = {"open": "New", "closed": "Done"}
ANNA = "user:anna@company.example"


def entry(kind: str, *changes: tuple[str, Any, Any], actor: str = ANNA, other: int | None = None) -> dict[str, Any]:
    fields = [{"field": name, "before": before, "after": after} for name, before, after in changes]
    return {"type": kind, "actor": actor, "changes": fields, "other_ticket_id": other, "at": "2026-11-23T12:00:00Z"}


def ticket(**values: Any) -> dict[str, Any]:
    return {"linked_ticket_id": None, "sender": None, "watchers": [], "recipients": []} | values


def test_what_does_not_restrict_is_not_in_the_filter() -> None:
    asked = QueryParams("q=+&status=closed&status=open&status=odd&tag=vip&other=x")
    wanted = ticket_filter.read_filter(asked)
    assert wanted == {"tag": "vip", "status": ["open", "closed"]}
    assert ticket_filter.query(wanted, view="v1", cursor="") == "tag=vip&status=open&status=closed&view=v1"
    assert ticket_filter.refined(wanted) == 1
    view = {"filter": {"attention": True, "tag": None}}
    assert ticket_filter.read_filter(QueryParams(ticket_filter.query(ticket_filter.saved(view)))) == {"attention": "true"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (("status", "open", "closed"), "changed the status from New to Done"),
        (("category", None, "Orders"), "set the category to Orders"),
        (("external_code", "E1", None), "took the external code E1 away"),
        (("assignee", None, "anna@company.example"), "took it"),
        (("assignee", "bo@company.example", "anna@company.example"), "took it over from bo@company.example"),
        (("assignee", None, "bo@company.example"), "gave it to bo@company.example"),
        (("assignee", "anna@company.example", None), "gave it back: it is nobody's now"),
        (("tags", ["a", "b"], ["b", "c"]), "added the tag c and took away the tag a"),
        (("merged_into", None, "12"), "made it part of #12"),
        (("answer", "sent", "taken back"), "took an answer back"),
        (("title", "", "Chairs"), "renamed it from “(no subject)” to “Chairs”"),
    ],
)
def test_a_change_is_told_in_plain_words(changes: tuple[str, Any, Any], told: str) -> None:
    assert ticket_history.tell(entry("updated", changes), NAMES) == ticket_history.Told("anna@company.example", [told])


def test_who_acted_is_named() -> None:
    assert ticket_history.who(ANNA, viewer=ANNA) == "You"
    assert ticket_history.who("mail") == "A mail"
    assert ticket_history.who("token:ci") == "Token “ci”"
    assert ticket_history.tell(entry("merged", other=9), NAMES).what == ["took in #9"]


def test_a_number_in_a_text_leads_to_its_ticket_and_nothing_else_gets_through() -> None:
    assert ticket_texts.linked("took in #9 & <b>'s #x") == 'took in <a href="/tickets/9">#9</a> &amp; &lt;b&gt;&#39;s #x'


def test_why_a_ticket_points_at_another_is_told() -> None:
    stranger = ticket(linked_ticket_id=7, sender="Bo <bo@x.example>")
    known = ticket(sender="Anna <anna@x.example>", watchers=["BO@x.example"])
    assert ticket_texts.belongs(stranger, ticket(sender="anna@x.example"), []) == "Opened because Bo takes no part in #7."
    assert ticket_texts.belongs(stranger, known, []) == "Continues #7."
    assert ticket_texts.belongs(stranger, known, [entry("split", other=7)]) == "Made of a message of #7."
    assert ticket_texts.belongs(ticket(), None, []) == ""


def test_the_tickets_taken_in_and_when_it_was_merged_itself_are_told_apart() -> None:
    away, taken = entry("merged", ("merged_into", None, "12"), other=12), entry("merged", other=5)
    assert ticket_texts.taken_in([away, taken, taken]) == [5]
    assert ticket_texts.merged_since([taken]) is None
    assert ticket_texts.merged_since([taken, away]) == away["at"]


def test_what_a_message_is_and_who_wrote_it_is_told() -> None:
    ours: dict[str, Any] = {"kind": "reply", "mode": "acknowledgement", "sender": "system", "deliveries": [], "delivery": None}
    assert (ticket_texts.kind(ours), ticket_texts.author(ours)) == ("Automatic acknowledgement", "Mail Converter")
    before = ours | {"kind": "comment", "mode": None, "sender": ANNA, "delivery": "sent"}
    assert (ticket_texts.kind(before), ticket_texts.author(before)) == ("Answer", "anna@company.example")
    assert (
        ticket_texts.names([ANNA, "token:ci", "user:bo@x.example"], [("bo@x.example", "Bo")]) == "anna@company.example, token “ci” and Bo"
    )


def test_the_time_to_take_an_answer_back_is_counted_down_to_nothing() -> None:
    now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    assert ticket_texts.seconds_left("2026-11-23T12:00:09.200Z", now) == 10
    assert ticket_texts.seconds_left("2026-11-23T11:59:59Z", now) == 0
    assert ticket_texts.seconds_left(None, now) == 0


def test_only_what_was_typed_anew_is_changed() -> None:
    form = FormData([("status", "closed"), ("category", ""), ("tags", "B, a,b,"), ("watchers", "x@y.example; z@y.example"), ("was", "odd")])
    values = form_values(form)
    assert values == {"status": "closed", "category": "", "tags": ["b", "a"], "watchers": ["x@y.example", "z@y.example"]}
    assert shown_before(form) == {}
    changes = changed_fields(values, values | {"status": "open", "category": "Orders"})
    assert as_patch(changes) == {"status": "closed", "category": None}


def test_others_are_in_the_way_only_at_the_same_field_or_with_a_mail() -> None:
    assert in_conflict(["status"], [entry("updated", ("status", "open", "closed"))])
    assert in_conflict(["status"], [entry("commented", actor="mail")])
    assert not in_conflict(["status"], [entry("updated", ("priority", "low", "high"))])


def test_a_source_shows_its_headers_first_whatever_bytes_it_has() -> None:
    assert split_source(b"Subject: A\r\nTo: b\r\n\r\nText \xff\x00\r\n\r\nmore") == ("Subject: A\nTo: b", "Text \ufffd·\n\nmore")
    assert split_source(b"no body") == ("no body", "")


def test_long_texts_are_previewed_on_one_line() -> None:
    assert ticket_texts.preview("Hello\n\nthere ") == "Hello there"
    assert len(ticket_texts.preview("word " * 500)) <= ticket_texts.PREVIEW_CHARS + 2
