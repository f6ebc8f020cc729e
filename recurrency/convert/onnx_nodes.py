"""Recurrent nodes of ONNX: what they compute, or why no cell computes the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurrency.convert.onnx_constants import Constants
from recurrency.convert.stacks import Direction, Layer
from recurrency.errors import UsageError
from recurrency.graph.op import Array


@dataclass(frozen=True)
class Operator:
    """An operator: its gates, and its activations by the names in `onnx.rnn`, with their defaults."""

    cell: str
    gates: int
    activations: Mapping[str, str]
    shipped: str
    states: tuple[str, ...] = ("h",)


OPERATORS: Mapping[str, Operator] = {
    "LSTM": Operator("OnnxLSTM", 4, {"gate": "Sigmoid", "squash": "Tanh", "out": "Tanh"}, "LSTM", ("h", "c")),
    "GRU": Operator("OnnxGRUResetBefore", 3, {"gate": "Sigmoid", "squash": "Tanh"}, "GRU"),
    "RNN": Operator("OnnxRNN", 1, {"squash": "Tanh"}, "Elman"),
}
AFTER = Operator("OnnxGRU", 3, OPERATORS["GRU"].activations, "TorchGRU")
"""`GRU` with linear_before_reset = 1."""

PLAIN: Mapping[str, str] = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "relu", "softplus": "softplus"}
"""Activations that are functions of the language."""
FORMULAS: Mapping[str, tuple[str, Mapping[str, float | None]]] = {
    "softsign": ("x / (1 + abs(x))", {}),
    "affine": ("alpha * x + beta", {"alpha": None, "beta": None}),
    "leakyrelu": ("where(x < 0, alpha * x, x)", {"alpha": 0.01}),
    "scaledtanh": ("alpha * tanh(beta * x)", {"alpha": None, "beta": None}),
    "hardsigmoid": ("clip(alpha * x + beta, 0, 1)", {"alpha": 0.2, "beta": 0.5}),
}
"""Activations with numbers alpha and beta, and their values where a node gives none."""
IGNORED = {"hidden_size", "direction", "layout", "activations", "activation_alpha", "activation_beta"}
ENDS: Mapping[bytes, tuple[bool, ...]] = {b"forward": (False,), b"reverse": (True,), b"bidirectional": (False, True)}
"""Whether each direction of a node runs backward."""


def title(node: Any) -> str:
    """The name of a node, or that of its first output."""
    return str(node.name or next(iter(node.output), "") or node.op_type)


def layer_of(node: Any, graph: Constants) -> Layer:
    """The layer that a node computes.

    Raises:
        UsageError: its weights are no constants, or no cell computes the same.
    """
    options = {attribute.name: attribute for attribute in node.attribute}
    row = _operator(node, options)
    ends = ENDS.get(options["direction"].s if "direction" in options else b"forward")
    if ends is None:
        raise _refused(node, f"its direction is {options['direction'].s!r}")
    weights = {name: _given(node, place, name, graph) for place, name in ((1, "W"), (2, "R"))}
    hidden = weights["R"].shape[-1]
    for name, columns in (("W", weights["W"].shape[-1]), ("R", hidden)):
        _check(node, name, weights[name], (len(ends), row.gates * hidden, columns))
    arrays = [{name: array[side] for name, array in weights.items()} for side in range(len(ends))]
    for side, found in enumerate(arrays):
        found |= _more(node, row, hidden, graph, (len(ends), side), _layout(options))
    functions = _activations(node, row, options, len(ends))
    directions = tuple(Direction(a, *f, end) for a, f, end in zip(arrays, functions, ends, strict=True))
    shipped = "" if any(direction.options for direction in directions) else row.shipped
    kind = f"ONNX {node.op_type}"
    return Layer(title(node), kind, "onnx", row.cell, weights["W"].shape[2], hidden, directions, shipped)


def _refused(node: Any, why: str) -> UsageError:
    return UsageError(f"node {title(node)} can't be converted: {why}")


def _operator(node: Any, options: Mapping[str, Any]) -> Operator:
    """The equations of a node, after a look at all its attributes."""
    for name, option in options.items():
        if name == "clip":
            raise _refused(node, f"it clips its sums at {option.f}; no layer of equations here does")
        if name == "input_forget" and option.i:
            raise _refused(node, "it couples the input and forget gate (input_forget = 1)")
        if name not in IGNORED | {"clip", "input_forget", "linear_before_reset"}:
            raise _refused(node, f"it has an attribute {name}")
    after = "linear_before_reset" in options and options["linear_before_reset"].i
    return AFTER if after and node.op_type == "GRU" else OPERATORS[node.op_type]


def _layout(options: Mapping[str, Any]) -> int:
    return int(options["layout"].i) if "layout" in options else 0


def _input(node: Any, place: int) -> str:
    return str(node.input[place]) if place < len(node.input) else ""


def _given(node: Any, place: int, what: str, graph: Constants) -> Array:
    """A constant input of a node with numbers of floating point."""
    found = graph.constant(_input(node, place)) if _input(node, place) else None
    if found is None:
        raise _refused(node, f"its input {what} ({_input(node, place) or 'absent'}) is no constant of the model")
    if found.dtype.kind != "f":
        raise _refused(node, f"its input {what} has numbers of type {found.dtype}")
    if what in ("W", "R") and found.ndim != 3:
        raise _refused(node, f"its input {what} has the shape {list(found.shape)}, not three axes")
    return found


def _check(node: Any, what: str, array: Array, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise _refused(node, f"its input {what} has the shape {list(array.shape)}, not {list(shape)}")


def _more(
    node: Any, row: Operator, hidden: int, graph: Constants, side: tuple[int, int], layout: int
) -> dict[str, Array]:
    """Biases, peepholes and initial states of one direction."""
    found: dict[str, Array] = {}
    if _input(node, 3):
        bias = _given(node, 3, "B", graph)
        _check(node, "B", bias, (side[0], 2 * row.gates * hidden))
        found["W_bias"], found["R_bias"] = np.split(bias[side[1]], 2)
    if "c" in row.states:
        found["P"] = np.zeros(3 * hidden, _given(node, 1, "W", graph).dtype)
        if _input(node, 7):
            peepholes = _given(node, 7, "P", graph)
            _check(node, "P", peepholes, (side[0], 3 * hidden))
            found["P"] = peepholes[side[1]]
    for place, state in enumerate(row.states, start=5):
        found[f"{state}[0]"] = _initial(node, place, hidden, graph, side, layout)
    return found


def _initial(node: Any, place: int, hidden: int, graph: Constants, side: tuple[int, int], layout: int) -> Array:
    """A constant initial state of one direction; zero if the caller of the model gives it, or the model computes it."""
    name = _input(node, place)
    found = graph.constant(name) if name else None
    if found is None:
        return np.zeros(hidden, _given(node, 1, "W", graph).dtype)
    states = np.moveaxis(found, 1, 0) if layout and found.ndim == 3 else found
    if states.ndim != 3 or states.shape[0] != side[0] or states.shape[2] != hidden or not states.shape[1]:
        raise _refused(node, f"its initial state {name} has the shape {list(found.shape)}")
    if not np.all(states == states[:, :1]):
        raise _refused(node, f"its initial state {name} differs from sequence to sequence; pass it to the cell instead")
    return np.asarray(states[side[1], 0])


def _activations(
    node: Any, row: Operator, options: Mapping[str, Any], directions: int
) -> list[tuple[dict[str, str], dict[str, str]]]:
    """The functions of each direction that are not the default, and the definitions that the language lacks."""
    given = options["activations"].strings if "activations" in options else []
    names = [text.decode("utf-8", "replace") for text in given] or list(row.activations.values()) * directions
    if len(names) != len(row.activations) * directions:
        raise _refused(node, f"it has {len(names)} activations, not {len(row.activations) * directions}")
    numbers = {key: _numbers(options, f"activation_{key}") for key in ("alpha", "beta")}
    made = [_function(node, name, numbers) for name in names]
    if any(True for values in numbers.values() for _ in values):
        raise _refused(node, "it has more numbers alpha or beta than its activations take")
    count = len(row.activations)
    return [_named(row, made[count * side : count * (side + 1)]) for side in range(directions)]


def _named(row: Operator, made: Sequence[tuple[str, str]]) -> tuple[dict[str, str], dict[str, str]]:
    pairs = list(zip(row.activations.items(), made, strict=True))
    chosen = {ours: name for (ours, default), (name, _) in pairs if name != PLAIN[default.lower()]}
    return chosen, {name: text for name, text in made if text}


def _numbers(options: Mapping[str, Any], name: str) -> Iterator[float]:
    """Numbers in single precision, as the shortest decimals that give them."""
    return iter([float(str(np.float32(value))) for value in options[name].floats] if name in options else [])


def _function(node: Any, name: str, numbers: Mapping[str, Iterator[float]]) -> tuple[str, str]:
    """The name of an activation in the language, and its definition, empty if it has one already.

    The numbers alpha and beta are taken in turn by the activations that have them.
    """
    key = name.lower()
    if key == "elu":
        if next(numbers["alpha"], 1.0) != 1.0:
            raise _refused(node, "its activation Elu has an alpha other than 1")
        return "elu", ""
    if key in PLAIN:
        return PLAIN[key], ""
    if key not in FORMULAS:
        known = ", ".join([*PLAIN, "elu", *FORMULAS])
        raise _refused(node, f"its activation is {name}; there are {known}")
    text, defaults = FORMULAS[key]
    values = {what: next(numbers[what], value) for what, value in defaults.items()}
    for what, value in values.items():
        if value is None:
            raise _refused(node, f"its activation {name} needs the number {what}, which the node does not give")
        text = text.replace(what, f"({value!r})")
    ours = "_".join(
        ["onnx", key, *(np.float32(value).tobytes().hex() for value in values.values() if value is not None)]
    )
    return ours, f"fn {ours}(x) = {text}"
