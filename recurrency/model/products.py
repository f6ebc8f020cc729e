"""Products of a model's Jacobian, Hessian and Gauss-Newton matrix with vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from recurrency.graph.roots import DAMPING, FINAL, OUTPUT, STREAM, TANGENT
from recurrency.model import adjoints
from recurrency.model import damping as structural
from recurrency.model.call import FORWARD, LOSS, by_name
from recurrency.model.compiled import Arrays, Compiled

if TYPE_CHECKING:
    from recurrency.backend import Call
    from recurrency.graph.op import Array
    from recurrency.model.curvature import Curvature


class Products(Compiled):
    """A compiled cell with the products of its derivatives; `Model` describes the arguments that all calls have."""

    def jvp(
        self,
        params: Array,
        inputs: Any,
        params_tangent: Array | None = None,
        inputs_tangent: Any = None,
        state_tangent: Arrays | None = None,
        state: Arrays | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
        resets: Any = None,
        mask: Any = None,
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Derivatives of outputs and final states along directions of parameters, inputs and initial states."""
        call, gaps = self._gathered(params, inputs, state, lengths, training, seed, FORWARD, resets, mask)
        given = {} if params_tangent is None else adjoints.direction(self.interface, params_tangent, "params_tangent")
        if inputs_tangent is not None:
            inputs_tangent = by_name(self.interface, inputs_tangent, partial(self.reads, *FORWARD))
        given |= adjoints.tangents(self.interface, call, inputs_tangent or {}, state_tangent, gaps)
        values = self._runner(call, "jvp", tuple(sorted(map(TANGENT.name, given))))(call.plus(given))
        outputs = self._named(values, [(n, TANGENT.of(OUTPUT.of(n)), p) for n, p in self.outputs.items()], gaps)
        states = [(n, TANGENT.of(FINAL.of(n)), p) for n, p in self.state_ports.items()]
        return outputs, self._named(values, states)

    def hvp(
        self,
        params: Array,
        inputs: Any,
        vector: Array,
        state: Arrays | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
        resets: Any = None,
        mask: Any = None,
    ) -> Array:
        """The Hessian of the loss in the parameters, times a flat vector [size] (Pearlmutter 1994)."""
        return self._curvature(
            ("hvp",), self.gather(params, inputs, state, lengths, training, seed, LOSS, resets, mask), vector
        )

    def gnvp(
        self,
        params: Array,
        inputs: Any,
        vector: Array,
        state: Arrays | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
        damping: Mapping[str, float] | None = None,
        distance: str = "matching",
        resets: Any = None,
        mask: Any = None,
    ) -> Array:
        """The Gauss-Newton matrix of the loss in the parameters, times a flat vector [size].

        The loss is taken as a function of what its `cross_entropy`, `squared_error`, ... read as predictions;
        `binary_cross_entropy(sigmoid(z), ...)` as a function of z, which matches it (Martens and Sutskever 2011,
        section 3.1); other formulas as functions of the values in which they are convex. Where that is a parameter, as
        in a penalty, the line counts with its own Hessian.

        `damping` adds structural damping (section 3.2): for each stream by name, its weight (lambda mu) times the
        Gauss-Newton matrix of a distance to the present values, summed over all steps and divided as the loss is: by
        the number of sequences, or of steps if the loss is a mean over steps. The distance is |z - z_n|^2 / 2; with
        `distance="matching"`, that of a stream computed by tanh or sigmoid matches it: the curvature in the argument
        of tanh is 1 - z^2, of sigmoid z (1 - z). `distance="squared"` is the squared distance everywhere.

        Raises:
            UsageError: a stream is unknown, static or of symbols; a weight is negative or not finite; no such distance.
        """
        weights = {} if damping is None else structural.weights(self.interface, damping)
        names, matching = tuple(map(DAMPING.name, weights)), structural.is_matching(distance)
        call = self.gather(
            params, inputs, state, lengths, training, seed, (*LOSS, *map(STREAM.of, names)), resets, mask
        )
        return self._curvature(("gnvp", names, matching or not names), call.plus(weights), vector)

    def curvature(
        self,
        params: Array,
        inputs: Any,
        state: Arrays | None = None,
        lengths: Any = None,
        training: bool = False,
        seed: int = 0,
        damped: Sequence[str] = (),
        distance: str = "matching",
        resets: Any = None,
        mask: Any = None,
    ) -> Curvature:
        """The Gauss-Newton matrix of `gnvp` as a function of vectors, with structural damping of the streams `damped`.

        The forward pass runs once, and its values are kept for all products `curvature(vector, weights)`. Leave
        `params` and the inputs as they are until the last one: they are not copied.

        Raises:
            UsageError: a stream is unknown, static or of symbols; there is no such distance.
        """
        from recurrency.model.curvature import Curvature

        self.need_loss()
        names = structural.streams(self.interface, (damped,) if isinstance(damped, str) else damped)
        matching = structural.is_matching(distance) or not names
        call = self.gather(
            params, inputs, state, lengths, training, seed, (*LOSS, *map(STREAM.of, names)), resets, mask
        )
        return Curvature(self.interface, self._programs(call), call, names, matching)

    def _curvature(self, program: tuple[Any, ...], call: Call, vector: Array) -> Array:
        """A matrix of second derivatives, times a vector; a cell without parameters has an empty one."""
        self.need_loss()
        vector_of = adjoints.direction(self.interface, vector, "vector")
        return adjoints.parameter_gradient(self.interface, self._runner(call, *program)(call.plus(vector_of)))
