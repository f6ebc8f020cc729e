"""Calls with gaps, from calls without any: what `mask=` has to give, sequence by sequence and step by step.

It shares no code with `recurrency.model.gaps`, which it tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.graph.roots import GRADIENT, INPUT, OUTPUT, STREAM, TANGENT
from recurrency.graph.types import Kind
from recurrency.testing.case import Case, Data

if TYPE_CHECKING:
    from recurrency.graph.op import Array
    from recurrency.model.model import Model


def counts(case: Case) -> dict[str, Array]:
    """The numbers of the steps that are there by clock, [B]."""
    return {clock: case.there(clock).sum(0) for clock in case.steps}


def data_without(model: Model, case: Case, data: Data) -> Data:
    """The arrays of a case without its gaps: behind the steps that are there, streams are zero."""
    inputs = {n: _together(a, case, model.inputs[n]) for n, a in data.inputs.items()}
    seeds = {r: _summed(a, case, model.outputs[OUTPUT.name(r)]) if OUTPUT.has(r) else a for r, a in data.seeds.items()}
    tangents = {
        r: _together(a, case, model.inputs[INPUT.name(r)]) if INPUT.has(r) else a for r, a in data.tangents.items()
    }
    return replace(data, inputs=inputs, seeds=seeds, tangents=tangents)


def flags_without(flags: Mapping[str, Array], case: Case) -> dict[str, Array]:
    """Resets without gaps: one in a gap takes effect at the next step that is there."""
    out = {}
    for clock, array in flags.items():
        there, out[clock] = case.there(clock), np.zeros_like(array)
        for b in range(case.batch):
            k, asked = 0, False
            for t in range(len(array)):
                asked |= bool(array[t, b])
                if there[t, b]:
                    out[clock][k, b] = asked
                    k, asked = k + 1, False
    return out


def results_with(model: Model, case: Case, found: Mapping[str, Array]) -> dict[str, Array]:
    """The results of a case with gaps, from those without."""
    groups: dict[str, Any] = {OUTPUT.prefix: model.outputs, STREAM.prefix: model.streams}
    groups[TANGENT.of(OUTPUT.prefix)] = model.outputs
    out = dict(found)
    for root, array in found.items():
        for prefix, ports in groups.items():
            if root.startswith(prefix):
                out[root] = _repeated(array, case, ports[root.removeprefix(prefix)])
        if GRADIENT.nested(INPUT).has(root):
            out[root] = _apart(array, case, model.inputs[GRADIENT.nested(INPUT).name(root)])
    return out


def _together(array: Array, case: Case, port: Any) -> Array:
    if port.kind is not Kind.STREAM:
        return array
    out = np.full_like(array, 0 if port.index is None else -1)
    for b, there in enumerate(case.there(port.clock).T):
        steps = array[there, b]
        out[: len(steps), b] = steps
    return out


def _apart(array: Array, case: Case, port: Any) -> Array:
    """Gradients of a stream, which are zero in gaps."""
    out = np.zeros_like(array)
    for b, there in enumerate(case.there(port.clock).T):
        out[there, b] = array[: there.sum(), b]
    return out


def _repeated(array: Array, case: Case, port: Any) -> Array:
    """A stream that keeps its last value in a gap; before its first step, and after its end, it is zero."""
    if port.kind is not Kind.STREAM:
        return array
    out = np.full_like(array, 0 if port.index is None else -1)
    for b, there in enumerate(case.there(port.clock).T):
        k = 0
        for t in range(case.length(port.clock, b)):
            k += int(there[t])
            if k:
                out[t, b] = array[k - 1, b]
    return out


def _summed(array: Array, case: Case, port: Any) -> Array:
    """The adjoints of a stream: each step also gets those of the gap behind it."""
    if port.kind is not Kind.STREAM:
        return array
    out = np.zeros_like(array)
    for b, there in enumerate(case.there(port.clock).T):
        k = 0
        for t in range(case.length(port.clock, b)):
            k += int(there[t])
            if k:
                out[k - 1, b] += array[t, b]
    return out
