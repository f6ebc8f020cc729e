"""Matrix products of the stand-in for cupy, with the conditions of cuBLAS."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import ndarray

REALS = (np.dtype(np.float32), np.dtype(np.float64))
TRANSPOSED = {"N": False, "T": True}


def check_operands(name: str, arrays: tuple[Any, ...], out: ndarray | None) -> None:
    """Check the operands of a product.

    Raises:
        TypeError: one is no device array, or they differ in dtype. ValueError: the result lies over an operand.
    """
    for array in (*arrays, *(() if out is None else (out,))):
        if not isinstance(array, ndarray):
            raise TypeError(f"{name} takes device arrays, not {type(array).__name__}")
        if array.dtype not in REALS or array.dtype != arrays[0].dtype:
            raise TypeError(f"{name} takes arrays of one real dtype, not {arrays[0].dtype} and {array.dtype}")
    if out is not None and any(np.shares_memory(out.host, array.host) for array in arrays):
        raise ValueError(f"the result of {name} lies over one of its operands")


def gemm(transa: str, transb: str, a: ndarray, b: ndarray, out: ndarray, alpha: float, beta: float) -> None:
    """`out = alpha op(a) op(b) + beta out`; where beta is 0, what `out` held is not read.

    Raises:
        ValueError: cuBLAS, or cupy before it, refuses the call.
    """
    if any(array.ndim != 2 for array in (a, b, out)):
        raise ValueError("gemm takes matrices")
    if 0 in (*a.shape, *b.shape):
        raise ValueError(f"cuBLAS takes no empty matrices: {a.shape}, {b.shape}")
    if not (out.flags.c_contiguous or out.flags.f_contiguous):
        raise ValueError("gemm would copy a result that is not contiguous")
    left = a.host.T if TRANSPOSED[transa] else a.host
    right = b.host.T if TRANSPOSED[transb] else b.host
    if left.shape[1] != right.shape[0] or out.shape != (left.shape[0], right.shape[1]):
        raise ValueError(f"gemm of {left.shape} and {right.shape} gives no {out.shape}")
    with np.errstate(all="ignore"):
        product = out.dtype.type(alpha) * np.matmul(left, right)
        out.host[...] = product if beta == 0 else product + out.dtype.type(beta) * out.host


def matmul(a: ndarray, b: ndarray, out: ndarray) -> None:
    """The products of stacks of matrices.

    Raises:
        ValueError: the shapes don't fit.
    """
    with np.errstate(all="ignore"):
        product = np.matmul(a.host, b.host)
    if product.shape != out.shape:
        raise ValueError(f"matmul of {a.shape} and {b.shape} gives {product.shape}, not {out.shape}")
    out.host[...] = product


def result_shape(a: ndarray, b: ndarray) -> tuple[int, ...]:
    """The shape of a product of stacks of matrices.

    Raises:
        ValueError: there is none.
    """
    nothing = [np.broadcast_to(np.empty((), np.uint8), array.shape) for array in (a, b)]
    shape: tuple[int, ...] = np.matmul(*nothing).shape
    return shape
