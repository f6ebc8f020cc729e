"""Recurrent layers in the description of a Keras model: what they compute, or why no cell computes the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recurrency.convert.foreign import KERAS_NAMES, KINDS
from recurrency.convert.stacks import MERGES, Direction, Layer
from recurrency.errors import UsageError
from recurrency.graph.op import Array

KINDS_OF: Mapping[str, str] = {"LSTM": "keras-lstm", "GRU": "keras-gru", "SimpleRNN": "keras-rnn-tanh"}
"""The classes that are read."""
REFUSED: Mapping[str, str] = {
    "ConvLSTM1D": "a convolution in place of each product",
    "ConvLSTM2D": "a convolution in place of each product",
    "ConvLSTM3D": "a convolution in place of each product",
    "CuDNNLSTM": "weights in the order of cuDNN; load them into an LSTM in Keras and save that",
    "CuDNNGRU": "weights in the order of cuDNN; load them into a GRU in Keras and save that",
    "RNN": "a cell that may be of any kind; use LSTM, GRU or SimpleRNN in Keras",
}
"""Recurrent classes that are not read, and what they have."""
TRANSPARENT = {
    *("InputLayer", "Dropout", "SpatialDropout1D", "GaussianDropout", "GaussianNoise", "AlphaDropout"),
    "ActivityRegularization",
}
"""Layers that change nothing when a trained model is used."""
ACTIVATIONS: Mapping[str, str] = {
    **{name: name for name in ("tanh", "sigmoid", "relu", "softplus", "elu", "silu")},
    "swish": "silu",
    "linear": "keras_linear",
    "softsign": "keras_softsign",
    "exponential": "exp",
    "hard_sigmoid": "keras_hard_sigmoid",
}
"""Activations by the names of Keras."""
FUNCTIONS: Mapping[str, str] = {
    "keras_linear": "fn keras_linear(x) = x",
    "keras_softsign": "fn keras_softsign(x) = x / (1 + abs(x))",
    "keras_hard_sigmoid": "fn keras_hard_sigmoid(x) = clip(x / 6 + 0.5, 0, 1)",
}
DEFAULTS = {"squash": "tanh", "gate": "sigmoid"}


@dataclass(frozen=True)
class Entry:
    """A layer in the description of a model.

    `key` is its place among the weights where they have no names; `sources` are the layers and outputs that it reads;
    `version` is that of Keras.
    """

    name: str
    kind: str
    options: Mapping[str, Any]
    key: str
    sources: tuple[tuple[str, int], ...]
    masked: bool
    version: str

    @property
    def inner(self) -> str:
        """The class of a layer, within `Bidirectional` or `TimeDistributed`."""
        inner = self.options.get("layer")
        return str(inner.get("class_name")) if isinstance(inner, Mapping) else self.kind

    @property
    def recurrent(self) -> bool:
        """Whether it is a recurrent layer of whatever kind, or contains one."""
        return any(kind in KINDS_OF or kind in REFUSED for kind in (self.kind, *_classes(self.options)))

    def reads(self, below: Entry, entries: Sequence[Entry]) -> bool:
        """Whether its only input is the sequence that another layer puts out, or that with dropout."""
        known = {entry.name: entry for entry in entries}
        found = self.sources
        for _ in entries:
            if len(found) != 1 or found[0][1] != 0:
                return False
            source = known.get(found[0][0])
            if source is below:
                return bool(_core(below).get("return_sequences"))
            if source is None or source.kind not in TRANSPARENT:
                return False
            found = source.sources
        return False


def _core(entry: Entry) -> Mapping[str, Any]:
    """The options of a layer, or of the one within `Bidirectional`."""
    inner = entry.options.get("layer")
    return _config(inner) if isinstance(inner, Mapping) else entry.options


def _classes(found: Any) -> Iterator[str]:
    """The classes anywhere in a description."""
    if isinstance(found, Mapping):
        yield str(found.get("class_name"))
    for item in found.values() if isinstance(found, Mapping) else found if isinstance(found, list) else ():
        yield from _classes(item)


def _masks(found: Any) -> bool:
    """Whether an argument `mask` is given anywhere in the `inbound_nodes` of a layer."""
    if isinstance(found, Mapping) and found.get("mask") not in (None, [None]):
        return True
    items = found.values() if isinstance(found, Mapping) else found if isinstance(found, list) else ()
    return any(_masks(item) for item in items)


def _config(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    config = layer.get("config")
    return config if isinstance(config, Mapping) else {}


def listed(model: Any, about: Mapping[str, Any]) -> list[Entry]:
    """The layers of a model.

    Raises:
        UsageError: the description is not that of a `Sequential` or functional model.
    """
    config = model.get("config") if isinstance(model, Mapping) else None
    layers = config if isinstance(config, list) else config.get("layers") if isinstance(config, Mapping) else None
    if not isinstance(layers, list) or not all(isinstance(layer, Mapping) for layer in layers):
        kind = model.get("class_name") if isinstance(model, Mapping) else None
        raise UsageError(
            f"the file does not list the layers of the model, a {kind}; save a Sequential or functional model, or the "
            "weights alone"
        )
    out: list[Entry] = []
    counts: dict[str, int] = {}
    for layer in layers:
        out.append(_entry(layer, out, counts, str(about.get("keras_version", ""))))
    return out


def _entry(layer: Mapping[str, Any], before: Sequence[Entry], counts: dict[str, int], version: str) -> Entry:
    kind, config = str(layer.get("class_name")), _config(layer)
    name = str(config.get("name", layer.get("name")))
    snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", kind)).lower()
    count = counts[snake] = counts.get(snake, -1) + 1
    nodes = layer.get("inbound_nodes")
    sources = tuple(_tensors(nodes)) if nodes is not None else tuple((e.name, 0) for e in before[-1:])
    key = f"{snake}_{count}" if count else snake
    return Entry(name, kind, config, key, sources, _masks(nodes), version)


def _tensors(found: Any) -> Iterator[tuple[str, int]]:
    """The names and outputs of layers anywhere in the `inbound_nodes` of Keras 3 and 2."""
    if isinstance(found, Mapping):
        history = found.get("keras_history")
        yield from _tensors([history] if history is not None else list(found.values()))
    elif isinstance(found, list):
        if len(found) >= 3 and isinstance(found[0], str) and isinstance(found[2], int):
            yield found[0], found[2]
            found = found[3:]
        for item in found:
            yield from _tensors(item)


def layer_of(entry: Entry, arrays: Sequence[Array], entries: Sequence[Entry]) -> Layer:
    """The layer that an entry describes, with its weights.

    `entries` are the layers of the model among which masks are looked for; empty: how the layer is run is ignored.

    Raises:
        UsageError: no cell computes the same; the message says which layer and why.
    """
    if entry.inner in REFUSED:
        raise _refused(entry, f"it is a {entry.inner} layer, which has {REFUSED[entry.inner]}")
    if entry.inner not in KINDS_OF or entry.kind not in (entry.inner, "Bidirectional"):
        raise _refused(entry, f"it is a {entry.kind} around a recurrent layer; save that layer in a model of its own")
    sides = _sides(entry)
    for side in sides if entries else ():
        _usual(entry, side, entries)
    each = len(arrays) // len(sides)
    if each not in (2, 3) or len(arrays) % len(sides):
        raise _refused(entry, f"the file has {len(arrays)} arrays for it; it needs 2 or 3 for each direction")
    parts = [arrays[each * place : each * (place + 1)] for place in range(len(sides))]
    directions = tuple(
        _direction(entry, *pair, bool(place)) for place, pair in enumerate(zip(sides, parts, strict=True))
    )
    return _made(entry, directions)


def _refused(entry: Entry, why: str) -> UsageError:
    return UsageError(f"layer {entry.name} can't be converted: {why}")


def _sides(entry: Entry) -> list[Mapping[str, Any]]:
    """The options of each direction."""
    if entry.kind != "Bidirectional":
        return [entry.options]
    forward = _core(entry)
    given = entry.options.get("backward_layer")
    if isinstance(given, Mapping) and given.get("class_name") != entry.inner:
        raise _refused(entry, f"its directions are a {entry.inner} and a {given.get('class_name')}")
    backward = _config(given) if isinstance(given, Mapping) else {**forward, "go_backwards": True}
    if forward.get("go_backwards") or not backward.get("go_backwards"):
        raise _refused(entry, "its forward layer has go_backwards=True, or its backward layer has not")
    return [forward, {**backward, "go_backwards": False}]


def _usual(entry: Entry, options: Mapping[str, Any], entries: Sequence[Entry]) -> None:
    """Check that the layer is run as a cell is: forward over all steps, from its initial states."""
    why = ""
    masking = [e.name for e in entries if e.kind == "Masking" or e.options.get("mask_zero") or e.masked]
    if options.get("go_backwards"):
        why = "it has go_backwards=True; write reverse(x) in the cell"
    elif options.get("stateful"):
        why = "it has stateful=True: its states go on from batch to batch; pass states from call to call"
    elif masking:
        why = (
            f"{masking[0]} makes a mask, and the layer repeats its output where steps are masked; pass lengths instead"
        )
    if why:
        raise _refused(entry, f"{why}. To convert its weights alone, say its kind: {_kind(entry, options)}")


def _kind(entry: Entry, options: Mapping[str, Any]) -> str:
    before = entry.inner == "GRU" and not options.get("reset_after", False)
    return KINDS_OF[entry.inner] + ("-reset-before" if before else "")


def _direction(entry: Entry, options: Mapping[str, Any], arrays: Sequence[Array], backward: bool) -> Direction:
    names = {"squash": "activation"} | ({"gate": "recurrent_activation"} if entry.inner != "SimpleRNN" else {})
    chosen = {ours: _activation(entry, options, theirs) for ours, theirs in names.items()}
    found = dict(zip(KERAS_NAMES, arrays, strict=False))
    if entry.inner == "GRU" and len(arrays) == 3:
        after, bias = bool(options.get("reset_after", False)), found["bias"]
        if bias.ndim != 1 + after or (after and len(bias) != 2):
            raise _refused(entry, f"its bias has the shape {list(bias.shape)}, but reset_after={after}")
        if after:
            found |= {"bias": bias[0], "recurrent_bias": bias[1]}
    own = {name: FUNCTIONS[name] for name in chosen.values() if name in FUNCTIONS}
    return Direction(found, {k: v for k, v in chosen.items() if v != DEFAULTS[k]}, own, backward)


def _activation(entry: Entry, options: Mapping[str, Any], name: str) -> str:
    given = options.get(name)
    if not isinstance(given, str) or given not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        what = given if isinstance(given, str) else "no function of Keras"
        raise _refused(entry, f"its {name} is {what}; there are {known}")
    if given == "hard_sigmoid" and not entry.version.startswith("3."):
        if not entry.version.startswith("2."):
            raise _refused(entry, f"its {name} is hard_sigmoid, whose slope depends on the version of Keras")
        return "hard_sigmoid"
    return ACTIVATIONS[given]


def _made(entry: Entry, directions: tuple[Direction, ...]) -> Layer:
    options = _core(entry)
    merge = entry.options.get("merge_mode", "concat")
    if merge not in MERGES:
        raise _refused(entry, f"its merge_mode is {merge}; there are {', '.join(MERGES)}")
    row, kernel = KINDS[_kind(entry, options)], directions[0].arrays[KERAS_NAMES[0]]
    units = options.get("units")
    if not isinstance(units, int) or units < 1 or kernel.ndim != 2 or kernel.shape[1] != row.gates * units:
        raise _refused(entry, f"units is {units}, but its kernel has the shape {list(kernel.shape)}")
    shipped = "" if directions[0].options else row.shipped
    return Layer(entry.name, row.title, "keras", row.cell, kernel.shape[0], units, directions, shipped, merge)
