"""Weights to and from `nn.LSTM`, `nn.GRU`, `nn.RNN` and Keras, for any cell whose equations are theirs.

    lstm = torch.nn.LSTM(3, 5)
    cell = rc.library.PlainLSTM.module(N=3, H=5)
    cell.load_state_dict(rc.convert.from_torch(rc.library.PlainLSTM, lstm))

The order of gates, two biases or one, kernels that stand on the other side, a gate z that points the other way: none of
it is written down anywhere. Both sides are taken as equations and laid on top of one another (`matching`); parameters
that come to lie on top of one another get the same numbers.
"""

from __future__ import annotations

from recurrency.convert.keras import from_keras, to_keras
from recurrency.convert.torch import from_torch, to_torch

__all__ = ["from_keras", "from_torch", "to_keras", "to_torch"]
