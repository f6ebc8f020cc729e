"""Hessian-free updates of a model: the algorithm of `hessian_free` on the batches of one update.

Objective and gradient are those of all batches of the update, the curvature that of sequences of the first of them. The
random draws of a model (dropout) and the states that batches pass on stay the same within an update.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from recurrency.errors import UsageError
from recurrency.model import damping
from recurrency.training.loop import hessian_free
from recurrency.training.loop.optimisers import HessianFree, State, Vector
from recurrency.training.loop.progress import Facts, Options
from recurrency.training.loop.schedules import Constant
from recurrency.training.loop.sharing import unshared
from recurrency.training.loop.updates import Call, Learner, shares_of
from recurrency.training.loop.weighing import Part, mean_of

HESSIAN_FREE = "hessian-free"
"""The name of the optimiser."""

NEGATIVE = "negative"
"""The figure that counts updates in which rounding made a curvature negative."""

UNIT = 1000
"""Sequences of a minibatch, the unit of work of Martens and Sutskever 2011, section 5.1."""

WITHOUT_EFFECT = ("clip", "clip_value", "shrink", "halve_above", "schedule", "weight_noise", "l1")
"""Options that act on gradients or rates, or have no second derivative."""


@dataclass
class Landscape:
    """The objective and its curvature on the batches of the last update of a learner, around some parameters."""

    learner: Learner
    damp: Mapping[str, float]
    params: Vector
    parts: Sequence[Part]
    curved: Call

    def __post_init__(self) -> None:
        self.shares = shares_of([part.counts for part in self.parts])
        self.l2 = self.learner.options.l2

    def value(self) -> float:
        """The objective at the parameters, from the losses that came with the gradient."""
        return mean_of(self.parts) + self._penalty(self.params)

    def objective(self, theta: Vector) -> float:
        """The objective at other parameters."""
        theta, total = theta.astype(self.params.dtype), []
        with np.errstate(all="ignore"):  # a step may be too long: then the objective is not finite
            for call, shares in zip(self.learner.last, self.shares, strict=True):
                losses = self.learner.model.losses(theta, call.batch.inputs, **call.keywords)
                total += [share * losses[kind] for kind, share in shares.items() if share]
        return math.fsum(total) + self._penalty(theta) if np.isfinite(total).all() else math.inf

    def product(self, v: Vector, weight: float) -> Vector:
        """The curvature times `v`, with weight decay, and structural damping for a lambda."""
        known = {name: weight * mu for name, mu in self.damp.items()}
        return np.asarray(self.curvature(v, known) + self.l2 * v)

    @cached_property
    def curvature(self) -> Callable[[Vector, Mapping[str, float]], Vector]:
        """The Gauss-Newton matrix as a function of vectors and of weights of damping; products share a forward pass."""
        model: Any = self.learner.model
        found: Callable[[Vector, Mapping[str, float]], Vector]
        found = model.curvature(self.params, self.curved.batch.inputs, damped=tuple(self.damp), **self.curved.keywords)
        return found

    def _penalty(self, theta: Vector) -> float:
        return 0.5 * self.l2 * float(np.dot(theta.astype(np.float64), theta)) if self.l2 else 0.0


def move(learner: Learner, parts: Sequence[Part], params: Vector, grad: Vector, state: State) -> tuple[float, Facts]:
    """One update of `params` and `state`, in place, after `learner` found `parts` and `grad`.

    Returns the step size, and figures: `inner` iterations, `lambda` of this update, `rho`, `minibatches` (gradients and
    products so far, each of 1000 sequences), and the number of updates with negative curvature, if there were any.

    Raises:
        UsageError: a line of the loss counts in another batch than the one whose curvature is used.
    """
    optimiser: Any = learner.options.optimiser
    curved = curvature_call(learner.last[0], parts[0], optimiser.curvature)
    landscape = Landscape(learner, learner.options.damp, params.copy(), parts, curved)
    solution = state["solution"]
    before = hessian_free.State(float(state["damping"][0]), solution.copy() if solution.any() else None)
    theta, gradient = params.astype(np.float64), grad.astype(np.float64)
    found = hessian_free.update(
        theta, landscape.value(), gradient, landscape.objective, landscape.product, before, optimiser.settings
    )
    params[...] = found.theta
    solution[...] = found.state.solution
    state["damping"][0] = found.state.damping
    seen = sum(call.batch.size for call in learner.last) + found.products * curved.batch.size
    state["minibatches"][0] += seen / UNIT
    state[NEGATIVE][0] += found.reason == hessian_free.NEGATIVE
    return found.step, {
        "inner": found.iterations,
        "lambda": found.damping,
        "rho": found.rho if math.isfinite(found.rho) else None,
        "minibatches": float(state["minibatches"][0]),
        **({NEGATIVE: float(state[NEGATIVE][0])} if state[NEGATIVE][0] else {}),
    }


def curvature_call(call: Call, part: Part, sequences: int) -> Call:
    """The arguments for curvature: `sequences` of those of a batch, evenly chosen; 0: all."""
    missing = [kind for kind, count in part.counts.items() if not count]
    if missing:
        raise UsageError(
            f"hessian-free needs the curvature of the whole loss in each batch, but the lines {missing[0]} count in "
            "later batches only: train on whole sequences"
        )
    size = call.batch.size
    if not sequences or sequences >= size:
        return call
    chosen = np.arange(sequences) * size // sequences
    states = {name: {n: np.asarray(a)[chosen] for n, a in given.items()} for name, given in call.state.items()}
    return replace(call, batch=call.batch.part(chosen), state=states)


# ------------------------------------------------------------------------------------------------------------- checks


def checked(model: Any, options: Options) -> Options:
    """The options with whole names of damped streams.

    Raises:
        UsageError: an option has no effect with the optimiser; the loss has no curvature; a stream can't be damped.
    """
    if not isinstance(options.optimiser, HessianFree):
        if options.damp:
            named = ", ".join(options.damp)
            raise UsageError(f"structural damping ({named}) has no effect without the optimiser hessian-free")
        return options
    usual = Options()
    for name in WITHOUT_EFFECT:
        value = getattr(options, name)
        if value != getattr(usual, name) or (name == "schedule" and value != Constant()):
            named = name.replace("_", "-")
            raise UsageError(f"the option {named} has no effect with the optimiser hessian-free: leave it out")
    if getattr(model, "asynchronous", False):
        raise UsageError("hessian-free needs the gradients of all processes at once: leave parallel=asynchronous out")
    if not hasattr(model, "curvature"):
        raise UsageError("hessian-free needs a model with Gauss-Newton products (gnvp)")
    model = unshared(model)
    if model.over_curvature:
        raise UsageError(f"{model.interface.name} can't be trained with hessian-free: {model.over_curvature}")
    damp = {stream_of(model, name): mu for name, mu in options.damp.items()}
    damping.weights(model.interface, damp)
    return replace(options, damp=damp)


def stream_of(model: Any, name: str) -> str:
    """The stream that a name means: its whole name, or the last part of just one (`h` for `y.Cell.h`).

    Raises:
        UsageError: there is none, or more than one.
    """
    if name in model.streams:
        return name
    found = [other for other in model.streams if other.endswith(f".{name}")]
    if len(found) > 1:
        raise UsageError(f"damp: {name} may be {' or '.join(found)}; write the whole name")
    if not found:
        raise UsageError(f"damp: {model.interface.unknown('stream', name, model.streams)}")
    return str(found[0])
