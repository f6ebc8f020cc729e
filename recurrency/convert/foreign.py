"""The layers of other libraries: the equations of `torch.rnn` and `keras.rnn`, put together to stacks.

Nothing in this package knows the order of gates, how many biases there are or which way a gate points. All that is
known here is what the arrays of a library are called and how sizes follow from their shapes.
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
    """A row of the table of layers: the library's class, its equations, how many gates are packed, our shipped cell."""

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
"""What weights can come from and go to."""

PROJECTED: Mapping[str, tuple[str, str]] = {"TorchLSTM": ("TorchLSTMP", "LSTMP")}
"""The equations of a layer whose output is projected, and our shipped cell."""


def kind_of(name: str) -> Kind:
    """A row of the table by its name."""
    if name not in KINDS:
        raise UsageError(f"there is no layer {name} to convert; there are {', '.join(KINDS)}")
    return KINDS[name]


@dataclass(frozen=True)
class Foreign:
    """Layers of another library as they stand in one object: sizes, depth, directions.

    `biases` says whether it has them; `projected` is the size of the projection of the output, or None.
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
        """What it is called in messages."""
        more = [f"{self.layers} layers"] if self.layers > 1 else []
        more += ["bidirectional"] if self.bidirectional else []
        more += [f"proj_size={self.projected}"] if self.projected else []
        return f"{self.kind.title} ({', '.join(more)})" if more else self.kind.title

    @property
    def shipped(self) -> str:
        """The shipped cell that is one such layer."""
        return PROJECTED[self.kind.cell][1] if self.projected else self.kind.shipped

    @property
    def uses(self) -> list[str]:
        """The names of all layers and directions, as PyTorch has them."""
        ends = ("", "_reverse") if self.bidirectional else ("",)
        return [f"l{layer}{end}" for layer in range(self.layers) for end in ends]

    @cached_property
    def forms(self) -> Forms:
        """The equations; the output is `y`."""
        sizes = {"N": self.inputs, "H": self.hidden} | ({"P": self.projected} if self.projected else {})
        return Forms.of(parse(self._text(), "<layers>", "Layers").graph(**sizes))

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all parameters by the names that they have in the equations: `l0.weight_ih`, ..."""
        graph = self.forms.graph
        types = {name: graph[id].type for name, id in graph.sources("param").items()}
        found = {name: tuple(int(str(size)) for size in type_.shape) for name, type_ in types.items()}
        return {name: shape for name, shape in found.items() if self.biases or "bias" not in name}

    def _text(self) -> str:
        """The equations of one layer, and a cell `Layers` that uses it as often as wanted."""
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
    """`l0.weight_ih` as PyTorch's layers call it (`single`: as `nn.LSTMCell` and its like do)."""
    use, what = name.split(".")
    return what if single else f"{what}_{use}"


def described_torch(kind: Kind, shapes: Mapping[str, tuple[int, ...]]) -> Foreign:
    """What layers have parameters of these names (as in a state dict) and shapes.

    Raises:
        UsageError: none have.
    """
    found = [TORCH_NAME.fullmatch(name) for name in shapes]
    rows, columns = _matrix(shapes, "weight_ih_l0", "weight_ih")
    _, recurrent = _matrix(shapes, "weight_hh_l0", "weight_hh")
    if rows % kind.gates:
        raise UsageError(f"weight_ih has {rows} rows, which is no multiple of the {kind.gates} gates of {kind.title}")
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
    """What layers have parameters `l0.kernel`, ... of these shapes."""
    inputs, columns = _matrix(shapes, "l0.kernel")
    if columns % kind.gates:
        raise UsageError(f"kernel has {columns} columns, no multiple of the {kind.gates} gates of {kind.title}")
    biases = any(name.endswith("bias") for name in shapes)
    return Foreign(kind, inputs, columns // kind.gates, 1, "l0_reverse.kernel" in shapes, biases)
