"""How each element-wise operation is written in NumPy: one row for each, statements that leave the result in `out`."""

from __future__ import annotations

ELEMENTWISE: dict[str, tuple[str, ...]] = {
    "negative": ("negative({0}, {out})",),
    "add": ("add({0}, {1}, {out})",),
    "subtract": ("subtract({0}, {1}, {out})",),
    "multiply": ("multiply({0}, {1}, {out})",),
    "divide": ("divide({0}, {1}, {out})",),
    "power": ("power({0}, {1}, {out})",),
    "exp": ("exp({0}, {out})",),
    "expm1": ("expm1({0}, {out})",),
    "log": ("log({0}, {out})",),
    "log1p": ("log1p({0}, {out})",),
    "sqrt": ("sqrt({0}, {out})",),
    "tanh": ("tanh({0}, {out})",),
    "sigmoid": (
        "negative({0}, {out})",
        "exp({out}, {out})",
        "add({out}, one, {out})",
        "divide(one, {out}, {out})",
    ),
    "softplus": ("logaddexp({0}, 0.0, {out})",),
    "relu": ("maximum({0}, 0.0, out={out})",),
    "abs": ("absolute({0}, {out})",),
    "sign": ("sign({0}, {out})",),
    "sin": ("sin({0}, {out})",),
    "cos": ("cos({0}, {out})",),
    "less": ("less({0}, {1}, {out})",),
    "less_equal": ("less_equal({0}, {1}, {out})",),
    "equal": ("equal({0}, {1}, {out})",),
    "minimum": ("minimum({0}, {1}, out={out})",),
    "maximum": ("maximum({0}, {1}, out={out})",),
    "where": ("copyto({out}, {1})", "copyto({out}, {2}, where=equal({0}, 0.0))"),
}
"""`{0}`, `{1}`, `{2}` are the arguments; the first statement alone may read what `out` overwrites."""

UFUNCS = frozenset(
    "absolute add cos divide equal exp expm1 less less_equal log log1p logaddexp maximum minimum multiply negative "
    "power sign sin sqrt subtract tanh".split()
)

FUNCTIONS = frozenset("arange asarray copyto dot einsum empty full matmul prod zeros".split())
"""What else of NumPy is bound to its own name at the top of a module, if it is used."""

