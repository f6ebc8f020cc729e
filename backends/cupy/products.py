"""Matrix products as calls of cuBLAS by the driver; arrays are attributes of a plan, `p.NAME`."""

from __future__ import annotations

from recurrency.graph.cost import count
from recurrency.graph.dimensions import Dim
from recurrency.graph.types import Kind
from recurrency.program.program import Place

from ..kernels.arrays import VECTORS, Array
from ..kernels.index import clock_size
from ..kernels.products import Factor, MatrixProduct, Products


class CudaProducts(Products):
    """Writes the operands and results of products as text of Python."""

    def factor(self, factor: Factor, sizes: dict[str, Dim], stepped: bool) -> str:
        """An operand as a matrix."""
        place = self.program.places[factor.node]
        text = self.array(place, stepped)
        one, other = factor.axes[: factor.split], factor.axes[factor.split :]
        vector = self.memory.array(place.buffer).home in VECTORS
        if vector or len(one) != 1 or len(other) != 1 or any(view.op == "reshape" for view in place.views):
            text = f"{text}.reshape({self.size(one, sizes)}, {self.size(other, sizes)})"
        return f"{text}.T" if factor.turned else text

    def array(self, place: Place, stepped: bool) -> str:
        """The array of a value with its axes in the order of memory; `factor` transposes it where needed."""
        array = self.memory.array(place.buffer)
        text = whole(array, place.delay, stepped)
        if array.home in VECTORS:
            return self._part(array, place)
        lead = max(int(place.kind) - (1 if place.kind is Kind.STREAM and (stepped or not array.timed) else 0), 0)
        for view in place.views:
            if view.op == "slice":
                text = f"{text}[{', '.join([*[':'] * lead, f'{view.numbers[0]}:{view.numbers[1]}'])}]"
        return text

    def _part(self, array: Array, place: Place) -> str:
        """A slice of a flat vector."""
        start, shape = array.offset, array.shape
        for view in place.views:
            if view.op == "slice":
                start += view.numbers[0] * count(shape[1:])
            shape = view.shape
        return f"p.{array.name}[{start}:{start + count(shape)}]"

    def out(self, product: MatrixProduct, array: Array, stepped: bool) -> str:
        """The array of the result, as a matrix."""
        rows, columns = self.size(product.rows, product.sizes), self.size(product.columns, product.sizes)
        text = whole(array, 0, stepped)
        if len(product.rows) == 1 and len(product.columns) == 1 and array.home not in VECTORS:
            return text
        return f"{text}.reshape({rows}, {columns})"


def whole(array: Array, delay: int, stepped: bool) -> str:
    """An array at all steps, `delay` steps before; or (`stepped`) its row at step `t`."""
    if array.home in VECTORS:
        return f"p.{array.name}[{array.offset}:{array.offset + count(array.shape)}]"
    text, first = f"p.{array.name}", array.front - delay
    if not array.timed:
        return text
    if stepped:
        return f"{text}[t{f' + {first}' if first > 0 else f' - {-first}' if first else ''}]"
    if not array.front and not array.behind:
        return text
    steps = clock_size(array.clock)
    return f"{text}[{first}:{first} + {steps}]" if first else f"{text}[:{steps}]"
