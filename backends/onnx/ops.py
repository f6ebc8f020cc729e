"""The element-wise operations in ONNX: each is an expression of tensors.

Where an operator of ONNX, as onnxruntime computes it, is not what the interpreter computes, the formula here takes its
place: `Sigmoid` and `Softplus` lose the digits of small results, `Mod` has the sign of the dividend, and there are no
`expm1`, `log1p` and `erfc`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from .special import atan, erf, erfc
from .writer import Tensor

Formula: TypeAlias = Callable[..., Tensor]
INFINITY = float("inf")


def node(kind: str) -> Formula:
    """An operation that is one operator of ONNX."""
    return lambda x, *more: x.apply(kind, *more)


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)): exp overflows to infinity, and the result is 0 then."""
    return 1.0 / ((-x).apply("Exp") + 1.0)


def log1p(x: Tensor) -> Tensor:
    """log(u) x / (u - 1) with u = 1 + x, in which the rounding of u cancels (Kahan)."""
    u = x + 1.0
    near = u.apply("Log") * (x / (u - 1.0))
    return u.equals(1.0).where(x, u.equals(INFINITY).where(x, u.equals(0.0).where(-INFINITY, near)))


def expm1(x: Tensor) -> Tensor:
    """(u - 1) x / log(u) with u = exp(x), in which the rounding of u cancels (Kahan)."""
    u = x.apply("Exp")
    near = (u - 1.0) * (x / u.apply("Log"))
    return u.equals(1.0).where(x, u.equals(INFINITY).where(u, (u - 1.0).equals(-1.0).where(-1.0, near)))


def softplus(x: Tensor) -> Tensor:
    """max(x, 0) + log1p(exp(-|x|))."""
    return x.apply("Relu") + log1p((-abs(x)).apply("Exp"))


def sign(x: Tensor) -> Tensor:
    """The sign, and NaN of NaN."""
    return x.apply("IsNaN").where(x, x.apply("Sign"))


def mod(a: Tensor, b: Tensor) -> Tensor:
    """The remainder with the sign of the divisor, from that with the sign of the dividend."""
    rest = a.writer("Mod", a, b, fmod=1)
    other = (rest < 0.0).apply("Xor", b < 0.0).apply("And", rest.equals(0.0).apply("Not"))
    return other.where(rest + b, rest)


ELEMENTWISE: dict[str, Formula] = {
    "negative": node("Neg"),
    "add": node("Add"),
    "subtract": node("Sub"),
    "multiply": node("Mul"),
    "divide": node("Div"),
    "power": node("Pow"),
    "exp": node("Exp"),
    "expm1": expm1,
    "log": node("Log"),
    "log1p": log1p,
    "sqrt": node("Sqrt"),
    "tanh": node("Tanh"),
    "sigmoid": sigmoid,
    "softplus": softplus,
    "relu": node("Relu"),
    "abs": node("Abs"),
    "sign": sign,
    "floor": node("Floor"),
    "round": node("Round"),  # halves to the even number
    "mod": mod,
    "atan": atan,
    "erf": erf,
    "erfc": erfc,
    "sin": node("Sin"),
    "cos": node("Cos"),
    "less": lambda a, b: (a < b).real(),
    "less_equal": lambda a, b: a.apply("LessOrEqual", b).real(),
    "equal": lambda a, b: a.equals(b).real(),
    "minimum": node("Min"),
    "maximum": node("Max"),
    "where": lambda c, a, b: c.flag().where(a, b),
    "stop_grad": lambda x: x,
    "add_slope": lambda value, x, slope: value,
    "clip_grad": lambda x: x,
}
"""Operation -> its formula."""