HELPERS: dict[str, str] = {
    "Arena": '''
class Arena:
    """One piece of memory for arrays that are handed to the caller; it is used again when all of them are gone."""

    def __init__(self, *sizes):
        self.memory, self.used = zeros(sum(-(-size // 16) * 16 for size in sizes), real), 0

    def array(self, shape):
        start, size = self.used, prod(shape)
        self.used += -(-size // 16) * 16
        return self.memory[start : start + size].reshape(shape)
''',
    "view": '''
def view(x, shape):
    """A view of x in another shape, never a copy, in which what is written would be lost, and what is read be old."""
    found = x.reshape(shape)
    if found.size and not np.may_share_memory(found, x):
        raise ValueError(f"an array with strides {x.strides} is no array of shape {shape} without a copy")
    return found
''',
    "per_step": '''
class Steps:
    """The arrays of each step, made anew in each loop."""

    def __init__(self, *arrays):
        self.arrays = arrays

    def __iter__(self):
        return zip(*self.arrays)


def per_step(*arrays):
    """The arrays of each step, made once, unless there are very many."""
    return list(zip(*arrays)) if len(arrays[0]) <= 2000 else Steps(*arrays)
''',
    "read_only": '''
def read_only(x):
    """A result that the backward run is going to read again."""
    x = x.view()
    x.flags.writeable = False
    return x
''',
    "pick": '''
def pick(x, step, lengths, ragged, nothing, out):
    """The value at step 1, 2, ... or, from the end, -1, -2, ...; `nothing` where there is no such step."""
    steps = len(x)
    if not ragged and 1 <= (step if step > 0 else -step) <= steps:
        out[...] = x[step - 1 if step > 0 else steps + step]
        return
    at = np.full(lengths.shape, step - 1) if step > 0 else lengths + step
    found = (at >= 0) & (at < lengths)
    out[...] = nothing
    out[found] = x[at[found], np.flatnonzero(found)]
''',
    "place": '''
def place(x, step, lengths, out):
    """A stream that is x at one step (see pick) and zero at all others."""
    at = np.full(lengths.shape, step - 1) if step > 0 else lengths + step
    found = (at >= 0) & (at < lengths)
    out[...] = 0
    out[at[found], np.flatnonzero(found)] = x[found]
''',
    "final": '''
def final(x, firsts, slot, lengths, ragged, out):
    """The value `slot` steps before the end; of a shorter sequence the first value that stands there."""
    steps = len(x)
    if not ragged:
        out[...] = x[steps - 1 - slot] if slot < steps else firsts[slot - steps]
        return
    at = lengths - 1 - slot
    found = at >= 0
    out[found] = x[at[found], np.flatnonzero(found)]
    for before, first in enumerate(firsts):
        out[at == -1 - before] = first[at == -1 - before]
''',
    "gather": '''
def gather(x, at, out):
    """Row `at` [B, n] of each sequence in x [B, m, ...], zero where there is none."""
    found = (at >= 0) & (at < x.shape[1])
    out[...] = 0
    b, k = np.nonzero(found)
    out[b, k] = x[b, at[found]]
''',
    "history": '''
def history(x, before, steps, lengths, ragged, out):
    """The last values as rows, the oldest first; of a shorter sequence those `before` it come first (None: zeros)."""
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
    """A stream that ends with the rows of x, and is zero before."""
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
    """The first values as rows, zero where there are no such steps."""
    rows = min(steps, out.shape[1])
    out[:, :rows] = x[:rows].swapaxes(0, 1)
    out[:, rows:] = 0
    if ragged:
        out[np.arange(out.shape[1]) >= lengths[:, None]] = 0
''',
    "unopening": '''
def unopening(x, steps, lengths, ragged, out):
    """A stream that begins with the rows of x, and is zero after them."""
    rows = min(steps, x.shape[1])
    out[:rows] = x[:, :rows].swapaxes(0, 1)
    out[rows:] = 0
    if ragged:
        out[np.arange(steps)[:, None] >= lengths] = 0
''',
    "slide": '''
def slide(x, by, steps, lengths, ragged, out):
    """Row k is row k + by * length of x, zero where there is none."""
    gather(x, np.arange(x.shape[1]) + by * lengths[:, None], out)
''',
    "reverse": '''
def reverse(x, lengths, ragged, out):
    """Each sequence from its end to its start."""
    if not ragged:
        out[...] = x[::-1]
        return
    steps, batch = x.shape[:2]
    at = np.maximum(lengths - 1 - np.arange(steps)[:, None], 0)
    out[...] = x[at, np.arange(batch)]
''',
    "take": '''
def take(x, index, lead, out):
    """The rows of x that index says, zero where it says -1; the first `lead` axes of x are among those of index."""
    if x.shape[lead] == 0:
        out[...] = 0
        return
    axes = out.ndim - (x.ndim - lead - 1)
    sizes = out.shape[axes - lead : axes]
    grid = np.ogrid[tuple(slice(size) for size in sizes)] if lead else ()
    at = np.asarray(index).astype(np.intp)
    out[...] = x[(*grid, np.maximum(at, 0))]
    nothing = at < 0
    if nothing.any():
        out[np.broadcast_to(nothing, out.shape[:axes])] = 0
''',
    "put": '''
def put(x, index, lead, out):
    """Zeros with x in the row that index says; `lead` is the number of axes of time and sequences."""
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
    "scatter": '''
def scatter(x, index, out):
    """Add each row of x to the row of out that index says, where it is not -1; all steps and sequences together."""
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
    """exp(x) over its sum along the last axis; zero in padding."""
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
    """x minus the logarithm of the sum of exp(x) along the last axis, of which the greatest is left out and added."""
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
    "random": '''
def random(site, law, p, rest, steps, batch, shape, training, seed, out):
    """Random numbers that depend on site, step, sequence and element alone (Philox4x32-10, Salmon et al. 2011).

    `steps` are the numbers of the steps, [T, B] or of fewer axes. Out of training all are `rest`.
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
    else:
        found = p * np.sqrt(-2.0 * np.log((a + np.uint64(1)) * 2.0**-24)) * np.cos(b * (2.0**-24 * 2.0 * np.pi))
    out[...] = found.reshape(found.shape[:-1] + shape)
''',
    "expand": '''
def expand(x, lead, axes, sizes):
    """A view of x that is repeated along new axes; the first `lead` axes are those of time and sequences."""
    shape = list(x.shape)
    for axis, size in zip(axes, sizes):
        x = np.expand_dims(x, lead + axis)
        shape.insert(lead + axis, size)
    return np.broadcast_to(x, shape)
''',
    "masked": '''
def masked(x, padding, sequences, axis, nothing):
    """A copy of x with `nothing` where the steps along `axis` are padding; `sequences` is the axis of sequences."""
    shape = [1] * x.ndim
    shape[sequences], shape[axis] = x.shape[sequences], x.shape[axis]
    return np.where(padding.T.reshape(shape), x.dtype.type(nothing), x)
''',
    "clean": '''
def clean(x, padding, nothing):
    """A copy of x with `nothing` in padding."""
    x = x.copy()
    x[padding] = nothing
    return x
''',
}
"""Functions of the generated module, written there only if they are called; each may call those before it."""
