"""Prints sums for messages: with the names of parameters and streams, and shortened."""

from __future__ import annotations

from collections.abc import Callable

from recurrency.equations.forms import Forms
from recurrency.equations.polynomials import Block, Call, Factor, Input, Past, Product, Sum, Times

LONGEST = 90
"""Longer sums are cut, in characters."""


class Printer:
    """Prints parts of one system of equations; `rename` maps the names of parameters."""

    def __init__(self, forms: Forms, rename: Callable[[str], str] = str) -> None:
        self.forms, self.rename = forms, rename

    def equation(self, form: Sum) -> str:
        """A sum as the right side of an equation; if it is only a name, the expression behind the name."""
        calls = [factor for product in form.terms for factor in product.factors if isinstance(factor, Call)]
        if len(form.terms) == 1 and len(calls) == 1 and form.terms.get(Product((calls[0],))) == 1:
            return _short(self._call(calls[0]))
        return self.sum(form)

    def sum(self, form: Sum) -> str:
        """A sum, its terms in the order of the text."""
        text = ""
        for product, coefficient in form.terms.items():
            sign = "-" if coefficient < 0 else "+"
            term = self.product(product, abs(coefficient))
            text += f" {sign} {term}" if text else (f"-{term}" if coefficient < 0 else term)
        return _short(text or "0")

    def product(self, product: Product, coefficient: float = 1.0) -> str:
        """A product with its coefficient."""
        several = len(product.factors) > 1
        factors = [
            f"({self.factor(f)})" if several and isinstance(f, Times) else self.factor(f) for f in product.factors
        ]
        if coefficient != 1 or not factors:
            factors.insert(0, f"{coefficient:g}")
        return " * ".join(factors)

    def factor(self, factor: Factor) -> str:
        """A factor."""
        match factor:
            case Block():
                return self.block(factor)
            case Input():
                return factor.name
            case Past():
                name = self.forms.graph[factor.stream].name.rpartition(".")[2] or "its state"
                return f"{name}[t{-factor.delay:+d}]" if factor.delay else name
            case Times():
                return f"{self.block(factor.matrix)} @ {self._inner(factor.vector)}"
            case Call():
                name = self.forms.names.get(factor, "").rpartition(".")[2]
                return name or self._call(factor)

    def _call(self, call: Call) -> str:
        if call.op == "random":
            return "random numbers"
        if call.op == "expand":
            return self.sum(call.args[0])
        return f"{call.op}({', '.join(map(self.sum, call.args))})"

    def block(self, block: Block) -> str:
        """A block of a parameter, with its ranges if it is not the whole: from 0, the end exclusive."""
        graph = self.forms.graph
        whole = graph[graph.sources("param")[block.name]].type.shape
        cut = [
            "" if (start, stop) == (0, size) else f"{start}:{stop}"
            for (start, stop), size in zip(block.ranges, whole, strict=True)
        ]
        text = self.rename(block.name)
        if any(cut):
            text += f"[{', '.join(c or ':' for c in cut)}]"
        return f"transpose({text})" if block.transposed else text

    def _inner(self, product: Product) -> str:
        text = self.product(product)
        return f"({text})" if len(product.factors) > 1 else text


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."
