"""The functions of the table of edges as mathematics has them, in as many digits as are wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mpmath as mp


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(-abs(x))) + max(x, 0)


def _gelu(x: Any) -> Any:
    return x * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3))) / 2


def _hard_sigmoid(x: Any) -> Any:
    return min(max(x / 5 + mp.mpf(1) / 2, 0), 1)


def _log(p: Any) -> Any:
    return max(mp.log(p), -100) if p > 0 else mp.mpf(-100)


TINY = mp.mpf(10) ** -5

FORMULAS: dict[str, Callable[[Any], Any]] = {
    "exp(x)": mp.exp,
    "log(x)": mp.log,
    "sqrt(x)": mp.sqrt,
    "tanh(x)": mp.tanh,
    "sigmoid(x)": _sigmoid,
    "softplus(x)": _softplus,
    "sin(x)": mp.sin,
    "cos(x)": mp.cos,
    "abs(x)": abs,
    "sign(x)": mp.sign,
    "relu(x)": lambda x: max(x, 0),
    "square(x)": lambda x: x * x,
    "prelu(x, 0.25)": lambda x: x if x > 0 else x / 4,
    "elu(x)": lambda x: x if x > 0 else mp.expm1(x),
    "gelu(x)": _gelu,
    "silu(x)": lambda x: x * _sigmoid(x),
    "hard_sigmoid(x)": _hard_sigmoid,
    "clip(x, -1, 1)": lambda x: min(max(x, -1), 1),
    "expm1(x)": mp.expm1,
    "log1p(x)": mp.log1p,
    "atan(x)": mp.atan,
    "erf(x)": mp.erf,
    "erfc(x)": mp.erfc,
    "leaky_relu(x)": lambda x: x if x > 0 else x / 100,
    "leaky_relu(x, 0.25)": lambda x: x if x > 0 else x / 4,
    "gelu_exact(x)": lambda x: x * mp.erfc(-x / mp.sqrt(2)) / 2,
    "floor(x)": mp.floor,
    "ceil(x)": mp.ceil,
    "round(x)": mp.nint,
    "mod(x, 3)": lambda x: x - 3 * mp.floor(x / 3),
    "mod(x, -3)": lambda x: x + 3 * mp.floor(-x / 3),
    "mod(a, x), a = 7": lambda x: 7 - x * mp.floor(7 / x),
    "mod(a, x), a = -7": lambda x: -7 - x * mp.floor(-7 / x),
    "heaviside(x)": lambda x: mp.mpf(int(x > 0)),
    "heaviside(x, 1 / (1 + square(x)))": lambda x: mp.mpf(int(x > 0)),
    "where(x > 0, log(x), 0)": lambda x: mp.log(x) if x > 0 else mp.mpf(0),
    "where(x, 1 / x, 0)": lambda x: 1 / x if x else x,
    "where(x < 40, log(1 + exp(x)), x)": lambda x: _softplus(x) if x < 40 else x,
    "max(x, 1)": lambda x: max(x, 1),
    "max(1, x)": lambda x: max(x, 1),
    "max(log(x), -50)": lambda x: max(mp.log(x), -50),
    "max(concat(x, 1))": lambda x: max(x, 1),
    "min(x, 1)": lambda x: min(x, 1),
    "min(1, x)": lambda x: min(x, 1),
    "min(concat(x, 1))": lambda x: min(x, 1),
    "1 / x": lambda x: 1 / x,
    "x ** 2": lambda x: x**2,
    "x ** 0.5": mp.sqrt,
    "x ** a, a = 0": lambda x: mp.mpf(1),
    "x ** a, a = 1": lambda x: x,
    "x ** a, a = 2": lambda x: x * x,
    "x ** a, a = 0.5": mp.sqrt,
    "x ** a, a = -1": lambda x: 1 / x,
    "a ** x, a = 0": lambda x: mp.mpf(0) ** x,
    "a ** x, a = 2": lambda x: mp.mpf(2) ** x,
    "a ** x, a = -2": lambda x: mp.mpf(-2) ** x,
    "-log(sigmoid(x))": lambda x: _softplus(-x),
    "softmax(concat(x, 0))[1]": _sigmoid,
    "log_softmax(concat(x, 0))[1]": lambda x: -_softplus(-x),
    "logsumexp(concat(x, 0))": _softplus,
    "embed(concat(5, 7), argmax(concat(x, 1)))": lambda x: mp.mpf(5 if x >= 1 else 7),
    "embed(concat(5, 7), argmax(concat(1, x)))": lambda x: mp.mpf(7 if x > 1 else 5),
    "sum(concat(x, 0))": lambda x: x,
    "mean(concat(x, 0))": lambda x: x / 2,
    "var(concat(x, 0))": lambda x: x * x / 4,
    "norm(concat(x, 0))": abs,
    "dot(concat(x, 0), concat(x, 1))": lambda x: x * x,
    "layer_norm(concat(x, 0))[1]": lambda x: x / 2 / mp.sqrt(x * x / 4 + TINY),
    "rms_norm(concat(x, 0))[1]": lambda x: x / mp.sqrt(x * x / 2 + TINY),
    "maxout(concat(x, 1), 2)[1]": lambda x: max(x, 1),
    "straight_through(sign(x), sin(x))": mp.sign,
    "straight_through(x, -x)": lambda x: x,
    "stop_grad(x)": lambda x: x,
    "clip_grad(x, 0.5)": lambda x: x,
    "cross_entropy(concat(x, 0), concat(1, 0))": lambda x: _softplus(-x),
    "cross_entropy(concat(x, 0), concat(0, 1))": _softplus,
    "binary_cross_entropy(x, a), a = 1": lambda x: -_log(x),
    "binary_cross_entropy(x, a), a = 0": lambda x: -_log(1 - x),
    "binary_cross_entropy(sigmoid(x), a), a = 1": lambda x: _softplus(-x),
    "binary_cross_entropy(sigmoid(x), a), a = 0": _softplus,
    "binary_cross_entropy(hard_sigmoid(x), a), a = 1": lambda x: -_log(_hard_sigmoid(x)),
    "binary_cross_entropy(0.25, x)": lambda x: -x * mp.log(0.25) - (1 - x) * mp.log(0.75),
    "binary_cross_entropy(sigmoid(3 * a), x), a = 1": lambda x: (
        x * _softplus(mp.mpf(-3)) + (1 - x) * _softplus(mp.mpf(3))
    ),
    "cross_entropy(concat(3, 0), concat(x, 1))": lambda x: x * _softplus(mp.mpf(-3)) + _softplus(mp.mpf(3)),
    "prelu(-2, x)": lambda x: -2 * x,
    "squared_error(x, 1)": lambda x: (x - 1) ** 2,
    "absolute_error(x, 1)": lambda x: abs(x - 1),
    "l1(x)": abs,
    "l2(x)": lambda x: x * x,
}
"""Call -> the same by its definition."""

KINKS: dict[str, tuple[float, ...]] = {
    **dict.fromkeys(
        ("abs(x)", "sign(x)", "relu(x)", "prelu(x, 0.25)", "elu(x)", "norm(concat(x, 0))", "l1(x)"), (0.0,)
    ),
    "hard_sigmoid(x)": (-2.5, 2.5),
    "clip(x, -1, 1)": (-1.0, 1.0),
    "where(x > 0, log(x), 0)": (0.0,),
    "where(x, 1 / x, 0)": (0.0,),
    "where(x < 40, log(1 + exp(x)), x)": (40.0,),
    "max(log(x), -50)": (0.0,),
    **dict.fromkeys(("max(x, 1)", "max(1, x)", "max(concat(x, 1))", "maxout(concat(x, 1), 2)[1]"), (1.0,)),
    **dict.fromkeys(("min(x, 1)", "min(1, x)", "min(concat(x, 1))", "absolute_error(x, 1)"), (1.0,)),
    "a ** x, a = 0": (0.0, 1.0),
    "a ** x, a = -2": (2.0,),
    "binary_cross_entropy(x, a), a = 1": (0.0, 1.0),
    "binary_cross_entropy(x, a), a = 0": (0.0, 1.0),
    **dict.fromkeys(("floor(x)", "ceil(x)"), (-2.0, 0.0, 2.0, 1e18, -1e18)),
    "round(x)": (-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 8388607.5),
    **dict.fromkeys(("mod(x, 3)", "mod(x, -3)"), (-3.0, 0.0, 3.0, -1e-30, 1e-30)),
    "mod(a, x), a = 7": (7.0, 0.5),
    **dict.fromkeys(("leaky_relu(x)", "leaky_relu(x, 0.25)"), (0.0,)),
    **{f"embed(concat(5, 7), argmax(concat({call})))": (1.0,) for call in ("x, 1", "1, x")},
    "heaviside(x)": (0.0,),
    "heaviside(x, 1 / (1 + square(x)))": (-1.0, 0.0, 1.0),
    "straight_through(sign(x), sin(x))": (0.0, 1.0),
    "straight_through(x, -x)": (0.0, 2.0),
    "stop_grad(x)": (1.0,),
    "clip_grad(x, 0.5)": (1.0,),
}
"""Where a convention decides, or the derivatives are meant to be others."""


def kinks(call: str) -> tuple[float, ...]:
    """The points of a call that a convention decides."""
    return KINKS.get(call, ())
