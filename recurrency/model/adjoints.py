"""Adjoints and tangents that a caller passes, and the gradients that a program returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.errors import ShapeError
from recurrency.graph.roots import INPUT, PARAM, START, TANGENT
from recurrency.graph.types import Kind
from recurrency.model.arrays import Port, converted, real_steps, without_padding
from recurrency.model.call import GROUPS
from recurrency.model.gaps import NONE, Gaps, of, steps_of
from recurrency.model.interface import Interface
from recurrency.model.parameters import flat
from recurrency.model.results import Gradients

if TYPE_CHECKING:
    from recurrency.backend import Call
    from recurrency.graph.op import Array


def fitting(
    interface: Interface, call: Call, name: str, array: Any, port: Port, gaps: Gaps = NONE, adjoint: bool = True
) -> Array:
    """A gradient or tangent for a port: time-first, in the model's dtype, zero in padding, without gaps.

    Of the gradient of a result, a step gets what the gap after it got, where the result is repeated.

    Raises:
        ShapeError: its shape is not the one of the port in this call.
    """
    if array.__class__ is not np.ndarray or array.dtype is not interface.real:
        array = converted(name, array, port.index, interface.real)
    swap = interface.batch_first and port.kind is Kind.STREAM
    gap = of(gaps, port) if gaps and port.kind is Kind.STREAM else None
    lead = port.lead(call.steps if gap is None else steps_of(call.steps, gaps), call.batch)
    wanted = (*(lead[::-1] if swap else lead), *port.shape)
    if array.shape != wanted:
        raise ShapeError(f"{name} is {list(array.shape)}; this call needs {list(wanted)}")
    found: Array = np.swapaxes(array, 0, 1) if swap else array
    if gap is not None:
        found = gap.summed(found) if adjoint else gap.together(found)
    if call.lengths is None or port.kind is not Kind.STREAM:
        return found
    valid = real_steps(call.lengths, call.steps, port.clock)
    return found if valid is None else without_padding(found, port.index, valid)


def seeds(
    interface: Interface, call: Call, outputs: Any, states: Mapping[str, Any] | None, gaps: Gaps = NONE
) -> dict[str, Array]:
    """The adjoints of outputs and final states, as `d:output:NAME` and `d:final:NAME`.

    Raises:
        UsageError: a name is unknown or has no gradient. ShapeError: an array does not fit.
    """
    if outputs is not None and outputs.__class__ is not dict and not isinstance(outputs, Mapping):
        outputs = {next(iter(interface.outputs)): outputs}
    out = {}
    both = ("output", outputs, interface.output_adjoints), ("state", states, interface.state_adjoints)
    for what, table, known in both:
        if not table:
            continue
        for name, array in table.items():
            if name in known:
                root, port = known[name]
                out[root] = fitting(interface, call, f"the gradient of {name}", array, port, gaps)
            elif name != "t" or what == "output":  # a run has the count of steps among its final states
                raise interface.unknown(f"real-valued {what}", name, known)
    return out


def all_seeds(
    interface: Interface, call: Call, outputs: Any, states: Mapping[str, Any] | None, gaps: Gaps = NONE
) -> dict[str, Array]:
    """The same, and zeros for all other outputs and final states."""
    out = seeds(interface, call, outputs, states, gaps)
    for root, port in (*interface.output_adjoints.values(), *interface.state_adjoints.values()):
        if root not in out:
            out[root] = port.zeros(call.steps, call.batch, interface.real)
    return out


def gradients(
    interface: Interface,
    call: Call,
    values: Mapping[str, Array],
    wrt: Iterable[str] = GROUPS,
    gaps: Gaps = NONE,
) -> Gradients:
    """The gradients among the values of a program, of the groups `wrt`; zero where the program has none."""
    params, inputs, state = np.empty(0, interface.real), {}, {}
    if "params" in wrt:
        params = parameter_gradient(interface, values)
    if "inputs" in wrt:
        for name, (root, port) in interface.input_gradients.items():
            if name in call.given:
                found = values[root] if root in values else _zeros(interface, call, port)
                if gaps and (gap := of(gaps, port)) is not None:
                    found = gap.apart(found)
                inputs[name] = interface.outward(found, port.kind) if interface.batch_first else found
    if "state" in wrt:
        for name, (root, port) in interface.state_gradients.items():
            state[name] = values[root] if root in values else _zeros(interface, call, port)
    return Gradients(params, inputs, state)


def _zeros(interface: Interface, call: Call, port: Port) -> Array:
    return port.zeros(call.steps, call.batch, interface.real)


def parameter_gradient(interface: Interface, values: Mapping[str, Array]) -> Array:
    """The flat gradient [size] of the parameters; a program without any returns none."""
    return values["gradient"] if "gradient" in values else np.zeros(interface.size, interface.real)


def direction(interface: Interface, vector: Any, what: str) -> dict[str, Array]:
    """The tangents of all parameters, `tangent:param:NAME`, from a flat vector [size]."""
    return {TANGENT.of(PARAM.of(n)): v for n, v in interface.views(flat(interface, vector, what)).items()}


def tangents(
    interface: Interface, call: Call, inputs: Any, state: Mapping[str, Any] | None, gaps: Gaps = NONE
) -> dict[str, Array]:
    """The tangents of inputs and initial states, `tangent:input:NAME` and `tangent:start:NAME`.

    Raises:
        UsageError: a name is unknown or has no derivative. ShapeError: an array does not fit.
    """
    out = {}
    for group, what, table, ports in (
        (INPUT, "input", inputs, interface.inputs),
        (START, "state", state or {}, interface.states),
    ):
        real = {n: p for n, p in ports.items() if p.index is None}
        for name, array in table.items():
            if name not in real:
                raise interface.unknown(f"real-valued {what}", name, real)
            port, named = real[name], f"the tangent of {name}"
            out[TANGENT.of(group.of(name))] = fitting(interface, call, named, array, port, gaps, adjoint=False)
    return out
