"""The functions of the language: one row each, with signature, meaning, and how it is lowered to operations."""

from __future__ import annotations

from recurrency.language.vocabulary import (
    constants,
    elementwise,
    pieces,
    randomness,
    special,
    streams,
    tensors,
    vectors,
)
from recurrency.language.vocabulary.signatures import (
    CONSTANTS,
    ELEMENTWISE,
    FUNCTIONS,
    GRADIENTS,
    INDICES,
    LOSSES,
    MATRICES,
    NUMBERS,
    RANDOM,
    SAMPLES,
    TIME,
    VECTOR,
    Arguments,
    Function,
    shown,
)

TABLES = (elementwise, special, vectors, pieces, streams, randomness, tensors, constants)
"""The modules whose rows fill `FUNCTIONS` when they are imported."""
GROUPS = (ELEMENTWISE, VECTOR, MATRICES, CONSTANTS, INDICES, TIME, RANDOM, SAMPLES, GRADIENTS, LOSSES)
"""The headings of the groups of functions."""

__all__ = [
    "CONSTANTS",
    "ELEMENTWISE",
    "FUNCTIONS",
    "GRADIENTS",
    "GROUPS",
    "INDICES",
    "LOSSES",
    "MATRICES",
    "NUMBERS",
    "RANDOM",
    "SAMPLES",
    "TABLES",
    "TIME",
    "VECTOR",
    "Arguments",
    "Function",
    "shown",
]
