"""The layers of other libraries: stacks of the cells in `torch.rnn` and `keras.rnn`.

The order of gates, the number of biases and the sign of a gate are only in those equations. This module has the names
of a library's arrays, and derives sizes from their shapes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from recurrency.equations.forms import Forms
from recurrency.errors import UsageError
from recurrency.model.spec import parse


@dataclass(frozen=True)
class Kind:
    """A kind of layer: the library's class, its equations, the number of packed gates, and the equal shipped cell."""

    title: str
    file: str
    cell: str
    gates: int
    shipped: str
    options: Mapping[str, str] = field(default_factory=dict)


KINDS: Mapping[str, Kind] = {
    "torch-lstm": Kind("nn.LSTM", "torch", "TorchLSTM", 4, "PlainLSTM"),
    "torch-gru": Kind("nn.GRU", "torch", "TorchGRU", 3, "TorchGRU"),
    "torch-rnn-tanh": Kind("nn.RNN", "torch", "TorchRNN", 1, "Elman", {"squash": "tanh"}),
    "torch-rnn-relu": Kind("nn.RNN (relu)", "torch", "TorchRNN", 1, "IRNN", {"squash": "relu"}),
    "keras-lstm": Kind("Keras' LSTM", "keras", "KerasLSTM", 4, "PlainLSTM"),
    "keras-gru": Kind("Keras' GRU", "keras", "KerasGRU", 3, "TorchGRU"),
    "keras-gru-reset-before": Kind("Keras' GRU (reset_after=False)", "keras", "KerasGRUResetBefore", 3, "GRU"),
    "keras-rnn-tanh": Kind("Keras' SimpleRNN", "keras", "KerasSimpleRNN", 1, "Elman", {"squash": "tanh"}),
    "keras-rnn-relu": Kind("Keras' SimpleRNN (relu)", "keras", "KerasSimpleRNN", 1, "IRNN", {"squash": "relu"}),
}
"""The kinds of layers that weights can be converted from and to."""

PROJECTED: Mapping[str, tuple[str, str]] = {"TorchLSTM": ("TorchLSTMP", "LSTMP")}
"""The cell with a projected output, and the equal shipped cell."""


def kind_of(name: str) -> Kind:
    """A kind of layer by its name.

    Raises:
        UsageError: there is no such kind.
    """
    if name not in KINDS:
        raise UsageError(f"there is no layer {name} to convert; there are {', '.join(KINDS)}")
    return KINDS[name]


