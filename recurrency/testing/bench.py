"""The models of one spec, and the interpreter's results for each case: computed once, used for all backends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.backend import Backend, find
from recurrency.model.graphs import SWITCHES
from recurrency.model.model import Model
from recurrency.testing.outcomes import PARTS, Results, outcome, possible
from recurrency.testing.padding import Spoilt
from recurrency.testing.rounding import DRAWS, SAFETY, Jiggler, first_bound

if TYPE_CHECKING:
    from recurrency.graph.op import Array
    from recurrency.language.elaboration.elaborate import Elaborated
    from recurrency.model.spec import Spec
    from recurrency.testing.case import Case

GREATEST = 4000
"""The cache is emptied when it has this many results."""

MOST_SPECS = 4
"""The number of specs whose models are cached; a failing spec is compared with smaller ones."""


class Bench:
    """Compiles one spec as often as its comparisons need, each variant once.

    The reference is the interpreter in float64 on the unoptimised graph.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._elaborated: dict[str, Elaborated] = {}
        self._models: dict[Any, Model] = {}
        self._results: dict[Any, Results] = {}
        self._jigglers: dict[str, Jiggler] = {}

    def elaborated(self, dimensions: Mapping[str, Any]) -> Elaborated:
        """The graph for these dimensions."""
        key = repr(sorted(dimensions.items()))
        if key not in self._elaborated:
            self._elaborated[key] = self.spec.elaborate(**dimensions)
        return self._elaborated[key]

    def model(
        self,
        dimensions: Mapping[str, Any],
        backend: str | Backend,
        dtype: str,
        without: Collection[str] = (),
        spoilt: bool = False,
    ) -> Model:
        """The cell compiled for a backend; with `spoilt`, padding has arbitrary content.

        Raises:
            UsageError: the backend can't run here, or there is no such switch.
        """
        name, one = (backend, 0) if isinstance(backend, str) else (backend.name, id(backend))
        sizes = repr(sorted(dimensions.items()))
        key = (sizes, name, one, dtype, frozenset(without), spoilt)
        if key not in self._models:
            chosen = find(backend) if isinstance(backend, str) else backend
            chosen = Spoilt(chosen) if spoilt else chosen
            self._models[key] = Model(self.spec, self.elaborated(dimensions), chosen, dtype, False, sorted(without))
        return self._models[key]

    def reference_model(self, case: Case) -> Model:
        """The cell compiled for the interpreter."""
        return self.model(case.dimensions, "interpreter", "float64", SWITCHES)

    def possible(self, case: Case) -> list[str]:
        """The kinds of calls that can be compared for a case."""
        return possible(self.reference_model(case), case)

    def reference(self, case: Case, kind: str) -> Results:
        """The interpreter's results in float64, with zeros in the padding, and without a mask; do not change them."""
        case = case.clean()
        make = partial(outcome, self.reference_model(case), case, bare=True)
        return self._known(("reference", case.key), kind, make)

    def scatter(self, case: Case, kind: str, draws: int, compute: str = "") -> Results:
        """How far rounding errors of the case's dtype move the results; infinite where some draw is not finite.

        `compute` is what the operands of products are rounded to.
        """
        case = case.clean()
        make = partial(self._scatter, case, draws=draws, compute=compute)
        return self._known(("scatter", case.key, draws, compute), kind, make)

    def _known(self, key: tuple[Any, ...], kind: str, make: Callable[[str], Results]) -> Results:
        """The results of a kind, combined from other kinds that already have them."""
        parts, prefixes = PARTS.get(kind, ((kind,), ("",)))
        out: Results = {}
        for part in parts:
            found = self._once((*key, part), partial(make, part))
            out |= {result: array for result, array in found.items() if result.startswith(prefixes)}
        return out

    def _once(self, key: Any, make: Callable[[], Results]) -> Results:
        if key not in self._results:
            if len(self._results) > GREATEST:
                self._results.clear()
            self._results[key] = make()
        return self._results[key]

    def _scatter(self, case: Case, kind: str, draws: int, compute: str) -> Results:
        jiggler = self._jigglers.setdefault(case.dtype + compute, Jiggler(case.dtype, compute=compute))
        model = self.model(case.dimensions, jiggler, "float64", SWITCHES)
        jiggler.seed(case.seed)
        wanted = self.reference(case, kind)
        out = {key: np.zeros(np.shape(a)) for key, a in wanted.items()}
        for _ in range(draws):
            for key, moved in outcome(model, case, kind, bare=True).items():
                with np.errstate(invalid="ignore"):
                    distance = np.abs(moved.astype(float) - wanted[key])
                out[key] = np.maximum(out[key], np.where(np.isfinite(distance), distance, np.inf))
        return out

    def bound(self, case: Case, kind: str, key: str, effort: int = 0, compute: str = "") -> Array:
        """The bound on the error of each element of one result; with more `effort`, by the condition of the case.

        `compute` is what the backend rounds the operands of products to.
        """
        wanted = self.reference(case, kind)[key]
        if wanted.dtype.kind == "i":
            return np.zeros(wanted.shape)
        bound = first_bound(self.reference_model(case), case, wanted)
        if effort:
            bound = bound + SAFETY * self.scatter(case, kind, DRAWS[effort - 1], compute)[key]
        return bound


@lru_cache(maxsize=MOST_SPECS)
def bench(spec: Spec) -> Bench:
    """The bench of a spec, the same one for the specs used last.

    A bench holds its spec: in a dictionary with weak keys neither would ever go.
    """
    return Bench(spec)
