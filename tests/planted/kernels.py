"""Mistakes in CUDA kernels and in what launches them, found on the stand-in for the device."""

from __future__ import annotations

from recurrency.testing import Case
from tests.planted import CASE, TRAINING, Plant

SCALAR = "recurrency.backends.kernels.scalars:SCALAR_C"
CUDA = "recurrency.backends.kernels."
TEXT = "recurrency.backends.cupy.backend:CupyBackend.emit()"
"""The whole text of a module, with the part of it that is always the same."""


def _kernel(name: str, where: str, old: str, new: str, cell: str, said: str, case: Case = CASE) -> Plant:
    return Plant(name, where, old, new, cell, said, case=case, backend="cupy-emulated")


ROWS = (
    _kernel("a constant in a function of C", SCALAR + "[sigmoid]", "(1.0{f} +", "(1.25{f} +",
            "y = sigmoid(z)", "op sigmoid"),
    _kernel("a comparison the wrong way round", SCALAR + "[maximum]", "{0} > {1}", "{0} < {1}",
            "param b : [H] ~ ones\ny = max(z, b)", "op maximum"),
    _kernel("a grid that is too short", TEXT, "(threads + BLOCK - 1) // BLOCK", "threads // BLOCK",
            "y = tanh(z)", "op tanh"),
    _kernel("an argument of another width", TEXT, "np.int32(threads)", "np.int64(threads)",
            "y = tanh(z)", "op tanh"),
    _kernel("arguments in another order", "recurrency.backends.cupy.writer:signature",
            "for word, kind in source.memory.scalars(words).items()",
            "args.reverse()\n    for word, kind in source.memory.scalars(words).items()", "y = tanh(z * sum(x))",
            "op (sum|tanh|multiply)"),
    _kernel("a boundary that is off by one", CUDA + "ops:_shift", "{at.t} >= {delay}", "{at.t} > {delay}",
            "y = z[t-2]", "op shift"),
    _kernel("a later step too far", CUDA + "ops:_shift", "({at.t} + {-delay})", "({at.t} + {1 - delay})",
            "y = z[t+1]", "op shift"),
    _kernel("the end of a sequence missed", CUDA + "ops:_valid", "{at.t} < {k", "{at.t} <= {k",
            "a = exp(z)\ny = a[t+1]", "op (valid|shift)"),
    _kernel("a sum over too little", CUDA + "reductions:_product", "in summed]", "in summed[1:]]",
            "param W : [H, N] ~ ones\ny = diag(z) @ (W @ x) * dot(x, x)", "op product"),
    _kernel("a constant of the generator in a kernel", TEXT, "0xCD9E8D57ull", "0xCD9E8D59ull",
            "y = dropout(z, 0.5)", "op random", TRAINING),
)  # fmt: skip
