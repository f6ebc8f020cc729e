"""The helper functions of generated PyTorch modules; none of them waits for a device.

Arguments that many of them share: `x` is a stream [T, B, ...] unless its shape is stated, `lengths` [B] the number of
steps of each sequence, `ragged` whether any is shorter than T, `padding` [T, B] where a step is after the end of its
sequence, `out` the tensor for the result.
"""

from __future__ import annotations

from .memory import MEMORY, PRODUCTS

HELPERS: dict[str, str] = {
    **MEMORY,
    **PRODUCTS,
    "zero_rows": '''
def zero_rows(x, front, behind):
    """The buffer x with zeros in the rows before the first step and after the last."""
    x[:front].zero_()
    x[len(x) - behind :].zero_()
    return x
''',
    "copy_of": '''
def copy_of(x):
    """A contiguous copy."""
    small = x.nbytes < LARGE_RESULT
    return x.clone(memory_format=torch.contiguous_format) if small else lend(x, x.shape).copy_(x)
''',
    "step_views": '''
class StepViews:
    """The views of each step, made while a loop runs."""

    def __init__(self, order, arrays):
        self.order, self.arrays = order, arrays

    def __iter__(self):
        return zip(*(x.unbind(0)[:: self.order] for x in self.arrays))


def step_views(order, *arrays):
    """A tuple of views for each step, from the first (order 1) or the last (-1).

    Up to 2000 steps they are made once, and kept with the arrays. Equal views are one object, which saves memory.
    """
    if len(arrays[0]) > 2000:
        return StepViews(order, arrays)
    rows, known = [x.unbind(0)[::order] for x in arrays], {}
    return list(zip(*([known.setdefault((v.data_ptr(), v.shape, v.stride()), v) for v in row] for row in rows)))
''',
    "softplus": '''
def softplus(x, out):
    """log(1 + exp(x))."""
    torch.logaddexp(x, x.new_zeros(()), out=out)
''',
    "sign_of": '''
def sign_of(x, out):
    """-1, 0 or 1; NaN where x is NaN."""
    unknown = torch.isnan(x)
    torch.sign(x, out=out).masked_fill_(unknown, nan)
''',
    "mod": '''
def mod(a, b, out):
    """The remainder of a / b, with the sign of b, be it zero; torch's own is NaN where the quotient overflows."""
    a, b = a.double(), b.double()
    out.copy_(torch.remainder(torch.fmod(a, b * 2.0**1000), b).copysign(b))
''',
    "cumsum": '''
def cumsum(x, axis, back, out):
    """Sums along an axis: of each element with those before it or, with `back`, those after it."""
    out.copy_(torch.cumsum(x.flip(axis), axis).flip(axis) if back else torch.cumsum(x, axis))
''',
    "argmax": '''
def argmax(x, out):
    """The place of the first greatest element along the last axis."""
    out.copy_(torch.argmax(x, -1))
''',
    "fill_where": '''
def fill_where(out, mask, fill):
    """Write `fill` into the elements of out whose first axes are True in `mask`."""
    out.masked_fill_(mask.reshape(mask.shape + (1,) * (out.dim() - mask.dim())), fill)
''',
    "pick": '''
def pick(x, step, lengths, ragged, fill, out):
    """The value of a stream at step 1, 2, ... or, from the end, -1, -2, ...; `fill` where there is no such step."""
    steps = len(x)
    if not ragged and 1 <= (step if step > 0 else -step) <= steps:
        out.copy_(x[step - 1 if step > 0 else steps + step])
        return
    at = torch.full_like(lengths, step - 1) if step > 0 else lengths + step
    if steps:
        out.copy_(x[at.clamp(0, steps - 1), torch.arange(len(at), device=at.device)])
    fill_where(out, (at < 0) | (at >= lengths), fill)
''',
    "place": '''
def place(x, step, lengths, ragged, out):
    """The stream that is x at one step (numbered as in `pick`) and zero at all others."""
    steps = len(out)
    out.zero_()
    if not ragged and 1 <= (step if step > 0 else -step) <= steps:
        out[step - 1 if step > 0 else steps + step].copy_(x)
    elif steps:
        at = torch.full_like(lengths, step - 1) if step > 0 else lengths + step
        rows = x.clone()
        fill_where(rows, (at < 0) | (at >= lengths), 0)
        out[at.clamp(0, len(out) - 1), torch.arange(len(at), device=at.device)] = rows
''',
    "if_length": '''
def if_length(x, length, lengths, ragged, steps, out):
    """x for sequences with exactly `length` steps, zero for others."""
    if ragged or steps == length:
        out.copy_(x)
    else:
        out.zero_()
    if ragged:
        fill_where(out, lengths != length, 0)
''',
    "sum_products": '''
def sum_products(a, b, axes, out):
    """The sum of a * b over axes; in pieces where a * b would be large and the first axis is summed."""
    rows = max(1, LARGE_RESULT // max(1, a[:1].nbytes))
    if len(a) <= rows or axes[0] != 0:
        torch.sum(a * b, axes, out=out)
        return
    sums = [torch.sum(x * y, axes) for x, y in zip(a.split(rows), b.split(rows))]
    torch.sum(torch.stack(sums), 0, out=out)
''',
    "final": '''
def final(x, initial, slot, lengths, ragged, out):
    """The value of a stream `slot` steps before its end; where that is before its start, the initial value there.

    `initial` are the values before the first step, the latest first.
    """
    steps = len(x)
    if not ragged:
        out.copy_(x[steps - 1 - slot] if slot < steps else initial[slot - steps])
        return
    at = lengths - 1 - slot
    out.copy_(x[at.clamp(min=0), torch.arange(len(at), device=at.device)])
    for before, first in enumerate(initial):
        here = (at == -1 - before).reshape((-1,) + (1,) * (out.dim() - 1))
        out.copy_(torch.where(here, first, out))
''',
    "gather": '''
def gather(x, at, out):
    """The rows `at` [B, n] of each sequence in x [B, m, ...]; zero where there is no such row."""
    if x.shape[1] == 0:
        out.zero_()
        return
    out.copy_(x[torch.arange(len(at), device=at.device)[:, None], at.clamp(0, x.shape[1] - 1)])
    fill_where(out, (at < 0) | (at >= x.shape[1]), 0)
''',
    "history": '''
def history(x, before, steps, lengths, ragged, out):
    """The last values of a stream as rows [B, rows, ...], the oldest first.

    Sequences with fewer steps than rows begin with the values `before` the first step (None: zeros).
    """
    rows = out.shape[1]
    kept = max(rows - steps, 0)
    if not ragged:
        if before is None:
            out[:, :kept].zero_()
        else:
            out[:, :kept].copy_(before[:, rows - kept :])
        out[:, kept:].copy_(x[steps - rows + kept :].transpose(0, 1))
        return
    at = lengths[:, None] + torch.arange(rows, device=out.device)
    gather(x.transpose(0, 1), at - rows, out)
    if before is not None:
        older = before[torch.arange(len(at), device=at.device)[:, None], at.clamp(max=rows - 1)]
        out.copy_(torch.where((at < rows).reshape(at.shape + (1,) * (out.dim() - 2)), older, out))
''',
    "unhistory": '''
def unhistory(x, steps, lengths, ragged, out):
    """The stream that ends with the rows of x [B, rows, ...] and is zero before: the gradient of `history`."""
    rows = x.shape[1]
    if ragged:
        at = torch.arange(steps, device=out.device) + rows - lengths[:, None]
        gather(x, at, out.transpose(0, 1))
        return
    zeros = max(steps - rows, 0)
    out[:zeros].zero_()
    out[zeros:].copy_(x[:, rows - steps + zeros :].transpose(0, 1))
''',
    "opening": '''
def opening(x, steps, lengths, ragged, out):
    """The first values of a stream as rows [B, rows, ...]; zero where there are no such steps."""
    rows = min(steps, out.shape[1])
    out[:, :rows].copy_(x[:rows].transpose(0, 1))
    out[:, rows:].zero_()
    if ragged:
        fill_where(out, torch.arange(out.shape[1], device=out.device) >= lengths[:, None], 0)
''',
    "unopening": '''
def unopening(x, steps, lengths, ragged, out):
    """The stream that begins with the rows of x [B, rows, ...] and is zero after them: the gradient of `opening`."""
    rows = min(steps, x.shape[1])
    out[:rows].copy_(x[:, :rows].transpose(0, 1))
    out[rows:].zero_()
    if ragged:
        fill_where(out, torch.arange(steps, device=out.device)[:, None] >= lengths, 0)
''',
    "slide": '''
def slide(x, by, steps, lengths, ragged, out):
    """Row k of the result is row k + by * length of x [B, rows, ...]; zero where there is no such row."""
    gather(x, torch.arange(x.shape[1], device=x.device) + by * lengths[:, None], out)
''',
    "reverse": '''
def reverse(x, lengths, ragged, out):
    """Each sequence from its own end to its start."""
    if not ragged:
        out.copy_(x.flip(0))
        return
    steps, batch = x.shape[:2]
    at = (lengths - 1 - torch.arange(steps, device=x.device)[:, None]).clamp(min=0)
    out.copy_(x[at, torch.arange(batch, device=x.device)])
''',
    "index_grid": '''
def index_grid(sizes, device):
    """An index for each of some axes: the numbers of all rows, shaped to broadcast."""
    axes = len(sizes)
    return tuple(torch.arange(n, device=device).reshape((n,) + (1,) * (axes - 1 - k)) for k, n in enumerate(sizes))
''',
    "take": '''
def take(x, index, lead, out):
    """The rows of x with the numbers in index; zero where it is -1.

    The first `lead` axes of x are axes of steps and sequences, which index has as well.
    """
    if x.shape[lead] == 0:
        out.zero_()
        return
    axes = out.dim() - (x.dim() - lead - 1)
    out.copy_(x[(*index_grid(out.shape[axes - lead : axes], x.device), index.clamp(min=0))])
    fill_where(out, (index < 0).expand(out.shape[:axes]), 0)
''',
    "put": '''
def put(x, index, lead, out):
    """Zeros, but for x in the row with the number in index; the first `lead` axes are steps and sequences."""
    out.zero_()
    at = index.expand(out.shape[:lead])
    rows = x.expand(out.shape[:lead] + out.shape[lead + 1 :]).clone()
    fill_where(rows, at < 0, 0)
    if out.shape[lead]:
        out[(*index_grid(out.shape[:lead], out.device), at.clamp(min=0))] = rows
''',
    "scatter_add": '''
def scatter_add(x, index, out):
    """The sum of the rows of x over all steps and sequences, each in the row with the number in index (-1: in none)."""
    at = index.reshape(-1)
    rows = x.reshape(len(at), out[:1].numel()).masked_fill((at < 0)[:, None], 0)
    out.zero_()
    if len(out):
        out.view(len(out), out[:1].numel()).index_add_(0, at.clamp(min=0), rows)
''',
    "softmax": '''
def softmax(x, padding, out):
    """exp(x) divided by its sum along the last axis; padding counts as -inf."""
    if padding is None:
        torch.softmax(x.expand_as(out), -1, out=out)
        return
    x = x.masked_fill(padding, -inf)
    peak = x.amax(-1, keepdim=True)
    torch.exp(x - peak.masked_fill(peak == -inf, 0), out=out)
    total = out.sum(-1, keepdim=True)
    out.div_(total.masked_fill(total == 0, 1))
''',
    "log_softmax": '''
def log_softmax(x, padding, out):
    """x - log(sum(exp(x))) along the last axis. One greatest term is the 1 of log1p, so that small losses are exact."""
    if x.shape[-1] == 0:
        return
    if padding is not None:
        x = x.masked_fill(padding, -1e30)
    torch.sub(x, x.amax(-1, keepdim=True), out=out)
    most = out == 0
    rest = out.exp().masked_fill_(most, 0).sum(-1, keepdim=True)
    out.sub_(rest.add_(most.sum(-1, keepdim=True) - 1).log1p_())
''',
    "step_numbers": '''
def step_numbers(steps, before, device):
    """The numbers of the steps [T, 1] or [T, B]; `before` steps, a number or [B], came before this call."""
    return torch.arange(steps, device=device)[:, None] + torch.as_tensor(before, device=device)
''',
    "random": '''
def random(site, law, p, rest, steps, batch, shape, training, seed, out):
    """Random numbers of a law with the parameter p (`recurrency.graph.draws.LAWS`); all `rest` outside of training.

    They come from a counter (Philox4x32-10, Salmon et al. 2011) and depend on seed, site, step, sequence and element
    alone. `steps` are the numbers of the steps, [T, B] or with fewer axes; `batch` is None for one draw for all.
    Words of 32 bits are stored as int64; products of two overflow, but in bits that nothing needs.
    """
    if not training:
        out.fill_(rest)
        return
    word = 0xFFFFFFFF
    count = lambda n: torch.arange(n, device=out.device)
    sequences = count(batch)[:, None] if batch is not None else 0
    steps = torch.as_tensor(steps, device=out.device)[..., None] & word
    a = count(math.prod(shape)) + 0 * (steps + sequences)
    b, c, d = sequences + 0 * a, steps + 0 * a, site + 0 * a
    low, high = seed & word, seed >> 32 & word
    for _ in range(10):
        left, right = a * 0xD2511F53, c * 0xCD9E8D57
        a, b = (right >> 32 & word) ^ b ^ low, right & word
        c, d = (left >> 32 & word) ^ d ^ high, left & word
        low, high = (low + 0x9E3779B9) & word, (high + 0xBB67AE85) & word
    a, b = a >> 8, b >> 8
    threshold = round(p * (1 << 24))
    if law == "keep":
        found = (a >= threshold).to(out.dtype) * (1.0 / (1.0 - p) if p < 1 else 0.0)
    elif law == "bernoulli":
        found = a < threshold
    elif law == "gumbel":
        found = -p * (-((a.double() + 0.5) * 2.0**-24).log()).log()
    else:
        first, second = (a + 1).double() * 2.0**-24, b.double() * (2.0**-24 * 2.0 * math.pi)
        found = p * (-2.0 * first.log()).sqrt() * second.cos()
    out.copy_(found.reshape(found.shape[:-1] + shape))
''',
    "expand": '''
def expand(x, lead, axes, sizes):
    """A view of x, repeated along new axes (counted after the first `lead`, which are steps and sequences)."""
    shape = list(x.shape)
    for axis, size in zip(axes, sizes):
        x = x.unsqueeze(lead + axis)
        shape.insert(lead + axis, size)
    return x.expand(shape)
''',
    "fill_axis_padding": '''
def fill_axis_padding(x, padding, sequences, axis, fill):
    """A copy of x with `fill` where steps along `axis` are padding; `sequences` is the axis of sequences."""
    shape = [1] * x.dim()
    shape[sequences], shape[axis] = x.shape[sequences], x.shape[axis]
    return x.masked_fill(padding.T.reshape(shape), fill)
''',
    "fill_padding": '''
def fill_padding(x, padding, fill):
    """A copy of a stream with `fill` in the padding after the end of each sequence."""
    x = x.clone()
    fill_where(x, padding, fill)
    return x
''',
}
"""Name -> the source of a helper. A module contains those that it needs, directly or through other helpers."""
