"""How each element-wise operation is written in C: one table for float and double, for CUDA and for native code.

`{0}`, `{1}`, `{2}` are the arguments: names or literals, so that each may occur several times. `{f}` is the suffix of
functions and literals in single precision, `{real}` the type. Special values are those of the interpreter: comparisons
with NaN are false, `minimum` and `maximum` pass NaN on, `softplus` and `sigmoid` do not overflow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isnan

import numpy as np

from recurrency.graph.ops import OPS

SCALAR_C: dict[str, str] = {
    **{op.name: f"{op.name}{{f}}({{0}})" for op in OPS.values() if op.is_function},
    "negative": "-{0}",
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "power": "pow{f}({0}, {1})",
    "sqrt": "sqrt{f}({0})",
    "sigmoid": "1.0{f} / (1.0{f} + exp{f}(-{0}))",
    "softplus": "({0} > 0.0{f} ? {0} + log1p{f}(exp{f}(-{0})) : log1p{f}(exp{f}({0})))",
    "relu": "({0} < 0.0{f} ? 0.0{f} : {0})",
    "abs": "fabs{f}({0})",
    "sign": "({0} > 0.0{f} ? 1.0{f} : {0} < 0.0{f} ? -1.0{f} : {0} == 0.0{f} ? 0.0{f} : {0})",
    "floor": "floor{f}({0})",
    "round": "rint{f}({0})",
    "mod": "copysign{f}(fmod{f}({0}, {1}) != 0.0{f} && (fmod{f}({0}, {1}) < 0.0{f}) != ({1} < 0.0{f}) "
    "? fmod{f}({0}, {1}) + {1} : fmod{f}({0}, {1}), {1})",
    "atan": "atan{f}({0})",
    "erf": "erf{f}({0})",
    "erfc": "erfc{f}({0})",
    "less": "({real})({0} < {1})",
    "less_equal": "({real})({0} <= {1})",
    "equal": "({real})({0} == {1})",
    "minimum": "({0} < {1} || {0} != {0} ? {0} : {1})",
    "maximum": "({0} > {1} || {0} != {0} ? {0} : {1})",
    "where": "({0} != 0.0{f} ? {1} : {2})",
    "stop_grad": "{0}",
    "add_slope": "{0}",
    "clip_grad": "{0}",
}
"""A row for each element-wise operation; a function that C has under the same name needs none."""


@dataclass(frozen=True)
class Scalars:
    """The numbers of one dtype, `float32` or `float64`, in C; `functions` has the text of each operation."""

    dtype: str
    functions: Mapping[str, str] = field(default_factory=lambda: SCALAR_C)

    @property
    def real(self) -> str:
        """The type."""
        return {"float32": "float", "float64": "double"}[self.dtype]

    @property
    def f(self) -> str:
        """The suffix of functions and literals."""
        return {"float32": "f", "float64": ""}[self.dtype]

    def call(self, op: str, *args: str) -> str:
        """An operation on arguments that are names or literals."""
        return self.text(self.functions[op]).format(*args)

    def text(self, template: str) -> str:
        """A template with suffix and type filled in, and its arguments left."""
        return template.replace("{f}", self.f).replace("{real}", self.real)

    def literal(self, value: float) -> str:
        """The nearest number of this dtype as text; infinities and NaN need no header."""
        with np.errstate(over="ignore"):
            number = np.dtype(self.dtype).type(value)
        if isnan(number):
            return f"(0.0{self.f} / 0.0{self.f})"
        if number in (inf, -inf):
            return f"({'-' if number < 0 else ''}1.0{self.f} / 0.0{self.f})"
        text = f"{number!s}{self.f}"
        return f"({text})" if text.startswith("-") else text
