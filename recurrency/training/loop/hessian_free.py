"""Hessian-free optimisation: one update from a gradient and products with a curvature matrix.

The functions know neither models nor an array library. A *vector* is anything of one axis with `+`, `-`, `*` by a
float, and `@`, whose result `float` takes: NumPy arrays [n] as well as one-dimensional torch tensors.

    settings = Settings(iterations=100)
    state = State(damping=0.1)
    for batch in batches:
        value, gradient = value_and_gradient(theta)             # of a large batch
        found = update(theta, value, gradient, objective, product, state, settings)
        theta, state = found.theta, found.state                 # also: found.iterations, found.rho, found.step, ...

`objective(theta)` is the value on the batch of the gradient; it may be inf or NaN. `product(v, damping)` is B v for the
curvature matrix B at the old theta, without the Tikhonov term, which `update` adds; `damping` is the present lambda, so
that structural damping can use it: B v = G v + lambda mu S v. Weight decay c belongs to all three: c / 2 |theta|^2 in
the objective, c theta in the gradient, c v in the product.

Sources: Martens 2010 (Deep learning via Hessian-free optimization), and Martens and Sutskever 2011 (Learning recurrent
neural networks with Hessian-free optimization), which does without a preconditioner.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from recurrency.errors import UsageError

Vector: TypeAlias = Any
"""One axis [n], with `+`, `-`, `*` by a float, and `@`."""

Objective: TypeAlias = Callable[[Vector], float]
Product: TypeAlias = Callable[[Vector, float], Vector]

PROGRESS, LIMIT, EXACT, NEGATIVE = "progress", "limit", "exact", "negative curvature"
"""Why conjugate gradients ended: little progress, the most iterations, no residual, or v' B v <= 0 by rounding."""

BOUNDS = {
    "damping": (0.0, math.inf),
    "curvature": (0, math.inf),
    "iterations": (1, math.inf),
    "decay": (0.0, 1.0),
    "progress": (0.0, math.inf),
    "lower": (0.01, 1.0),
    "weight_decay": (0.0, math.inf),
}
"""The least and the largest value of each option of an optimiser that is built on this."""


def check_bounds(name: str, options: Mapping[str, float]) -> None:
    """Refuse options of the optimiser `name` that are out of their bounds.

    Raises:
        UsageError: one of them is.
    """
    for option, value in options.items():
        low, high = BOUNDS[option]
        if not low <= value <= high:
            most = "" if high == math.inf else f" and at most {high:g}"
            raise UsageError(f"{option} of {name} must be at least {low:g}{most}, not {value:g}")


SEARCHES = 60
"""The most step sizes that a line search tries."""


@dataclass(frozen=True)
class Settings:
    """The constants of the method.

    `iterations` bounds conjugate gradients; `decay` is the factor on the previous solution, where they start;
    `progress` is epsilon of their stopping rule, `spacing` the ratio of the numbers of stored iterates. `lower` is the
    factor on lambda after a step that the model predicted well, and 1 / `lower` that after one that it did not.
    `armijo` and `shrink` are those of the line search: the fraction of the predicted slope, and the factor between two
    step sizes.
    """

    iterations: int = 150
    decay: float = 0.95
    progress: float = 5e-4
    spacing: float = 1.3
    lower: float = 2 / 3
    armijo: float = 1e-2
    shrink: float = 0.8


@dataclass(frozen=True)
class State:
    """What passes from one update to the next: lambda, and the solution of conjugate gradients (None at first)."""

    damping: float
    solution: Vector | None = None


@dataclass(frozen=True)
class Iterate:
    """An iterate d of conjugate gradients, and q(d) - q(0) = g'd + d'Bd / 2; number 0 is the start."""

    number: int
    d: Vector
    q: float


@dataclass(frozen=True)
class Solution:
    """Stored iterates, the last one at the end, why they ended, and the number of products with B."""

    iterates: list[Iterate]
    reason: str
    products: int


@dataclass(frozen=True)
class Update:
    """The outcome of an update.

    `theta` are the new parameters and `state` is for the next update. `after` is the objective there. `iterations`
    counts those of conjugate gradients, `chosen` is the number of the iterate that the step is along, and `products`
    counts products with B. `rho` is the ratio of the real to the predicted change for a full step, NaN if none was
    predicted; `step` the step size, 0 where no step made the objective smaller. `damping` is the lambda of this update.
    `reason` says why conjugate gradients ended.
    """

    theta: Vector
    state: State
    after: float
    iterations: int
    chosen: int
    products: int
    rho: float
    step: float
    damping: float
    reason: str