@dataclass(frozen=True)
class Foreign:
    """A stack of layers of another library: sizes, depth, directions.

    `projected` is the size of the projected output, or None.
    """

    kind: Kind
    inputs: int
    hidden: int
    layers: int = 1
    bidirectional: bool = False
    biases: bool = True
    projected: int | None = None

    @property
    def outputs(self) -> int:
        """The size of the output."""
        return (self.projected or self.hidden) * (2 if self.bidirectional else 1)

    @property
    def title(self) -> str:
        """The name in messages."""
        more = [f"{self.layers} layers"] if self.layers > 1 else []
        more += ["bidirectional"] if self.bidirectional else []
        more += [f"proj_size={self.projected}"] if self.projected else []
        return f"{self.kind.title} ({', '.join(more)})" if more else self.kind.title

    @property
    def shipped(self) -> str:
        """The shipped cell that equals one layer."""
        return PROJECTED[self.kind.cell][1] if self.projected else self.kind.shipped

    @property
    def uses(self) -> list[str]:
        """The names of all layers and directions, as in PyTorch."""
        ends = ("", "_reverse") if self.bidirectional else ("",)
        return [f"l{layer}{end}" for layer in range(self.layers) for end in ends]

    @property
    def hint(self) -> str:
        """What to try where a cell differs: a single layer, or the shipped cell that equals the layer."""
        uses = [use.removeprefix("l") for use in self.uses]
        if len(uses) > 1:
            return f"choose one of its layers ({', '.join(uses)}), if a single one is meant"
        return f"{self.title} is the shipped cell {self.shipped}"

    @cached_property
    def forms(self) -> Forms:
        """The equations; the output is `y`."""
        sizes = {"N": self.inputs, "H": self.hidden} | ({"P": self.projected} if self.projected else {})
        return Forms.of(parse(self._text(), "<layers>", "Layers").graph(**sizes))

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all parameters by their names in the equations: `l0.weight_ih`, ..."""
        graph = self.forms.graph
        types = {name: graph[id].type for name, id in graph.sources("param").items()}
        found = {name: tuple(int(str(size)) for size in type_.shape) for name, type_ in types.items()}
        return {name: shape for name, shape in found.items() if self.biases or "bias" not in name}

    def _text(self) -> str:
        """The cell of one layer, and a cell `Layers` that stacks it."""
        cell = PROJECTED[self.kind.cell][0] if self.projected else self.kind.cell
        squash = "".join(f", {name} = {value}" for name, value in self.kind.options.items())
        sizes = f"H{', P' if self.projected else ''}{squash}"
        lines, below = [f"{use} = {cell}[{sizes}]" for use in self.uses], "x"
        for layer in range(self.layers):
            forward, backward = f"l{layer}({below})", f"reverse(l{layer}_reverse(reverse({below})))"
            below = f"h{layer}" if self.layers > 1 else "h"
            lines.append(f"{below} = concat({forward}, {backward})" if self.bidirectional else f"{below} = {forward}")
        output = ("2 * " if self.bidirectional else "") + ("P" if self.projected else "H")
        header = f"cell Layers[N, H{', P' if self.projected else ''}](x: [N]) -> (y: [{output}])"
        text = (Path(__file__).parent / f"{self.kind.file}.rnn").read_text(encoding="utf-8")
        return "\n".join([text, header, "{", *lines, f"y = {below}", "}"])


# ------------------------------------------------------------------------------------------------ PyTorch's names

TORCH_NAME = re.compile(r"(?P<what>(weight|bias)_(ih|hh|hr))(_l(?P<layer>\d+))?(?P<reverse>_reverse)?")


def torch_name(name: str, single: bool = False) -> str:
    """PyTorch's name of `l0.weight_ih` (`single`: in `nn.LSTMCell`, `nn.GRUCell` and `nn.RNNCell`)."""
    use, what = name.split(".")
    return what if single else f"{what}_{use}"


def described_torch(kind: Kind, shapes: Mapping[str, tuple[int, ...]]) -> Foreign:
    """The layers whose state dict has parameters of these names and shapes.

    Raises:
        UsageError: there are no such layers.
    """
    found = [TORCH_NAME.fullmatch(name) for name in shapes]
    rows, columns = _matrix(shapes, "weight_ih_l0", "weight_ih")
    _, recurrent = _matrix(shapes, "weight_hh_l0", "weight_hh")
    if rows % kind.gates:
        raise UsageError(
            f"weight_ih has {rows} rows, which is not a multiple of the {kind.gates} gates of {kind.title}"
        )
    foreign = Foreign(
        kind,
        inputs=columns,
        hidden=rows // kind.gates,
        layers=1 + max(int(m["layer"] or 0) for m in found if m),
        bidirectional=any(m["reverse"] for m in found if m),
        biases=any(m["what"].startswith("bias") for m in found if m),
        projected=recurrent if any(m["what"] == "weight_hr" for m in found if m) else None,
    )
    if foreign.projected and kind.cell not in PROJECTED:
        raise UsageError(f"{kind.title} has no projection weight_hr")
    return foreign


def _matrix(shapes: Mapping[str, tuple[int, ...]], *names: str) -> tuple[int, int]:
    for name in names:
        if name in shapes and len(shapes[name]) == 2:
            return shapes[name][0], shapes[name][1]
    raise UsageError(f"there is no matrix {names[0]} among {', '.join(shapes) or 'no parameters'}")


# ------------------------------------------------------------------------------------------------- Keras' names

KERAS_NAMES = ("kernel", "recurrent_kernel", "bias")
"""The arrays of a layer in the order of `get_weights()`."""


def described_keras(kind: Kind, shapes: Mapping[str, tuple[int, ...]]) -> Foreign:
    """The layers with parameters `l0.kernel`, ... of these shapes.

    Raises:
        UsageError: there are no such layers.
    """
    inputs, columns = _matrix(shapes, "l0.kernel")
    if columns % kind.gates:
        raise UsageError(
            f"kernel has {columns} columns, which is not a multiple of the {kind.gates} gates of {kind.title}"
        )
    biases = any(name.endswith("bias") for name in shapes)
    return Foreign(kind, inputs, columns // kind.gates, 1, "l0_reverse.kernel" in shapes, biases)
