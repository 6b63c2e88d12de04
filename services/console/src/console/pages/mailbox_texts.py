"""How a mailbox's state and settings are told to people: pure functions and tables, used in templates."""

from __future__ import annotations

from typing import Any

from console.pages.texts import Badge, interval
from shared.api import SCANNER_PARAMETERS

PARAMETERS = SCANNER_PARAMETERS
PROVIDERS = {"google": "Google", "microsoft": "Microsoft 365"}
PROVIDER_CHOICES = [("google", "Google"), ("microsoft", "Microsoft 365"), ("oidc", "Other, by the URL of its issuer")]
GRANT_CHOICES = [("refresh_token", "A person signs in, once"), ("client_credentials", "The application itself signs in")]
SSL = {"none": "not encrypted", "starttls": "STARTTLS", "ssl": "SSL"}
NAMESPACES = {"personal": "This mailbox's folders", "other": "Other people's folders", "shared": "Shared folders"}


def headline(scanner: dict[str, Any]) -> Badge:
    """The state in a word or three."""
    state = scanner["state"]
    if not scanner["enabled"]:
        return Badge("Disabled", "calm")
    if needs_person(scanner):
        return Badge("Waits for a sign-in", "warn")
    if state["last_error"]:
        return Badge("Read in part", "warn") if _is_of_folders(state) else Badge("Cannot be read", "bad")
    if state["backlog"]:
        return Badge("Catching up", "info")
    return Badge("Reading", "good") if state["last_success_at"] else Badge("Not read yet", "info")


def error(scanner: dict[str, Any]) -> str:
    """What went wrong with the mailbox as a whole; problems of its folders and of its tokens are told by themselves."""
    state = scanner["state"]
    told = state["last_error"] or ""
    return "" if _is_of_folders(state) or told == token_error(scanner) else told


def token_error(scanner: dict[str, Any]) -> str:
    """Why no token could be got, while OAuth 2.0 is what it signs in by."""
    state = scanner["state"]["oauth"]
    return (state["error"] or "") if state and scanner["auth"] == "oauth2" else ""


def _is_of_folders(state: dict[str, Any]) -> bool:
    """Whether the last error says nothing but what its folders' problems say, so that the other folders were read."""
    left = state["last_error"] or ""
    for problem in state["problems"]:
        left = left.replace(problem["message"], "")
    return bool(state["problems"]) and not left.strip()


def needs_person(scanner: dict[str, Any]) -> bool:
    """Whether nobody has signed in to the provider yet."""
    state = scanner["state"]["oauth"]
    return signs_in(scanner) and not (state and state["signed_in"])


def signs_in(scanner: dict[str, Any]) -> bool:
    """Whether its tokens are a person's, who signs in with the provider."""
    return scanner["auth"] == "oauth2" and bool(scanner["oauth"]) and scanner["oauth"]["grant"] == "refresh_token"


def watching(scanner: dict[str, Any]) -> str:
    """How new mails are noticed."""
    told = {
        "push": f"by push, and asked {interval(scanner['interval_seconds'])}",
        "poll": f"asked {interval(scanner['interval_seconds'])}" + ("; push is not available now" if scanner["push"] else ""),
    }
    return told.get(scanner["state"]["watching"] or "", "not watched now")


def authentication(scanner: dict[str, Any]) -> str:
    """How it signs in."""
    if scanner["auth"] == "password" or not scanner["oauth"]:
        return "by password"
    whom = "" if signs_in(scanner) else ", as the application itself"
    return f"by OAuth 2.0 with {provider(scanner)}{whom}"


def provider(scanner: dict[str, Any]) -> str:
    """Who gives its tokens: a known name, else the issuer's host."""
    oauth = scanner["oauth"]
    host = oauth["issuer"].removeprefix("https://").partition("/")[0]
    return PROVIDERS.get(oauth["provider"], host or "the provider")


def start(value: str) -> str:
    """Where reading began."""
    return {"now": "from when it was added", "everything": "everything that is there"}.get(value, f"from {value[1:-1]} days before")


def count(number: int, one: str, many: str) -> str:
    """`1 mail`, `1,204 mails`."""
    return f"{number:,} {one if number == 1 else many}"


def took(seconds: float) -> str:
    """`0.4 s`, `3 min 20 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"


def needs_attention(scanner: dict[str, Any]) -> bool:
    """Whether somebody should look at it. A mailbox that was disabled on purpose is left alone."""
    state = scanner["state"]
    trouble = state["last_error"] or state["problems"] or scanner["warnings"] or token_error(scanner)
    return scanner["enabled"] and bool(trouble or needs_person(scanner))
