"""Finds the text of the equations that define a stream."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from recurrency.comparing.cuts import unindexed
from recurrency.errors import Span
from recurrency.graph.roots import bare
from recurrency.language import syntax
from recurrency.language.elaboration.elaborate import Elaborated
from recurrency.language.linting.scalars import flatten
from recurrency.model.spec import Spec


@dataclass(frozen=True)
class Written:
    """An equation as it is written: its span, its text in one line, and the names in it."""

    span: Span
    text: str
    names: frozenset[str]


class Equations:
    """The statements of a cell by name: equations, losses, constants, functions, and initial values (`state h`)."""

    def __init__(self, found: Elaborated, spec: Spec) -> None:
        self.roots = {bare(root): id for root, id in found.graph.roots.items()}
        self.graph = found.graph
        self.own: dict[str, list[Written]] = {}
        for statement in (*spec.definition.module.functions.values(), *flatten(found.cell.body)):
            for name, value in _defined(statement):
                names = frozenset(node.name for node in syntax.walk(value) if isinstance(node, syntax.Name))
                self.own.setdefault(name, []).append(Written(statement.span, _line(statement.span), names))

    def of(self, name: str) -> list[Written]:
        """The equations that define a stream or family; `a.h` is h inside the call that defines a."""
        if name.partition(".")[0] == name or name not in self.roots:
            return self.own.get(unindexed(name)[0], [])
        span, prefix = self.graph[self.roots[name]].span, name.rpartition(".")[0]
        return [] if span is None else [Written(span, f"{prefix}: {_line(span)}", frozenset())]

    def shown(self, names: Iterable[str], visible: set[str]) -> list[Written]:
        """The equations of some streams, and of all that these read except `visible` streams and families."""
        found: dict[tuple[str, int], Written] = {}
        later = list(names)
        seen = set(later)
        while later:
            name = later.pop(0)
            use = self.of(unindexed(name.partition(".")[0])[0]) if "." in name else []
            for written in [*use, *self.of(name)]:
                found.setdefault((written.span.source.name, written.span.start), written)
                more = [n for n in sorted(written.names) if n in self.own and n not in seen and n not in visible]
                seen.update(more)
                later += more
        return [found[place] for place in sorted(found)]


def _defined(statement: syntax.Statement) -> Iterator[tuple[str, syntax.Expression]]:
    """The names that a statement defines, each with its value."""
    match statement:
        case syntax.Equation(target=target, value=value):
            yield target.name, value
        case syntax.Const(targets=targets, value=value):
            yield from ((target.name, value) for target in targets)
        case syntax.State(targets=targets, first=first) if first is not None:
            yield from ((f"state {target.name}", first) for target in targets)
        case syntax.Fn(name=name, body=body, slopes=slopes):
            yield from ((name, part) for part in (body, *slopes))
        case syntax.Loss(value=value, weight=weight):
            yield "loss", value
            yield from () if weight is None else (("loss where", weight),)


def _line(span: Span) -> str:
    """The text of a span in one line, without comments."""
    rows = [row.partition("#")[0] for row in span.text.split("\n")]
    return re.sub(r"\s+", " ", " ".join(rows)).strip()
