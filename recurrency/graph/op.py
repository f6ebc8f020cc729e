"""What one operation of the stream graph is: a row of the table in `recurrency.graph.ops`.

A row states the name, the number of arguments, the meaning, the type rule, the gradient rule, the cost, and the
`traits` that passes and backends ask for. `meaning` works on single elements (no time, no batch): on arrays of the
shapes in the types. The gradient rule takes the adjoint `g` of the result, the result `y` and the arguments, all as
`Value`s, and returns the adjoint of each argument (None: no gradient). An operation across time or sequences has no
meaning for one element; its row says from which places it reads its arguments (`Reading`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol, TypeAlias

import numpy as np

from recurrency.graph.types import Type
from recurrency.graph.value import Value

Attrs: TypeAlias = dict[str, Any]
Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


FUNCTION = 10
"""The least cost of a transcendental function, such as `exp`, for an element."""


class Trait(Enum):
    """A fact about an operation. Passes and backends ask for facts, so that they need no change for a new operation."""

    # memory
    VIEW = auto()
    """The result may be a view of the first argument: it then needs no memory and no work."""
    SAME = auto()
    """The result equals the first argument, at every step within the sequences."""
    ROWS = auto()
    """The result is the rows `start` to `stop` of the first axis of the argument."""
    JOINS = auto()
    """The arguments lie side by side in the result, from row `start` on (0 without it); other rows are zero."""
    TILES = auto()
    """The arguments fill the result, one after another along the first axis."""
    REPEATS = auto()
    """The argument is repeated along the new axes `axes`."""
    CONTIGUOUS = auto()
    """The elements of the result lie one after another in the argument, in the same order."""
    UNIFORM = auto()
    """The result has only elements of the argument: where these are all one number, so is the result."""
    PERMUTES = auto()
    """Each element reads one element of an argument, at the same step, and no other element reads that one."""

    REDUCES = auto()
    """The elements along the axes `axes` become one."""
    ALIGNED = auto()
    """Each element depends on the same element of the argument alone, of the same step, and on the lengths."""

    # time
    DELAYS = auto()
    """The first argument is read `delay` steps earlier; the other arguments are its values before the first step."""
    DISPLACES = auto()
    """In shared memory, a row of the result along time may be another step of the argument."""
    CLEANS = auto()
    """The result is zero after the end of each sequence."""
    LOOPS = auto()
    """It crosses time and may yet be part of a recurrence."""
    MOVES = auto()
    """It moves values between steps and sequences at no cost: the backward run does it again and keeps nothing."""
    WHOLE = auto()
    """It needs the whole sequence: no step can be computed as soon as the steps before it are known."""
    ALL_STEPS = auto()
    """The result reads all steps of the argument, also those after the end of a sequence."""
    GATHERS = auto()
    """The steps of the argument become rows of one value."""
    PICKS = auto()
    """The value at one `step`."""
    FINAL = auto()
    """The value at the last step, or at one of the steps before it."""
    ACCUMULATES = auto()
    """The sum of the argument over steps or over sequences."""
    COUNTS = auto()
    """The number of steps of each sequence."""
    LENGTHS = auto()
    """The result depends on the number of steps of each sequence."""

    # sources
    NAMED = auto()
    """The caller gives the value by its attribute `name`. A graph has one node for each name."""
    INPUT = auto()
    """An input of the cell, or of a pass."""
    PARAMETER = auto()
    """A trained value, which lies in the flat vector of all parameters."""
    FIRST = auto()
    """The first value of a state: what the caller gives, else the declared one."""
    OPTIONAL = auto()
    """The result depends on whether the caller gives the value `name`."""
    DRAWS = auto()
    """Random numbers."""
    LITERAL = auto()
    """The number `value`."""

    # algebra
    LINEAR = auto()
    """It is linear in all arguments together, or in those of `linear_in` together."""
    COMMUTATIVE = auto()
    """f(a, b) = f(b, a), in its gradient as well. Not `maximum`: of equals, the first gets the gradient."""
    CONTRACTS = auto()
    """An Einstein sum over two arguments; `spec` names their axes."""
    FACTORS = auto()
    """A factor may be taken out of it: f(c a, b) = c f(a, b)."""
    MULTIPLIES = auto()
    """Each element is a product of elements of the two arguments, or a sum of such products."""
    INSERTS = auto()
    """The first argument stands in the row that the second one says; other rows are zero."""
    AFTER_SUMS = auto()
    """A sum over steps or sequences of f(x) is f of the sum of x, which is computed once and not for each step."""
    ADDS_UP = auto()
    """A sum over steps may be taken while the result is computed, so that no step of it is stored."""
    NORMALISES = auto()
    """Along the last axis, each element of the result depends on all elements of the argument."""
    MIXES = auto()
    """An element of the result depends on several elements of an argument, and not as a sum of them."""

    # values
    SINGULAR = auto()
    """The result, or a derivative, is not finite for some finite arguments."""
    BOUNDED = auto()
    """The result is finite where an argument is infinite."""
    MASK = auto()
    """The result is 0 or 1."""
    KEEPS_ZERO = auto()
    """The result is zero where all arguments are."""
    LOGISTIC = auto()
    """1 / (1 + exp(-x)): a gate, or a probability."""
    SQUASHES = auto()
    """Cells apply it to several gates side by side; one call for all of them is faster."""
    DISTRIBUTION = auto()
    """Along the last axis, the elements of the result are not negative and add up to 1."""
    CONDITIONAL = auto()
    """The first argument says for each element which of the other two the result is."""
    CHOOSES = auto()
    """The result leaves out some elements of its arguments."""

    # gradients
    SILENT = auto()
    """The gradient rule is not the derivative, on purpose."""
    CLIPS = auto()
    """It limits the adjoint that flows through it; two equal nodes therefore stay two."""

    __hash__ = object.__hash__  # Enum hashes the name, in Python, each time that a set is asked


class Reading(Protocol):
    """The place where an operation is evaluated: sequence, step (from 0), and the values around it."""

    sequence: int
    step: int

    def arg(self, position: int, step: int | None = None, sequence: int | None = None) -> Array:
        """The value of an argument here, or at another step or sequence."""

    def zero(self) -> Array:
        """A zero (or "no symbol") of the type of the result."""

    def length(self, clock: str) -> int:
        """How many steps this sequence has on a clock."""

    def batch(self) -> int:
        """How many sequences there are."""

    def given(self, name: str) -> Array | None:
        """The caller's value of this name for this sequence and step; None where there is none."""

    def draw(self, site: int, law: str, p: float, per: str) -> Array:
        """Random numbers of the shape of the result for this site, step and sequence."""


