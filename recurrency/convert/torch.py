"""Converts weights from and to recurrent layers of PyTorch, which is imported only when it is used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recurrency.convert import sizes
from recurrency.convert.foreign import KINDS, TORCH_NAME, Foreign, Kind, described_torch, kind_of, torch_name
from recurrency.convert.moving import blank_like
from recurrency.convert.translating import Translation
from recurrency.errors import UsageError

CLASSES: Mapping[str, str] = {"LSTM": "torch-lstm", "GRU": "torch-gru", "RNN": "torch-rnn"}
"""The kind of each class, also of its `...Cell`; the kind of `nn.RNN` ends with its nonlinearity."""


def from_torch(
    target: Any,
    source: Any,
    kind: str | None = None,
    layer: int | str | None = None,
    prefix: str = "",
    **dimensions: Any,
) -> dict[str, Any]:
    """The parameters of a cell from those of an `nn.LSTM`, `nn.GRU`, `nn.RNN`, or of one of their `...Cell`s.

    `target` is a spec, a compiled model or a module of one; `source` a layer of PyTorch, or a state dict of one
    together with its `kind` (`torch-lstm`, `torch-gru`, `torch-rnn-tanh`, `torch-rnn-relu`). `prefix` selects
    the entries of a larger state dict. `layer` selects one layer (`0`, `1`, or `"0_reverse"` for the other direction);
    by default all layers are matched together, so that a spec of two stacked cells takes two layers. Dimensions follow
    from shapes; other dimensions, and functions, are given by name.

    Returns: tensors by the names of the spec, of the source's dtype and device; for `load_state_dict` or `Model.pack`.

    Raises:
        UsageError: the cells differ (the message says where), or the weights have parts that the cell does not have.
    """
    found = _kind(source, kind)
    given = _chosen({name: plain(value) for name, value in _state(source, prefix).items()}, layer)
    foreign = described_torch(found, {name: tuple(value.shape) for name, value in given.items()})
    single = "weight_ih" in given
    cell = sizes.by_ports(target, foreign.inputs, foreign.outputs, dimensions)
    names = {name: torch_name(name, single) for name in foreign.shapes}
    missing = [name for name in names.values() if name not in given]
    if missing:
        raise UsageError(f"{foreign.title} needs {', '.join(missing)} as well; there are {', '.join(given)}")
    translation = Translation(cell, foreign, lambda name: torch_name(name, single))
    return translation.to_ours({name: given[theirs] for name, theirs in names.items()}, blank_like(given))


def to_torch(
    source: Any,
    params: Any,
    like: Any,
    layers: int = 1,
    bidirectional: bool = False,
    bias: bool = True,
    **dimensions: Any,
) -> dict[str, Any]:
    """The state dict of an `nn.LSTM`, `nn.GRU`, `nn.RNN` or `...Cell` from the parameters of a cell.

    `source` is a spec, a compiled model or a module of one; `params` its parameters by name, or the flat vector of a
    model (None: those of the module). `like` is the layer to fill, or its kind (see `from_torch`); the three options
    apply to a kind only.

    Returns: tensors by PyTorch's names, for `load_state_dict`.

    Raises:
        UsageError: the cells differ, or the weights have parts that PyTorch's layer does not have.
    """
    import torch

    arrays = {name: plain(torch.as_tensor(value)) for name, value in named(source, params).items()}
    return state_dict(source, arrays, like, layers, bidirectional, bias, **dimensions)


def state_dict(
    source: Any,
    arrays: Mapping[str, Any],
    like: Any,
    layers: int = 1,
    bidirectional: bool = False,
    bias: bool = True,
    **dimensions: Any,
) -> dict[str, Any]:
    """As `to_torch`, but with the library of the given arrays; does not need PyTorch."""
    cell = sizes.by_parameters(source, {name: tuple(a.shape) for name, a in arrays.items()}, dimensions)
    check_parameters(cell.cell.name, {n: p.shape for n, p in cell.parameters.items()}, arrays)
    kind = _kind(like, like if isinstance(like, str) else None)
    state = {} if isinstance(like, str) else _state(like, "")
    single = "weight_ih" in state
    if state:
        foreign = described_torch(kind, {name: tuple(value.shape) for name, value in state.items()})
    else:
        foreign = Foreign(kind, *ports(cell, 2 if bidirectional else 1), layers, bidirectional, bias)
    translation = Translation(cell, foreign, lambda name: torch_name(name, single))
    found = translation.to_theirs(arrays, blank_like(arrays))
    return {torch_name(name, single): value for name, value in found.items()}


def plain(value: Any) -> Any:
    """A tensor without its autograd history; an array unchanged."""
    return value.detach() if hasattr(value, "detach") else value


def named(source: Any, params: Any) -> Mapping[str, Any]:
    """Parameters by name, from a mapping, a flat vector or a module."""
    _, model = sizes.compiled(source)
    if params is None and hasattr(source, "parameters_by_name"):
        return dict(source.parameters_by_name())
    if isinstance(params, Mapping):
        return params
    if model is not None and params is not None:
        return model.views(params)
    raise UsageError("the parameters are needed by name, such as {'W': ...}, or as the flat vector of a compiled model")


def check_parameters(cell: str, wanted: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Check names and shapes of parameters.

    Raises:
        UsageError: they are not those of the cell.
    """
    wrong = [f"no {name}" for name in wanted if name not in given]
    wrong += [f"an unknown {name}" for name in given if name not in wanted]
    wrong += [
        f"{name} of shape {list(given[name].shape)}, not {list(shape)}"
        for name, shape in wanted.items()
        if name in given and tuple(given[name].shape) != tuple(shape)
    ]
    if wrong:
        raise UsageError(f"the parameters of {cell} are {', '.join(wanted)}; given are {' and '.join(wrong)}")


