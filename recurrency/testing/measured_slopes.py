"""Derivatives compared with finite differences.

All backends share the table of gradient rules, and so does the interpreter: a wrong rule is the same everywhere. Here
the interpreter's derivatives along random directions are compared with central differences in float64, whose error is
of the sixth order in the step. If the differences of two step sizes disagree (near a jump, or in chaos), the derivative
is not judged. `stop_grad` and `clip_grad` change gradients and no values: a cell that has them is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from recurrency.graph.op import Trait
from recurrency.graph.roots import GRADIENT, PARAM, TANGENT, group_of
from recurrency.testing.bench import Bench, bench
from recurrency.testing.compare import Difference
from recurrency.testing.outcomes import KINDS, Call, Results

if TYPE_CHECKING:
    from recurrency.graph.op import Array
    from recurrency.model.spec import Spec
    from recurrency.testing.case import Case, Data

WEIGHTS = ((1, 45), (2, -9), (3, 1))
"""Central differences of the sixth order: distance in steps, and weight in 1/60 of a step."""
ONE_SIDED = ((0, -11), (1, 18), (2, -9), (3, 2))
"""Differences of the third order to one side: distance, and weight in 1/6 of a step."""
STEP = 2e-3
SHORTER = (STEP / 16, STEP / 128)
AWAY = 32 * STEP
"""Beyond the reach of differences."""
SIDES = 1e-3
AGREE = 1e-5
"""Differences of two step sizes are trusted if they agree to this, relative to the terms of the slope."""
ROUNDING = 1e-13 / STEP
"""The relative error of a difference that comes from rounding the values."""
LEAST = 1e-9


def measured(f: Callable[[float], float], step: float = STEP) -> tuple[float, float]:
    """The derivative at 0, and how far it may be off: what another step size, and what each side by itself, says.

    The latter count as far as they differ by more than `SIDES`, for they are of lower order: they see a bend at 0.
    """
    at = cache(lambda k: f(k * step))
    fine, coarse = (sum(w * (at(m * k) - at(-m * k)) for k, w in WEIGHTS) / (60 * m * step) for m in (1, 2))
    left, right = (sum(w * at(m * k) for k, w in ONE_SIDED) / (6 * m * step) for m in (-1, 1))
    bend = abs(left - right)
    return fine, max(abs(fine - coarse), bend if bend > SIDES * max(abs(left), abs(right)) else 0.0)


def slopes(spec: Spec, case: Case) -> list[Difference]:
    """The interpreter's derivatives that disagree with finite differences: of results, of the loss, of its gradient."""
    work = bench(spec)
    call = _off_ties(Call.of(work.reference_model(case), case.of("float64").clean()))
    graph = work.elaborated(case.dimensions).graph
    if any(Trait.SILENT in graph[id].op.traits for id in graph):
        return []
    able = set(work.possible(case))
    checks = (_Checker(work, call, kind) for kind in CHECKS if kind in able)
    with np.errstate(all="ignore"):
        return [found for check in checks for found in check.differences()]


def _off_ties(call: Call) -> Call:
    """The call moved along its tangents: where numbers are equal or zero, max, abs and similar functions have a kink.

    A line through such a point need not see it: max(u v, u v / 2) at u = v = 0 is a parabola along every line.
    """
    data = moved(call.data, AWAY)
    return Call(call.model, call.case, data, call.model.pack(data.params))


