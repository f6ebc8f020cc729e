"""The equations of a graph, cut at its states: each state has its own equation and is a name in all others.

A named sum that is multiplied or used several times stays one call of an identity function. Expanded, a recurrence with
many operations in one step would not end.
"""

from __future__ import annotations

from collections.abc import Mapping

from recurrency.equations.forms import Forms, Part, source, whole_size
from recurrency.equations.polynomials import Call, Past, Product, Range, Sum, collected, constant, factors, single
from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.graph.roots import OUTPUT
from recurrency.passes import cse, simplify
from recurrency.program.before import declared

RESULTS = (OUTPUT.prefix, "loss")
"""The roots whose equations are compared."""
TOGETHER = ""
"""The name of the identity function around a named sum."""


class Cut(Forms):
    """The equations of one graph.

    `readings` replaces gates: by one minus another gate, or by one minus the gate itself (None).
    """

    def __init__(self, graph: Graph, readings: Mapping[Part, Part | None] | None = None) -> None:
        super().__init__(graph)
        self.readings = dict(readings or {})
        self.first: dict[int, tuple[int, ...]] = {}
        """For each stream that is read with a delay, the nodes of its initial values, the newest first."""
        for node in map(graph.__getitem__, graph):
            if node.delay:
                self.first[node.args[0]] = max(self.first.get(node.args[0], ()), declared(graph, node), key=len)
        self.cuts = frozenset(id for id in self.first if Trait.INPUT not in graph[id].op.traits)

    @classmethod
    def of(cls, graph: Graph) -> Cut:
        """The equations of the outputs and losses of an elaborated graph, which is simplified first."""
        results = graph.select([root for root in graph.roots if root.startswith(RESULTS)])
        return cls(cse.cse(simplify.simplify(results)))

    def reading(self, readings: Mapping[Part, Part | None]) -> Cut:
        """The same equations with more gates replaced."""
        return Cut(self.graph, {**self.readings, **readings})

    def pieces(self, part: Part) -> list[Part]:
        """As in `Forms`, but states are not split."""
        return [part] if part[0] in self.cuts else super().pieces(part)

    def results(self) -> list[Sum]:
        """The equations of all roots."""
        return [self.whole(id) for id in self.graph.roots.values()]

    def draws(self) -> list[str]:
        """The names of its random streams."""
        return [source(node) for node in map(self.graph.__getitem__, self.graph) if "site" in node.attrs]

    def outputs(self) -> set[int]:
        """The states that are results themselves."""
        found = [form.terms for form in self.results() if len(form.terms) == 1]
        factors = [product.factors[0] for terms in found for product in terms if len(product.factors) == 1]
        return {factor.stream for factor in factors if isinstance(factor, Past)}

    def definition(self, id: int) -> Sum:
        """The equation of a state."""
        part = id, self.rows(id)
        pieces = super().pieces(part)
        if len(pieces) > 1:
            return single(Call("concat", "", tuple(self.form(piece) for piece in pieces)))
        return super()._made(*part) if pieces[0] == part else self.form(pieces[0])

    def rows(self, id: int) -> Range | None:
        """All rows of a value."""
        shape = self.graph[id].type.shape
        return (0, whole_size(shape[0])) if shape else None

    def _made(self, id: int, rows: Range | None) -> Sum:
        if id in self.cuts:
            return single(Past(id, rows, 0, ()))
        made = super()._made(id, rows)
        if len(made.terms) > 1 and Product() not in made.terms and self._is_kept(id):
            call = Call(TOGETHER, "", (made,))
            self.names[call] = self.graph[id].name
            return single(call)
        if (id, rows) not in self.readings:
            return made
        other = self.readings[id, rows]
        return constant(1.0) + (made if other is None else self.form(other)).scaled(-1.0)

    def _is_kept(self, id: int) -> bool:
        """Whether a named sum is not expanded."""
        users = [self.graph[user].op for user in self.graph.nx.successors(id)]
        return bool(self.graph[id].name) and (len(users) > 1 or any(Trait.FACTORS in op.traits for op in users))

    def states(self, results: list[Sum]) -> list[int]:
        """The states that equations need, directly or through other states, in the order of the search."""
        found: dict[int, None] = {}
        later = list(results)
        while later:
            for factor in factors(later.pop(0)):
                if isinstance(factor, Past) and factor.stream in self.cuts and factor.stream not in found:
                    found[factor.stream] = None
                    later.append(self.definition(factor.stream))
        return list(found)

    def needs(self, part: Part, wanted: int) -> bool:
        """Whether a value needs a node at the same step, given the current readings."""
        later, seen = [part[0]], set()
        others = {id: other for (id, _), other in self.readings.items()}
        while later:
            id = later.pop()
            if id == wanted:
                return True
            if id in seen or (id in self.cuts and id != part[0]):
                continue
            seen.add(id)
            other = others.get(id)
            node = self.graph[id]
            later += [other[0]] if other else list(declared(self.graph, node) if node.delay else node.args)
        return False

    def families(self) -> dict[str, dict[str, Part]]:
        """The named values of `sigmoid` that have been visited, as families by their indices."""
        found: dict[str, dict[str, Part]] = {}
        for id, rows in sorted(self._known, key=lambda part: (part[0], part[1] or (0, 0))):
            node = self.graph[id]
            if Trait.LOGISTIC in node.op.traits and node.name:
                base, index = unindexed(node.name)
                found.setdefault(base, {})[f"{index}{rows}"] = id, rows
        return found


def unindexed(name: str) -> tuple[str, str]:
    """A name without its last index, and the index: `enc[1].g[2]` gives `enc[1].g` and `[2]`."""
    base, bracket, index = name.rpartition("[") if name.endswith("]") else (name, "", "")
    return base, bracket + index


def spliced(form: Sum) -> Sum:
    """A sum with the kept sums among its terms expanded."""
    if not any(map(_kept, form.terms)):
        return form
    pairs: list[tuple[Product, float]] = []
    for product, coefficient in form.terms.items():
        kept = _kept(product)
        inner = spliced(kept.args[0]) if kept else Sum({product: 1.0})
        pairs += inner.scaled(coefficient).terms.items()
    return collected(pairs)


def _kept(product: Product) -> Call | None:
    """The sum that a product consists of, if it has been kept together."""
    factor = product.factors[0] if len(product.factors) == 1 else None
    return factor if isinstance(factor, Call) and factor.op == TOGETHER else None
