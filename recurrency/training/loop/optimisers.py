"""Gradient descent and its relatives, one dataclass each, on flat vectors and in place.

Every optimiser has `init(n)`, the state before the first step as a dict of vectors, and `update(params, grad, state,
step)`, which changes `params` and `state` and leaves `grad` alone; steps count from 1. `OPTIMISERS` is the table by
name. In the equations g is the gradient, products and roots are element by element, and w is the parameter vector.
Hessian-free optimisation needs more than a gradient: see `second_order`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from recurrency.errors import UsageError, nearest_hint
from recurrency.training.loop import hessian_free

Vector: TypeAlias = NDArray[np.floating[Any]]
State: TypeAlias = dict[str, Vector]

SCRATCH = "scratch"
"""The key of the workspace in a state: two vectors that need not be saved between steps."""


@dataclass(frozen=True)
class Optimiser:
    """The base of all optimisers: a step size, and the names of the vectors in their state."""

    rate: float = 0.01
    slots: ClassVar[tuple[str, ...]] = ()
    fixed: ClassVar[tuple[str, ...]] = ()
    """Fields that are no options."""

    def init(self, n: int, dtype: DTypeLike = np.float64) -> State:
        """The state before the first step for `n` parameters: zeros in every slot, and work space."""
        state: State = {name: np.zeros(n, dtype) for name in self.slots}
        state[SCRATCH] = np.empty((2, n), dtype)
        return state

    def update(self, params: Vector, grad: Vector, state: State, step: int) -> None:
        """Update `params` by one step, in place."""
        raise NotImplementedError


@dataclass(frozen=True)
class Sgd(Optimiser):
    """Steepest descent (Robbins and Monro 1951): w -= rate g."""

    def update(self, params: Vector, grad: Vector, state: State, step: int) -> None:
        a = state[SCRATCH][0]
        np.multiply(grad, self.rate, out=a)
        params -= a


@dataclass(frozen=True)
class Momentum(Optimiser):
    """The heavy ball (Polyak 1964; Sutskever et al. 2013, eq. 1-2): v = momentum v - rate g; w += v."""

    momentum: float = 0.9
    slots: ClassVar[tuple[str, ...]] = ("velocity",)

    def update(self, params: Vector, grad: Vector, state: State, step: int) -> None:
        a, v = state[SCRATCH][0], state["velocity"]
        np.multiply(grad, self.rate, out=a)
        v *= self.momentum
        v -= a
        params += v


@dataclass(frozen=True)
class Adagrad(Optimiser):
    """Steps that shrink with all past gradients (Duchi et al. 2011, figure 1).

    S += g^2; w -= rate g / (delta + sqrt(S + epsilon)). The paper has `delta` and no `epsilon`; the defaults
    are `epsilon = 1e-6` and no `delta`.
    """

    epsilon: float = 1e-6
    delta: float = 0.0
    slots: ClassVar[tuple[str, ...]] = ("squares",)

    def update(self, params: Vector, grad: Vector, state: State, step: int) -> None:
        (a, b), s = state[SCRATCH], state["squares"]
        np.multiply(grad, grad, out=a)
        s += a
        np.add(s, self.epsilon, out=b)
        np.sqrt(b, out=b)
        b += self.delta
        np.multiply(grad, self.rate, out=a)
        a /= b
        params -= a


@dataclass(frozen=True)
class Adadelta(Optimiser):
    """Steps in the units of the parameters (Zeiler 2012, algorithm 1).

    S = rho S + (1 - rho) g^2; d = sqrt(D + epsilon) / sqrt(S + epsilon) g; D = rho D + (1 - rho) d^2; w -= rate d.
    The paper has no rate, which is the default of 1.
    """

    rate: float = 1.0
    rho: float = 0.95
    epsilon: float = 1e-6
    slots: ClassVar[tuple[str, ...]] = ("squares", "moves")

    def update(self, params: Vector, grad: Vector, state: State, step: int) -> None:
        (a, b), s, d = state[SCRATCH], state["squares"], state["moves"]
        _average(s, grad, grad, self.rho, a)
        np.add(d, self.epsilon, out=a)
        np.add(s, self.epsilon, out=b)
        a /= b
        np.sqrt(a, out=a)
        a *= grad
        _average(d, a, a, self.rho, b)
        a *= self.rate
        params -= a


@dataclass(frozen=True)
class Rmsprop(Optimiser):
    """Gradients over their running root mean square (Hinton, Coursera lecture 6e, 2012; Graves 2013, eq. 38-41).

    n = decay n + (1 - decay) g^2; m = decay m + (1 - decay) g if `centred`, else 0;
    v = momentum v - rate g / sqrt(n - m^2 + epsilon), each element cut to `[-cap, cap]` if there is a cap; w += v.
    Hinton's form is the default; `rmsprop-graves` of the table has the constants of Graves.
    """

    rate: float = 0.001
    decay: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-8
    centred: bool = False
    cap: float = math.inf
    slots: ClassVar[tuple[str, ...]] = ("squares", "means", "velocity")

    def update(self, params: Vector, grad: Vector, state: State, step: int) -> None:
        (a, b), n, m, v = state[SCRATCH], state["squares"], state["means"], state["velocity"]
        _average(n, grad, grad, self.decay, a)
        np.copyto(b, n)
        if self.centred:
            _average(m, grad, None, self.decay, a)
            np.multiply(m, m, out=a)
            b -= a
            # The variance is not negative, but its rounded difference may be.
            np.maximum(b, 0, out=b)
        b += self.epsilon
        np.sqrt(b, out=b)
        np.multiply(grad, self.rate, out=a)
        a /= b
        v *= self.momentum
        v -= a
        if self.cap < math.inf:
            np.clip(v, -self.cap, self.cap, out=v)
        params += v


@dataclass(frozen=True)
class Adam(Optimiser):
    """Bias-corrected means of gradients and squares (Kingma and Ba 2015, algorithm 1).

    m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
    w -= rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon).
    """

    rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    slots: ClassVar[tuple[str, ...]] = ("means", "squares")

    def update(self, params: Vector, grad: Vector, state: State, step: int) -> None:
        (a, b), m, v = state[SCRATCH], state["means"], state["squares"]
        _average(m, grad, None, self.beta1, a)
        _average(v, grad, grad, self.beta2, a)
        np.multiply(v, 1 / (1 - self.beta2**step), out=b)
        np.sqrt(b, out=b)
        b += self.epsilon
        np.multiply(m, self.rate / (1 - self.beta1**step), out=a)
        a /= b
        params -= a


@dataclass(frozen=True)
class HessianFree(Optimiser):
    """Truncated Newton steps with Gauss-Newton products (Martens 2010; Martens and Sutskever 2011).

    Conjugate gradients, at most `iterations` of them, minimise q(d) = g'd + d'(G + lambda (I + mu S))d / 2; then
    w += a d, with a from a line search. `damping` is the first lambda, S structural damping (`--damp`). G is that of
    `curvature` sequences of the first batch of an update (0: of all of it). Conjugate gradients start from `decay`
    times their last solution and end when q makes little `progress`. With rho, the ratio of the real to the predicted
    decrease, lambda is divided by `lower` if rho < 1/4, and multiplied by it if rho > 3/4.
    """

    rate: float = 1.0
    damping: float = 0.1
    curvature: int = 0
    iterations: int = 150
    decay: float = 0.95
    progress: float = 5e-4
    lower: float = 2 / 3
    slots: ClassVar[tuple[str, ...]] = ("solution", "damping", "minibatches", "negative")
    fixed: ClassVar[tuple[str, ...]] = ("rate",)

    def __post_init__(self) -> None:
        hessian_free.check_bounds("hessian-free", options_of(self))

    @property
    def settings(self) -> hessian_free.Settings:
        """The constants of the algorithm."""
        return hessian_free.Settings(self.iterations, self.decay, self.progress, lower=self.lower)

    def init(self, n: int, dtype: DTypeLike = np.float64) -> State:
        """The last solution of conjugate gradients [n] (zero at first), lambda, and two counts, [1] each."""
        state: State = {name: np.zeros(1) for name in self.slots}
        return {**state, "solution": np.zeros(n), "damping": np.full(1, self.damping)}


def _average(mean: Vector, x: Vector, y: Vector | None, keep: float, work: Vector) -> None:
    """mean = keep mean + (1 - keep) x y, in place (y None: x alone)."""
    np.multiply(x, 1 - keep, out=work)
    if y is not None:
        work *= y
    mean *= keep
    mean += work


def _graves(**options: Any) -> Rmsprop:
    """Graves 2013, section 4.2: centred, momentum 0.9, rate 1e-4, epsilon 1e-4, averages of 0.95."""
    recipe: dict[str, Any] = {"rate": 1e-4, "decay": 0.95, "momentum": 0.9, "epsilon": 1e-4, "centred": True}
    return Rmsprop(**{**recipe, **options})


OPTIMISERS: Mapping[str, Callable[..., Optimiser]] = {
    "sgd": Sgd,
    "momentum": Momentum,
    "adagrad": Adagrad,
    "adadelta": Adadelta,
    "rmsprop": Rmsprop,
    "rmsprop-graves": _graves,
    "adam": Adam,
    "hessian-free": HessianFree,
}


def optimiser(name: str, **options: float) -> Optimiser:
    """The optimiser called `name`, with its options; UsageError for a name or an option that it does not have."""
    make = OPTIMISERS.get(name)
    if make is None:
        raise UsageError(
            f"there is no optimiser {name}; there are {', '.join(OPTIMISERS)}{nearest_hint(name, OPTIMISERS)}"
        )
    known = options_of(make())
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise UsageError(
            f"{name} has no option {unknown[0]}; it has {', '.join(known)}{nearest_hint(unknown[0], known)}"
        )
    return make(**{key: _taken(name, key, known[key], value) for key, value in options.items()})


def options_of(made: Optimiser) -> dict[str, float]:
    """The options of an optimiser, with their values."""
    return {field.name: getattr(made, field.name) for field in dataclasses.fields(made) if field.name not in made.fixed}


def _taken(name: str, option: str, default: float, value: float) -> float:
    """The value of an option, of the type of its default."""
    if isinstance(default, bool):
        return bool(value)
    if isinstance(default, int) and value % 1 != 0:
        raise UsageError(f"{option} of {name} must be a whole number, not {value:g}")
    return int(value) if isinstance(default, int) else value


# --------------------------------------------------------------------------------------------------------- clipping


def norm(grad: Vector) -> float:
    """The Euclidean norm of a gradient (in float64 if its square overflows the gradient's dtype)."""
    with np.errstate(over="ignore"):
        square = float(np.dot(grad, grad))
    if not math.isfinite(square) and grad.dtype != np.float64:
        return norm(grad.astype(np.float64))
    return math.sqrt(square)


def clip_by_norm(grad: Vector, limit: float) -> float:
    """Scale `grad` in place to norm `limit` if it is larger; returns the norm before.

    Pascanu et al. 2013, algorithm 1.
    """
    length = norm(grad)
    if length > limit:
        grad *= limit / length
    return length


def clip_by_value(grad: Vector, limit: float) -> None:
    """Clip every element of `grad` to `[-limit, limit]`, in place (Graves 2013, section 2.1)."""
    np.clip(grad, -limit, limit, out=grad)
