"""Check the arguments of a call of a model, and gather them as backends take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from recurrency.backend import Call
from recurrency.errors import ShapeError, UsageError
from recurrency.graph.roots import AFTER, RESET, START
from recurrency.model.arrays import (
    REALS,
    Port,
    as_array,
    check_content,
    check_flags,
    check_lengths,
    check_shape,
    converted,
    real_steps,
    whole_seed,
    without_padding,
)
from recurrency.model.gaps import NONE, Gaps, gaps_of, of
from recurrency.model.interface import Interface
from recurrency.model.parameters import flat

if TYPE_CHECKING:
    from recurrency.graph.op import Array

DTYPES = tuple(REALS)
NO_FLAGS: dict[str, Array] = {}
"""No resets."""
GROUPS = ("params", "inputs", "state")
"""What there can be gradients of."""

Roots: TypeAlias = tuple[str, ...]
"""What a call computes: groups of roots (`output`, `final`), or single roots."""
FORWARD: Roots = ("output", "final")
LOSS: Roots = ("loss", "final")

Required: TypeAlias = Callable[[], Sequence[str]]
"""Finds the inputs that a call can't do without; this may take a compilation, so it is only asked if one is missing."""


def gather(
    interface: Interface,
    params: Any,
    inputs: Any,
    state: Mapping[str, Any] | None,
    lengths: Any,
    training: bool,
    seed: Any,
    required: Required,
    resets: Any = None,
    mask: Any = None,
) -> tuple[Call, Gaps]:
    """Check the arguments of a call; inputs that are not `required` may be left out. Also the gaps of a mask.

    Raises:
        ShapeError: an array does not fit. UsageError: a name is unknown or missing.
    """
    arrays = _inputs(interface, inputs, required)
    steps, batch = _sizes(interface, arrays)
    ragged = None if lengths is None else _lengths(interface, lengths, steps, batch)
    flags: dict[str, Array] = NO_FLAGS if resets is None else _flags(interface, "resets", resets, steps, batch)
    gaps = NONE if mask is None else gaps_of(_flags(interface, "mask", mask, steps, batch), ragged)
    late: dict[str, Array] = NO_FLAGS
    if gaps:
        steps, ragged, late = _without_gaps(interface, gaps, arrays, flags, steps, batch, ragged)
    for name, array in arrays.items():
        port = interface.inputs[name]
        valid = None if ragged is None else real_steps(ragged, steps, port.clock)
        check_content(name, array, port.index, valid)
        if valid is not None:
            arrays[name] = without_padding(array, port.index, valid)
    if flags:
        arrays.update(_resets(interface, flags, late, steps, ragged))
    offset = None
    if state:
        starts, offset = _state(interface, state, batch)
        arrays.update(starts)
    if seed.__class__ is not int:
        seed = whole_seed(seed)
    return Call(flat(interface, params), arrays, ragged, steps, batch, bool(training), seed, offset), gaps


def clocks_of_resets(call: Call) -> tuple[str, ...]:
    """The clocks on which a call has resets, and as `after:CLOCK` those on which sequences end with one in a gap."""
    for name in call.given:
        if name.startswith(RESET.prefix):  # most calls have none: each step of this loop is paid in all of them
            return tuple(RESET.name(name) for name in call.given if RESET.has(name))
    return ()


def _resets(
    interface: Interface,
    flags: Mapping[str, Array],
    late: Mapping[str, Array],
    steps: Mapping[str, int],
    ragged: Mapping[str, Array] | None,
) -> dict[str, Array]:
    """The resets of a call as arrays of numbers, by the names of the inputs that they are."""
    out = {}
    for clock, array in flags.items():
        real = None if ragged is None else real_steps(ragged, steps, clock)
        out[RESET.of(clock)] = (array if real is None else array & real).astype(interface.real)
    for clock, ends in late.items():
        out[AFTER.of(clock)] = ends.astype(interface.real)
    return out


