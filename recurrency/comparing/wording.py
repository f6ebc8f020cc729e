"""Pieces of equations as a reader knows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from recurrency.comparing.cuts import TOGETHER, Cut
from recurrency.comparing.explaining import Piece
from recurrency.equations.polynomials import Call, Factor, Past, Product, Sum, Times
from recurrency.equations.printing import Printer


class Side(Printer):
    """One of the cells: its equations as they are read, and what its gates are called."""

    def __init__(self, cut: Cut, roles: Mapping[str, str]) -> None:
        super().__init__(cut)
        self.cut, self.roles = cut, roles

    def is_memory(self, factor: Factor) -> bool:
        """Whether a factor is a state that is no output."""
        return isinstance(factor, Past) and factor.stream in self.cut.cuts and factor.stream not in self.cut.outputs()

    def is_state(self, factor: Factor) -> bool:
        """Whether a factor is a state one step ago or more."""
        return isinstance(factor, Past) and factor.stream in self.cut.cuts and factor.delay > 0

    def text(self, piece: Piece) -> str:
        """A piece of an equation; a gate with what it does."""
        match piece:
            case None:
                return ""
            case Sum():
                return self.sum(piece)
            case Product():
                return self.text(piece.factors[0]) if len(piece.factors) == 1 else self.product(piece)
            case Call():
                name = self.forms.names.get(piece, "")
                role = self.roles.get(name, "gate" if piece.op == "sigmoid" and name else "")
                return f"{role} {self.factor(piece)}".strip()
        return self.factor(piece)

    def product(self, product: Product, coefficient: float = 1.0) -> str:
        """As in `Printer`; products with matrices in brackets among other factors."""
        several = len(product.factors) > 1
        texts = [f"({self.factor(f)})" if several and isinstance(f, Times) else self.factor(f) for f in product.factors]
        return " * ".join(([f"{coefficient:g}"] if coefficient != 1 or not texts else []) + texts)

    def factor(self, factor: Factor) -> str:
        """As in `Printer`; a state at this step is its name."""
        if isinstance(factor, Past) and not factor.delay:
            return self.forms.graph[factor.stream].name.rpartition(".")[2] or "its state"
        return super().factor(factor)

    def _call(self, call: Call) -> str:
        if call.op == "random":
            return "random numbers"
        return self.sum(call.args[0]) if call.op in (TOGETHER, "expand") else super()._call(call)


def listed(names: Iterable[str]) -> str:
    """`a, b and c`; members of a family by their common name, and many names cut short."""
    found = list(dict.fromkeys(names))
    if len(found) > MOST_NAMES:
        found = [*found[: MOST_NAMES - 1], f"{len(found) - MOST_NAMES + 1} more"]
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)


def plural(word: str, names: Sequence[str]) -> str:
    """A word for as many names as there are, and the names."""
    return f"{word}{'s' * (len(set(names)) > 1)} {listed(names)}" if word else listed(names)


MOST_NAMES = 6
"""Longer lists of names are cut short."""
