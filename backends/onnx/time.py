"""Operations across time and sequences."""

from __future__ import annotations

from recurrency.graph.graph import Node

from .lower import Lower
from .values import Val
from .writer import HUGE, Tensor


def write_shift(low: Lower, node: Node, x: Val, *firsts: Val) -> Val:
    """Another step of a stream, outside of loops: rows are put before the first step, or after the last one."""
    clock, delay = str(node.type.clock), node.delay
    steps, x = low.sizes.steps[clock], low.at(x, 2, clock)
    rows = first_rows(low, node, firsts)
    if delay > 0:
        long = low.w.joined([rows, x.tensor], 0)
        return Val(_rows(long, low.w.whole(0), steps), 2, node.type)
    long = low.w.joined([x.tensor, rows], 0)
    return Val(_rows(long, low.w.whole(-delay), low.w.whole(HUGE)), 2, node.type)


def _rows(x: Tensor, start: Tensor, stop: Tensor, axis: int = 0) -> Tensor:
    return x.writer("Slice", x, start, stop, x.writer.whole(axis))


def first_rows(low: Lower, node: Node, firsts: tuple[Val, ...]) -> Tensor:
    """What a delayed use reads in its first steps, as many as the delay has, [steps, B, ...]."""
    count = abs(node.delay)
    if not firsts:
        return low.zeros(node.type, low.w.whole(count), low.sizes.batch)
    if is_line_of(node, firsts):
        line = low.at(firsts[0], 1)
        return low.w("Transpose", line.tensor, perm=[1, 0, *range(2, 1 + line.rank)])
    found = [low.like(low.at(f, 1), node.type).unsqueezed(0) for f in firsts]
    return low.w.joined(found * count if len(found) == 1 else found, 0)


def is_line_of(node: Node, firsts: tuple[Val, ...]) -> bool:
    """Whether the first values are one value with a row for each step of the delay."""
    return len(firsts) == 1 and firsts[0].rank > len(node.type.shape)


def before(low: Lower, node: Node, firsts: tuple[Val, ...], step: int) -> Val:
    """What a delayed use reads at one of its first steps."""
    if not firsts:
        return nothing(low, node)
    if is_line_of(node, firsts):
        line = low.at(firsts[0], 1)
        return Val(low.w("Gather", line.tensor, low.w.scalar(step), axis=1), 1, node.type)
    first = firsts[0] if len(firsts) == 1 else firsts[step]
    return Val(low.like(first, node.type), first.lead, node.type, first.thin)


def nothing(low: Lower, node: Node) -> Val:
    """Zeros, or no symbols."""
    return low.literal(0.0 if node.type.index is None else -1.0, node.type)


def write_pick(low: Lower, node: Node, x: Val) -> Val:
    """The value at a step, counted from 1, or from -1 backwards; zero where there is no such step."""
    clock, step = str(x.type.clock), node.attrs["step"]
    lengths = low.sizes.lengths[clock]
    found = (lengths * low.w.whole(0) if step > 0 else lengths + low.w.whole(1)) + low.w.whole(step)
    inside = found.apply("LessOrEqual", lengths).apply("And", found.apply("GreaterOrEqual", low.w.whole(1)))
    row = low.w("Where", inside, found, low.w.whole(0))
    x = low.at(x, 2, clock)
    long = low.w.joined([low.zeros(x.type, low.w.whole(1), low.sizes.batch), x.tensor], 0)
    return Val(at_rows(low, long, row), 1, node.type)


def at_rows(low: Lower, x: Tensor, rows: Tensor) -> Tensor:
    """The row of a stream [T, B, ...] for each sequence, [B, ...]."""
    w = low.w
    sequences = w("Range", w.scalar(0), low.sizes.batch.apply("Squeeze"), w.scalar(1))
    return w("GatherND", x, w.joined([rows.unsqueezed(1), sequences.unsqueezed(1)], 1))


def write_final(low: Lower, node: Node, x: Val, *firsts: Val) -> Val:
    """The value at the last step, or `slot` steps before; a first value where the sequence is shorter."""
    slot = node.attrs["slot"]
    if low.sizes.single:
        return low.stored(x) if slot == 0 else firsts[slot - 1]
    clock = str(x.type.clock)
    rows = [low.like(low.at(f, 1), node.type).unsqueezed(0) for f in reversed(firsts)]
    long = low.w.joined([*rows, low.at(x, 2, clock).tensor], 0)
    last = low.sizes.lengths[clock] + low.w.whole(len(firsts) - 1 - slot)
    return Val(at_rows(low, long, last), 1, node.type)


def write_history(low: Lower, node: Node, x: Val, *lines: Val) -> Val:
    """The last steps, [B, rows, ...], the oldest first; before the first step, the rows of the second argument."""
    rows = int(str(node.type.shape[0]))
    if lines:
        front = low.at(lines[0], 1).tensor
    else:
        front = low.zeros(x.type, low.sizes.batch, low.w.whole(rows))
    clock = str(x.type.clock)
    if low.sizes.single:
        last = low.at(x, 1).tensor.unsqueezed(1)
        return Val(low.w.joined([front.rows(1, HUGE, 1), last], 1), 1, node.type)
    stream = low.at(x, 2, clock).tensor.permuted([1, 0, *range(2, 2 + x.rank)])
    long = low.w.joined([front, stream], 1)
    places = low.sizes.lengths[clock].unsqueezed(1) + low.w.whole(*range(rows))
    return Val(low.w("GatherND", long, places.unsqueezed(2), batch_dims=1), 1, node.type)


def write_reverse(low: Lower, node: Node, x: Val) -> Val:
    clock = str(node.type.clock)
    x = low.at(x, 2, clock)
    lengths = low.sizes.lengths[clock]
    return x.named(low.w("ReverseSequence", x.tensor, lengths, time_axis=0, batch_axis=1))


def write_sum_time(low: Lower, node: Node, x: Val) -> Val:
    if low.sizes.single:
        return Val(low.at(x, 1).tensor, 1, node.type)
    x = low.at(x, 2, x.type.clock)
    return Val(x.tensor.summed(0), 1, node.type)


def write_sum_batch(low: Lower, node: Node, x: Val) -> Val:
    return Val(low.at(x, 1).tensor.summed(0), 0, node.type)


def write_spread(low: Lower, node: Node, x: Val) -> Val:
    """The same at each step: it gets an axis of time only where one is needed."""
    return Val(x.tensor, x.lead, node.type, x.thin)


def write_frames(low: Lower, node: Node, x: Val) -> Val:
    x = low.at(x, 2, x.type.clock)
    return Val(x.tensor.permuted([1, 0, *range(2, 2 + x.rank)]), 1, node.type)


def write_valid(low: Lower, node: Node, x: Val) -> Val:
    return low.valid(x, str(node.type.clock))
