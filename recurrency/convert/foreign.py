"""The cells of other libraries as equations, under the names that their parameters have there.

Each text is what the library's documentation says, packed as the library packs it. Nothing else in this package knows
the order of gates, how many biases there are, or which way a gate points: that follows from comparing equations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from recurrency.convert.forms import Forms
from recurrency.spec import Spec, parse

_TORCH_SIZES = """
    param weight_ih        : [{n} * H, N] ~ zeros
    param weight_hh        : [{n} * H, {out}] ~ zeros
    param bias_ih, bias_hh : [{n} * H]    ~ zeros

    a = weight_ih @ x + bias_ih
    b = weight_hh @ h[t-1] + bias_hh
"""
_TORCH_LSTM = """
    state c : [H] = 0

    i = sigmoid(split(a, 4, 1) + split(b, 4, 1))
    f = sigmoid(split(a, 4, 2) + split(b, 4, 2))
    g = tanh(split(a, 4, 3) + split(b, 4, 3))
    o = sigmoid(split(a, 4, 4) + split(b, 4, 4))
    c = f * c[t-1] + i * g
"""
_TORCH_GRU = """
    state h : [H] = 0

    r = sigmoid(split(a, 3, 1) + split(b, 3, 1))
    z = sigmoid(split(a, 3, 2) + split(b, 3, 2))
    n = tanh(split(a, 3, 3) + r * split(b, 3, 3))
    h = (1 - z) * n + z * h[t-1]
"""
_KERAS_SIZES = """
    param kernel           : [N, {n} * H] ~ zeros
    param recurrent_kernel : [H, {n} * H] ~ zeros
    param bias             : [{n} * H]    ~ zeros

    state h : [H] = 0

    a = x @ kernel + bias
"""
_KERAS_LSTM = """
    state c : [H] = 0

    b = h[t-1] @ recurrent_kernel
    i = sigmoid(split(a, 4, 1) + split(b, 4, 1))
    f = sigmoid(split(a, 4, 2) + split(b, 4, 2))
    c = f * c[t-1] + i * tanh(split(a, 4, 3) + split(b, 4, 3))
    o = sigmoid(split(a, 4, 4) + split(b, 4, 4))
    h = o * tanh(c)
"""
_KERAS_GRU = """
    param recurrent_bias : [3 * H] ~ zeros

    b = h[t-1] @ recurrent_kernel + recurrent_bias
    z = sigmoid(split(a, 3, 1) + split(b, 3, 1))
    r = sigmoid(split(a, 3, 2) + split(b, 3, 2))
    n = tanh(split(a, 3, 3) + r * split(b, 3, 3))
    h = z * h[t-1] + (1 - z) * n
"""
