"""Helpers of generated PyTorch modules for memory that is used again, and for products of matrices."""

from __future__ import annotations

MEMORY: dict[str, str] = {
    "_free": '''
_free = {}
"""Name of the function that makes buffers -> key of their sizes -> buffers that no call uses."""
''',
    "_blocks": '''
_blocks = []
"""The blocks of memory of the latest large results."""
''',
    "LARGE_RESULT": '''
LARGE_RESULT = 1 << 18
"""Results of at least this many bytes get their own block of memory, which is used again."""
''',
    "borrow": '''
def borrow(make, like, *sizes):
    """Unused buffers that `make` made for these sizes, or new ones; and the key to give them back."""
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
''',
    "give_back": '''
def give_back(make, key, buffers):
    """Keep the buffers for later calls: three for each of the last four sizes, or of the last size if they are large.

    On other devices PyTorch's allocator does this better: it knows the streams.
    """
    if key[1].type == "cpu":
        kept = _free.setdefault(make.__name__, {})
        free = kept.setdefault(key, [])
        free.append(buffers)
        del free[:-3]
        for old in list(kept)[: -4 if buffers.bytes < 1 << 26 else -1]:
            kept.pop(old, None)
''',
    "handed_out": '''
def handed_out(make, key, buffers, results):
    """Results in buffers as tensors for the caller, each with its own storage; the buffers are given back."""
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
''',
    "Buffers": '''
class Buffers:
    """The buffers of one call at a time; `owners` are the tensors that are not views of others."""

    def __init__(self, owners, tensors):
        known = {found.address: found for found in _blocks}
        owned = {x.untyped_storage().data_ptr() for x in owners}
        self.tensors, self.bytes = tensors, sum(x.nbytes for x in owners)
        self.blocks = {address: known[address] for address in known.keys() & owned}
        self.idle = self.holders()

    def holders(self):
        """The number of references to each block."""
        return [found.holders() for found in self.blocks.values()]

    def share(self, x):
        """A result for the caller, with its own storage: on the same memory if that is a block, else a copy."""
        found = self.blocks.get(x.untyped_storage().data_ptr())
        return x.clone() if found is None else found.tensor(x.dtype, x.data_ptr(), x.shape)
''',
    "lend": '''
def lend(like, shape, front=0):
    """An uninitialised tensor for a result; row `front`, its first step, begins at a multiple of 64 bytes."""
    count, item, before = math.prod(shape), like.element_size(), front * math.prod(shape[1:])
    if count * item < LARGE_RESULT or like.device.type != "cpu":
        start = -before % (64 // item)
        return like.new_empty(start + count)[start:].view(shape).data if start else like.new_empty(shape)
    found = block(count * item + 64)
    first = found.address + -(found.address + before * item) % 64
    memory = found.tensor(like.dtype, first, shape)
    _blocks.append(found)
    del _blocks[:-64]
    return memory
''',
    "block": '''
def block(size):
    """An unused block of this size, at most an eighth larger. A new one replaces unused ones of other sizes."""
    unit = 1 << max(6, size.bit_length() - 4)
    size = (size + unit - 1) // unit * unit
    found, gone = idle_block(size, size), 0
    while found is None and gone < size and (old := idle_block(0, inf)):
        gone += len(old.memory)
    return found or Block(size)
''',
    "idle_block": '''
def idle_block(least, most):
    """An unused block of `least` to `most` bytes, taken off the list; None if there is none.

    A block leaves the list while it is looked at, so that no other thread takes it.
    """
    for _ in range(len(_blocks)):
        try:
            found = _blocks.pop(0)
        except IndexError:
            continue
        if found.holders() == found.idle and least <= len(found.memory) <= most:
            return found
        _blocks.append(found)
    return None
''',
    "Block": '''
class Block:
    """A block of memory for a large result, used again once the result is gone: its storage refers to the bytes.

    To get new memory from the system costs as much as to fill it.
    """

    def __init__(self, size):
        self.memory = bytearray(size)
        self.address = torch.frombuffer(self.memory, dtype=torch.uint8).data_ptr()
        self.idle = self.holders()

    def holders(self):
        """The number of references to the memory: more than when it was `idle`, while a tensor is on it."""
        return getrefcount(self.memory)

    def tensor(self, dtype, address, shape):
        """A tensor on this memory with its own storage: autograd doesn't take it for a view of another tensor."""
        found = torch.frombuffer(self.memory, dtype=dtype, count=math.prod(shape), offset=address - self.address)
        return found.view(shape).data
''',
}
"""How functions get and give back their buffers, and large results their memory."""

PRODUCTS: dict[str, str] = {
    "linear": '''
def oneDNN():
    """PyTorch's functions of oneDNN for products: with AVX-512 they take half the time of `mm`."""
    known = torch.backends.mkldnn.is_available() and torch.backends.cpu.get_cpu_capability() == "AVX512"
    names = ("_linear_pointwise", "_reorder_linear_weight")
    return tuple(getattr(torch.ops.mkldnn, name, None) if known else None for name in names)


linear, packed_weights = oneDNN()
''',
    "dense": '''
def dense(a, w):
    """a @ w.T, by oneDNN."""
    return linear(a, w, None, "none", [], "")
''',
    "best_product": '''
LARGE = 1 << 21


def best_product(like, small, large, rows, inner, columns):
    """The function for products [rows, inner] @ [inner, columns]: `large` where that saves more than its call costs."""
    fits = linear is not None and like.dtype == torch.float32 and like.device.type == "cpu"
    return large if fits and rows * inner * columns >= LARGE else small
''',
    "row_blocks": '''
def row_blocks(*matrices):
    """Matrices in blocks of rows, so small that those of the last one are still in the cache when they are copied."""
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
    for x, y in row_blocks(a, out):
        y.copy_(dense(x, b))
''',
    "large_addmm": '''
def large_addmm(plus, a, b, out):
    """plus + a @ b."""
    b = b.T
    for x, y, z in row_blocks(a, plus.expand(out.shape), out):
        torch.add(y, dense(x, b), out=z)
''',
    "prepared": '''
def prepared(product, b, rows, steps):
    """The factor b in the form that suits `product`, which multiplies `rows` rows by it at each step."""
    if product in (torch.mm, torch.addmm):
        return b
    return packed_weights(b.T.contiguous(), rows) if packed_weights is not None and steps >= 16 else b.T
''',
    "step_mm": '''
def step_mm(a, w, out):
    """a @ b, where w is `prepared` b."""
    out.copy_(dense(a, w))
''',
    "step_addmm": '''
def step_addmm(plus, a, w, out):
    """plus + a @ b, where w is `prepared` b."""
    torch.add(plus, dense(a, w), out=out)
''',
}
"""Products of matrices, computed in the way that suits their sizes."""
