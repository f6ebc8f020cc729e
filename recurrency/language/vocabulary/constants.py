"""The functions of constants, which are computed when the spec is compiled."""

from __future__ import annotations

import numpy as np

from recurrency.graph.dimensions import Dim
from recurrency.graph.value import Value
from recurrency.language.diagnostics import SHAPE_MISMATCH, WRONG_ARGUMENTS
from recurrency.language.vocabulary import matrix_functions
from recurrency.language.vocabulary.signatures import CONSTANTS, Arguments, row, shown


def _square(a: Arguments) -> Value:
    """The first argument, a square matrix."""
    value = a.value(0)
    if len(value.type.shape) != 2 or value.type.shape[0] != value.type.shape[1]:
        a.fail(WRONG_ARGUMENTS, f"a square matrix is needed here, not {shown(value.type)}", position=0)
    return value


def _expm(a: Arguments) -> Value:
    x = _square(a)
    return a.computed(x.type.shape, matrix_functions.expm, x)


def _inverse(a: Arguments) -> Value:
    x = _square(a)
    return a.computed(x.type.shape, matrix_functions.inverse, x)


def _solve(a: Arguments) -> Value:
    left, right = _square(a), a.value(1)
    shape = right.type.shape
    if len(shape) not in (1, 2) or shape[0] != left.type.shape[0]:
        title = f"solve needs {left.type.shape[0]} rows here, as in {shown(left.type)}; this is {shown(right.type)}"
        a.fail(SHAPE_MISMATCH, title, position=1)
    return a.computed(shape, matrix_functions.solve, left, right)


def _kron(a: Arguments) -> Value:
    left, right = a.value(0), a.value(1)
    for position, value in enumerate((left, right)):
        if len(value.type.shape) != len(left.type.shape) or len(value.type.shape) not in (1, 2):
            title = f"kron takes two matrices or two vectors; this is {shown(value.type)}"
            a.fail(WRONG_ARGUMENTS, title, position=position)
    shape = tuple([_times(m, n) for m, n in zip(left.type.shape, right.type.shape, strict=True)])
    return a.computed(shape, np.kron, left, right)


def _times(m: Dim, n: Dim) -> Dim:
    assert not isinstance(m, str)
    assert not isinstance(n, str)
    return m * n


row(CONSTANTS, "expm(A)", "the matrix exponential, by scaling and squaring (Higham 2005)", _expm)
row(CONSTANTS, "inverse(A)", "the inverse matrix", _inverse)
row(CONSTANTS, "solve(A, b)", "x with A @ x = b, for a vector or a matrix b", _solve, 2)
row(CONSTANTS, "kron(A, B)", "the Kronecker product: blocks a_ij * B", _kron, 2)
