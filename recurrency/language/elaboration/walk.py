"""The state of one walk over a cell: the graph so far, the mistakes, and the bounds on its size."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from recurrency.errors import Diagnostic, Span, SpecError
from recurrency.graph.dimensions import Dim
from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.language.diagnostics import (
    DECLARATION_MISMATCH,
    INPUT_MISMATCH,
    MALFORMED_DIMENSION,
    PRODUCT_MISMATCH,
    SHAPE_MISMATCH,
    TOO_LARGE,
    UNKNOWN_NAME,
    UNKNOWN_SHAPE,
    WRONG_ARGUMENTS,
    WRONG_LOSS,
    Code,
    say,
)
from recurrency.language.elaboration.handed import Handed
from recurrency.language.elaboration.losses import Losses
from recurrency.language.elaboration.meanings import ParamInfo
from recurrency.language.elaboration.signals import Poisoned, Problem, TooMuch
from recurrency.language.elaboration.streams import Stream

GREATEST_GRAPH = 20_000
"""Bound on the operations that a spec may expand to."""
GREATEST_FILE = 2 * GREATEST_GRAPH
"""Bound on the operations that all cells of a file may expand to together."""
GREATEST_DEPTH = 400
"""Bound on the nesting of expressions, including the bodies of functions."""
DEEP = 100
"""From this depth on a stream is computed separately, before the one that needs it."""
MISMATCHES = (PRODUCT_MISMATCH, SHAPE_MISMATCH, DECLARATION_MISMATCH, INPUT_MISMATCH)
OF_SHAPES = {code.number for code in (*MISMATCHES, WRONG_ARGUMENTS, WRONG_LOSS, MALFORMED_DIMENSION)}
"""Mistakes that a wrong assumption about a shape may cause."""

Form: TypeAlias = Callable[[Any, Any, bool], Any]
"""Gives the meaning of an expression, from an evaluator, it, and whether it is the whole of a definition."""


class Elaboration:
    """One walk over a cell and all that it uses; `assumptions` are shapes of undeclared feedbacks, by their names.

    `forms` evaluates each form of expression (see `recurrency.language.elaboration.expressions`); `handed` are the
    arrays of the caller.
    """

    def __init__(self, assumptions: Mapping[str, tuple[Dim, ...]], forms: Mapping[type, Form], handed: Handed) -> None:
        self.forms, self.handed = forms, handed
        self.fixed: dict[str, int] = {}
        """The numbers of elements of all fixed arrays, by their digests."""
        self.graph = Graph()
        self.graph.limit = 2 * GREATEST_GRAPH  # what is computed twice is in it twice
        self.parameters: dict[str, ParamInfo] = {}
        self.drawn: dict[str, Value] = {}
        """The node of each parameter, which gradients are taken with respect to."""
        self.starts: dict[str, Stream] = {}
        """The streams with a value before their first step, by name."""
        self.losses = Losses(self.graph)
        self.curvatures: dict[str, Value] = {}
        """The predictions that the losses read, by place."""
        self.diagnostics: list[Diagnostic] = []
        self._reported: dict[tuple[int, object], int] = {}
        """The index in `diagnostics` of each mistake, by number and place; of an unknown name by its title."""
        self.assumptions, self.revised = assumptions, dict[str, tuple[Stream, tuple[Dim, ...]]]()
        self.path: list[Stream] = []
        """The streams that are being computed, each needed by the one before it."""
        self.starting: set[Stream] = set()
        """The states whose initial values are being computed."""
        self.spoilt = False
        """Whether results are missing because of a mistake, perhaps in a file that is used."""
        self.depth = self.definitions = 0

    # -------------------------------------------------------------------------------------------------- mistakes

    def problem(self, code: Code, title: str, span: Span | None, **rest: Any) -> Problem:
        """A mistake, to be raised."""
        return Problem(say(code, title, span, **rest))

    def report(self, diagnostic: Diagnostic) -> None:
        """Keep a mistake once; an unknown name at its first place."""
        diagnostic = self._blame_assumption(diagnostic)
        place = (*place_of(diagnostic), diagnostic.span.end if diagnostic.span else -1)
        key = (diagnostic.number, diagnostic.title if diagnostic.number == UNKNOWN_NAME.number else place)
        at = self._reported.setdefault(key, len(self.diagnostics))
        if at == len(self.diagnostics):
            self.diagnostics.append(diagnostic)
        elif diagnostic.number == UNKNOWN_NAME.number:
            self.diagnostics[at] = min(self.diagnostics[at], diagnostic, key=place_of)

    def _blame_assumption(self, diagnostic: Diagnostic) -> Diagnostic:
        """A shape may be wrong only because an undeclared feedback was assumed to be a number."""
        if diagnostic.number in OF_SHAPES and "[]" in diagnostic.title:
            for stream in reversed(self.path):
                if stream.assumed and stream.name not in self.assumptions:
                    return self._shapeless(stream)
        return diagnostic

    def _shapeless(self, stream: Stream) -> Diagnostic:
        title = f"the shape of {stream.name} can't be found, because its own equation needs it"
        help = f"declare it: state {stream.name.rsplit('.', 1)[-1]} : [...] = 0"
        return say(UNKNOWN_SHAPE, title, stream.span, help=help)

    def guarded(self, action: Callable[..., Any], *arguments: Any) -> Any:
        """Run an action; a mistake is reported and gives None."""
        try:
            return action(*arguments)
        except TooMuch:
            raise
        except Problem as problem:
            self.report(problem.diagnostic)
        except Poisoned:
            self.spoilt = True
        return None

    # ------------------------------------------------------------------------------- shapes of undeclared feedbacks

    def assumption(self, stream: Stream) -> Type:
        """The type that an undeclared stream is assumed to have while its own equation needs it: at first a number."""
        return Type(Kind.STREAM, self.assumptions.get(stream.name, ()), stream.clock)

    def revise(self, stream: Stream, shape: tuple[Dim, ...]) -> None:
        """The equation of a stream gave another shape than the assumed one: walk once more."""
        self.revised[stream.name] = (stream, shape)

    def give_up_shapes(self) -> None:
        """Report the streams whose shapes change in each round."""
        for stream, _ in self.revised.values():
            self.report(self._shapeless(stream))

    # ---------------------------------------------------------------------------------------------------- values

    @contextmanager
    def at(self, span: Span) -> Iterator[None]:
        """Inside, new nodes of the graph come from this place of the spec."""
        before, self.graph.span = self.graph.span, span
        try:
            yield
        finally:
            self.graph.span = before

    def site(self, place: str) -> int:
        """The number of a place of random draws, by its name."""
        return zlib.crc32(place.encode())

    # ---------------------------------------------------------------------------------------------------- bounds

    @property
    def too_deep(self) -> bool:
        """Whether a stream that is needed here is to be computed separately."""
        return self.depth > DEEP and bool(self.path)

    def enter(self, span: Span) -> None:
        """Count an expression inside others; the evaluator lowers `depth` again."""
        if self.depth >= GREATEST_DEPTH:
            raise self.too_much(span, "expressions and functions are nested too deeply here", "name a part of them")
        self.depth += 1

    def count_range(self, count: int, span: Span) -> None:
        """Refuse a family with too many members before they are listed."""
        if count > GREATEST_GRAPH:
            raise self.too_much(span)

    def count_definition(self, span: Span, weight: int = 1) -> None:
        """Count what loops, functions and uses write out, and refuse too much."""
        self.definitions += weight
        if self.definitions > GREATEST_GRAPH:
            raise self.too_much(span)

    def too_much(self, span: Span | None, title: str = "", help: str = "") -> TooMuch:
        """The mistake of a spec that expands without bound."""
        title = title or f"this spec expands to more than {GREATEST_GRAPH} operations"
        return TooMuch(say(TOO_LARGE, title, span, help=help or "use fewer members, or smaller ranges"))


def too_large(span: Span) -> SpecError:
    """The mistake of a file whose cells, each small enough, use one another too often."""
    title = f"the cells of this file expand to more than {GREATEST_FILE} operations together"
    return SpecError((say(TOO_LARGE, title, span, "up to here", help="put some of them into a file of their own"),))


def place_of(diagnostic: Diagnostic) -> tuple[str, int]:
    """The place of a mistake, for sorting."""
    return (diagnostic.span.source.name, diagnostic.span.start) if diagnostic.span else ("", -1)
