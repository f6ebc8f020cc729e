"""Recurrent layers that a file describes: each with its class, activations, sizes, directions and weights.

Unlike `foreign.Foreign`, layers of one stack may differ in kind and size. The equations are in `keras.rnn` and
`recurrency/equations/onnx.rnn`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from recurrency.equations import ONNX
from recurrency.equations.forms import Forms
from recurrency.errors import UsageError
from recurrency.graph.op import Array
from recurrency.model.spec import parse

FILES: Mapping[str, Path] = {"keras": Path(__file__).parent / "keras.rnn", "onnx": ONNX}
"""Where the equations are."""
MERGES: Mapping[str, str] = {
    "concat": "concat({0}, {1})",
    "sum": "{0} + {1}",
    "mul": "{0} * {1}",
    "ave": "({0} + {1}) * 0.5",
}
"""How the two directions of a layer become one output."""


@dataclass(frozen=True)
class Direction:
    """One direction of a layer: its weights by the names of the equations, and its activations.

    `options` has the functions in the brackets of the cell, each by the name of a function of the language or by that
    of one in `functions`, which are definitions (`fn ...`).
    """

    arrays: Mapping[str, Array]
    options: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)
    backward: bool = False


@dataclass(frozen=True)
class Layer:
    """A layer: `file` and `cell` name its equations, `shipped` the equal shipped cell (empty: there is none)."""

    name: str
    title: str
    file: str
    cell: str
    inputs: int
    hidden: int
    directions: tuple[Direction, ...]
    shipped: str = ""
    merge: str = "concat"

    @property
    def outputs(self) -> int:
        """The size of the output of both directions together."""
        return self.hidden * (len(self.directions) if self.merge == "concat" else 1)


@dataclass(frozen=True)
class Stack:
    """Layers of which each reads the output of the one before."""

    layers: tuple[Layer, ...]

    @property
    def inputs(self) -> int:
        """The size of the input."""
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        """The size of the output."""
        return self.layers[-1].outputs

    @property
    def title(self) -> str:
        """The name in messages."""
        if len(self.layers) > 1:
            return f"the stack of layers {', '.join(layer.name for layer in self.layers)}"
        return f"{self.layers[0].title} {self.layers[0].name}"

    @property
    def shipped(self) -> str:
        """The shipped cell that equals one layer; empty if there is none."""
        return self.layers[0].shipped

    @property
    def hint(self) -> str:
        """What to try where a cell differs."""
        if len(self.layers) > 1:
            return (
                f"choose one of its layers ({', '.join(layer.name for layer in self.layers)}), if a single one is meant"
            )
        if len(self.layers[0].directions) > 1 or not self.shipped:
            return ""
        return f"{self.title} is the shipped cell {self.shipped}"

    @cached_property
    def uses(self) -> dict[str, tuple[Layer, Direction]]:
        """Each direction of each layer by its name in the equations: `l0`, `l0_reverse`, `l1`, ..."""
        return {
            f"l{place}{'_reverse' if direction.backward else ''}": (layer, direction)
            for place, layer in enumerate(self.layers)
            for direction in layer.directions
        }

    @cached_property
    def arrays(self) -> dict[str, Array]:
        """All weights by their names in the equations: `l0.kernel`, ..."""
        return {f"{use}.{name}": a for use, (_, one) in self.uses.items() for name, a in one.arrays.items()}

    @cached_property
    def forms(self) -> Forms:
        """The equations; the output is `y`."""
        return Forms.of(parse(self.text(), "<layers>", "Layers").graph())

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the weights, as the equations have them; absent biases are left out.

        Raises:
            UsageError: those in the file have other shapes, or one is missing.
        """
        graph = self.forms.graph
        types = {name: graph[id].type.shape for name, id in graph.sources("param").items()}
        wanted = {name: tuple(int(str(size)) for size in shape) for name, shape in types.items()}
        given = {name: tuple(array.shape) for name, array in self.arrays.items()}
        for name, shape in wanted.items():
            if name in given and given[name] != shape:
                raise UsageError(f"{self.renamed(name)} has the shape {list(given[name])}, not {list(shape)}")
            if name not in given and "bias" not in name:
                raise UsageError(f"{self.renamed(name)} is missing")
        return {name: shape for name, shape in wanted.items() if name in given}

    def renamed(self, name: str) -> str:
        """The name of a weight in messages: `lstm.kernel`."""
        use, what = name.split(".", 1)
        layer, direction = self.uses[use]
        side = "backward." if direction.backward and len(layer.directions) > 1 else ""
        return f"{layer.name}.{side}{what}"

    def text(self) -> str:
        """The cells, and a cell `Layers` that stacks them."""
        files = {layer.file: FILES[layer.file].read_text(encoding="utf-8") for layer in self.layers}
        functions = {name: fn for _, one in self.uses.values() for name, fn in one.functions.items()}
        lines, below = [], "x"
        for place, layer in enumerate(self.layers):
            lines += [f"{use} = {_cell(*pair)}" for use, pair in self.uses.items() if pair[0] is layer]
            sides = [_call(place, direction, below) for direction in layer.directions]
            below = f"h{place}"
            lines.append(f"{below} = {MERGES[layer.merge].format(*sides) if len(sides) > 1 else sides[0]}")
        header = f"cell Layers(x: [{self.inputs}]) -> (y: [{self.outputs}])"
        return "\n".join([*files.values(), *functions.values(), header, "{", *lines, f"y = {below}", "}"])


def _cell(layer: Layer, direction: Direction) -> str:
    return f"{layer.cell}[{', '.join([str(layer.hidden), *(f'{k} = {v}' for k, v in direction.options.items())])}]"


def _call(place: int, direction: Direction, below: str) -> str:
    return f"reverse(l{place}_reverse(reverse({below})))" if direction.backward else f"l{place}({below})"


def chosen(found: Sequence[Layer], chain: bool, name: str | None, owner: str) -> Stack:
    """The layer with this name; without one all layers, which must be a `chain`, each reading the one before.

    Raises:
        UsageError: there is no such layer, or none is named and the layers are no chain.
    """
    names = ", ".join(layer.name for layer in found)
    if name is not None:
        picked = [layer for layer in found if layer.name == name]
        if not picked:
            raise UsageError(f"{owner} has no recurrent layer {name}; there are {names or 'none'}")
        return Stack((picked[0],))
    if not found:
        raise UsageError(f"{owner} has no recurrent layer")
    if len(found) > 1 and not chain:
        raise UsageError(f"{owner} has several recurrent layers that do not follow one another: choose one of {names}")
    return Stack(tuple(found))
