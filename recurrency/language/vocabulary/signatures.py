"""What a function of the language is: its signature, its arguments, and how it is lowered."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from recurrency.graph.dimensions import Dim, Poly
from recurrency.graph.graph import Graph
from recurrency.graph.types import Type
from recurrency.graph.value import Value
from recurrency.language.diagnostics import Code

ELEMENTWISE = "element by element"
VECTOR = "over a vector or along an axis"
MATRICES = "matrices and tensors"
CONSTANTS = "of constants, computed at compilation"
INDICES = "indices"
TIME = "whole streams"
RANDOM = "in training only"
SAMPLES = "samples, in training or not"
GRADIENTS = "of gradients alone"
LOSSES = "losses"


class Arguments(Protocol):
    """The evaluated arguments of one call, as lowerings read them."""

    graph: Graph
    collected: bool
    """Whether they come from a comprehension."""
    clock: str

    def __len__(self) -> int: ...

    def static(self) -> bool:
        """Whether all arguments are numbers that are known when the spec is compiled."""

    def fold(self, function: Callable[..., Any]) -> Any:
        """A function of all arguments, which are numbers."""

    def value(self, position: int) -> Value:
        """An argument as a real value (numbers become constants)."""

    def symbol(self, position: int) -> Value:
        """An argument as a stream of symbols."""

    def either(self, position: int) -> Value:
        """An argument as a value of any sort."""

    def stream(self, position: int) -> Value:
        """An argument that has steps, of any sort."""

    def known(self, position: int) -> bool:
        """Whether an argument is a number that is known when the spec is compiled."""

    def number(self, position: int) -> float:
        """An argument as a number that is known when the spec is compiled."""

    def dimension(self, position: int) -> int | Poly:
        """An argument as a dimension."""

    def position(self, position: int) -> int | Poly:
        """An argument that counts elements: a dimension, or any whole number."""

    def integer(self, position: int) -> int:
        """An argument as a whole number."""

    def quoted(self, position: int) -> str:
        """An argument that is a text in quotation marks."""

    def shape(self, position: int) -> tuple[int | Poly, ...]:
        """An argument that is a shape in square brackets."""

    def has(self, keyword: str) -> bool:
        """Whether the call has a keyword argument of this name."""

    def axis(self, rank: int) -> int | None:
        """The axis, from 0, that the keyword `axis` names among `rank` axes; None without the keyword."""

    def no_axis(self) -> None:
        """Refuse the keyword `axis`: several values are combined element by element."""

    def written(self, position: int) -> str:
        """An argument as the spec writes it, cut where it is long."""

    def word(self, keyword: str, default: str, allowed: tuple[str, ...]) -> str:
        """A keyword argument that is one of some words."""

    def computed(self, shape: tuple[Dim, ...], function: Callable[..., Any], *values: Value) -> Value:
        """A function of the arrays of constants, in float64, computed now."""

    def site(self) -> int:
        """A number for a place where random numbers are drawn."""

    def curvature(self, value: Value) -> None:
        """Register a value as a prediction that the loss reads (for Gauss-Newton products)."""

    def ignoring(self, value: Value, target: Value) -> Value:
        """A loss that does not count where its target, a symbol, is "no symbol"."""

    def fail(self, code: Code, title: str, help: str | None = None, position: int | None = None) -> NoReturn:
        """Report a mistake at an argument, or at the call."""


@dataclass(frozen=True)
class Function:
    """A row: how a user writes it, what it means, how many arguments it takes (`most` None: any number)."""

    name: str
    signature: str
    meaning: str
    group: str
    fewest: int
    most: int | None
    lower: Callable[[Arguments], Any]
    keywords: tuple[str, ...] = ()
    comprehends: bool = False
    """Whether it takes a comprehension such as `sum(... for i in 1..L)`."""
    bridges: bool = False
    """Whether its arguments may run over different clocks; its value runs over that of the first."""
    texts: tuple[int, ...] = ()
    """The positions of arguments that are texts in quotation marks."""
    shapes: tuple[int, ...] = ()
    """The positions of arguments that are shapes in square brackets."""

    @property
    def wants(self) -> str:
        """The number of arguments, in words."""
        if self.most is None:
            return f"at least {self.fewest}"
        return f"{self.fewest}" if self.most == self.fewest else f"{self.fewest} to {self.most}"


FUNCTIONS: dict[str, Function] = {}

NUMBERS = {"pi": math.pi}
"""The numbers that the language knows by name; any definition of the name precedes them."""


def row(
    group: str,
    signature: str,
    meaning: str,
    lower: Callable[[Arguments], Any],
    fewest: int = 1,
    most: int | None = -1,
    keywords: tuple[str, ...] = (),
    **facts: Any,
) -> None:
    """Add a function to the language; `most` is `fewest` where it is left out, and None for any number.

    `facts` are the other fields of `Function`.
    """
    name = signature.split("(")[0]
    most = fewest if most == -1 else most
    FUNCTIONS[name] = Function(name, signature, meaning, group, fewest, most, lower, keywords, **facts)


AXIS = ("axis",)
"""The keyword of functions along an axis."""


def along(a: Arguments, position: int) -> tuple[int, ...]:
    """The axes that a call reduces: the one that it names, else all axes of the argument."""
    rank = len(a.value(position).type.shape)
    axis = a.axis(rank)
    return tuple(range(rank)) if axis is None else (axis,)


def shown(type_: Type) -> str:
    """A shape as a user writes it."""
    return f"index[{type_.index}]" if type_.index is not None else f"[{', '.join(map(str, type_.shape))}]"
