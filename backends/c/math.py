"""Element-wise functions in C that vectorise: without branches, tables or libm.

Each is plain scalar C99. With `-O3 -fno-math-errno -fno-trapping-math`, gcc vectorises loops that call them. They need
IEEE arithmetic (no `-ffast-math`), with or without contraction of products and sums; with it (`-ffp-contract=fast`,
which `-std=c99` switches off), loops take a third less time. The text needs <math.h>, <stdint.h> and <string.h>.
Largest errors over the whole range, subnormal numbers included, in units of the last place:

    float   exp 1.2, expm1 1.7, log 0.9, log1p 1.5, tanh 1.4, sigmoid 2.4, softplus 1.8,
            sin 0.6, cos 0.6, atan 2.0, erf 1.5, erfc 3.9, power 0.51
    double  exp 1.2, expm1 2.0, log 0.8, log1p 1.2, tanh 1.6, sigmoid 2.3, softplus 1.7,
            sin 0.8, cos 0.9, atan 1.8, erf 1.4, erfc 3.0, power 0.9

`sin` and `cos` of |x| > 2^26 are those of libm (see `angles`), and so is `power` on x86 without SSE4.2. The polynomials
are computed by `tools/coefficients.py`.
"""

from __future__ import annotations

from collections.abc import Collection

from ..kernels.scalars import SCALAR_C
from .angles import angles
from .erf import error_functions
from .exponentials import exponentials
from .helpers import helpers, used
from .logarithms import logarithms
from .polynomials import SUFFIX
from .powers import powers

OWN = "exp expm1 log log1p tanh sigmoid softplus sin cos atan erf erfc power".split()
"""The operations that call a function of this module, named `rec_exp` or `rec_expf`."""

FUNCTIONS: dict[str, str] = {
    **SCALAR_C,
    **{op: f"rec_{op}{{f}}({{0}})" for op in OWN},
    "power": "rec_power{f}({0}, {1})",
    "minimum": "((({0} < {1}) | ({0} != {0})) ? {0} : {1})",  # one condition, not two: no branch
    "maximum": "((({0} > {1}) | ({0} != {0})) ? {0} : {1})",
}
"""The rows of `SCALAR_C`, with functions and expressions that vectorise."""


PARTS = (exponentials, logarithms, angles, error_functions, powers)
"""Each calls only functions of itself and of those before it."""

TEXTS = {real: "".join(part(real) for part in PARTS) for real in SUFFIX}
"""All functions of each type."""


def text(words: Collection[str], real: str) -> str:
    """The functions among these words, and those that they call, for `float` or `double`."""
    return "\n".join(f"{helper.text}\n" for helper in used(helpers(TEXTS[real]), words))
