"""Reduce a finding by removing pieces of its text while it fails in the same way.

Hypothesis shrinks its draws, which keeps the form of the text; here any cell, statement, input, output or operand may
go.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias, get_args

from recurrency.errors import RecurrencyError, Span
from recurrency.language import syntax
from recurrency.model.spec import parse
from recurrency.testing.fuzz.checks import Finding, Trial, checks

Edit: TypeAlias = tuple[int, int, str]
"""Start and end in the text, and the replacement."""
EXPRESSIONS: tuple[type, ...] = get_args(syntax.Expression)


def reduced(finding: Finding, seconds: float) -> Finding:
    """The smallest finding with the same key that removals lead to within the time."""
    until, going = time.monotonic() + seconds, True
    while going:
        going = False
        for edit in sorted(edits(finding.trial.program.text), key=lambda e: bool(e[2])):
            if time.monotonic() > until:
                return finding
            smaller = _tried(finding, edit)
            if smaller is not None:
                finding, going = smaller, True
                break
    return finding


def _tried(finding: Finding, edit: Edit) -> Finding | None:
    """The finding after an edit, if it is still one."""
    start, end, text = edit
    program = finding.trial.program
    trial = fitted(finding.trial, (program.text[:start] + text + program.text[end:]).lstrip())
    if trial is None:
        return None
    found, _ = checks(trial)
    return found if found is not None and found.key == finding.key else None


def fitted(trial: Trial, text: str) -> Trial | None:
    """The trial with another text; None where that is not valid."""
    try:
        cell = parse(text, "random.rnn").cell
        needed = [d.name for d in cell.dimensions if d.default is None]
        sizes = {name: trial.program.dimensions[name] for name in needed}
        sizes |= {n: v for n, v in trial.program.dimensions.items() if isinstance(v, list) and f"const {n} " in text}
        parse(text, "random.rnn").graph(**sizes)
    except (RecurrencyError, KeyError, RecursionError):
        return None
    except Exception:  # what the compiler stumbles over may be the very thing
        sizes = dict(trial.program.dimensions)
    clocks = {port.clock or "t" for port in cell.inputs}
    case = trial.case
    if case is not None:
        steps = {clock: n for clock, n in case.steps.items() if clock in clocks}
        lengths = None if case.lengths is None else {c: n for c, n in case.lengths.items() if c in clocks}
        case = replace(case, dimensions=sizes, steps=steps, lengths=lengths)
    return replace(trial, program=replace(trial.program, text=text, dimensions=sizes), case=case)


def edits(text: str) -> Iterator[Edit]:
    """All removals from a text, the largest first."""
    try:
        file = parse(text).file
    except RecurrencyError:
        return
    cell = file.cells[-1]
    pieces = [*file.cells[:-1], *file.uses, *file.functions, *cell.body]
    for piece in sorted(pieces, key=lambda p: p.span.start - p.span.end):
        yield _rows(text, piece.span)
    for each in file.cells[:-1]:
        yield from (_rows(text, s.span) for s in each.body)
    for each in file.cells:
        yield from _ports(text, each)
    for span, inner in _operands(file):
        yield span.start, span.end, inner.text


def _rows(text: str, span: Span) -> Edit:
    """A piece with the remaining rows."""
    start = text.rfind("\n", 0, span.start) + 1
    end = text.find("\n", span.end)
    return (start if not text[start : span.start].strip() else span.start), (end + 1 if end >= 0 else len(text)), ""


def _ports(text: str, cell: syntax.Cell) -> Iterator[Edit]:
    """Inputs and outputs, of which one of each has to stay, and entries of the square brackets."""
    for group in (cell.outputs, cell.inputs, cell.dimensions):
        for one, two in pairwise([piece.span for piece in group]):
            yield one.end, two.end, ""
            yield one.start, two.start, ""


def _operands(tree: Any) -> Iterator[tuple[Span, Span]]:
    """Each expression with the expressions in it that could stand in its place."""
    if isinstance(tree, tuple):
        for part in tree:
            yield from _operands(part)
    elif is_dataclass(tree):
        if isinstance(tree, EXPRESSIONS):
            inner = [i for f in fields(tree) for i in _inside(getattr(tree, f.name))]
            yield from ((getattr(tree, "span"), i.span) for i in inner)  # noqa: B009 - no type has all of them
        for f in fields(tree):
            if f.compare:
                yield from _operands(getattr(tree, f.name))


def _inside(value: Any) -> list[Any]:
    values = value if isinstance(value, tuple) else (value,)
    return [v for v in values if isinstance(v, EXPRESSIONS)]
