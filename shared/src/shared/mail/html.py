"""HTML as plain text for rules, look-ups and quoting: a tag soup scanner without a tree.

A tree builder is the wrong tool here: by the HTML standard's own rules a few kilobytes of unclosed formatting elements make
it build millions of nodes. This one looks at each character a bounded number of times.
"""

from __future__ import annotations

import html as entities
import re
from dataclasses import dataclass, field
from typing import Final

from shared.mail.limits import TEXT_LIMIT

_TAG: Final = re.compile(r"<(/?)([a-zA-Z][^\s/>]{0,63})((?:[^>\"']++|\"[^\"]*+\"|'[^']*+')*+)>")
_LOOSE_TAG: Final = re.compile(r"<(/?)([a-zA-Z][^\s/>]{0,63})([^>]*+)>")
_ATTRIBUTE: Final = re.compile(r"([a-zA-Z-]{1,32})\s{0,8}=\s{0,8}(?:\"([^\"]{0,2048})\"|'([^']{0,2048})'|([^\s\"'>]{1,2048}))")
_OPENING: Final = re.compile(r"<(?=[a-zA-Z/!?])")
_HIDDEN: Final = re.compile(r"display\s{0,4}:\s{0,4}none", re.IGNORECASE)
_BORDER: Final = re.compile(r"border[a-z-]{0,16}\s{0,4}:\s{0,4}+(?!none|medium none|0(?!\.))", re.IGNORECASE)
_BLANKS: Final = re.compile(r"[ \t\r\n\f\u200b\u200c\u034f\ufeff]+")
_SCHEME: Final = re.compile(r"^(?:https?://|mailto:)")
_SPACES: Final = re.compile(r" {2,}")
_MANY_LINES: Final = re.compile(r"\n{3,}")
_BLOCKS: Final = frozenset(
    [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "html",
        "li",
        "main",
        "nav",
        "ol",
        "p",
        "pre",
        "section",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "ul",
    ]
)
_PARAGRAPHS: Final = frozenset(["p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "table", "ul", "ol", "dl"])
_RAW: Final = {
    name: re.compile(rf"</{name}[\s/>]", re.IGNORECASE)
    for name in ("script", "style", "title", "textarea", "noscript", "template", "svg", "xmp")
}
_VOID: Final = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])
_MAX_BAD_TAGS: Final = 20
_MAX_QUOTE: Final = 20
_MAX_ATTRIBUTES: Final = 4096


@dataclass(slots=True)
class _Page:
    out: list[str] = field(default_factory=list)
    line: list[str] = field(default_factory=list)
    quote: int = 0
    outside: list[int] = field(default_factory=list)
    """Quote depth outside of each open blockquote."""
    pre: int = 0
    gap: int | None = None
    """Quote depth of the blank line wanted before the next text."""
    size: int = 0
    """Characters in `out`: more than a text may have is not made."""
    link: tuple[str, int] | None = None
    hidden: tuple[str, int] | None = None
    """Name of the hidden element and how many of that name are open since."""

    def text(self, raw: str) -> None:
        text = entities.unescape(raw) if "&" in raw else raw
        if self.pre:
            first, *others = text.replace("\r\n", "\n").split("\n")
            self.line.append(first)
            for other in others:
                self.end_line()
                self.line.append(other)
        else:
            self.line.append(_BLANKS.sub(" ", text))

    def end_line(self) -> None:
        text = "".join(self.line)
        self.line = []
        self.link = None
        text = text.rstrip() if self.pre else _SPACES.sub(" ", text).strip()
        if text and self.gap is not None:
            if self.out and self.out[-1].strip("> "):
                self.out.append(("> " * self.gap).rstrip())
            self.gap = None
        if text or self.out[-2:] != ["", ""]:  # a page of line breaks is no text
            self.out.append(("> " * self.quote + text).rstrip())
            self.size += len(self.out[-1]) + 1

    def block(self) -> None:
        if "".join(self.line).strip():
            self.end_line()
        else:
            self.line = []

    def paragraph(self) -> None:
        self.block()
        self.gap = self.quote if self.gap is None else min(self.gap, self.quote)


def html_to_text(html: str) -> str:
    """The text a reader sees. Blocks become lines, quotes `> `, links keep their target when it differs, scripts and hidden elements go."""
    page, pos, bad, end = _Page(), 0, 0, len(html)
    while pos < end and page.size <= TEXT_LIMIT:
        opening = _OPENING.search(html, pos)
        at = opening.start() if opening else end
        if at > pos and page.hidden is None:
            page.text(html[pos:at])
        if at == end:
            break
        pos, bad = _markup(page, html, at, bad)
    page.block()
    return _MANY_LINES.sub("\n\n", "\n".join(page.out)).strip("\n")


