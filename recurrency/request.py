"""One call of a model: its arrays, checked, in the layout and dtype of the backends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.arrays import Port, check_content, check_lengths, check_shape, converted
from recurrency.errors import ShapeError, UsageError
from recurrency.graph.ops import Array
from recurrency.graph.types import Kind

if TYPE_CHECKING:
    from recurrency.model import Model


@dataclass
class Request:
    """What a runner is called with; see `recurrency.backend.Runner`."""

    given: dict[str, Array]
    lengths: dict[str, Array] | None
    steps: dict[str, int]
    batch: int
    training: bool
    seed: int
    offset: dict[str, Array] | None
    params: Array = field(default_factory=lambda: np.empty(0))

    def fitting(self, name: str, array: Any, port: Port, model: Model) -> Array:
        """An array for a port of this call, time-first.

        Raises:
            ShapeError: it does not fit.
        """
        array = converted(name, array, port.index, model.dtype)
        array = _time_first(array, port, model)
        lead = {Kind.STREAM: (self.steps.get(str(port.clock), 0), self.batch), Kind.SEQUENCE: (self.batch,), Kind.STATIC: ()}[port.kind]
        if array.shape != (*lead, *port.shape):
            raise ShapeError(f"{name} is {list(array.shape)}; this call needs {[*lead, *port.shape]}")
        return array


def gather(model: Model, inputs: Any, state: Mapping[str, Any] | None, lengths: Any, training: bool, seed: int) -> Request:
    """Check the arrays of a call.

    Raises:
        ShapeError: an array does not fit; UsageError: a name is unknown or missing.
    """
    arrays = _inputs(model, inputs)
    steps, batch = _sizes(model, arrays)
    ragged = _lengths(model, lengths, steps, batch)
    for name, array in arrays.items():
        port = model.inputs[name]
        valid = None
        if ragged and port.clock in ragged:
            valid = np.arange(array.shape[0])[:, None] < ragged[port.clock]
        check_content(name, array, port.index, valid)
        if valid is not None and port.index is not None:
            arrays[name] = np.where(valid, array, -1)
    given, offset = _state(model, state, batch)
    return Request({**arrays, **given}, ragged, steps, batch, training, seed, offset)


def _inputs(model: Model, inputs: Any) -> dict[str, Array]:
    names = list(model.inputs)
    if not isinstance(inputs, Mapping):
        if len(names) != 1:
            raise UsageError(f"{model.spec.name} has the inputs {', '.join(names)}: hand them over by name")
        inputs = {names[0]: inputs}
    wrong = [f"no {n}" for n in names if n not in inputs] + [f"an unknown {n}" for n in inputs if n not in names]
    if wrong:
        raise UsageError(f"{model.spec.name} has the inputs {', '.join(names)}; given are {' and '.join(wrong)}")
    return {n: _input(model, model.inputs[n], inputs[n]) for n in names}


def _input(model: Model, port: Port, array: Any) -> Array:
    array = converted(port.name, array, port.index, model.dtype)
    lead = ("B", "T") if model.batch_first else ("T", "B")
    check_shape(model.spec.name, port.name, array, port, lead)
    return _time_first(array, port, model)


def _time_first(array: Array, port: Port, model: Model) -> Array:
    swap = model.batch_first and port.kind is Kind.STREAM and array.ndim >= 2
    return np.swapaxes(array, 0, 1) if swap else array


def _sizes(model: Model, arrays: Mapping[str, Array]) -> tuple[dict[str, int], int]:
    """The number of steps on each clock, and of sequences; all inputs must agree on them."""
    steps: dict[str, int] = {}
    batch: int | None = None
    for name, array in arrays.items():
        clock = str(model.inputs[name].clock)
        if steps.setdefault(clock, array.shape[0]) != array.shape[0]:
            raise ShapeError(f"{name} has {array.shape[0]} steps, another input on the clock {clock} has {steps[clock]}")
        batch = array.shape[1] if batch is None else batch
        if batch != array.shape[1]:
            raise ShapeError(f"{name} has {array.shape[1]} sequences, {next(iter(arrays))} has {batch}")
    for clock in model.clocks:
        steps.setdefault(clock, 0)
    return steps, batch or 0


def _lengths(model: Model, lengths: Any, steps: Mapping[str, int], batch: int) -> dict[str, Array] | None:
    if lengths is None:
        return None
    if not isinstance(lengths, Mapping):
        clocks = {str(p.clock) for p in model.inputs.values()}
        if len(clocks) > 1:
            raise UsageError(f"{model.spec.name} runs over the clocks {', '.join(sorted(clocks))}: give lengths for each by name")
        lengths = {next(iter(clocks)): lengths}
    out = {}
    for clock, array in lengths.items():
        if clock not in steps:
            raise UsageError(f"{model.spec.name} has no clock {clock}; it has {', '.join(steps)}")
        if array is not None:
            found = check_lengths(array, clock, steps[clock], batch)
            if (found != steps[clock]).any():
                out[clock] = found
    if not out:
        return None
    return {clock: out.get(clock, np.full(batch, count, np.int64)) for clock, count in steps.items()}


def _state(model: Model, state: Mapping[str, Any] | None, batch: int) -> tuple[dict[str, Array], dict[str, Array] | None]:
    given: dict[str, Array] = {}
    offset: dict[str, Array] | None = None
    for name, array in (state or {}).items():
        if name == "t" and model.random:
            offset = {clock: np.broadcast_to(np.asarray(array, np.int64), (batch,)) for clock in model.clocks}
        elif name not in model.states:
            raise UsageError(f"{model.spec.name} has no state {name}; it has {', '.join(model.states) or 'none'}")
        else:
            port = model.state_ports[name]
            array = converted(name, array, port.index, model.dtype)
            if array.shape != (batch, *port.shape):
                raise ShapeError(f"the state {name} is {list(array.shape)}; this call needs {[batch, *port.shape]} (B={batch} first)")
            given[f"start:{name}"] = array
    return given, offset
