"""The helper functions of generated NumPy modules.

Arguments that many of them share: `x` is a stream [T, B, ...] unless its shape is stated, `lengths` [B] the number of
steps of each sequence, `ragged` whether any is shorter than T, `padding` [T, B] where a step is after the end of its
sequence, `out` the array for the result.
"""

from __future__ import annotations

HELPERS: dict[str, str] = {
    "cached": '''
_cache = threading.local()


def cached(make, *sizes):
    """The arrays that `make(*sizes)` made in this thread before, if the caller holds none of them; else new ones.

    `make` returns blocks of memory of which the caller gets views, and arrays. References to a block beyond those of
    the cache show that the caller still holds a view of it.
    """
    kept = _cache.__dict__.setdefault(make.__name__, {})
    made = kept.setdefault(sizes, [])
    for blocks, counts, arrays in made:
        if reference_counts(blocks) == counts:
            return arrays
    blocks, arrays = make(*sizes)
    while len(kept) > 8:
        del kept[next(iter(kept))]
    made[3:] = []
    made.insert(0, (blocks, reference_counts(blocks), arrays))
    return arrays
''',
    "reference_counts": '''
def reference_counts(arrays):
    """The number of references to each array, its views included."""
    return [getrefcount(array) for array in arrays]
''',
    "Arena": '''
class Arena:
    """One block of memory for several arrays that the caller gets; each begins at a multiple of 16 elements."""

    def __init__(self, *sizes):
        self.memory, self.used = zeros(sum(-(-size // 16) * 16 for size in sizes), real), 0

    def array(self, shape):
        start, size = self.used, prod(shape)
        self.used += -(-size // 16) * 16
        return self.memory[start : start + size].reshape(shape)
''',
    "view": '''
def view(x, shape):
    """x in another shape: a view of the same memory, or an error where that would take a copy."""
    found = x.reshape(shape)
    if found.size and not np.may_share_memory(found, x):
        raise ValueError(f"an array with strides {x.strides} is no array of shape {shape} without a copy")
    return found
''',
    "step_views": '''
class StepViews:
    """The views of each step, made while a loop runs."""

    def __init__(self, *arrays):
        self.arrays = arrays

    def __iter__(self):
        return zip(*self.arrays)


def step_views(*arrays):
    """A tuple of views for each step. Up to 2000 steps they are made once, and kept with the arrays."""
    return list(zip(*arrays)) if len(arrays[0]) <= 2000 else StepViews(*arrays)
''',
    "read_only": '''
def read_only(x):
    """A view that the caller can't write to: `backward_pass` reads the same memory."""
    x = x.view()
    x.flags.writeable = False
    return x
''',
    "pick": '''
def pick(x, step, lengths, ragged, fill, out):
    """The value of a stream at step 1, 2, ... or, from the end, -1, -2, ...; `fill` where there is no such step."""
    steps = len(x)
    if not ragged and 1 <= (step if step > 0 else -step) <= steps:
        out[...] = x[step - 1 if step > 0 else steps + step]
        return
    at = np.full(lengths.shape, step - 1) if step > 0 else lengths + step
    found = (at >= 0) & (at < lengths)
    out[...] = fill
    out[found] = x[at[found], np.flatnonzero(found)]
''',
    "place": '''
def place(x, step, lengths, out):
    """The stream that is x at one step (numbered as in `pick`) and zero at all others."""
    at = np.full(lengths.shape, step - 1) if step > 0 else lengths + step
    found = (at >= 0) & (at < lengths)
    out[...] = 0
    out[at[found], np.flatnonzero(found)] = x[found]
''',
    "final": '''
def final(x, initial, slot, lengths, ragged, out):
    """The value of a stream `slot` steps before its end; where that is before its start, the initial value there.

    `initial` are the values before the first step, the latest first.
    """
    steps = len(x)
    if not ragged:
        out[...] = x[steps - 1 - slot] if slot < steps else initial[slot - steps]
        return
    at = lengths - 1 - slot
    found = at >= 0
    out[found] = x[at[found], np.flatnonzero(found)]
    for before, first in enumerate(initial):
        out[at == -1 - before] = first[at == -1 - before]
''',
    "gather": '''
def gather(x, at, out):
    """The rows `at` [B, n] of each sequence in x [B, m, ...]; zero where there is no such row."""
    found = (at >= 0) & (at < x.shape[1])
    out[...] = 0
    b, k = np.nonzero(found)
    out[b, k] = x[b, at[found]]
''',
    "history": '''
def history(x, before, steps, lengths, ragged, out):
    """The last values of a stream as rows [B, rows, ...], the oldest first.

    Sequences with fewer steps than rows begin with the values `before` the first step (None: zeros).
    """
    rows = out.shape[1]
    kept = max(rows - steps, 0)
    if not ragged:
        out[:, :kept] = 0 if before is None else before[:, rows - kept :]
        out[:, kept:] = x[steps - rows + kept :].swapaxes(0, 1)
        return
    at = lengths[:, None] + np.arange(rows)
    gather(x.swapaxes(0, 1), at - rows, out)
    if before is not None:
        b, k = np.nonzero(at < rows)
        out[b, k] = before[b, at[b, k]]
''',
    "unhistory": '''
def unhistory(x, steps, lengths, ragged, out):
    """The stream that ends with the rows of x [B, rows, ...] and is zero before: the gradient of `history`."""
    rows = x.shape[1]
    if ragged:
        gather(x, np.arange(steps) + rows - lengths[:, None], out.swapaxes(0, 1))
        return
    zeros = max(steps - rows, 0)
    out[:zeros] = 0
    out[zeros:] = x[:, rows - steps + zeros :].swapaxes(0, 1)
''',
    "opening": '''
def opening(x, steps, lengths, ragged, out):
    """The first values of a stream as rows [B, rows, ...]; zero where there are no such steps."""
    rows = min(steps, out.shape[1])
    out[:, :rows] = x[:rows].swapaxes(0, 1)
    out[:, rows:] = 0
    if ragged:
        out[np.arange(out.shape[1]) >= lengths[:, None]] = 0
''',
    "unopening": '''
def unopening(x, steps, lengths, ragged, out):
    """The stream that begins with the rows of x [B, rows, ...] and is zero after them: the gradient of `opening`."""
    rows = min(steps, x.shape[1])
    out[:rows] = x[:, :rows].swapaxes(0, 1)
    out[rows:] = 0
    if ragged:
        out[np.arange(steps)[:, None] >= lengths] = 0
''',
    "slide": '''
def slide(x, by, steps, lengths, ragged, out):
    """Row k of the result is row k + by * length of x [B, rows, ...]; zero where there is no such row."""
    gather(x, np.arange(x.shape[1]) + by * lengths[:, None], out)
''',
    "reverse": '''
def reverse(x, lengths, ragged, out):
    """Each sequence from its own end to its start."""
    if not ragged:
        out[...] = x[::-1]
        return
    steps, batch = x.shape[:2]
    at = np.maximum(lengths - 1 - np.arange(steps)[:, None], 0)
    out[...] = x[at, np.arange(batch)]
''',
    "take": '''
def take(x, index, lead, out):
    """The rows of x with the numbers in index; zero where it is -1.

    The first `lead` axes of x are axes of steps and sequences, which index has as well.
    """
    if x.shape[lead] == 0:
        out[...] = 0
        return
    axes = out.ndim - (x.ndim - lead - 1)
    sizes = out.shape[axes - lead : axes]
    grid = np.ogrid[tuple(slice(size) for size in sizes)] if lead else ()
    at = np.asarray(index).astype(np.intp)
    out[...] = x[(*grid, np.maximum(at, 0))]
    missing = at < 0
    if missing.any():
        out[np.broadcast_to(missing, out.shape[:axes])] = 0
''',
    "put": '''
def put(x, index, lead, out):
    """Zeros, but for x in the row with the number in index; the first `lead` axes are steps and sequences."""
    out[...] = 0
    at = np.broadcast_to(np.asarray(index).astype(np.intp), out.shape[:lead])
    x = np.broadcast_to(x, out.shape[:lead] + out.shape[lead + 1 :])
    if lead == 0:
        if at >= 0:
            out[int(at)] = x
        return
    found = np.nonzero(at >= 0)
    out[(*found, at[found])] = x[found]
''',
    "scatter_add": '''
def scatter_add(x, index, out):
    """The sum of the rows of x over all steps and sequences, each in the row with the number in index (-1: in none)."""
    at = np.asarray(index).astype(np.intp).ravel()
    rows = x.reshape(at.size, out[:1].size)
    order = np.argsort(at, kind="stable")
    order = order[np.searchsorted(at[order], 0) :]
    out[...] = 0
    if order.size:
        sums = at[order]
        starts = np.flatnonzero(np.concatenate(([True], sums[1:] != sums[:-1])))
        view(out, (len(out), out[:1].size))[sums[starts]] = np.add.reduceat(rows[order], starts, axis=0)
''',
    "softmax": '''
def softmax(x, padding, out):
    """exp(x) divided by its sum along the last axis; padding counts as -inf."""
    if x.shape[-1] == 0:
        return
    if padding is not None:
        x = np.where(padding, -np.inf, x)
    peak = x.max(-1, keepdims=True)
    if padding is not None:
        peak[peak == -np.inf] = 0
    np.subtract(x, peak, out)
    np.exp(out, out)
    total = out.sum(-1, keepdims=True)
    if padding is not None:
        total[total == 0] = 1
    np.divide(out, total, out)
''',
    "log_softmax": '''
def log_softmax(x, padding, out):
    """x - log(sum(exp(x))) along the last axis. One greatest term is the 1 of log1p, so that small losses are exact."""
    if x.shape[-1] == 0:
        return
    if padding is not None:
        x = np.where(padding, -1e30, x)
    np.subtract(x, x.max(-1, keepdims=True), out)
    most = out == 0
    others = np.exp(out)
    others[most] = 0
    rest = others.sum(-1, keepdims=True) + (most.sum(-1, keepdims=True, dtype=out.dtype) - 1)
    np.subtract(out, np.log1p(rest, rest), out)
''',
    "erf": '''
def erf(x, out):
    """The error function, for one element after the other: NumPy has none."""
    out[...] = np.vectorize(math.erf, [float])(x)
''',
    "erfc": '''
def erfc(x, out):
    """1 - erf(x), which keeps its digits where it is small."""
    out[...] = np.vectorize(math.erfc, [float])(x)
''',
    "cumsum": '''
def cumsum(x, axis, back, out):
    """Sums along an axis: of each element with those before it or, with `back`, those after it."""
    out[...] = np.flip(np.cumsum(np.flip(x, axis), axis), axis) if back else np.cumsum(x, axis)
''',
    "argmax": '''
def argmax(x, out):
    """The place of the first greatest element along the last axis."""
    out[...] = np.argmax(x, -1)
''',
    "random": '''
def random(site, law, p, rest, steps, batch, shape, training, seed, out):
    """Random numbers of a law with the parameter p (`recurrency.graph.draws.LAWS`); all `rest` outside of training.

    They come from a counter (Philox4x32-10, Salmon et al. 2011) and depend on seed, site, step, sequence and element
    alone. `steps` are the numbers of the steps, [T, B] or with fewer axes; `batch` is None for one draw for all.
    """
    if not training:
        out[...] = rest
        return
    word, half_word = np.uint64(0xFFFFFFFF), np.uint64(32)
    elements = np.arange(math.prod(shape), dtype=np.uint64)
    sequences = np.arange(batch, dtype=np.uint64)[:, None] if batch is not None else np.uint64(0)
    steps = np.asarray(steps).astype(np.uint64)[..., None]
    a, b, c, d = np.broadcast_arrays(elements, sequences, steps & word, np.uint64(site))
    low, high = seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF
    for _ in range(10):
        left, right = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        a, b = (right >> half_word) ^ b ^ np.uint64(low), right & word
        c, d = (left >> half_word) ^ d ^ np.uint64(high), left & word
        low, high = (low + 0x9E3779B9) & 0xFFFFFFFF, (high + 0xBB67AE85) & 0xFFFFFFFF
    a, b = a >> np.uint64(8), b >> np.uint64(8)
    threshold = np.uint64(round(p * (1 << 24)))
    if law == "keep":
        found = np.where(a >= threshold, 1.0 / (1.0 - p) if p < 1 else 0.0, 0.0)
    elif law == "bernoulli":
        found = np.where(a < threshold, 1.0, 0.0)
    elif law == "gumbel":
        found = -p * np.log(-np.log((a + 0.5) * 2.0**-24))
    else:
        found = p * np.sqrt(-2.0 * np.log((a + np.uint64(1)) * 2.0**-24)) * np.cos(b * (2.0**-24 * 2.0 * np.pi))
    out[...] = found.reshape(found.shape[:-1] + shape)
''',
    "expand": '''
def expand(x, lead, axes, sizes):
    """A view of x, repeated along new axes (counted after the first `lead`, which are steps and sequences)."""
    shape = list(x.shape)
    for axis, size in zip(axes, sizes):
        x = np.expand_dims(x, lead + axis)
        shape.insert(lead + axis, size)
    return np.broadcast_to(x, shape)
''',
    "fill_axis_padding": '''
def fill_axis_padding(x, padding, sequences, axis, fill):
    """A copy of x with `fill` where steps along `axis` are padding; `sequences` is the axis of sequences."""
    shape = [1] * x.ndim
    shape[sequences], shape[axis] = x.shape[sequences], x.shape[axis]
    return np.where(padding.T.reshape(shape), x.dtype.type(fill), x)
''',
    "fill_padding": '''
def fill_padding(x, padding, fill):
    """A copy of a stream with `fill` in the padding after the end of each sequence."""
    x = x.copy()
    x[padding] = fill
    return x
''',
}
"""Name -> the source of a helper. A module contains those that it needs, directly or through other helpers."""
