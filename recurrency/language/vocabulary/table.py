"""The functions of the language: one row each, with signature, meaning, and how it is lowered to operations."""

from __future__ import annotations

from recurrency.language.vocabulary import elementwise, pieces, streams, tensors, vectors
from recurrency.language.vocabulary.signatures import (
    ELEMENTWISE,
    FUNCTIONS,
    GRADIENTS,
    INDICES,
    LOSSES,
    MATRICES,
    RANDOM,
    TIME,
    VECTOR,
    Arguments,
    Function,
    shown,
)

TABLES = (elementwise, vectors, pieces, streams, tensors)
"""The modules whose rows fill `FUNCTIONS` when they are imported."""
GROUPS = (ELEMENTWISE, VECTOR, MATRICES, INDICES, TIME, RANDOM, GRADIENTS, LOSSES)
"""The headings of the groups of functions."""

__all__ = [
    "ELEMENTWISE",
    "FUNCTIONS",
    "GRADIENTS",
    "GROUPS",
    "INDICES",
    "LOSSES",
    "MATRICES",
    "RANDOM",
    "TABLES",
    "TIME",
    "VECTOR",
    "Arguments",
    "Function",
    "shown",
]
