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
from typing import Any, NewType, Protocol, TypeAlias

import numpy as np

from recurrency.graph.types import Type
from recurrency.graph.value import Value

Attrs: TypeAlias = dict[str, Any]
Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


FUNCTION = 10
"""The least cost of a transcendental function, such as `exp`, for an element."""


Fact = NewType("Fact", str)


class Trait:
    """Facts about operations. Passes and backends ask for facts, so that they need no change for a new operation.

    No Enum: compiling a cell asks for some 10 000 facts, and a member of an Enum takes ten times as long to find.
    """

    # memory
    VIEW = Fact("view")
    """The result may be a view of the first argument: it then needs no memory and no work."""
    SAME = Fact("same")
    """The result equals the first argument, at every step within the sequences."""
    ROWS = Fact("rows")
    """The result is the rows `start` to `stop` of the first axis of the argument."""
    JOINS = Fact("joins")
    """The arguments lie side by side in the result, from row `start` on (0 without it); other rows are zero."""
    TILES = Fact("tiles")
    """The arguments fill the result, one after another along the first axis."""
    REPEATS = Fact("repeats")
    """The argument is repeated along the new axes `axes`."""
    CONTIGUOUS = Fact("contiguous")
    """The elements of the result lie one after another in the argument, in the same order."""
    UNIFORM = Fact("uniform")
    """The result has only elements of the argument: where these are all one number, so is the result."""
    PERMUTES = Fact("permutes")
    """Each element reads one element of an argument, at the same step, and no other element reads that one."""

    REDUCES = Fact("reduces")
    """The elements along the axes `axes` become one."""
    CUMULATES = Fact("cumulates")
    """A row of the result is the sum of the rows of the argument up to it or, with `back`, from it on."""
    ALIGNED = Fact("aligned")
    """Each element depends on the same element of the argument alone, of the same step, and on the lengths."""

    # time
    DELAYS = Fact("delays")
    """The first argument is read `delay` steps earlier; the other arguments are its values before the first step."""
    DISPLACES = Fact("displaces")
    """In shared memory, a row of the result along time may be another step of the argument."""
    CLEANS = Fact("cleans")
    """The result is zero after the end of each sequence."""
    LOOPS = Fact("loops")
    """It crosses time and may yet be part of a recurrence."""
    MOVES = Fact("moves")
    """It moves values between steps and sequences at no cost: the backward run does it again and keeps nothing."""
    WHOLE = Fact("whole")
    """It needs the whole sequence: no step can be computed as soon as the steps before it are known."""
    ALL_STEPS = Fact("all_steps")
    """The result reads all steps of the argument, also those after the end of a sequence."""
    GATHERS = Fact("gathers")
    """The steps of the argument become rows of one value."""
    PICKS = Fact("picks")
    """The value at one `step`."""
    FINAL = Fact("final")
    """The value at the last step, or at one of the steps before it."""
    ACCUMULATES = Fact("accumulates")
    """The sum of the argument over steps or over sequences."""
    KEEPS_ROWS = Fact("keeps_rows")
    """The last steps of the argument, or what lies before the first step, become rows of one value."""
    COUNTS = Fact("counts")
    """The number of steps of each sequence."""
    LENGTHS = Fact("lengths")
    """The result depends on the number of steps of each sequence."""

    # sources
    NAMED = Fact("named")
    """The caller gives the value by its attribute `name`. A graph has one node for each name."""
    INPUT = Fact("input")
    """An input of the cell, or of a pass."""
    PARAMETER = Fact("parameter")
    """A trained value, which lies in the flat vector of all parameters."""
    FIRST = Fact("first")
    """The first value of a state: what the caller gives, else the declared one."""
    OPTIONAL = Fact("optional")
    """The result depends on whether the caller gives the value `name`."""
    DRAWS = Fact("draws")
    """Random numbers."""
    LITERAL = Fact("literal")
    """The number `value`."""

    # algebra
    LINEAR = Fact("linear")
    """It is linear in all arguments together, or in those of `linear_in` together."""
    COMMUTATIVE = Fact("commutative")
    """f(a, b) = f(b, a), in its gradient as well. Not `maximum`: of equals, the first gets the gradient."""
    CONTRACTS = Fact("contracts")
    """An Einstein sum over two arguments; `spec` names their axes."""
    FACTORS = Fact("factors")
    """A factor may be taken out of it: f(c a, b) = c f(a, b)."""
    MULTIPLIES = Fact("multiplies")
    """Each element is a product of elements of the two arguments, or a sum of such products."""
    INSERTS = Fact("inserts")
    """The first argument stands in the row that the second one says; other rows are zero."""
    AFTER_SUMS = Fact("after_sums")
    """A sum over steps or sequences of f(x) is f of the sum of x, which is computed once and not for each step."""
    ADDS_UP = Fact("adds_up")
    """A sum over steps may be taken while the result is computed, so that no step of it is stored."""
    NORMALISES = Fact("normalises")
    """Along the last axis, each element of the result depends on all elements of the argument."""
    MIXES = Fact("mixes")
    """An element of the result depends on several elements of an argument, and not as a sum of them."""

    # values
    SINGULAR = Fact("singular")
    """The result, or a derivative, is not finite for some finite arguments."""
    BOUNDED = Fact("bounded")
    """The result is finite where an argument is infinite."""
    MASK = Fact("mask")
    """The result is 0 or 1."""
    KEEPS_ZERO = Fact("keeps_zero")
    """The result is zero where all arguments are."""
    LOGISTIC = Fact("logistic")
    """1 / (1 + exp(-x)): a gate, or a probability."""
    SQUASHES = Fact("squashes")
    """Cells apply it to several gates side by side; one call for all of them is faster."""
    DISTRIBUTION = Fact("distribution")
    """Along the last axis, the elements of the result are not negative and add up to 1."""
    CONVEX = Fact("convex")
    """Each element is a convex function of all arguments, with a second derivative that is not 0 everywhere."""
    CONCAVE = Fact("concave")
    """Its negative is convex."""
    INCREASING = Fact("increasing")
    """No element falls where an element of an argument grows."""
    KINKED = Fact("kinked")
    """Linear between kinks, of slopes from -1 to 1: the second derivative is zero."""
    CONDITIONAL = Fact("conditional")
    """The first argument says for each element which of the other two the result is."""
    CHOOSES = Fact("chooses")
    """The result leaves out some elements of its arguments."""

    # gradients
    SILENT = Fact("silent")
    """The gradient rule is not the derivative, on purpose."""
    FORGETS = Fact("forgets")
    """The result is the first argument. The others serve its gradient alone, and no longer when that has been taken."""
    CLIPS = Fact("clips")
    """It limits the adjoint that flows through it; two equal nodes therefore stay two."""


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
    traits: frozenset[Fact] = frozenset()
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
    traits: Iterable[Fact] = (),
    in_place: tuple[int, ...] | None = None,
    **rest: Any,
) -> None:
    """Add a row to the table; without `in_place`, an element-wise operation may be written over each argument."""
    if in_place is None:
        in_place = tuple(range(arity or 0)) if group == "elementwise" else ()
    OPS[name] = Op(
        name, arity, typing, gradient, meaning, group=group, traits=frozenset(traits), in_place=in_place, **rest
    )