@dataclass(frozen=True, eq=False)
class Op:
    """A row of the table; see the module's text."""

    name: str
    arity: int | None
    typing: Callable[[tuple[Type, ...], Attrs], Type]
    gradient: Callable[..., tuple[Value | None, ...]] | None = None
    meaning: Callable[..., Any] | None = None
    at: Callable[[Reading, Attrs], Array] | None = None
    cost: int = 1
    """Arithmetic operations for each element of the result."""
    group: str = "elementwise"
    traits: frozenset[Trait] = frozenset()
    linear_in: tuple[int, ...] = ()
    """The arguments in which it is linear: each by itself, while the others are fixed, unless `Trait.LINEAR` holds."""
    in_place: tuple[int, ...] = ()
    """The arguments whose memory the result may be written to while it is computed."""

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Callable[[str], Op], tuple[str]]:
        """Pickled by its name: a row holds functions, and all graphs of a process share it."""
        return _row, (self.name,)

    def __deepcopy__(self, memo: dict[int, Any]) -> Op:
        return self

    @property
    def elementwise(self) -> bool:
        """Whether each element of the result depends on the same element of the arguments alone."""
        return self.group == "elementwise"

    @property
    def is_function(self) -> bool:
        """Whether it is a function of one number that has this name in NumPy, as it does in C and in PyTorch."""
        function = isinstance(self.meaning, np.ufunc) and self.meaning.__name__ == self.name
        return function and self.arity == 1 and self.cost >= FUNCTION

    def is_linear(self, positions: Iterable[int]) -> bool:
        """Whether the result is linear in the arguments at these positions together, while the others are fixed."""
        within = set(positions)
        if Trait.LINEAR in self.traits:
            return not self.linear_in or within <= set(self.linear_in)
        return len(within) < 2 and within <= set(self.linear_in)


OPS: dict[str, Op] = {}
"""The table, by name. `recurrency.graph.ops` fills it."""


def _row(name: str) -> Op:
    return OPS[name]


def define(
    name: str,
    arity: int | None,
    typing: Callable[[tuple[Type, ...], Attrs], Type],
    gradient: Callable[..., tuple[Value | None, ...]] | None = None,
    meaning: Callable[..., Any] | None = None,
    *,
    group: str = "elementwise",
    traits: Iterable[Trait] = (),
    in_place: tuple[int, ...] | None = None,
    **rest: Any,
) -> None:
    """Add a row to the table; without `in_place`, an element-wise operation may be written over each argument."""
    if in_place is None:
        in_place = tuple(range(arity or 0)) if group == "elementwise" else ()
    OPS[name] = Op(
        name, arity, typing, gradient, meaning, group=group, traits=frozenset(traits), in_place=in_place, **rest
    )
