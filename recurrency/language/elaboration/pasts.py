"""Other values as the past of a use: `GRU[H](x) with (h = below)`, where `below` stands for `h[t-1]` of the cell."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from recurrency.errors import nearest_help
from recurrency.graph.types import Kind
from recurrency.graph.value import Value
from recurrency.language import syntax
from recurrency.language.diagnostics import CLOCK_MISMATCH, WRONG_INITIAL_STATE, WRONG_PAST, brief
from recurrency.language.elaboration.evaluate import Evaluator
from recurrency.language.elaboration.scope import Past, Scope
from recurrency.language.elaboration.signals import Poisoned, Problem, TooMuch
from recurrency.language.elaboration.streams import Stream
from recurrency.language.vocabulary.table import shown


def add_pasts(evaluator: Evaluator, inner: Scope, name: str, changes: Iterable[syntax.Changed | syntax.With]) -> None:
    """Note what the equations of a use read as its states a step before. The values are computed when they are read.

    So they may read streams of the use itself, at earlier steps. A cell that is used in such a value is named
    `name.h[t-1].Cell`, in whatever order the states are read.
    """
    for keyword in (k for change in changes if isinstance(change, syntax.With) for k in change.past):
        mistake = _refused(inner, keyword)
        if mistake is not None:
            title, help = mistake
            evaluator.work.report(evaluator.problem(WRONG_PAST, title, keyword.span, help=help).diagnostic)
        elif (keyword.name, ()) in inner.streams:
            state = inner.streams[keyword.name, ()]
            inner.pasts[state] = Past(keyword, partial(_value, evaluator, inner, name, keyword, state))


def _refused(inner: Scope, keyword: syntax.Keyword) -> tuple[str, str | None] | None:
    """What is wrong with a name before `=`, and what helps."""
    name, cell, defined = keyword.name, inner.cell.name, inner.defined
    states = [key[0] for key in defined.states if not key[1]]
    if any(past.keyword.name == name for past in inner.pasts.values()):
        return f"the past of {name} is given twice", None
    if name in states or name in defined.spoilt:
        return None
    if defined.is_family(name):
        return f"{name} is a family in {cell}, and `with` gives the past of single states", None
    known = f"its states are {', '.join(states[:8])}" if states else f"{cell} declares no state"
    if (name, ()) in defined.equations:
        return f"{cell} has no state {name}", f"{name} is an equation there; declare it too: state {name} : [...] = 0"
    return f"{cell} has no state {name}", nearest_help(name, states, known)


def _value(evaluator: Evaluator, inner: Scope, name: str, keyword: syntax.Keyword, state: Stream) -> Value:
    """What stands for a state a step before, in its shape; a number is used for all elements."""
    place = f"{name}.{keyword.name}[t-1]"
    own = Evaluator(evaluator.scope, evaluator.env, place, None, evaluator.calls, evaluator.alone, evaluator.within)
    value, wanted, text = own.value(keyword.value), state.type, brief(keyword.value.span.text)
    assert wanted is not None
    notes = (
        *own.origins(keyword.value),
        f"{keyword.name} is declared at {inner.defined.states[keyword.name, ()].span}",
    )
    if value.type.kind is Kind.STATIC and value.type.index is None:
        value = value.to_shape(wanted.shape)
    if (value.type.shape, value.type.index) != (wanted.shape, None):
        title = f"the state {keyword.name} of {inner.cell.name} is {shown(wanted)}, but {text} is {shown(value.type)}"
        raise own.problem(WRONG_PAST, title, keyword.value.span, notes=notes)
    if value.type.kind is Kind.STREAM and value.type.clock != state.clock:
        title = f"{inner.cell.name} runs over {state.clock} here, but {text} over {value.type.clock}"
        raise own.problem(CLOCK_MISMATCH, title, keyword.value.span, notes=notes)
    return value


def past(evaluator: Evaluator, expression: syntax.Subscript, state: Stream, delay: int) -> Value:
    """What `h[t-1]` is in the equations of a use whose h has another past.

    Raises:
        Problem: the equations read h at another step. Poisoned: there is a mistake in what is given.
    """
    given, scope = evaluator.within.pasts[state], evaluator.within
    given.read = True
    if given.broken:
        raise Poisoned
    try:
        if delay != 1:
            raise _another_step(scope, expression, given)
        given.value = given.define() if given.value is None else given.value
    except TooMuch:
        raise
    except Problem as problem:
        given.broken = True
        evaluator.work.report(problem.diagnostic)
        raise Poisoned from None
    return given.value


def _another_step(scope: Scope, expression: syntax.Subscript, given: Past) -> Problem:
    name, text = given.keyword.name, brief(expression.span.text)
    title = f"{scope.cell.name} reads {text}, and `with` gives {name}[t-1] only"
    notes = (f"{text} is read at {expression.span}",)
    help = "a state can have another past where the cell reads it one step back and no further, nor ahead"
    return (scope.parent or scope).problem(WRONG_PAST, title, given.keyword.span, notes=notes, help=help)


def refuse_unread(scope: Scope) -> None:
    """Report what `with` gives, or `from` beside it, and nothing reads, once all equations are computed."""
    outer, cell = scope.parent or scope, scope.cell.name
    for state, given in scope.pasts.items():
        name = given.keyword.name
        if scope.work.diagnostics:
            return
        if not given.read:
            title = f"{cell} does not read {name}[t-1], so that nothing reads what `with` gives"
            scope.work.report(outer.problem(WRONG_PAST, title, given.keyword.span).diagnostic)
        elif name in scope.first and state.start is None:
            title = f"nothing reads the initial value of {name}: `with` gives {name}[t-1] at the first step too"
            scope.work.report(outer.problem(WRONG_INITIAL_STATE, title, scope.first[name][0].span).diagnostic)