def ports(cell: Any, directions: int) -> tuple[int, int]:
    """The size of a cell's first input, and that of one direction of its first output.

    Raises:
        UsageError: they are no vectors.
    """
    shapes = [next(iter(side.values())).shape for side in (cell.inputs, cell.outputs)]
    if any(len(shape) != 1 for shape in shapes) or shapes[1][0] % directions:
        raise UsageError(f"{cell.cell.name} does not have the inputs and outputs of a recurrent layer")
    return int(shapes[0][0]), int(shapes[1][0]) // directions


def _kind(source: Any, name: str | None) -> Kind:
    """The kind of a layer, or the kind with this name."""
    if name is not None:
        return kind_of(name if name in KINDS else f"torch-{name}")
    bases = [base.__name__.removesuffix("Cell") for base in type(source).__mro__]
    base = next((name for name in bases if name in CLASSES), None)
    if base is None:
        what = "a state dict" if isinstance(source, Mapping) else f"a {type(source).__name__}"
        known = ", ".join(name for name in KINDS if name.startswith("torch"))
        raise UsageError(f"unknown kind of {what}: pass kind= one of {known}")
    return kind_of(CLASSES[base] + (f"-{source.nonlinearity}" if base == "RNN" else ""))


def _state(source: Any, prefix: str) -> dict[str, Any]:
    """The entries of a state dict that belong to a recurrent layer."""
    state = source if isinstance(source, Mapping) else source.state_dict()
    found = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    found = {name: value for name, value in found.items() if TORCH_NAME.fullmatch(name)}
    if not found:
        heads = sorted({n[: m.start()] for n in state if (m := TORCH_NAME.search(n)) and m.end() == len(n)})
        hint = f"; prefix= can be {' or '.join(heads)}" if heads else f"; there are {', '.join(state) or 'none'}"
        raise UsageError(f"no parameters of a recurrent layer are named {prefix}weight_ih_l0 and so on{hint}")
    return found


def _chosen(state: dict[str, Any], layer: int | str | None) -> dict[str, Any]:
    """The entries of one layer and direction, renamed to those of a single layer."""
    if layer is None:
        return state
    end = f"_l{str(layer).removeprefix('l')}"
    found = {f"{name.removesuffix(end)}_l0": value for name, value in state.items() if name.endswith(end)}
    if not found:
        raise UsageError(f"there is no layer {layer}; the parameters are {', '.join(state)}")
    return found
