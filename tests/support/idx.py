"""The form of the files of MNIST."""

from __future__ import annotations

from typing import Any

import numpy as np


def idx(array: Any) -> bytes:
    """An array of bytes as such a file holds it."""
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return head + array.astype(np.uint8).tobytes()
