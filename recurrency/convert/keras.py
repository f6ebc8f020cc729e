"""Converts weights from and to recurrent layers of Keras, as lists of arrays; Keras need not be installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.convert import keras_files, sizes
from recurrency.convert.foreign import KERAS_NAMES, KINDS, Foreign, Kind, described_keras, kind_of
from recurrency.convert.keras_layers import DEFAULTS
from recurrency.convert.moving import blank_like
from recurrency.convert.stacks import Stack
from recurrency.convert.torch import check_parameters, named, ports
from recurrency.convert.translating import Translation, from_stack
from recurrency.errors import UsageError
from recurrency.graph.op import Array

BY_GATES: Mapping[int, str] = {4: "keras-lstm", 3: "keras-gru", 1: "keras-rnn-tanh"}
"""The default kind of a layer, by its number of gates."""


def from_keras(
    target: Any,
    weights: Sequence[Any] | str | Path,
    kind: str | None = None,
    layer: str | None = None,
    **dimensions: Any,
) -> dict[str, Array]:
    """The parameters of a cell from a Keras `LSTM`, `GRU` or `SimpleRNN`: from `layer.get_weights()`, or from a file.

    `target` is a spec, a compiled model or a module of one. `weights` are kernel, recurrent kernel and, if there is
    one, bias; for a `Bidirectional` layer, first those of the forward and then those of the backward layer. `kind` is
    `keras-lstm`, `keras-gru`, `keras-gru-reset-before`, `keras-rnn-tanh` or `keras-rnn-relu`; by default it follows
    from the shapes (a `SimpleRNN` is assumed to use tanh, a `GRU` without biases to reset after the product).
    Dimensions are given as in `from_torch`.

    `weights` may also be the path of a file: `.keras`, or `.h5` of Keras 2 or 3. It describes its layers, so no kind is
    needed; `layer` names one of them, by default all are matched together, each reading the one before. A kind
    means that the weights alone count, and not how the layer was run (masks, `go_backwards`, `stateful`). A file of
    weights alone needs it.

    Returns: arrays by the names of the spec, for `Model.pack`.

    Raises:
        UsageError: the cells differ (the message says where), the weights have parts that the cell does not have, or
            the file has no such layer, or one that no cell equals.
    """
    if isinstance(weights, str | Path):
        return _from_file(target, weights, kind, layer, dimensions)
    if layer is not None:
        raise UsageError("layer= names a layer of a file; these are the weights of one layer already")
    arrays = [np.asarray(array) for array in weights]
    found = _row(kind) if kind is not None else _kind(arrays)
    given = _unpacked(found, arrays)
    foreign = described_keras(found, {name: array.shape for name, array in given.items()})
    wrong = [f"{n} {list(s)}" for n, s in foreign.shapes.items() if n not in given or given[n].shape != s]
    if wrong:
        raise UsageError(f"{foreign.title} of {foreign.hidden} units needs {', '.join(wrong)}; the given arrays differ")
    cell = sizes.by_ports(target, foreign.inputs, foreign.outputs, dimensions)
    return Translation(cell, foreign, _keras_name).to_ours(given, blank_like(given))


def _from_file(
    target: Any, path: str | Path, kind: str | None, layer: str | None, dimensions: dict[str, Any]
) -> dict[str, Array]:
    """The parameters of a cell from a file that describes its layers, or from one of weights alone."""
    with keras_files.opened(path) as file:
        if file.entries is not None:
            stack = file.stack(layer, weights_only=kind is not None)
        elif kind is None:
            known = ", ".join(name for name in KINDS if name.startswith("keras"))
            raise UsageError(f"{path} has weights alone and does not describe its layers: say the kind, one of {known}")
        else:
            weights = file.bare(layer)
    if file.entries is None:
        return from_keras(target, weights, kind, dimensions=dimensions)
    if kind is not None:
        _check_kind(stack, _row(kind))
    return from_stack(target, stack, dimensions)


def _row(kind: str) -> Kind:
    return kind_of(kind if kind in KINDS else f"keras-{kind}")


def _check_kind(stack: Stack, kind: Kind) -> None:
    found = stack.layers[0]
    if len(stack.layers) > 1:
        raise UsageError(f"choose one of the layers {', '.join(one.name for one in stack.layers)}, if a kind is given")
    if found.cell != kind.cell or any(dict(one.options) != _own(kind) for one in found.directions):
        raise UsageError(f"{stack.title} is no {kind.title}, or has other activations")


def _own(kind: Kind) -> dict[str, str]:
    """The activations of a kind that are not the default ones."""
    return {name: value for name, value in kind.options.items() if value != DEFAULTS[name]}


def to_keras(
    source: Any, params: Any, kind: str, bidirectional: bool = False, bias: bool = True, **dimensions: Any
) -> list[Array]:
    """The list for `layer.set_weights` of Keras from the parameters of a cell; see `from_keras` and `to_torch`.

    Raises:
        UsageError: the cells differ, or the weights have parts that Keras' layer does not have.
    """
    arrays = {name: np.asarray(_on_host(value)) for name, value in named(source, params).items()}
    cell = sizes.by_parameters(source, {name: a.shape for name, a in arrays.items()}, dimensions)
    check_parameters(cell.cell.name, {n: p.shape for n, p in cell.parameters.items()}, arrays)
    row = _row(kind)
    foreign = Foreign(row, *ports(cell, 2 if bidirectional else 1), 1, bidirectional, bias)
    found = Translation(cell, foreign, _keras_name).to_theirs(arrays, blank_like(arrays))
    return [array for use in foreign.uses for array in _packed(found, use)]


def _on_host(value: Any) -> Any:
    """A tensor in a memory that NumPy can read."""
    return value.detach().cpu() if hasattr(value, "detach") else value


def _keras_name(name: str) -> str:
    use, what = name.split(".")
    side = "backward " if use.endswith("_reverse") else ""
    return side + {"bias": "bias", "recurrent_bias": "bias[1]"}.get(what, what)


def _kind(arrays: Sequence[Array]) -> Kind:
    """The kind of a layer by the shapes of its weights."""
    if len(arrays) < 2 or arrays[1].ndim != 2:
        raise UsageError(f"weights are {', '.join(KERAS_NAMES)}; given are {[list(a.shape) for a in arrays]}")
    rows, columns = arrays[1].shape
    if rows == 0 or columns % rows or columns // rows not in BY_GATES:
        raise UsageError(f"a recurrent kernel of {rows} rows and {columns} columns belongs to no known kind of layer")
    before = columns == 3 * rows and len(arrays) > 2 and arrays[2].ndim == 1
    return kind_of("keras-gru-reset-before" if before else BY_GATES[columns // rows])


def _unpacked(kind: Kind, arrays: Sequence[Array]) -> dict[str, Array]:
    """The arrays by their names in the equations; a bias with two rows becomes two arrays."""
    counts = {2: 1, 3: 1, 4: 2, 6: 2}
    if len(arrays) not in counts:
        raise UsageError(f"a layer has 2 or 3 arrays, a bidirectional one 4 or 6; given are {len(arrays)}")
    each = len(arrays) // counts[len(arrays)]
    found: dict[str, Array] = {}
    for use, start in zip(("l0", "l0_reverse"), range(0, len(arrays), each), strict=False):
        found |= {f"{use}.{name}": a for name, a in zip(KERAS_NAMES, arrays[start : start + each], strict=False)}
        if kind.cell == "KerasGRU" and each == 3:
            bias = found[f"{use}.bias"]
            if bias.ndim != 2 or len(bias) != 2:
                raise UsageError(f"the bias of {kind.title} has two rows; this one is {list(bias.shape)}")
            found[f"{use}.bias"], found[f"{use}.recurrent_bias"] = bias[0], bias[1]
    return found


def _packed(arrays: Mapping[str, Array], use: str) -> list[Array]:
    """The arrays of one direction in the order of Keras."""
    out = [arrays[f"{use}.{name}"] for name in KERAS_NAMES if f"{use}.{name}" in arrays]
    second = arrays.get(f"{use}.recurrent_bias")
    return [*out[:2], np.stack([out[2], second])] if second is not None else out
