"""The loss of a call by the kinds of its lines (`passes.loss_lines`), and gradients for a weight of each kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from recurrency.errors import UsageError, nearest
from recurrency.passes.loss_lines import root_of

if TYPE_CHECKING:
    from recurrency.graph.op import Array
    from recurrency.model.call import Request
    from recurrency.model.checkpoint import Checkpoint
    from recurrency.model.model import Model


def losses(model: Model, params: Array, request: Request) -> dict[str, float]:
    """The sum of the lines of each kind."""
    if chunked := _chunked(model, request):
        return _by_kind(model, chunked.loss(params, request))
    if len(model.loss_kinds) > 1:
        return _by_kind(model, request.run(model.programs.runner("losses"), params))
    return {model.loss_kinds[0]: float(request.run(model.programs.runner("loss"), params)["loss"])}


def losses_and_gradients(
    model: Model, params: Array, request: Request, weights: Mapping[str, float] | None, wrt: tuple[str, ...]
) -> tuple[dict[str, float], dict[str, Array]]:
    """The lines of each kind, and the gradients and final states of a program, for these weights of the kinds.

    A loss of one kind is computed as ever, and its gradients are multiplied.

    Raises:
        UsageError: a weight is missing, or one is that of another kind.
    """
    given = dict.fromkeys(model.loss_kinds, 1.0) if weights is None else checked(model, weights)
    if chunked := _chunked(model, request):
        values = chunked.loss_gradients(params, request, wrt, given)
        return _by_kind(model, values), values
    if len(given) > 1:
        seeds = {f"d:{root_of(kind)}": np.array(weight, model.real) for kind, weight in given.items()}
        values = request.run(model.programs.runner("weighed_gradients", wrt), params, seeds if wrt else None)
        return _by_kind(model, values), values
    ((kind, weight),) = given.items()
    values = request.run(model.programs.runner("loss_gradients", wrt), params)
    found = {kind: float(values["loss"])}
    if weight != 1.0:
        values = {root: _times(a, weight) if root.startswith("gradient") else a for root, a in values.items()}
    return found, values


def _chunked(model: Model, request: Request) -> Checkpoint | None:
    """What runs a call in chunks, if there is to be more than one."""
    return model.checkpoint if model.checkpoint and model.checkpoint.divides(request) else None


def checked(model: Model, weights: Mapping[str, float]) -> dict[str, float]:
    """The weights, if there is one for each kind of line that the loss has, and no other."""
    for kind in (*weights, *model.loss_kinds):
        if kind not in model.loss_kinds:
            near = nearest(str(kind), list(model.loss_kinds))
            hint = f"; did you mean {near}?" if near else ""
            raise UsageError(f"the loss of {model.spec.name} has no lines {kind}; it has {_kinds(model)}{hint}")
        if kind not in weights:
            raise UsageError(f"there is no weight for the lines {kind} of the loss of {model.spec.name}")
    return {kind: float(weights[kind]) for kind in model.loss_kinds}


def _kinds(model: Model) -> str:
    return ", ".join(model.loss_kinds)


def _times(array: Array, weight: float) -> Array:
    """A multiple of a gradient; 0 times anything is 0."""
    return array * array.dtype.type(weight) if weight else np.zeros_like(array)


def _by_kind(model: Model, values: Mapping[str, Array]) -> dict[str, float]:
    return {kind: float(values[root_of(kind)]) for kind in model.loss_kinds}
