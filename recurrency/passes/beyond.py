"""Fixed arrays that do not fit into a dtype."""

from __future__ import annotations

import numpy as np

from recurrency.errors import UsageError
from recurrency.graph.fixed import Fixed
from recurrency.graph.graph import Graph
from recurrency.passes.stepwise import place_text


def beyond(graph: Graph, dtype: str, greatest: float | None = None) -> None:
    """Check that the elements of the fixed arrays of a graph fit into a dtype, whose greatest number may be given.

    Raises:
        UsageError: one would become infinite.
    """
    greatest = float(np.finfo(dtype).max) if greatest is None else greatest
    for id in graph.order():
        fixed = graph[id].attrs.get("of")
        if not isinstance(fixed, Fixed) or fixed.data is None or not fixed.elements:
            continue
        array = fixed.array
        size = np.abs(array)
        if size.max() > greatest:
            at = np.unravel_index(int(size.argmax()), array.shape)
            element = f"element [{', '.join(str(k + 1) for k in at)}] (counted from 1) is {array[at]:g}"
            why = f"makes a fixed array whose {element}; {dtype} ends at {greatest:.3g}: use float64"
            raise UsageError(place_text(graph[id], why))
