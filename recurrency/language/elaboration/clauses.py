"""Clauses behind the use of a cell: `reset start`."""

from __future__ import annotations

from collections.abc import Iterable

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


def resets_of(evaluator: Evaluator, inner: Scope, changes: Iterable[syntax.Changed]) -> dict[str, Value]:
    """By clock, where a use begins again: where its clause says so, or the use around it does."""
    found = dict(evaluator.within.resets)
    for change in changes:
        own = _number_at_each_step(evaluator, inner, change)
        inner.clauses.append(own)
        outer = found.get(inner.clock)
        found[inner.clock] = own if outer is None else outer.where(1.0, own)
    return found


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


def restart(work: Elaboration, scopes: Iterable[Scope]) -> None:
    """Let the delays of all uses that have resets begin again. The graph is complete."""
    resetting = [scope for scope in scopes if scope.resets]
    if not resetting:
        return
    restarts = Restarts(work.graph)
    for scope in resetting:
        for stream in scope.streams.values():
            if (reset := scope.resets.get(stream.clock)) is not None:
                _restarted(restarts, stream, reset)
    restarts.finish()


def _restarted(restarts: Restarts, stream: Stream, reset: Value) -> None:
    """Later steps of a stream are read only outside of the use, where nothing is reset."""
    for delay, shift in stream.shifts.items():
        if delay > 0:
            restarts.delayed(shift.id, reset)
    if stream.rows is not None:
        restarts.history(stream.rows.id, reset)
