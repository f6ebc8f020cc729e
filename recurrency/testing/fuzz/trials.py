"""The draws of the fuzzer: a program, and how it is called, compiled and compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from recurrency.errors import RecurrencyError
from recurrency.model.graphs import SWITCHES
from recurrency.testing.case import Case
from recurrency.testing.fuzz.checks import Trial
from recurrency.testing.outcomes import KINDS
from recurrency.testing.specs.strategy import Program, programs
from recurrency.testing.strategies import cases

VALUES = ("normal", "normal", "normal", "zeros", "whole", "tiny", "large")
"""Distributions of inputs: no infinities, as random cells turn most of them into NaN."""
SLOPES = 3
"""One in this many programs, plus one, has its derivatives compared with differences."""
FIRST = ("forward", "loss_gradients", "backward")
"""The simplest kinds of calls; others shrink to them."""


@st.composite
def trials(draw: Any, backends: Sequence[str]) -> Trial:
    """One program with a case, some kinds of calls, passes that are switched off, and a backend."""
    order = [*FIRST, *(k for k in KINDS if k not in FIRST)]
    kinds = draw(st.lists(st.sampled_from(order), min_size=1, max_size=4, unique=True))
    backend, checked = draw(st.sampled_from(backends)), draw(st.integers(0, SLOPES)) == SLOPES
    without, program = draw(switched_off()), draw(programs())
    return Trial(program, _case(draw, program), tuple(kinds), without, backend, checked)


def _case(draw: Any, program: Program) -> Case | None:
    """A call of the program; None if it can't be elaborated, which is a finding."""
    try:
        strategy = cases(program.spec(), [program.dimensions], dtypes=("float64",), values=VALUES)
    except (RecurrencyError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, AssertionError):
        return None
    found: Case = draw(strategy)
    return found


def switched_off() -> st.SearchStrategy[tuple[str, ...]]:
    """The passes that are switched off: mostly none, at times one, all but one, or all."""
    every = sorted(SWITCHES)
    one = st.sampled_from(every).map(lambda name: (name,))
    but_one = st.sampled_from(every).map(lambda name: tuple(n for n in every if n != name))
    return st.one_of(st.just(()), st.just(()), one, but_one, st.just(tuple(every)))