def _without_gaps(
    interface: Interface,
    gaps: Gaps,
    arrays: dict[str, Array],
    flags: dict[str, Array],
    steps: Mapping[str, int],
    batch: int,
    ragged: Mapping[str, Array] | None,
) -> tuple[dict[str, int], dict[str, Array], dict[str, Array]]:
    """Bring the steps of inputs and resets together.

    Returns the numbers of steps, the lengths of the sequences, and by clock the sequences that a reset in a gap ends.
    """
    for name, array in arrays.items():
        if (gap := of(gaps, interface.inputs[name])) is not None:
            arrays[name] = gap.together(array)
    late = {}
    for clock, gap in gaps.items():
        if clock in flags:
            if (ends := gap.late(flags[clock])).any():
                late[clock] = ends
            flags[clock] = gap.resets(flags[clock])
    full = {clock: np.full(batch, count, np.int64) for clock, count in steps.items()}
    lengths = {**full, **(ragged or {}), **{clock: gap.counts for clock, gap in gaps.items()}}
    return {**steps, **{clock: gap.steps for clock, gap in gaps.items()}}, lengths, late


def by_name(interface: Interface, inputs: Any, required: Required) -> Mapping[str, Any]:
    """The inputs as a mapping; a bare array is the only input, or the only required one."""
    if inputs.__class__ is dict or isinstance(inputs, Mapping):
        found: Mapping[str, Any] = inputs
        return found
    names = interface.inputs if len(interface.inputs) == 1 else required()
    if len(names) != 1:
        raise UsageError(f"{interface.name} has the inputs {', '.join(interface.inputs)}: pass them by name")
    return dict.fromkeys(names, inputs)


def one_step(interface: Interface, inputs: Any, required: Required) -> dict[str, Any]:
    """The inputs [B, *shape] of one step, with a time axis of length one.

    Raises:
        ShapeError: an array has other axes.
    """
    axis = 1 if interface.batch_first else 0
    out = {}
    for name, array in by_name(interface, inputs, required).items():
        port = interface.inputs.get(name)
        array = as_array(name, array)
        if port is not None:
            check_shape(f"a step of {interface.name}", name, array.shape, port, ("B",))
            array = np.expand_dims(array, axis)
        out[name] = array
    return out


def flags_of_step(what: str, flags: Any, batch_first: bool) -> Array:
    """Flags [B] of one step, with a time axis of length one.

    Raises:
        ShapeError: they have other axes.
    """
    array = as_array(what, flags)
    if array.ndim != 1:
        raise ShapeError(f"{what} is {list(array.shape)}; one step needs [B]")
    return np.expand_dims(array, 1 if batch_first else 0)


def dtype_name(dtype: Any) -> str:
    """The name of a dtype, `float32` or `float64`.

    Raises:
        UsageError: it is another one.
    """
    try:
        name = str(np.dtype(dtype).name)
    except TypeError:
        name = str(dtype)
    if name not in DTYPES:
        raise UsageError(f"dtype must be float32 or float64, not {name}")
    return name


def groups(wrt: Sequence[str]) -> tuple[str, ...]:
    """The groups that `wrt` names, in the order of `GROUPS`.

    Raises:
        UsageError: there is no such group.
    """
    if wrt is GROUPS:
        return GROUPS
    wrt = (wrt,) if isinstance(wrt, str) else wrt
    for name in wrt:
        if name not in GROUPS:
            raise UsageError(f"wrt names {', '.join(GROUPS)}, not {name}")
    return tuple(group for group in GROUPS if group in wrt)


def _inputs(interface: Interface, inputs: Any, required: Required) -> dict[str, Array]:
    ports = interface.inputs
    if inputs.__class__ is np.ndarray and len(ports) == 1:
        return {name: _input(interface, port, inputs) for name, port in ports.items()}
    inputs = by_name(interface, inputs, required)
    if inputs.keys() != ports.keys():
        wrong = [f"an unknown {n}" for n in inputs if n not in ports]
        wrong = [f"no {n}" for n in ports if n not in inputs and (wrong or n in required())] + wrong
        if wrong:
            raise UsageError(f"{interface.name} has the inputs {', '.join(ports)}; given are {' and '.join(wrong)}")
    return {name: _input(interface, port, inputs[name]) for name, port in ports.items() if name in inputs}


