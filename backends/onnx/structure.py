"""Operations across the axes of an element: layout, sums and products, symbols, fixed arrays."""

from __future__ import annotations

import numpy as np

from recurrency.graph.graph import Node

from .lower import Lower
from .products import product
from .values import Val
from .writer import Tensor

# --------------------------------------------------------------------------------------------------------- sources


def write_eye(low: Lower, node: Node) -> Val:
    return Val(low.w.array(np.eye(int(str(node.attrs["size"])), dtype=low.w.real), "identity"), 0, node.type)


def write_array(low: Lower, node: Node) -> Val:
    return Val(low.w.array(node.attrs["of"].array.astype(low.w.real), node.name or "array"), 0, node.type)


def write_length(low: Lower, node: Node) -> Val:
    return Val(low.sizes.lengths[node.attrs["clock"]].counted(), 1, node.type)


def write_batch(low: Lower, node: Node) -> Val:
    return Val(low.sizes.batch.apply("Squeeze").counted(), 0, node.type)


def write_random(low: Lower, node: Node) -> Val:
    """What a draw is out of training."""
    return low.literal(float(node.attrs.get("rest", 0.0)), node.type)


# --------------------------------------------------------------------------------------------------------- layout


def write_transpose(low: Lower, node: Node, x: Val) -> Val:
    order = list(node.attrs.get("axes") or reversed(range(x.rank)))
    tensor = x.tensor.permuted([*range(x.lead), *(x.lead + k for k in order)])
    return Val(tensor, x.lead, node.type, frozenset(order.index(k) for k in x.thin))


def write_reshape(low: Lower, node: Node, x: Val) -> Val:
    shape = node.type.shape
    if x.rank and len(x.thin) == x.rank:  # all elements are equal
        found = low.reshaped(x.tensor, x.lead, [[1]] * len(shape))
        return Val(found, x.lead, node.type, frozenset(range(len(shape))))
    x = low.full(x)
    return Val(low.reshaped(x.tensor, x.lead, [[d] for d in shape]), x.lead, node.type)


def write_expand(low: Lower, node: Node, x: Val) -> Val:
    """New axes stay thin: most operations need not repeat what is equal along them."""
    new: set[int] = set()
    for axis in node.attrs["axes"]:
        new = {k + (k >= axis) for k in new} | {axis}
    kept = [k for k in range(len(node.type.shape)) if k not in new]
    thin = new | {kept[k] for k in x.thin}
    return Val(x.tensor.unsqueezed(*(x.lead + k for k in new)), x.lead, node.type, frozenset(thin))


def write_concat(low: Lower, node: Node, *parts: Val) -> Val:
    lead = max(p.lead for p in parts)
    clock = next((p.type.clock for p in parts if p.lead == lead), None)
    tensors = [low.like(low.at(p, lead, clock), node.type) for p in parts]
    return Val(low.w.joined(tensors, lead), lead, node.type)


def write_slice(low: Lower, node: Node, x: Val) -> Val:
    if 0 in x.thin:
        return Val(x.tensor, x.lead, node.type, x.thin)
    return Val(x.tensor.rows(node.attrs["start"], node.attrs["stop"], x.lead), x.lead, node.type, x.thin)


def write_pad(low: Lower, node: Node, x: Val) -> Val:
    start, size, rows = node.attrs["start"], node.attrs["size"], x.shape[0]
    x = low.full(x)
    ends = [0] * (x.lead + x.rank), [0] * (x.lead + x.rank)
    ends[0][x.lead], ends[1][x.lead] = start, size - rows - start
    return Val(x.tensor.apply("Pad", low.w.whole(*ends[0], *ends[1])), x.lead, node.type)


# ------------------------------------------------------------------------------------------------- sums and products


def write_product(low: Lower, node: Node, a: Val, b: Val) -> Val:
    return product(low, node.attrs["spec"], a, b, node.type)


def write_sum(low: Lower, node: Node, x: Val) -> Val:
    return low.total(x, node.attrs["axes"])


def write_peak(low: Lower, node: Node, x: Val) -> Val:
    axes = node.attrs["axes"]
    x = low.cleared(low.full(x), axes, -np.inf)
    return low.without(x, axes, x.tensor.greatest(*(x.lead + k for k in axes)) if axes else x.tensor)


def write_cumsum(low: Lower, node: Node, x: Val) -> Val:
    x = low.cleared(low.full(x), [0])
    axis = low.w.whole(x.lead).apply("Squeeze")
    return x.named(x.tensor.apply("CumSum", axis, reverse=int(node.attrs["back"])))


def write_argmax(low: Lower, node: Node, x: Val) -> Val:
    """The first of the greatest elements; NaN counts as greatest, which onnxruntime's `ArgMax` does not see."""
    x = low.cleared(low.full(x), [0], -np.inf)
    how = {"axis": x.lead, "keepdims": 0}
    strange = x.tensor.apply("IsNaN").real()
    some = strange.summed(x.lead) > 0.0
    return Val(some.where(strange.apply("ArgMax", **how), x.tensor.apply("ArgMax", **how)), x.lead, node.type)


def write_softmax(low: Lower, node: Node, x: Val) -> Val:
    last = x.rank - 1
    x = low.cleared(low.full(x), [last], -np.inf)
    found = x.named(x.tensor.apply("Softmax", axis=x.lead + last))
    return low.cleared(found, [last])


def write_log_softmax(low: Lower, node: Node, x: Val) -> Val:
    """z - log1p(rest) with z = x - max(x): log(1 + rest) keeps its digits where all other elements are small."""
    from .ops import log1p

    last, axis = x.rank - 1, x.lead + x.rank - 1
    x = low.cleared(low.full(x), [last], -np.inf)
    z = x.tensor - x.tensor.greatest(axis, keep=True)
    most = z.equals(0.0)
    rest = _kept(most.where(0.0, z.apply("Exp")), axis) + (_kept(most.real(), axis) - 1.0)
    return low.cleared(x.named(z - log1p(rest)), [last])


def _kept(x: Tensor, axis: int) -> Tensor:
    return x.apply("ReduceSum", x.writer.whole(axis), keepdims=1)


# --------------------------------------------------------------------------------------------------------- symbols


def write_take(low: Lower, node: Node, x: Val, w: Val) -> Val:
    """A row of a table; zero where there is no symbol: a row of zeros is put before the table."""
    x, lead = low.full(x), max(x.lead, w.lead)
    clock = next(v.type.clock for v in (x, w) if v.lead == lead)
    if x.lead:
        x = low.at(x, lead, clock)
    front = low.nothing(x.type).apply("Expand", low.w("Shape", x.tensor.rows(0, 1, x.lead)))
    table = low.w.joined([front, x.tensor], x.lead)
    index = w.tensor.apply("Max", low.w.scalar(-1)) + low.w.scalar(1)
    if not x.lead:
        return Val(low.w("Gather", table, index, axis=0), lead, node.type)
    index = low.at(w.named(index), lead, clock).tensor
    return Val(low.w("GatherND", table, index.unsqueezed(lead), batch_dims=lead), lead, node.type)


def write_put(low: Lower, node: Node, x: Val, w: Val) -> Val:
    """The value in the row of a symbol, zero in the others."""
    rows = low.w.array(np.arange(node.attrs["size"], dtype=np.int64), "rows")
    chosen = w.tensor.unsqueezed(w.lead).equals(rows).unsqueezed(*(w.lead + 1 + k for k in range(x.rank)))
    thin = frozenset(1 + k for k in x.thin)
    return Val(chosen.where(x.tensor.unsqueezed(x.lead), 0.0), max(x.lead, w.lead), node.type, thin)
