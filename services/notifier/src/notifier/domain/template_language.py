"""What a template may say: Jinja without loops, calls and calculations.

A text is parsed, its syntax tree is held against what is offered, and only then is it made a program, in Jinja's sandbox. So what a
template can do is a list here, and not what a sandbox forgot to forbid.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any, Final

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from notifier.domain.body import markup
from notifier.domain.headers import one_line

MAX_SOURCE: Final = 50_000
MAX_OUTPUT: Final = 2_000_000
"""Characters; the longest answer fits, written as HTML and every character escaped."""
MAX_TAGS: Final = 1_000
MAX_DEPTH: Final = 20
"""Python itself takes a hundred."""


class TemplateProblemError(Exception):
    """A template that cannot be filled in; the text names the field and the line, and says what to do."""

    def __init__(self, field: str, line: int, advice: str) -> None:
        super().__init__(f"{field}, line {line}: {advice}")
        self.field = field
        self.line = line


def _default(value: object, other: str) -> str:
    """Blank counts as missing: a customer without a name has a blank one."""
    return str(value) or other


def _truncate(value: object, length: int) -> str:
    text = str(value)
    return text if len(text) <= length else f"{text[: max(0, length - 1)].rstrip()}…"


FILTERS: Final[Mapping[str, Callable[..., str]]] = {
    "capitalize": lambda value: str(value).capitalize(),
    "default": _default,
    "lower": lambda value: str(value).lower(),
    "trim": lambda value: str(value).strip(),
    "truncate": _truncate,
    "upper": lambda value: str(value).upper(),
}
ARGUMENTS: Final[Mapping[str, tuple[type, str]]] = {
    "default": (str, 'a text in quotes: `customer.name|default("customer")`'),
    "truncate": (int, "a number of characters: `ticket.title|truncate(80)`"),
}
"""Filters that want an argument: its type, and how it is written."""
_OFFERED: Final = "only `{{ variable }}`, `{{ variable|filter }}` and `{% if variable %}` … `{% endif %}` can be used"
_BRANCHES: Final = (nodes.Template, nodes.Output, nodes.Not, nodes.And, nodes.Or, nodes.Compare)
_COMPARISONS: Final = frozenset({"eq", "ne"})


def _as_html(value: object) -> Markup:
    """Constants of a template come escaped by Jinja. Values never do: they are plain texts, and so is what filters make of them."""
    return value if isinstance(value, Markup) else Markup(markup(str(value)))  # noqa: S704 -- `markup` escapes


def _environment(*, html: bool) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined,
        autoescape=html,
        keep_trailing_newline=True,
        finalize=_as_html if html else None,
    )
    environment.globals.clear()
    environment.tests.clear()
    environment.filters.clear()
    environment.filters.update(FILTERS)
    return environment


_PLAIN: Final = _environment(html=False)
_HTML: Final = _environment(html=True)


def filled(field: str, source: str, names: Collection[str], context: Mapping[str, Any]) -> str:
    """The text with its variables filled in; as HTML, with values escaped, where `field` is `html`. Raises TemplateProblemError."""
    length, parts = 0, []
    try:
        for part in _program(field, source, frozenset(names)).generate(context):
            length += len(part)
            if length > MAX_OUTPUT:
                raise TemplateProblemError(
                    field, 1, f"what it makes is too long, over {MAX_OUTPUT:,} characters: use its variables less often"
                )
            parts.append(part)
    except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise TemplateProblemError(field, 1, f"it cannot be filled in ({type(error).__name__}): make it simpler") from error
    return "".join(parts)


def parsed(field: str, source: str, names: Collection[str]) -> nodes.Template:
    """The syntax tree of a text that uses what is offered and no more. Raises TemplateProblemError."""
    if len(source) > MAX_SOURCE:
        raise TemplateProblemError(field, 1, f"it is too long: at most {MAX_SOURCE:,} characters")
    try:
        tree = _PLAIN.parse(source)
    except jinja2.TemplateSyntaxError as error:
        reason = one_line(error.message or "")[:200].rstrip(".")
        raise TemplateProblemError(field, error.lineno, f"not understood ({reason}): {_OFFERED}") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of brackets
        raise TemplateProblemError(field, 1, f"not understood (a number or brackets beyond all bounds): {_OFFERED}") from error
    _Check(field, names).node(tree)
    return tree


def always_shows(tree: nodes.Template, name: str) -> bool:
    """Whether the variable is put out whole, whatever the values are."""
    shown = [one for output in tree.body if isinstance(output, nodes.Output) for one in output.nodes]
    return any(isinstance(one, nodes.Name) and one.name == name for one in shown)


@lru_cache(maxsize=200)
def _program(field: str, source: str, names: frozenset[str]) -> jinja2.Template:
    return (_HTML if field == "html" else _PLAIN).from_string(parsed(field, source, names))


class _Check:
    """Holds a syntax tree against what is offered."""

    def __init__(self, field: str, names: Collection[str]) -> None:
        self._field = field
        self._names = names
        self._tags = 0

    def node(self, node: nodes.Node, depth: int = 0) -> None:
        """Raises TemplateProblemError."""
        if depth > MAX_DEPTH:
            raise self._problem(node, "too many things are nested in one another: make it simpler")
        match node:
            case nodes.TemplateData() | nodes.Const(value=str()):
                self._count(node)
            case nodes.If():
                self._if(node, depth)
            case nodes.Filter():
                self._filter(node, depth)
            case nodes.Name() | nodes.Getattr():
                self._variable(node)
            case nodes.Compare() if not _COMPARISONS.issuperset(one.op for one in node.ops):
                raise self._problem(node, "texts are compared by `==` and `!=` only")
            case nodes.Operand():
                self.node(node.expr, depth + 1)
            case _ if isinstance(node, _BRANCHES):
                for child in node.iter_child_nodes():
                    self.node(child, depth + 1)
            case _:
                raise self._problem(node, _OFFERED)

    def _if(self, node: nodes.If, depth: int) -> None:
        self._count(node)
        for child in (node.test, *node.body, *node.else_):
            self.node(child, depth + 1)
        for number, branch in enumerate(node.elif_, 1):  # each is nested in the one before, in the program that is made
            self.node(branch, depth + number)

    def _filter(self, node: nodes.Filter, depth: int) -> None:
        if node.node is None or node.name not in FILTERS:
            raise self._problem(node, f"there is no filter `{_short(node.name)}`; use one of: {', '.join(FILTERS)}")
        wanted, written = ARGUMENTS.get(node.name, (None, "no argument"))
        given = [one.value if isinstance(one, nodes.Const) else None for one in node.args]
        wrong = node.kwargs or node.dyn_args or node.dyn_kwargs or [type(one) for one in given] != ([wanted] if wanted else [])
        if wrong:
            raise self._problem(node, f"the filter `{node.name}` takes {written}")
        self.node(node.node, depth + 1)

    def _variable(self, node: nodes.Name | nodes.Getattr) -> None:
        self._count(node)
        name = _dotted(node)
        if name not in self._names:
            raise self._problem(node, f"there is no variable `{_short(name)}`; use one of: {', '.join(sorted(self._names))}")

    def _count(self, node: nodes.Node) -> None:
        self._tags += 1
        if self._tags > MAX_TAGS:
            raise self._problem(node, f"too many variables and conditions: at most {MAX_TAGS}, with the texts between them")

    def _problem(self, node: nodes.Node, advice: str) -> TemplateProblemError:
        return TemplateProblemError(self._field, node.lineno, advice)


def _dotted(node: nodes.Node) -> str:
    """`ticket.id` of its syntax tree; no variable has more than one dot."""
    if isinstance(node, nodes.Getattr):
        return f"{node.node.name if isinstance(node.node, nodes.Name) else '…'}.{node.attr}"
    return node.name if isinstance(node, nodes.Name) else "…"


def _short(name: str) -> str:
    return one_line(name)[:60]