def _input(interface: Interface, port: Port, array: Any) -> Array:
    real, first = interface.real, interface.batch_first
    if array.__class__ is not np.ndarray or array.dtype is not port.dtype(real):
        array = converted(port.name, array, port.index, real)
    shape: tuple[int, ...] = array.shape
    if len(shape) < 2 or shape[2:] != port.shape:
        check_shape(interface.name, port.name, shape, port, ("B", "T") if first else ("T", "B"))
    out: Array = array.swapaxes(0, 1) if first else array
    return out


def _sizes(interface: Interface, arrays: Mapping[str, Array]) -> tuple[dict[str, int], int]:
    """The number of steps on each clock, and of sequences; all inputs must agree on them."""
    steps: dict[str, int] = {}
    batch = -1
    for name, array in arrays.items():
        clock = str(interface.inputs[name].clock)
        count, sequences = array.shape[:2]
        if steps.setdefault(clock, count) != count:
            other = next(n for n, p in interface.inputs.items() if p.clock == clock)
            raise ShapeError(f"{name} has {count} steps, {other} has {steps[clock]}")
        batch = sequences if batch < 0 else batch
        if batch != sequences:
            raise ShapeError(f"{name} has {sequences} sequences, {next(iter(arrays))} has {batch}")
    for clock in interface.clocks:
        steps.setdefault(clock, 0)
    return steps, max(batch, 0)


def _lengths(interface: Interface, lengths: Any, steps: Mapping[str, int], batch: int) -> dict[str, Array] | None:
    """The lengths on all clocks, or None where no sequence is shorter than its array."""
    if not isinstance(lengths, Mapping):
        lengths = dict.fromkeys(interface.only_clock("lengths"), lengths)
    out = {}
    for clock, array in lengths.items():
        if clock not in steps:
            raise interface.unknown("clock", clock, steps)
        if array is not None:
            found = check_lengths(array, clock, steps[clock], batch)
            if (found != steps[clock]).any():
                out[clock] = found
    if not out:
        return None
    return {clock: out[clock] if clock in out else np.full(batch, count, np.int64) for clock, count in steps.items()}


def _flags(interface: Interface, what: str, given: Any, steps: Mapping[str, int], batch: int) -> dict[str, Array]:
    """Resets, or a mask, by clock: [T, B] of bools."""
    if not isinstance(given, Mapping):
        given = dict.fromkeys(interface.only_clock(what), given)
    out = {}
    for clock, flags in given.items():
        if clock not in interface.input_clocks:
            raise interface.unknown("clock", clock, interface.input_clocks)
        if flags is not None:
            count = steps[clock]
            shape, axes = ((batch, count), ("B", "T")) if interface.batch_first else ((count, batch), ("T", "B"))
            found = check_flags(what, flags, shape, axes)
            out[clock] = found.swapaxes(0, 1) if interface.batch_first else found
    return out


def _state(
    interface: Interface, state: Mapping[str, Any], batch: int
) -> tuple[dict[str, Array], dict[str, Array] | None]:
    """The initial states as `start:NAME`, and the steps before this call, by clock, where they are given."""
    starts: dict[str, Array] = {}
    offset: dict[str, Array] | None = None
    for name, array in state.items():
        if name == "t" and interface.random:
            offset = {interface.clock: _steps_before(array, batch)}
            continue
        if name not in interface.states:
            raise interface.unknown("state", name, interface.states)
        port = interface.states[name]
        what = f"the state {name}"
        array = converted(what, array, port.index, interface.real)
        if array.shape != (batch, *port.shape):
            raise ShapeError(f"{what} is {list(array.shape)}; this call needs {[batch, *port.shape]} (B={batch} first)")
        if port.index is not None:
            check_content(what, array, port.index)
        starts[START.of(name)] = array
    return starts, offset


def _steps_before(array: Any, batch: int) -> Array:
    """The number of steps before this call for each sequence, [B]; one number holds for all of them."""
    array = as_array("the state t", array)
    if array.dtype.kind not in "iu" or array.shape not in ((), (batch,)) or (array < 0).any():
        found = f"{array.dtype.name} {list(array.shape)}"
        raise ShapeError(f"the state t counts steps: {batch} whole numbers from 0, one for each sequence, not {found}")
    return np.broadcast_to(array.astype(np.int64), (batch,))
