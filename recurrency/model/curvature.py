"""The Gauss-Newton matrix of a loss on one batch, at some parameters, as a function of vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from recurrency.graph.roots import TAPE
from recurrency.model import adjoints, damping

if TYPE_CHECKING:
    from recurrency.backend import Call
    from recurrency.graph.op import Array
    from recurrency.model.interface import Interface
    from recurrency.model.programs import Programs


class Curvature:
    """A matrix [size, size] that is never formed: a call multiplies it with a vector.

    The forward pass runs once, and all products read what it stored. `loss` is its value.
    """

    def __init__(
        self, interface: Interface, programs: Programs, call: Call, damped: tuple[str, ...], matching: bool
    ) -> None:
        values = programs.runner("curved_kept", damped, matching)(call)
        self.loss = float(values["loss"])
        self.interface, self.damped = interface, damped
        self._call = call.plus({name: array for name, array in values.items() if TAPE.has(name)})
        self._run = programs.runner("curved", damped, matching)

    def __call__(self, vector: Array, weights: Mapping[str, float] | None = None) -> Array:
        """The matrix times a flat vector [size]. `weights` are those of the damped streams; a missing one is 0.

        Raises:
            UsageError: a weight is of another stream, negative or not finite.
        """
        given = damping.weights(self.interface, {**dict.fromkeys(self.damped, 0.0), **(weights or {})}, self.damped)
        along = adjoints.direction(self.interface, vector, "vector")
        return adjoints.parameter_gradient(self.interface, self._run(self._call.plus({**along, **given})))
