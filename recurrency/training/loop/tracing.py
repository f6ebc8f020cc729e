"""Where a number that is not finite first appeared: the input, stream and step, and the parameters affected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from recurrency.graph.roots import STREAM
from recurrency.graph.types import Kind
from recurrency.training.data import Array
from recurrency.training.loop.optimisers import Vector
from recurrency.training.loop.updates import Call, Learner

MOST = 3
"""Parameters that a message names."""


def trace(learner: Learner, params: Vector) -> list[str]:
    """An explanation of the last update of a learner, whose loss or gradient is not finite.

    It is computed again, with all inner streams if the model has them.
    """
    model: Any = getattr(learner.model, "model", learner.model)
    named = [name for name, value in model.views(params).items() if not np.isfinite(value).all()]
    if named:
        return [f"the parameters {_listed(named)} are not finite"]
    if not hasattr(model, "streams"):
        return []
    first = learner.batches - len(learner.last) + 1
    with np.errstate(all="ignore"):
        for number, call in enumerate(learner.last, first):
            noisy = learner.noisy(params, number)
            first_seen = _input(call) or _stream(model, noisy, call)
            told = [*([first_seen] if first_seen else []), *_gradients(model, noisy, call)]
            if told:
                return told
    return []


def _input(call: Call) -> str:
    for name, array in call.batch.inputs.items():
        at = first_bad(array, 0)
        if at is not None:
            return f"the input {name} is {array[at]} at {_place(at)}"
    return ""


def _stream(model: Any, params: Vector, call: Call) -> str:
    """The first stream in time, and among those of that step the one that no other of them feeds."""
    run = model.forward(params, call.batch.inputs, streams=list(model.streams), keep=False, **call.keywords)
    graph = model.programs.elaborated.graph
    place = {id: i for i, id in enumerate(graph.order())}
    found: list[tuple[int, int, str]] = []
    for name, array in run.streams.items():
        at = first_bad(array, 0)
        if at is not None:
            step = at[0] if model.streams[name].kind is Kind.STREAM else -1
            found.append((step, place[graph.roots[STREAM.of(name)]], name))
    if not found:
        return ""
    _, _, name = min(found)
    at, array = first_bad(run.streams[name], 0), run.streams[name]
    assert at is not None
    where = f" at {_place(at)}" if model.streams[name].kind is Kind.STREAM else ""
    return f"first in the stream {name}, which is {array[at]}{where}"


def _gradients(model: Any, params: Vector, call: Call) -> list[str]:
    _, gradients, _ = model.loss_and_gradients(params, call.batch.inputs, wrt=("params",), **call.keywords)
    views: Mapping[str, Array] = model.views(gradients.params)
    named = [name for name, value in views.items() if not np.isfinite(value).all()]
    return [f"the gradient of {_listed(named)} is not finite"] if named else []


def first_bad(array: Any, axis: int) -> tuple[int, ...] | None:
    """The index of the first element, along an axis, that is not finite; None where there is none."""
    array = np.asarray(array)
    if array.dtype.kind != "f":
        return None
    bad = ~np.isfinite(array)
    if not bad.any():
        return None
    places = np.argwhere(bad)
    return tuple(int(i) for i in places[int(np.argmin(places[:, axis]))]) if array.ndim else ()


def _place(at: tuple[int, ...]) -> str:
    words = ("step", "sequence")
    return ", ".join(f"{words[i] if i < 2 else 'element'} {index}" for i, index in enumerate(at))


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    rest = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + rest