def _markup(page: _Page, html: str, at: int, bad: int) -> tuple[int, int]:
    """Handles what begins with `<` at that place; where to go on, and the count of tags that could not be read well so far."""
    if html.startswith("<!--", at):
        shut = html.find("-->", at + 4) if bad < _MAX_BAD_TAGS else -1
        return (shut + 3, bad) if shut >= 0 else (_behind(html, at), bad + 1)
    if html.startswith(("<!", "<?"), at):
        return _behind(html, at), bad
    match = _TAG.match(html, at) if bad < _MAX_BAD_TAGS else None
    if match is None:
        match, bad = _LOOSE_TAG.match(html, at), bad + 1
    if match is None:
        # `</3`, or no `>` is left and so no tag either
        stop = at + 1 if html.find(">", at, at + _MAX_ATTRIBUTES) >= 0 else len(html)
        if page.hidden is None:
            page.text(html[at:stop])
        return stop, bad
    name = match[2].lower()
    if not match[1] and name in _RAW and not match[3].endswith("/"):
        close = _RAW[name].search(html, match.end())
        return (close.start() if close else len(html)), bad
    _tag(page, match[1] == "/", name, match[3][:_MAX_ATTRIBUTES])
    return match.end(), bad


def _behind(html: str, at: int) -> int:
    close = html.find(">", at)
    return close + 1 if close >= 0 else len(html)


def _tag(page: _Page, closing: bool, name: str, attributes: str) -> None:
    if page.hidden is not None:
        _within_hidden(page, closing, name)
        return
    if not closing and name not in _VOID and "none" in attributes and _HIDDEN.search(_attribute(attributes, "style")):
        page.hidden = (name, 1)
        return
    if name in _PARAGRAPHS:
        page.paragraph()
    elif name in _BLOCKS:
        page.block()
    if name == "blockquote":
        _blockquote(page, closing, attributes)
    elif name == "pre":
        page.pre = max(0, page.pre - 1) if closing else page.pre + 1
    elif name == "a":
        _link(page, closing, attributes)
    elif not closing:
        _opened(page, name, attributes)


def _blockquote(page: _Page, closing: bool, attributes: str) -> None:
    if not closing:
        page.outside.append(page.quote)
        page.quote = min(_MAX_QUOTE, page.quote + _is_quote(attributes))
    elif page.outside:
        page.quote = page.outside.pop()
    page.gap = min(page.gap or 0, page.quote)


def _is_quote(attributes: str) -> bool:
    """Not when it only indents: the editors of browsers and mail clients indent the writer's own text by a blockquote without a border."""
    if any(_attribute(attributes, name) for name in ("type", "cite", "class")):
        return True
    style = _attribute(attributes, "style")
    return not style or _BORDER.search(style) is not None


def _within_hidden(page: _Page, closing: bool, name: str) -> None:
    assert page.hidden is not None  # noqa: S101 - asked by the caller
    hidden, count = page.hidden
    if name == hidden:
        count += -1 if closing else 1
        page.hidden = (hidden, count) if count else None


def _opened(page: _Page, name: str, attributes: str) -> None:
    if name == "br":
        page.end_line()
    elif name == "hr":
        page.line.append("---")
        page.block()
    elif name == "li":
        page.line.append("- ")
    elif name in {"td", "th"} and page.line:
        page.line.append(" ")
    elif name == "img":
        alt = entities.unescape(_attribute(attributes, "alt")).strip()
        page.line.append(f"[{alt}]" if alt else "")


def _link(page: _Page, closing: bool, attributes: str) -> None:
    if not closing:
        page.link = (entities.unescape(_attribute(attributes, "href")).strip(), len(page.line))
        return
    if page.link is None:
        return
    target, start = page.link
    shown = "".join(page.line[start:]).strip()
    page.link = None
    told = _SCHEME.sub("", target).removesuffix("/").casefold()
    if target.startswith(("http://", "https://", "mailto:")) and shown and told not in shown.casefold():
        page.line.append(f" <{target}>")


def _attribute(attributes: str, name: str) -> str:
    for match in _ATTRIBUTE.finditer(attributes):
        if match[1].lower() == name:
            return match[2] or match[3] or match[4] or ""
    return ""
