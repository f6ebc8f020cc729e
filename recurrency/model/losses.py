"""The loss of a call by the kinds of its lines (`passes.loss_lines`), and gradients with a weight for each kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from recurrency.errors import UsageError, nearest_hint
from recurrency.graph.roots import ADJOINT, GRADIENT, LOSS

if TYPE_CHECKING:
    from recurrency.backend import Call
    from recurrency.graph.op import Array
    from recurrency.model.interface import Interface
    from recurrency.model.programs import Programs


def losses(interface: Interface, programs: Programs, call: Call) -> dict[str, float]:
    """The sum of the lines of each kind."""
    if len(interface.loss_kinds) > 1:
        return by_kind(interface, programs.runner("losses")(call))
    return {interface.loss_kinds[0]: float(programs.runner("loss")(call)["loss"])}


def losses_and_gradients(
    interface: Interface, programs: Programs, call: Call, weights: Mapping[str, float], wrt: tuple[str, ...]
) -> tuple[dict[str, float], dict[str, Array]]:
    """The lines of each kind, and the gradients and final states of a program, for these weights of the kinds."""
    if len(weights) > 1:
        seeds = {ADJOINT.of(LOSS.of(kind)): np.array(weight, interface.real) for kind, weight in weights.items()}
        values = programs.runner("weighed_gradients", wrt)(call.plus(seeds) if wrt else call)
        return by_kind(interface, values), values
    ((kind, weight),) = weights.items()  # the program without weights, and its gradients times the weight
    values = programs.runner("loss_gradients", wrt)(call)
    found = {kind: float(values["loss"])}
    if weight != 1.0:
        values = {
            root: _times(a, weight) if root == "gradient" or GRADIENT.has(root) else a for root, a in values.items()
        }
    return found, values


def checked(interface: Interface, weights: Mapping[str, float] | None) -> dict[str, float]:
    """One weight for each kind of line that the loss has; None: all are 1.

    Raises:
        UsageError: a weight is missing, or the loss has no lines of its kind.
    """
    name, kinds = interface.name, interface.loss_kinds
    if weights is None:
        return dict.fromkeys(kinds, 1.0)
    for kind in (*weights, *kinds):
        if kind not in kinds:
            hint = nearest_hint(str(kind), list(kinds))
            raise UsageError(f"the loss of {name} has no lines {kind}; it has {', '.join(kinds)}{hint}")
        if kind not in weights:
            raise UsageError(f"there is no weight for the lines {kind} of the loss of {name}")
    return {kind: float(weights[kind]) for kind in kinds}


def _times(array: Array, weight: float) -> Array:
    """A multiple of a gradient; 0 times anything is 0."""
    return array * array.dtype.type(weight) if weight else np.zeros_like(array)


def by_kind(interface: Interface, values: Mapping[str, Array]) -> dict[str, float]:
    """The values of the loss lines of a program, by kind."""
    return {kind: float(values[LOSS.of(kind)]) for kind in interface.loss_kinds}
