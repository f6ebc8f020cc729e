"""Clauses behind the use of a cell: `reset start`, `when m`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from recurrency.graph.holds import Holds
from recurrency.graph.restarts import Restarts
from recurrency.graph.types import Kind
from recurrency.graph.value import Value
from recurrency.language import syntax
from recurrency.language.diagnostics import CLOCK_MISMATCH, WRONG_CLAUSE, brief
from recurrency.language.elaboration.evaluate import Evaluator
from recurrency.language.elaboration.scope import Scope
from recurrency.language.elaboration.streams import Stream
from recurrency.language.elaboration.walk import Elaboration
from recurrency.language.vocabulary.table import shown


def add_clauses(evaluator: Evaluator, inner: Scope, changes: Iterable[syntax.Changed | syntax.With]) -> None:
    """Note where a use begins again, and where it stands still: as its clauses and those of the uses around it say."""
    inner.resets, inner.masks = dict(evaluator.within.resets), dict(evaluator.within.masks)
    clock = inner.clock
    for change in changes:
        if isinstance(change, syntax.With):  # see `recurrency.language.elaboration.pasts`
            continue
        own = _number_at_each_step(evaluator, inner, change)
        inner.clauses.append(own)
        if change.word == "reset":
            outer = inner.resets.get(clock)
            inner.resets[clock] = own if outer is None else outer.where(1.0, own)
        else:
            inner.held = own if inner.held is None else inner.held * own
            outer = inner.masks.get(clock)
            inner.masks[clock] = own if outer is None else outer * own


def _number_at_each_step(evaluator: Evaluator, inner: Scope, change: syntax.Changed) -> Value:
    """The value of a clause, one number for each step of the clock of the use."""
    value, text = evaluator.value(change.by), brief(change.by.span.text)
    notes = evaluator.origins(change.by)
    if value.type.shape or value.type.index is not None or value.type.kind is not Kind.STREAM:
        what = shown(value.type) if value.type.kind is Kind.STREAM else "the same at each step"
        title = f"`{change.word}` needs one number for each step, but {text} is {what}"
        raise evaluator.problem(WRONG_CLAUSE, title, change.by.span, notes=notes)
    if value.type.clock != inner.clock:
        title = f"{inner.cell.name} runs over {inner.clock} here, but {text} over {value.type.clock}"
        raise evaluator.problem(CLOCK_MISMATCH, title, change.by.span, notes=notes)
    return value


def change(work: Elaboration, scopes: Iterable[Scope]) -> None:
    """Let the delays of all uses that have clauses stand still and begin again. The graph is complete."""
    scopes = [scope for scope in scopes if scope.masks or scope.resets]
    delays = {stream: _delays(stream) for scope in scopes for stream in scope.streams.values()}
    if any(scope.masks for scope in scopes):
        holds = Holds(work.graph)
        for stream, mask in _changed(scopes, "masks"):
            if stream.start is not None:
                delays[stream] = _hold(holds, stream, mask)
        holds.finish()
    if any(scope.resets for scope in scopes):
        restarts = Restarts(work.graph)
        for stream, reset in _changed(scopes, "resets"):
            for id in delays[stream]:
                restarts.delayed(id, reset)
            if stream.rows is not None:
                restarts.history(stream.rows.id, reset)
        restarts.finish()


def _changed(scopes: Iterable[Scope], what: str) -> Iterator[tuple[Stream, Value]]:
    """The streams that have a mask, or resets, and these."""
    for scope in scopes:
        for stream in scope.streams.values():
            if (value := getattr(scope, what).get(stream.clock)) is not None:
                yield stream, value


def _delays(stream: Stream) -> list[int]:
    """The nodes that read a stream at earlier steps."""
    return [shift.id for delay, shift in stream.shifts.items() if delay > 0]


def _hold(holds: Holds, stream: Stream, mask: Value) -> list[int]:
    """Give registers to a stream. Returns the nodes that read them at the step before."""
    graph, new, start = holds.graph, stream.now(), stream.first_row()
    graph.span = stream.span
    firsts, line = [start], stream.line
    if line is not None:
        rows = line.type.shape[0]
        assert isinstance(rows, int)
        one = [line.slice(row, row + 1).reshape(*start.type.shape) for row in reversed(range(rows - 1))]
        firsts += one
    registers, before = holds.hold(new, mask, firsts)
    for delay, shift in stream.shifts.items():
        if delay > 0:
            holds.instead[shift.id] = before[delay - 1].id
    last = [graph.add("final", [k.id, f.id], {"slot": 0}) for k, f in zip(registers, firsts, strict=True)]
    assert stream.last is not None
    holds.instead[stream.last.id] = last[0].id
    if stream.rows is not None:
        lines = [value.reshape(1, *start.type.shape).id for value in reversed(last)]
        holds.instead[stream.rows.id] = graph.add("concat", lines).id
        stream.rows = None
    return [value.id for value in before]
