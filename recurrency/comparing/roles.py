"""Finds the role of a gate (input gate, forget gate, ...) from its place in the equations, not from its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from recurrency.comparing.alignment import linear
from recurrency.comparing.cuts import Cut
from recurrency.equations.polynomials import Call, Factor, Past, Product, Sum, factors


@dataclass(frozen=True)
class Use:
    """A gate as a factor of a product in a sum; `state` is the state that the sum defines (-1 for none).

    `nested` says whether the sum is the argument of a function.
    """

    gate: Call
    product: Product
    form: Sum
    state: int
    nested: bool

    @property
    def rest(self) -> Product:
        """The other factors."""
        return Product(tuple(factor for factor in self.product.factors if factor != self.gate))

    @property
    def keeps_past(self) -> bool:
        """Whether the sum reads the state that it defines at an earlier step."""
        return any(self.is_own(factor) for product in self.form.terms for factor in product.factors)

    def is_own(self, factor: Factor) -> bool:
        """Whether a factor is that state at an earlier step."""
        return isinstance(factor, Past) and factor.stream == self.state and factor.delay > 0


def _updates(use: Use) -> bool:
    coefficient = use.form.terms[use.product]
    return use.form.terms.get(use.rest) == -coefficient


def _forgets(use: Use) -> bool:
    return len(use.rest.factors) == 1 and use.is_own(use.rest.factors[0])


def _resets(use: Use) -> bool:
    term = linear(use.product)
    return use.nested and term is not None and any(isinstance(f, Past) and f.delay for f in term.inner)


def _lets_in(use: Use) -> bool:
    own = use.state >= 0 and use.gate in use.product.factors and use.keeps_past
    return own and not any(isinstance(factor, Past) for factor in use.rest.factors)


def _lets_out(use: Use) -> bool:
    inner = factors(Sum({use.rest: 1.0}))
    return not use.nested and any(isinstance(f, Past) and f.stream != use.state and f.delay == 0 for f in inner)


ROLES: dict[str, Callable[[Use], bool]] = {
    "update gate": _updates,
    "forget gate": _forgets,
    "reset gate": _resets,
    "input gate": _lets_in,
    "output gate": _lets_out,
}
"""Roles and their conditions; the first one that holds counts."""


def roles(cut: Cut, results: list[Sum]) -> dict[str, str]:
    """The roles of gates by the names of the gates."""
    uses = list(_uses(cut, results))
    found: dict[str, str] = {}
    for role, fits in ROLES.items():
        for use in uses:
            if use.gate in cut.names and fits(use):
                found.setdefault(cut.names[use.gate], role)
    return found


def _uses(cut: Cut, results: list[Sum]) -> Iterator[Use]:
    states = cut.states(results)
    later = [(form, -1, False) for form in results] + [(cut.definition(state), state, False) for state in states]
    seen: set[Sum] = set()
    while later:
        form, state, nested = later.pop()
        if form in seen:
            continue
        seen.add(form)
        for product in form.terms:
            every = list(factors(Sum({product: 1.0})))
            for gate in (f for f in every if isinstance(f, Call) and f.op == "sigmoid"):
                yield from _places(gate, product, form, state, nested)
            later += [(arg, -1, True) for f in every if isinstance(f, Call) for arg in f.args]


def _places(gate: Call, product: Product, form: Sum, state: int, nested: bool) -> Iterator[Use]:
    """The use of a gate as a factor of a term or of the vector in it."""
    term = linear(product)
    if gate in (product.factors if term is None else term.factors):
        yield Use(gate, product, form, state, nested)
