"""One call of a model: its arrays, checked, in the layout and dtype of the backends."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.errors import ShapeError, UsageError, nearest
from recurrency.graph.types import Kind
from recurrency.model.arrays import (
    Port,
    as_array,
    check_content,
    check_lengths,
    check_shape,
    converted,
    without_padding,
)

if TYPE_CHECKING:
    from recurrency.backend import Runner
    from recurrency.graph.graph import Graph
    from recurrency.graph.op import Array
    from recurrency.model.model import Model

DTYPES = ("float32", "float64")
GROUPS = ("params", "inputs", "state")
"""What gradients can be wanted of."""

Roots = tuple[str, ...]
"""What is wanted of a call: groups of roots (`output`, `final`), or a root."""
FORWARD: Roots = ("output", "final")
LOSS: Roots = ("loss", "final")
MANY = 20
"""More names than these are not listed in a message."""


@dataclass(slots=True)
class Request:
    """What a runner is called with; see `recurrency.backend.Runner`.

    `valid` [T, B] is False in padding, for each clock that has any.
    """

    given: dict[str, Array]
    lengths: dict[str, Array] | None
    steps: dict[str, int]
    batch: int
    training: bool
    seed: int
    offset: dict[str, Array] | None
    valid: dict[str, Array] = field(default_factory=dict)

    def run(self, runner: Runner, params: Array, more: Mapping[str, Array] | None = None) -> dict[str, Array]:
        """The roots of a runner; `params` is a vector as backends need it, `more` are further arrays that it reads."""
        given = {**self.given, **more} if more else self.given
        return runner(params, given, self.lengths, self.steps, self.batch, self.training, self.seed, self.offset)

    def fitting(self, name: str, array: Any, port: Port, model: Model) -> Array:
        """A gradient or tangent for a port of this call, time-first, nothing in its padding.

        Raises:
            ShapeError: it does not fit.
        """
        if array.__class__ is not np.ndarray or array.dtype is not model.real:
            array = converted(name, array, port.index, model.real)
        swap = model.batch_first and port.kind is Kind.STREAM
        lead = port.lead(self.steps, self.batch)
        wanted = (*(lead[::-1] if swap else lead), *port.shape)
        if array.shape != wanted:
            raise ShapeError(f"{name} is {list(array.shape)}; this call needs {list(wanted)}")
        array = np.swapaxes(array, 0, 1) if swap else array
        valid = self.valid.get(str(port.clock)) if self.valid and port.kind is Kind.STREAM else None
        return array if valid is None else without_padding(array, port.index, valid)


def gather(
    model: Model, inputs: Any, state: Mapping[str, Any] | None, lengths: Any, training: bool, seed: int,
    roots: Roots = FORWARD,
) -> Request:  # fmt: skip
    """Check the arrays of a call that computes some roots; inputs that these do not need may be left out.

    Raises:
        ShapeError: an array does not fit; UsageError: a name is unknown or missing.
    """
    arrays = _inputs(model, inputs, roots)
    steps, batch = _sizes(model, arrays)
    ragged: dict[str, Array] | None = None
    valid: dict[str, Array] = {}
    if lengths is not None and (ragged := _lengths(model, lengths, steps, batch)) is not None:
        valid = {clock: np.arange(steps[clock])[:, None] < n for clock, n in ragged.items() if (n < steps[clock]).any()}
    for name, array in arrays.items():
        port = model.inputs[name]
        mask = valid.get(str(port.clock)) if valid else None
        check_content(name, array, port.index, mask)
        if mask is not None:
            arrays[name] = without_padding(array, port.index, mask)
    offset = None
    if state:
        more, offset = _state(model, state, batch)
        arrays.update(more)
    if seed.__class__ is not int:
        seed = whole_seed(seed)
    return Request(arrays, ragged, steps, batch, bool(training), seed, offset, valid)


def by_name(model: Model, inputs: Any, roots: Roots = FORWARD) -> Mapping[str, Any]:
    """The inputs as a mapping; a bare array is the only input, or the only one that is needed."""
    if isinstance(inputs, Mapping):
        return inputs
    names = model.inputs if len(model.inputs) == 1 else model.reads(*roots)
    if len(names) != 1:
        raise UsageError(f"{model.spec.name} has the inputs {', '.join(model.inputs)}: hand them over by name")
    return dict.fromkeys(names, inputs)


def needed(graph: Graph, model: Model) -> tuple[str, ...]:
    """The inputs that a graph reads; of each clock at least one, which says how long it is."""
    read = set(graph.sources("input"))
    for clock in model.clocks:
        on_clock = [name for name, port in model.inputs.items() if port.clock == clock]
        if on_clock and not read & set(on_clock):
            read.add(on_clock[0])
    return tuple(name for name in model.inputs if name in read)


def one_step(model: Model, inputs: Any) -> dict[str, Any]:
    """Inputs of one step, with an axis of time of length one.

    Raises:
        ShapeError: an array has not the axes [B, *shape].
    """
    axis = 1 if model.batch_first else 0
    out = {}
    for name, array in by_name(model, inputs).items():
        port = model.inputs.get(name)
        array = as_array(name, array)
        if port is not None:
            check_shape(f"a step of {model.spec.name}", name, array.shape, port, ("B",))
            array = np.expand_dims(array, axis)
        out[name] = array
    return out


def unknown(model: Model, what: str, name: str, names: Iterable[str]) -> UsageError:
    """The error of a name that a model has not got."""
    names = list(names)
    near = nearest(str(name), names)
    listed = f"it has {', '.join(names[:MANY])}{', ...' if len(names) > MANY else ''}" if names else "it has none"
    return UsageError(f"{model.spec.name} has no {what} {name}; {f'did you mean {near}?' if near else listed}")


def whole_seed(seed: Any) -> int:
    """A seed as a whole number.

    Raises:
        UsageError: it is none.
    """
    try:
        return operator.index(seed)
    except TypeError:
        raise UsageError(f"seed must be a whole number, not {seed!r}") from None


def dtype_name(dtype: Any) -> str:
    """The name of a dtype that a model can have."""
    try:
        name = str(np.dtype(dtype).name)
    except TypeError:
        name = str(dtype)
    if name not in DTYPES:
        raise UsageError(f"dtype must be float32 or float64, not {name}")
    return name


def groups(wrt: Sequence[str]) -> tuple[str, ...]:
    """The groups that are wanted, in their order."""
    if wrt is GROUPS:
        return GROUPS
    wrt = (wrt,) if isinstance(wrt, str) else wrt
    for name in wrt:
        if name not in GROUPS:
            raise UsageError(f"wrt names {', '.join(GROUPS)}, not {name}")
    return tuple(group for group in GROUPS if group in wrt)


def real_results(outputs: Mapping[str, Port], states: Mapping[str, Port]) -> dict[str, Port]:
    """The ports of outputs and final states through which gradients flow, by root."""
    ports = {f"output:{n}": p for n, p in outputs.items()} | {f"final:{n}": p for n, p in states.items()}
    return {root: p for root, p in ports.items() if p.index is None}


def of_group(roots: Iterable[str], group: str) -> list[str]:
    """The names of the roots `group:name`."""
    return [root[len(group) + 1 :] for root in roots if root.startswith(f"{group}:")]


def _inputs(model: Model, inputs: Any, roots: Roots) -> dict[str, Array]:
    if inputs.__class__ is np.ndarray and len(model.inputs) == 1:
        return {name: _input(model, port, inputs) for name, port in model.inputs.items()}
    inputs = by_name(model, inputs, roots)
    if inputs.keys() != model.inputs.keys():
        wrong = [f"an unknown {n}" for n in inputs if n not in model.inputs]
        wrong = [f"no {n}" for n in model.inputs if n not in inputs and (wrong or n in model.reads(*roots))] + wrong
        if wrong:
            known = f"{model.spec.name} has the inputs {', '.join(model.inputs)}"
            raise UsageError(f"{known}; given are {' and '.join(wrong)}")
    return {name: _input(model, port, inputs[name]) for name, port in model.inputs.items() if name in inputs}


def _input(model: Model, port: Port, array: Any) -> Array:
    if array.__class__ is not np.ndarray or array.dtype is not port.dtype(model.real):
        array = converted(port.name, array, port.index, model.real)
    shape: tuple[int, ...] = array.shape
    if len(shape) < 2 or shape[2:] != port.shape:
        check_shape(model.spec.name, port.name, shape, port, ("B", "T") if model.batch_first else ("T", "B"))
    out: Array = array.swapaxes(0, 1) if model.batch_first else array
    return out


def _sizes(model: Model, arrays: Mapping[str, Array]) -> tuple[dict[str, int], int]:
    """The number of steps on each clock, and of sequences; all inputs must agree on them."""
    steps: dict[str, int] = {}
    batch = -1
    for name, array in arrays.items():
        clock = str(model.inputs[name].clock)
        count, sequences = array.shape[:2]
        if steps.setdefault(clock, count) != count:
            other = next(n for n, p in model.inputs.items() if p.clock == clock)
            raise ShapeError(f"{name} has {count} steps, {other} has {steps[clock]}")
        batch = sequences if batch < 0 else batch
        if batch != sequences:
            raise ShapeError(f"{name} has {sequences} sequences, {next(iter(arrays))} has {batch}")
    for clock in model.clocks:
        steps.setdefault(clock, 0)
    return steps, max(batch, 0)


def _lengths(model: Model, lengths: Any, steps: Mapping[str, int], batch: int) -> dict[str, Array] | None:
    """The lengths on all clocks, or None where no sequence is shorter than its array."""
    if not isinstance(lengths, Mapping):
        clocks = {str(p.clock) for p in model.inputs.values()}
        if len(clocks) > 1:
            many = f"runs over the clocks {', '.join(sorted(clocks))}"
            raise UsageError(f"{model.spec.name} {many}: give lengths for each by name")
        lengths = dict.fromkeys(clocks, lengths)
    out = {}
    for clock, array in lengths.items():
        if clock not in steps:
            raise unknown(model, "clock", clock, steps)
        if array is not None:
            found = check_lengths(array, clock, steps[clock], batch)
            if (found != steps[clock]).any():
                out[clock] = found
    if not out:
        return None
    return {clock: out[clock] if clock in out else np.full(batch, count, np.int64) for clock, count in steps.items()}


def _state(model: Model, state: Mapping[str, Any], batch: int) -> tuple[dict[str, Array], dict[str, Array] | None]:
    given: dict[str, Array] = {}
    offset: dict[str, Array] | None = None
    for name, array in state.items():
        if name == "t" and model.random:
            offset = {model.clock: _steps_before(array, batch)}
            continue
        if name not in model.state_ports:
            raise unknown(model, "state", name, model.states)
        port = model.state_ports[name]
        what = f"the state {name}"
        array = converted(what, array, port.index, model.real)
        if array.shape != (batch, *port.shape):
            raise ShapeError(f"{what} is {list(array.shape)}; this call needs {[batch, *port.shape]} (B={batch} first)")
        if port.index is not None:
            check_content(what, array, port.index)
        given[f"start:{name}"] = array
    return given, offset


def _steps_before(array: Any, batch: int) -> Array:
    """How many steps lie before this call for each sequence, [B]; one number means all of them."""
    array = as_array("the state t", array)
    if array.dtype.kind not in "iu" or array.shape not in ((), (batch,)) or (array < 0).any():
        found = f"{array.dtype.name} {list(array.shape)}"
        raise ShapeError(f"the state t counts steps: {batch} whole numbers from 0, one for each sequence, not {found}")
    return np.broadcast_to(array.astype(np.int64), (batch,))
