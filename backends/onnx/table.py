"""The operations in ONNX: who writes each, or why it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from . import structure, time
from .ops import ELEMENTWISE
from .values import Val

Write: TypeAlias = Callable[..., Val]

WRITERS: dict[str, Write] = {
    "eye": structure.write_eye,
    "array": structure.write_array,
    "length": structure.write_length,
    "batch": structure.write_batch,
    "random": structure.write_random,
    "product": structure.write_product,
    "transpose": structure.write_transpose,
    "reshape": structure.write_reshape,
    "expand": structure.write_expand,
    "concat": structure.write_concat,
    "slice": structure.write_slice,
    "pad": structure.write_pad,
    "sum": structure.write_sum,
    "peak": structure.write_peak,
    "cumsum": structure.write_cumsum,
    "argmax": structure.write_argmax,
    "softmax": structure.write_softmax,
    "log_softmax": structure.write_log_softmax,
    "take": structure.write_take,
    "put": structure.write_put,
    "shift": time.write_shift,
    "pick": time.write_pick,
    "final": time.write_final,
    "history": time.write_history,
    "reverse": time.write_reverse,
    "sum_time": time.write_sum_time,
    "sum_batch": time.write_sum_batch,
    "spread": time.write_spread,
    "frames": time.write_frames,
    "valid": time.write_valid,
}
"""Operation -> who writes it."""

ELSEWHERE = frozenset({"input", "param", "constant", "start"})
"""Sources, which `lowering` writes: their values come from the caller, or are numbers."""

ONLY_GRADIENTS = "it occurs in gradients only, and ONNX graphs compute results"
REFUSED: dict[str, str] = dict.fromkeys(
    ("unless_given", "slide", "if_length", "place", "unhistory", "opening", "unopening", "unframes"), ONLY_GRADIENTS
)
"""Operation -> why there is no ONNX for it."""

WRITTEN = frozenset({*WRITERS, *ELEMENTWISE, *ELSEWHERE})
"""The operations that can be written."""
