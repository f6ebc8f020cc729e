"""Converts parameters: matches the equations of both sides, then copies the numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from recurrency.convert import sizes
from recurrency.convert.moving import Arrays, Blank, blank_like, moved
from recurrency.convert.stacks import Stack
from recurrency.equations.forms import Forms
from recurrency.equations.matching import Difference, Equation, Linear, Match, matched
from recurrency.equations.polynomials import Product
from recurrency.equations.printing import Printer
from recurrency.errors import UsageError
from recurrency.language.elaboration.elaborate import Elaborated


class Layers(Protocol):
    """Layers of another library as equations: sizes, names, and the shapes of their parameters."""

    @property
    def inputs(self) -> int: ...

    @property
    def outputs(self) -> int: ...

    @property
    def title(self) -> str: ...

    @property
    def shipped(self) -> str: ...

    @property
    def hint(self) -> str: ...

    @property
    def forms(self) -> Forms: ...

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]: ...


def from_stack(target: Any, stack: Stack, dimensions: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a cell from the layers of a file.

    Raises:
        UsageError: the cells differ, or the layers have parts that the cell does not have.
    """
    given = {name: stack.arrays[name] for name in stack.shapes}
    cell = sizes.by_ports(target, stack.inputs, stack.outputs, dimensions)
    return Translation(cell, stack, stack.renamed).to_ours(given, blank_like(given))


class Translation:
    """The match of a cell with the layers of another library.

    `rename` maps the names of parameters in `foreign` to those of the library.

    Raises:
        UsageError: the two compute different things; the message says where they differ.
    """

    def __init__(self, cell: Elaborated, foreign: Layers, rename: Callable[[str], str]) -> None:
        self.name, self.foreign, self.rename = cell.cell.name, foreign, rename
        self.shapes = {name: tuple(int(str(size)) for size in p.shape) for name, p in cell.parameters.items()}
        self.match = self._matched(cell)

    def _matched(self, cell: Elaborated) -> Match:
        """The match of the first output of the cell that equals the output of the layers."""
        forms, differences = Forms.of(cell.graph), []
        for output in cell.outputs:
            try:
                found = matched(forms, self.foreign.forms, (output, "y"))
            except RecursionError:
                raise UsageError(f"the equations of {self.name} are nested too deeply to be compared") from None
            if isinstance(found, Match):
                return found
            differences.append(found)
        self._same_sizes(cell)
        raise UsageError(self._difference(max(differences, key=lambda difference: difference.depth)))

    def _same_sizes(self, cell: Elaborated) -> None:
        """Report different sizes before different equations."""
        layer, sides = self.foreign, (cell.inputs, cell.outputs)
        wanted = (layer.inputs,), (layer.outputs,)
        if any(all(type_.shape != size for type_ in side.values()) for side, size in zip(sides, wanted, strict=True)):
            ours = [", ".join(f"{n} [{', '.join(map(str, t.shape))}]" for n, t in side.items()) for side in sides]
            raise UsageError(
                f"{self.name} has the inputs {ours[0]} and the outputs {ours[1]}; {layer.title} has {layer.inputs} "
                f"inputs and {layer.outputs} outputs"
            )

    def _difference(self, found: Difference) -> str:
        assert found.forms is not None
        ours, theirs = Printer(found.forms[0]), Printer(found.forms[1], self.rename)
        return (
            f"{self.name} and {self.foreign.title} are different cells; they differ where\n"
            f"  {self.name} has {ours.equation(found.ours)}\n"
            f"  {self.foreign.title} has {theirs.equation(found.theirs)}\n{self.foreign.hint}".rstrip()
        )

    def to_ours(self, given: Mapping[str, Any], blank: Blank) -> dict[str, Any]:
        """The parameters of the cell from those of the layers."""
        source = Arrays(given)
        equations = [(e.ours, self._present(e.theirs), e) for e in self.match.equations]
        out = moved(equations, source, self.shapes, blank, self._complaint_of_theirs)
        self._complete(source, out, self.foreign.title, self.name)
        return out.arrays

    def to_theirs(self, given: Mapping[str, Any], blank: Blank) -> dict[str, Any]:
        """The parameters of the layers from those of the cell."""
        source = Arrays(given)
        equations = [(self._present(e.theirs), e.ours, e) for e in self.match.equations]
        out = moved(equations, source, self.foreign.shapes, blank, self._complaint_of_ours)
        self._complete(source, out, self.name, self.foreign.title)
        return out.arrays

    def _present(self, pieces: Linear) -> Linear:
        """The blocks without biases, if the layers have none."""
        return tuple(piece for piece in pieces if piece[1].name in self.foreign.shapes)

    def _complete(self, given: Arrays, out: Arrays, source: str, target: str) -> None:
        """Check that all elements have been read, and all have been written."""
        for arrays, owner, other in ((given, source, target), (out, target, source)):
            for name in arrays.untouched():
                shown = self.rename(name) if owner == self.foreign.title else name
                raise UsageError(f"{shown} of {owner} does not affect the output that matches {other}")

    def _complaint_of_ours(self, equation: Equation) -> str:
        terms = _terms(Printer(self.match.ours), equation.ours, equation.place)
        if not self._present(equation.theirs):
            names = " and ".join(dict.fromkeys(block.name for _, block in equation.ours))
            return f"{self.name} has {terms}; {self.foreign.title} has no such term, and {names} is not zero"
        others = _terms(Printer(self.match.theirs, self.rename), equation.theirs, Product())
        return f"{terms} of {self.name} must equal {others} of {self.foreign.title}, which must have other values too"

    def _complaint_of_theirs(self, equation: Equation) -> str:
        terms = _terms(Printer(self.match.theirs, self.rename), equation.theirs, Product())
        if not equation.ours:
            place = Printer(self.match.theirs, self.rename).product(equation.place)
            times = f" * {place}" if equation.place.factors else ""
            known = f"; the shipped cell {self.foreign.shipped} has one" if self.foreign.shipped else ""
            if any(block.name.endswith("[0]") for _, block in equation.theirs):
                known = "; give the state of the cell a trained initial value (~ zeros)"
            return f"{self.foreign.title} has {terms}{times}; {self.name} has no such term, and it is not zero{known}"
        ours = _terms(Printer(self.match.ours), equation.ours, Product())
        return f"{terms} of {self.foreign.title} must equal {ours} of {self.name}, which must have other values too"


def _terms(printer: Printer, pieces: Linear, place: Product) -> str:
    """`W + V`, times the factors of `place`."""
    text = " + ".join(printer.block(block) for _, block in pieces)
    text = f"({text})" if len(pieces) > 1 and place.factors else text
    return f"{text} * {printer.product(place)}" if place.factors else text
