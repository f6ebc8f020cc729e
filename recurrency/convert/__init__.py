"""Converts weights from PyTorch, Keras and ONNX, and to the first two, for any cell with the same equations.

    lstm = torch.nn.LSTM(3, 5)
    cell = rc.library.PlainLSTM.module(N=3, H=5)
    cell.load_state_dict(rc.convert.from_torch(rc.library.PlainLSTM, lstm))

There is no table of gate orders, numbers of biases, transposed kernels or inverted gates. The equations of both sides
are matched (`recurrency.equations.matching`), and matched parameters get the same numbers.
"""

from __future__ import annotations

from recurrency.convert.keras import from_keras, to_keras
from recurrency.convert.onnx_files import from_onnx
from recurrency.convert.torch import from_torch, to_torch

__all__ = ["from_keras", "from_onnx", "from_torch", "to_keras", "to_torch"]
