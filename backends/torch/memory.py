"""Functions of generated PyTorch modules around memory: what is used again, what is handed out, large products."""

from __future__ import annotations

MEMORY = '''
_free = {}
_pieces = []
LARGE_RESULT = 1 << 18


class Piece:
    """Memory for a large result, which is used again when that is gone: the storage of a tensor holds the bytes.

    New memory would cost as much as filling it does.
    """

    def __init__(self, size):
        self.memory = bytearray(size)
        self.address = torch.frombuffer(self.memory, dtype=torch.uint8).data_ptr()
        self.idle = self.holders()

    def holders(self):
        return getrefcount(self.memory)

    def tensor(self, dtype, address, shape):
        """A tensor on this memory, with a storage of its own; to autograd, which asks who writes, it is no view."""
        found = torch.frombuffer(self.memory, dtype=dtype, count=math.prod(shape), offset=address - self.address)
        return found.view(shape).data


def idle_piece(least, most):
    """An idle piece with so many bytes, out of the list. While we look at one, no other thread sees it."""
    for _ in range(len(_pieces)):
        try:
            found = _pieces.pop(0)
        except IndexError:
            continue
        if found.holders() == found.idle and least <= len(found.memory) <= most:
            return found
        _pieces.append(found)
    return None


def piece(size):
    """A piece that nothing lies in, of at most an eighth more; a new one takes the place of idle ones."""
    unit = 1 << max(6, size.bit_length() - 4)
    size = (size + unit - 1) // unit * unit
    found, gone = idle_piece(size, size), 0
    while found is None and gone < size and (old := idle_piece(0, inf)):
        gone += len(old.memory)
    return found or Piece(size)


def lend(like, shape, front=0):
    """Memory for a result; row `front`, its first step, begins at an even address."""
    count, item, before = math.prod(shape), like.element_size(), front * math.prod(shape[1:])
    if count * item < LARGE_RESULT or like.device.type != "cpu":
        start = -before % (64 // item)
        return like.new_empty(start + count)[start:].view(shape).data if start else like.new_empty(shape)
    found = piece(count * item + 64)
    first = found.address + -(found.address + before * item) % 64
    memory = found.tensor(like.dtype, first, shape)
    _pieces.append(found)
    del _pieces[:-64]
    return memory


class Buffers:
    """Tensors for one call at a time; `owners` are those that are no views of others."""

    def __init__(self, owners, tensors):
        known = {found.address: found for found in _pieces}
        owned = {x.untyped_storage().data_ptr() for x in owners}
        self.tensors, self.bytes = tensors, sum(x.nbytes for x in owners)
        self.pieces = {address: known[address] for address in known.keys() & owned}
        self.idle = self.holders()

    def holders(self):
        return [found.holders() for found in self.pieces.values()]

    def share(self, x):
        """A tensor with a storage of its own, and a memory that is not ours until it is gone."""
        found = self.pieces.get(x.untyped_storage().data_ptr())
        return x.clone() if found is None else found.tensor(x.dtype, x.data_ptr(), x.shape)


def borrow(make, like, *sizes):
    """What `make` has made before for these sizes and nobody uses now, or makes now; with the key to give it back."""
    key = (like.dtype, like.device, *sizes)
    free = _free.get(make.__name__, {}).get(key, ())
    for _ in range(len(free)):
        try:
            found = free.pop(0)
        except IndexError:
            continue
        if found.holders() == found.idle:
            return key, found
        free.append(found)
    with torch.inference_mode(False):
        return key, make(like, *sizes)


def give_back(make, key, buffers):
    """Let a later call have the buffers; we keep those of few sizes, and of one if they are large.

    On a device its own allocator is better at that, for it knows the streams.
    """
    if key[1].type == "cpu":
        kept = _free.setdefault(make.__name__, {})
        free = kept.setdefault(key, [])
        free.append(buffers)
        del free[:-3]
        for old in list(kept)[: -4 if buffers.bytes < 1 << 26 else -1]:
            kept.pop(old, None)


def handed_out(make, key, buffers, results):
    """Results that lie in buffers, each with a storage of its own; the buffers are given back."""
    if key[1].type == "cpu":
        results = {name: buffers.share(x) for name, x in results.items()}
        give_back(make, key, buffers)
        return results
    owners = set()
    for name, x in results.items():
        owner = x.untyped_storage().data_ptr()
        results[name] = x.clone() if owner in owners else x
        owners.add(owner)
    return results
'''

PRODUCTS: dict[str, str] = {
    "linear": '''
def oneDNN():
    """What PyTorch has of oneDNN for products: on some processors they take half the time of `mm`."""
    known = torch.backends.mkldnn.is_available() and torch.backends.cpu.get_cpu_capability() == "AVX512"
    names = ("_linear_pointwise", "_reorder_linear_weight")
    return tuple(getattr(torch.ops.mkldnn, name, None) if known else None for name in names)


linear, packed_weights = oneDNN()
''',
    "dense": '''
def dense(a, w):
    """a @ w.T"""
    return linear(a, w, None, "none", [], "")
''',
    "best": '''
LARGE = 1 << 21


def best(like, small, large, rows, inner, columns):
    """The function for products of these sizes: `large` where it has more to gain than it costs to call."""
    fits = linear is not None and like.dtype == torch.float32 and like.device.type == "cpu"
    return large if fits and rows * inner * columns >= LARGE else small
''',
    "rows_of": '''
def rows_of(*matrices):
    """The rows of matrices in pieces, so that the last one's are still in the cache when they are copied."""
    rows = max(64, (1 << 18) // max(1, matrices[-1].shape[1]))
    if len(matrices[-1]) <= rows:
        return (matrices,)
    return zip(*(x.split(rows) for x in matrices))
''',
    "large_mm": '''
def large_mm(a, b, out):
    """a @ b."""
    if a.stride(1) != 1:
        out.copy_(dense(b.T, a).T)
        return
    b = b.T
    for x, y in rows_of(a, out):
        y.copy_(dense(x, b))
''',
    "large_addmm": '''
def large_addmm(plus, a, b, out):
    """plus + a @ b."""
    b = b.T
    for x, y, z in rows_of(a, plus.expand(out.shape), out):
        torch.add(y, dense(x, b), out=z)
''',
    "ready": '''
def ready(product, b, rows, steps):
    """b as a function wants it that multiplies so many rows with it at each step."""
    if product in (torch.mm, torch.addmm):
        return b
    return packed_weights(b.T.contiguous(), rows) if packed_weights is not None and steps >= 16 else b.T
''',
    "step_mm": '''
def step_mm(a, w, out):
    """a @ b, where w is b made ready."""
    out.copy_(dense(a, w))
''',
    "step_addmm": '''
def step_addmm(plus, a, w, out):
    """plus + a @ b, where w is b made ready."""
    torch.add(plus, dense(a, w), out=out)
''',
}
"""How products are computed, according to their sizes."""