def update(
    theta: Vector,
    value: float,
    gradient: Vector,
    objective: Objective,
    product: Product,
    state: State,
    settings: Settings | None = None,
) -> Update:
    """One update of the parameters `theta`, whose objective and gradient are `value` and `gradient`.

    Conjugate gradients minimise q(d) = g'd + d'(B + lambda I)d / 2. From their last iterate, the update goes back to
    earlier ones while the objective falls; a line search along that iterate follows, and lambda adapts.
    """
    settings, damping = settings or Settings(), state.damping

    def damped(v: Vector) -> Vector:
        return product(v, damping) + damping * v

    start = None if state.solution is None else settings.decay * state.solution
    solution = conjugate_gradients(damped, gradient, start, settings)
    last = solution.iterates[-1]
    chosen, after = backtrack(theta, solution.iterates, objective)
    rho = (after - value) / chosen.q if chosen.q < 0 else math.nan
    step = 0.0
    if chosen.q < 0:
        step, after = line_search(theta, value, gradient, chosen.d, after, objective, settings)
    return Update(
        theta=theta + step * chosen.d if step else theta,
        state=State(adapted(damping, rho, solution.reason, settings), last.d),
        after=after if step else value,
        iterations=last.number,
        chosen=chosen.number,
        products=solution.products,
        rho=rho,
        step=step,
        damping=damping,
        reason=solution.reason,
    )


def conjugate_gradients(
    product: Callable[[Vector], Vector], gradient: Vector, start: Vector | None, settings: Settings
) -> Solution:
    """Minimise q(d) = g'd + d'Bd / 2 from `start` (None: zero), where `product` is v -> B v.

    They end after iteration i if q(d_i) < 0 and (q(d_i) - q(d_{i-k})) / q(d_i) < k epsilon, with k = max(10, i / 10);
    after the most iterations; or where v' B v <= 0. B is positive definite, so that the latter comes from rounding; the
    iterates before it are good, and the result says so.
    """
    d = 0.0 * gradient if start is None else start
    residual = gradient if start is None else product(start) + gradient  # B d + g, the gradient of q
    square, direction = float(residual @ residual), -1.0 * residual
    values = [0.5 * float(d @ (residual + gradient))]
    kept, reason, following = [Iterate(0, d, values[0])], LIMIT, 1
    products = 0 if start is None else 1
    for number in range(1, settings.iterations + 1):
        if square == 0.0:
            reason = EXACT
            break
        curved = product(direction)
        products += 1
        curvature = float(direction @ curved)
        if not curvature > 0.0 or not math.isfinite(curvature):
            reason = NEGATIVE
            break
        size = square / curvature
        d, residual = d + size * direction, residual + size * curved
        before, square = square, float(residual @ residual)
        direction = (square / before) * direction - residual
        values.append(0.5 * float(d @ (residual + gradient)))
        if number == following:
            kept.append(Iterate(number, d, values[-1]))
            following = max(number + 1, math.ceil(settings.spacing * number))
        if _little(values, settings.progress):
            reason = PROGRESS
            break
    if kept[-1].number < len(values) - 1:
        kept.append(Iterate(len(values) - 1, d, values[-1]))
    return Solution(kept, reason, products)


def _little(values: list[float], epsilon: float) -> bool:
    """Whether q made little progress in its last k iterations."""
    number = len(values) - 1
    k = max(10, number // 10)
    last = values[-1]
    return number > k and last < 0.0 and (last - values[-1 - k]) / last < k * epsilon


def backtrack(theta: Vector, iterates: list[Iterate], objective: Objective) -> tuple[Iterate, float]:
    """The iterate to step along and the objective there: from the last one back while it falls and q < 0.

    An iterate with q >= 0, near a start that was the solution of another batch, predicts no decrease.
    """
    chosen = iterates[-1]
    best = _finite(objective(theta + chosen.d))
    for earlier in reversed(iterates[:-1]):
        if earlier.number == 0 or earlier.q >= 0.0:
            break
        value = _finite(objective(theta + earlier.d))
        if value > best or (value == best and math.isfinite(value)):
            break
        chosen, best = earlier, value
    return chosen, best


def line_search(
    theta: Vector,
    value: float,
    gradient: Vector,
    d: Vector,
    full: float,
    objective: Objective,
    settings: Settings,
) -> tuple[float, float]:
    """The first step size of 1, 0.8, 0.8^2, ... with Armijo's condition, and the objective there; 0 if there is none.

    The condition is f(theta + a d) <= f(theta) + c a g'd; `full` is the objective for a = 1.
    """
    slope, step, found = float(gradient @ d), 1.0, full
    for _ in range(SEARCHES):
        if found <= value + settings.armijo * step * slope:
            return step, found
        step *= settings.shrink
        found = _finite(objective(theta + step * d))
    return 0.0, value


def adapted(damping: float, rho: float, reason: str, settings: Settings) -> float:
    """The next lambda (Levenberg-Marquardt): larger if rho < 1/4, smaller if rho > 3/4.

    It also grows if no decrease was predicted, or if rounding made a curvature negative.
    """
    if not rho >= 0.25 or reason == NEGATIVE:
        return damping / settings.lower
    return damping * settings.lower if rho > 0.75 else damping


def _finite(value: float) -> float:
    """The value, or inf in place of NaN."""
    return math.inf if math.isnan(value) else value