def moved(data: Data, by: float, only: str | None = None) -> Data:
    """The arrays of a call, moved along their tangents (or along that of one of them)."""

    def go(group: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
        names = {n: f"{group}:{n}" for n in arrays}
        return {
            n: a + by * data.tangents[names[n]] if names[n] in data.tangents and only in (None, names[n]) else a
            for n, a in arrays.items()
        }

    state = None if data.state is None else go("start", data.state)
    return replace(data, params=go("param", data.params), inputs=go("input", data.inputs), state=state)


def _at(call: Call, data: Data, kind: str) -> Results:
    return KINDS[kind](Call(call.model, call.case, data, call.model.pack(data.params)))


def _along(call: Call, found: Results, groups: tuple[str, ...]) -> Iterator[tuple[str, str, Array]]:
    """The name of each tangent, and the terms of its product with the gradient."""
    for name, direction in call.data.tangents.items():
        key = GRADIENT.of(PARAM.name(name))
        if group_of(name) in groups and key in found:
            yield key, name, found[key] * direction


def _weighted(call: Call, found: Results) -> float:
    """The weighted sum of all results."""
    return float(sum((found[r] * seed).sum() for r, seed in call.data.seeds.items() if r in found))


def _steepness(call: Call, found: Results) -> float:
    """The slope of the loss along the direction."""
    return float(sum(terms.sum() for _, _, terms in _along(call, found, ("param",))))


@dataclass(frozen=True)
class Check:
    """A number whose derivative is known: the kind of call that gives it, how, and the sources it depends on."""

    value: str
    number: Callable[[Call, Results], float]
    sources: tuple[str, ...]


ALL = ("param", "input", "start")
CHECKS = {
    "vjp": Check("forward", _weighted, ALL),
    "loss_gradients": Check("loss", lambda call, found: float(found["loss"]), ALL),
    "hvp": Check("loss_gradients", _steepness, ("param",)),
}
"""Kind of call -> what its gradients are the gradients of."""


@dataclass
class _Checker:
    """One kind of gradients of one case."""

    work: Bench
    call: Call
    kind: str

    def differences(self) -> list[Difference]:
        """All gradients together first; if they are wrong, each by itself."""
        found = KINDS[self.kind](self.call)
        check = CHECKS[self.kind]
        parts = list(_along(self.call, found, check.sources))
        whole = self._tested("", None, [terms for _, _, terms in parts], check)
        if whole is None or self.kind == "hvp":
            return [whole] if whole is not None else self._forward(check)
        return [d for key, name, terms in parts if (d := self._tested(key, name, [terms], check)) is not None] or [
            whole
        ]

    def _tested(self, key: str, only: str | None, terms: list[Array], check: Check) -> Difference | None:
        exact = float(sum(t.sum() for t in terms))
        return self._compared(key or "gradient", exact, only, check, sum(float(np.abs(t).sum()) for t in terms))

    def _compared(self, key: str, exact: float, only: str | None, check: Check, scale: float) -> Difference | None:
        def f(by: float) -> float:
            return check.number(self.call, _at(self.call, self._moved(by, only, check), check.value))

        number, doubt = measured(f)
        scale = max(scale, abs(number), ROUNDING * abs(f(0.0)) / AGREE, LEAST)
        if not np.isfinite([exact, number, doubt]).all() or doubt > AGREE * scale:
            return None
        bound = 2 * AGREE * scale
        if abs(exact - number) <= bound or self._nearer(f, exact, scale):
            return None
        greatest = abs(exact - number) / bound
        what = f"the derivative {key} along a direction is {exact:.9g}, and differences say {number:.9g}"
        return Difference(self.kind, key, (), exact, number, bound, greatest, "float64", (), what)

    def _nearer(self, f: Callable[[float], float], exact: float, scale: float) -> bool:
        """Whether shorter steps approach the derivative after all.

        A slight bend between here and the farthest step can lead those of both sizes the same way; one that is wrong
        by itself stays so, however short they are.
        """
        for step in SHORTER:
            rounding = ROUNDING * STEP / step * abs(f(0.0))
            if abs(exact - measured(f, step)[0]) <= 2 * AGREE * scale + rounding:
                return True
        return False

    def _moved(self, by: float, only: str | None, check: Check) -> Data:
        tangents = {n: t for n, t in self.call.data.tangents.items() if group_of(n) in check.sources}
        return moved(replace(self.call.data, tangents=tangents), by, only)

    def _forward(self, check: Check) -> list[Difference]:
        """The same slope by the product with the Jacobian, which has its own derivation."""
        if self.kind != "vjp" or not self.call.data.seeds:
            return []
        found = {TANGENT.name(k): a for k, a in KINDS["jvp"](self.call).items()}
        terms = [found[r] * seed for r, seed in self.call.data.seeds.items() if r in found]
        scale = sum(float(np.abs(t).sum()) for t in terms)
        one = self._compared("tangent", float(sum(t.sum() for t in terms)), None, check, scale)
        return [] if one is None else [replace(one, kind="jvp")]
