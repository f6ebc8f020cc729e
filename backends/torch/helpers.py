"""Functions of generated PyTorch modules, written there only if they are called. None of them waits for a device."""

from __future__ import annotations

from .memory import PRODUCTS

HELPERS: dict[str, str] = {
    **PRODUCTS,
    "with_rows": '''
def with_rows(x, front, behind):
    """A buffer with zeros in the rows before the first and after the last step."""
    x[:front].zero_()
    x[len(x) - behind :].zero_()
    return x
''',
    "fresh": '''
def fresh(x):
    """A copy of its own, one element after another."""
    small = x.nbytes < LARGE_RESULT
    return x.clone(memory_format=torch.contiguous_format) if small else lend(x, x.shape).copy_(x)
''',
    "per_step": '''
class Steps:
    """The arrays of each step, made anew in each loop."""

    def __init__(self, order, arrays):
        self.order, self.arrays = order, arrays

    def __iter__(self):
        return zip(*(x.unbind(0)[:: self.order] for x in self.arrays))


def per_step(order, *arrays):
    """The arrays of each step, from the first or (-1) from the last; made once, unless there are very many.

    There is one view of a row, though it be this step's here and the one before's there: the fewer, the warmer.
    """
    if len(arrays[0]) > 2000:
        return Steps(order, arrays)
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
    """-1, 0 or 1; what is no number stays so."""
    unknown = torch.isnan(x)
    torch.sign(x, out=out).masked_fill_(unknown, nan)
''',
    "clear": '''
def clear(out, where, nothing):
    """Write `nothing` into the elements whose first axes are True in `where`."""
    out.masked_fill_(where.reshape(where.shape + (1,) * (out.dim() - where.dim())), nothing)
''',
    "pick": '''
def pick(x, step, lengths, ragged, nothing, out):
    """The value at step 1, 2, ... or, from the end, -1, -2, ...; `nothing` where there is no such step."""
    steps = len(x)
    if not ragged and 1 <= (step if step > 0 else -step) <= steps:
        out.copy_(x[step - 1 if step > 0 else steps + step])
        return
    at = torch.full_like(lengths, step - 1) if step > 0 else lengths + step
    if steps:
        out.copy_(x[at.clamp(0, steps - 1), torch.arange(len(at), device=at.device)])
    clear(out, (at < 0) | (at >= lengths), nothing)
''',
    "place": '''
def place(x, step, lengths, ragged, out):
    """A stream that is x at one step (see pick) and zero at all others."""
    steps = len(out)
    out.zero_()
    if not ragged and 1 <= (step if step > 0 else -step) <= steps:
        out[step - 1 if step > 0 else steps + step].copy_(x)
    elif steps:
        at = torch.full_like(lengths, step - 1) if step > 0 else lengths + step
        rows = x.clone()
        clear(rows, (at < 0) | (at >= lengths), 0)
        out[at.clamp(0, len(out) - 1), torch.arange(len(at), device=at.device)] = rows
''',
    "if_length": '''
def if_length(x, length, lengths, ragged, steps, out):
    """x for the sequences that have so many steps, zero for others."""
    if ragged or steps == length:
        out.copy_(x)
    else:
        out.zero_()
    if ragged:
        clear(out, lengths != length, 0)
''',
    "sum_products": '''
def sum_products(a, b, axes, out):
    """The sum of a * b over axes, the first among them; in pieces, for the memory of a large product has to be got."""
    rows = max(1, LARGE_RESULT // max(1, a[:1].nbytes))
    if len(a) <= rows or axes[0] != 0:
        torch.sum(a * b, axes, out=out)
        return
    sums = [torch.sum(x * y, axes) for x, y in zip(a.split(rows), b.split(rows))]
    torch.sum(torch.stack(sums), 0, out=out)
''',
    "final": '''
def final(x, firsts, slot, lengths, ragged, out):
    """The value `slot` steps before the end; of a shorter sequence the first value that stands there."""
    steps = len(x)
    if not ragged:
        out.copy_(x[steps - 1 - slot] if slot < steps else firsts[slot - steps])
        return
    at = lengths - 1 - slot
    out.copy_(x[at.clamp(min=0), torch.arange(len(at), device=at.device)])
    for before, first in enumerate(firsts):
        here = (at == -1 - before).reshape((-1,) + (1,) * (out.dim() - 1))
        out.copy_(torch.where(here, first, out))
''',
    "gather": '''
def gather(x, at, out):
    """Row `at` [B, n] of each sequence in x [B, m, ...], zero where there is none."""
    if x.shape[1] == 0:
        out.zero_()
        return
    out.copy_(x[torch.arange(len(at), device=at.device)[:, None], at.clamp(0, x.shape[1] - 1)])
    clear(out, (at < 0) | (at >= x.shape[1]), 0)
''',
    "history": '''
def history(x, before, steps, lengths, ragged, out):
    """The last values as rows, the oldest first; of a shorter sequence those `before` it come first (None: zeros)."""
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
    """A stream that ends with the rows of x, and is zero before."""
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
    """The first values as rows, zero where there are no such steps."""
    rows = min(steps, out.shape[1])
    out[:, :rows].copy_(x[:rows].transpose(0, 1))
    out[:, rows:].zero_()
    if ragged:
        clear(out, torch.arange(out.shape[1], device=out.device) >= lengths[:, None], 0)
''',
    "unopening": '''
def unopening(x, steps, lengths, ragged, out):
    """A stream that begins with the rows of x, and is zero after them."""
    rows = min(steps, x.shape[1])
    out[:rows].copy_(x[:, :rows].transpose(0, 1))
    out[rows:].zero_()
    if ragged:
        clear(out, torch.arange(steps, device=out.device)[:, None] >= lengths, 0)
''',
    "slide": '''
def slide(x, by, steps, lengths, ragged, out):
    """Row k is row k + by * length of x, zero where there is none."""
    gather(x, torch.arange(x.shape[1], device=x.device) + by * lengths[:, None], out)
''',
    "reverse": '''
def reverse(x, lengths, ragged, out):
    """Each sequence from its end to its start."""
    if not ragged:
        out.copy_(x.flip(0))
        return
    steps, batch = x.shape[:2]
    at = (lengths - 1 - torch.arange(steps, device=x.device)[:, None]).clamp(min=0)
    out.copy_(x[at, torch.arange(batch, device=x.device)])
''',
    "grid": '''
def grid(sizes, device):
    """The numbers of the rows along each of some axes, to index with."""
    axes = len(sizes)
    return tuple(torch.arange(n, device=device).reshape((n,) + (1,) * (axes - 1 - k)) for k, n in enumerate(sizes))
''',
    "take": '''
def take(x, index, lead, out):
    """The rows of x that index says, zero where it says -1; the first `lead` axes of x are among those of index."""
    if x.shape[lead] == 0:
        out.zero_()
        return
    axes = out.dim() - (x.dim() - lead - 1)
    out.copy_(x[(*grid(out.shape[axes - lead : axes], x.device), index.clamp(min=0))])
    clear(out, (index < 0).expand(out.shape[:axes]), 0)
''',
    "put": '''
def put(x, index, lead, out):
    """Zeros with x in the row that index says; `lead` is the number of axes of time and sequences."""
    out.zero_()
    at = index.expand(out.shape[:lead])
    rows = x.expand(out.shape[:lead] + out.shape[lead + 1 :]).clone()
    clear(rows, at < 0, 0)
    if out.shape[lead]:
        out[(*grid(out.shape[:lead], out.device), at.clamp(min=0))] = rows
''',
    "scatter": '''
def scatter(x, index, out):
    """Add each row of x to the row of out that index says, where it is not -1; all steps and sequences together."""
    at = index.reshape(-1)
    rows = x.reshape(len(at), out[:1].numel()).masked_fill((at < 0)[:, None], 0)
    out.zero_()
    if len(out):
        out.view(len(out), out[:1].numel()).index_add_(0, at.clamp(min=0), rows)
''',
    "softmax": '''
def softmax(x, padding, out):
    """exp(x) over its sum along the last axis; zero in padding."""
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
    """x minus the logarithm of the sum of exp(x) along the last axis, of which the greatest is left out and added."""
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
    """The numbers of the steps, [T, 1] or [T, B], after so many that lie before this call."""
    return torch.arange(steps, device=device)[:, None] + torch.as_tensor(before, device=device)
''',
    "random": '''
def random(site, law, p, rest, steps, batch, shape, training, seed, out):
    """Random numbers that depend on site, step, sequence and element alone (Philox4x32-10, Salmon et al. 2011).

    `steps` are the numbers of the steps, [T, B] or of fewer axes. Out of training all are `rest`. Words of 32 bits
    lie in int64; products of two lose what is above 64 bits, of which no bit is needed.
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
    else:
        first, second = (a + 1).double() * 2.0**-24, b.double() * (2.0**-24 * 2.0 * math.pi)
        found = p * (-2.0 * first.log()).sqrt() * second.cos()
    out.copy_(found.reshape(found.shape[:-1] + shape))
''',
    "expand": '''
def expand(x, lead, axes, sizes):
    """A view of x that is repeated along new axes; the first `lead` axes are those of time and sequences."""
    shape = list(x.shape)
    for axis, size in zip(axes, sizes):
        x = x.unsqueeze(lead + axis)
        shape.insert(lead + axis, size)
    return x.expand(shape)
''',
    "masked": '''
def masked(x, padding, sequences, axis, nothing):
    """A copy of x with `nothing` where the steps along `axis` are padding; `sequences` is the axis of sequences."""
    shape = [1] * x.dim()
    shape[sequences], shape[axis] = x.shape[sequences], x.shape[axis]
    return x.masked_fill(padding.T.reshape(shape), nothing)
''',
    "clean": '''
def clean(x, padding, nothing):
    """A copy of x with `nothing` in padding."""
    x = x.clone()
    clear(x, padding, nothing)
    return x
''',
}
"""Each may call those that stand before it."""
