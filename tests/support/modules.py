"""Small modules of PyTorch, and the comparison of their numbers."""

from __future__ import annotations

from typing import Any

import recurrency as rc
from tests.support.torch_modules import torch

nn = torch.nn

rnn = torch.nn.utils.rnn

close = torch.testing.assert_close

DROPOUT = """
cell Noisy[N, H](x: [N]) -> (h: [H]) {
    param W : [H, N] ~ glorot_uniform
    param U : [H, H] ~ orthogonal
    state h : [H] = 0
    h = tanh(W @ dropout(x, 0.5) + U @ h[t-1])
}"""


def noisy() -> Any:
    return rc.parse(DROPOUT).module(N=3, H=4, dtype=torch.float64, seed=0)
