"""Element-wise functions in C that vectorise: a few instructions each, without branches, tables or libm.

Each is plain scalar C99. With `-O3 -fno-math-errno -fno-trapping-math`, gcc vectorises loops that call them. They need
IEEE arithmetic (no `-ffast-math`), with or without contraction of products and sums; with it (`-ffp-contract=fast`,
which `-std=c99` switches off), loops take a third less time. The text needs <math.h>,
<stdint.h> and <string.h>. Largest errors over the whole range, subnormal numbers included, in units of the last place:

    float   exp 1.2, expm1 1.7, log 0.9, log1p 1.5, tanh 1.4, sigmoid 2.3, softplus 1.8
    double  exp 1.2, expm1 2.0, tanh 1.6, sigmoid 2.3; log, log1p and softplus are those of libm
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from string import Template

from ..kernels.scalars import SCALAR_C
from .helpers import helpers, used

OWN = "exp expm1 log log1p tanh sigmoid softplus".split()
"""The operations that call a function of this module, named `rec_exp` or `rec_expf`."""

FUNCTIONS: dict[str, str] = {
    **SCALAR_C,
    **{op: f"rec_{op}{{f}}({{0}})" for op in OWN},
    "minimum": "((({0} < {1}) | ({0} != {0})) ? {0} : {1})",  # one condition, not two: no branch
    "maximum": "((({0} > {1}) | ({0} != {0})) ? {0} : {1})",
}
"""The rows of `SCALAR_C`, with functions and expressions that vectorise."""


def text(words: Collection[str], real: str) -> str:
    """The functions among these words, and those that they call, for `float` or `double`."""
    return "\n".join(f"{helper.text}\n" for helper in used(helpers(TEXTS[real]), words))


def horner(x: str, coefficients: Sequence[float], real: str) -> str:
    """Statements that set `p`, coefficients from the lowest power up."""
    first, *rest = [f"{c!r}{SUFFIX[real]}" for c in reversed(coefficients)]
    return "\n    ".join([f"{real} p = {first};", *(f"p = p * {x} + {c};" for c in rest)])


SUFFIX = {"float": "f", "double": ""}
"""The suffix of functions and literals."""

# Minimax polynomials, by Remez exchange in 40 digits. "Error" is relative to the function of the first column.
#
#   function  on                               form                       error: float, double
#   expm1(r)  |r| <= ln(2) / 2                 r + r^2 p(r)               2^-26.2, 2^-61.7
#   tanh(a)   a <= 0.6 (float), 0.55 (double)  a + a z p(z), z = a^2      2^-28.4, 2^-55.5
#   log1p(g)  sqrt(1/2) <= 1 + g <= sqrt(2)    g - g^2 / 2 + g^3 p(g)     2^-27.4
EXPM1 = {
    "float": (0.49999997, 0.16666542, 0.041667204, 0.008366645, 0.0013882514),
    "double": (
        *(0.5, 0.16666666666666677, 0.04166666666666651, 0.008333333333321691, 0.0013888888888962385),
        *(0.00019841269885964886, 2.4801587172544936e-05, 2.7557244375181467e-06, 2.755740262222879e-07),
        *(2.5108978534701717e-08, 2.0875338660042385e-09),
    ),
}
TANH = {
    "float": (-0.333333, 0.13331924, -0.053783838, 0.020796003, -0.005895194),
    "double": (
        *(-0.33333333333332316, 0.1333333333316873, -0.05396825387608989, 0.021869485975055537),
        *(-0.008863194507398454, 0.0035917197232819284, -0.0014532168800018722, 0.0005791373706828612),
        *(-0.000210302964779114, 5.102186104053661e-05),
    ),
}
LOG1P = (0.3333333, -0.2500082, 0.20001225, -0.16623361, 0.14201784, -0.13160183, 0.12761386, -0.076342426)

NUMBERS = {
    "float": {
        "uint": "uint32_t",
        "int": "int32_t",
        "sign": "0x80000000u",
        "twenty": "0x41a00000",  # the bits of 20
        "border": "0.6f",
        "bits": "23",
        "shift": "12583039.0f",  # 1.5 * 2^23 + 127
        "low": "-104.0f",  # exp of this is 0, nearest
        "high": "89.0f",  # exp of this is infinite
        "ln2_high": "0.693359375f",  # 9 bits: its product with a power of two's exponent is exact
        "ln2_low": "-2.12194440e-4f",
    },
    "double": {
        "uint": "uint64_t",
        "int": "int64_t",
        "sign": "UINT64_C(0x8000000000000000)",
        "twenty": "INT64_C(0x4034000000000000)",
        "border": "0.55",
        "bits": "52",
        "shift": "6755399441056767.0",  # 1.5 * 2^52 + 1023
        "low": "-746.0",
        "high": "710.0",
        "ln2_high": "0.6931471803691238",  # 32 bits
        "ln2_low": "1.9082149292705877e-10",
    },
}
"""The constants of each type."""

INLINE = "static inline __attribute__((always_inline))"
"""In a loop with many calls gcc would inline only some of them, and then not vectorise the loop."""

COMMON = r"""
// The number with these bits.
static inline $real rec_from_bits$f($uint bits) {
    $real x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

// The bits of a number.
static inline $uint rec_to_bits$f($real x) {
    $uint bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

// The nearest integer n, plus a number so large that the last bits of the sum are those of n as an exponent.
static inline $real rec_round_shifted$f($real x) {
    return x + $shift;
}

// n, from n shifted.
static inline $real rec_unshifted$f($real shifted) {
    return shifted - $shift;
}

// 2^n, from n shifted.
static inline $real rec_power_of_two$f($real shifted) {
    return rec_from_bits$f(rec_to_bits$f(shifted) << $bits);
}

// x - n ln(2), with ln(2) in two parts.
static inline $real rec_reduced$f($real x, $real n) {
    return (x - n * $ln2_high) - n * $ln2_low;
}

// exp(r) for |r| <= ln(2) / 2.
static inline $real rec_exp_reduced$f($real r) {
    $expm1_polynomial
    return (p * r + 1.0$f) * r + 1.0$f;
}

// exp(x) - 1 for |x| <= ln(2) / 2.
static inline $real rec_expm1_reduced$f($real r) {
    $expm1_polynomial
    return r * r * p + r;
}

// 2^n in two factors, so that results become subnormal or infinite correctly.
static inline $real rec_exp$f($real x) {
    const $real above = x < $low ? $low : x;
    const $real within = above > $high ? $high : above;
    const $real n = rec_unshifted$f(rec_round_shifted$f(within * $log2e));
    const $real half = rec_round_shifted$f(0.5$f * n);
    const $real other = rec_round_shifted$f(n - rec_unshifted$f(half));
    return rec_exp_reduced$f(rec_reduced$f(within, n)) * rec_power_of_two$f(half) * rec_power_of_two$f(other);
}

// exp(-|x|), scaled by 2^64 until the end, because it may be subnormal.
static inline $real rec_exp_minus$f($real x) {
    const $real minus = -fabs$f(x);
    const $real within = minus < $low ? $low : minus;
    const $real shifted = within * $log2e + ($shift + 64.0$f);
    const $real r = rec_reduced$f(within, shifted - ($shift + 64.0$f));
    return rec_exp_reduced$f(r) * rec_power_of_two$f(shifted) * 0x1p-64$f;
}

static inline $real rec_expm1$f($real x) {
    const $real above = x < -40.0$f ? -40.0$f : x;
    const $real within = above > $high ? $high : above;
    const $real shifted = rec_round_shifted$f(within * $log2e);
    const $real u = rec_expm1_reduced$f(rec_reduced$f(within, rec_unshifted$f(shifted)));
    const $real h = rec_power_of_two$f(shifted - 1.0$f);  // half of 2^n: that itself may be infinite
    const $real y = 2.0$f * (u * h + (h - 0.5$f));
    return fabs$f(x) < 1e-30$f ? x : y;
}

// Near 0 an odd polynomial, elsewhere 1 - 2 / (exp(2a) + 1) for a <= 20; NaN is near.
static inline $real rec_tanh$f($real x) {
    const $uint sign = rec_to_bits$f(x) & $sign;
    const $int size = ($int)(rec_to_bits$f(x) ^ sign);
    const $real any = rec_from_bits$f(($uint)size);
    const $real a = rec_from_bits$f(($uint)(size < $twenty ? size : $twenty));
    const $real shifted = rec_round_shifted$f(2.0$f * $log2e * a);
    const $real e = rec_exp_reduced$f(rec_reduced$f(2.0$f * a, rec_unshifted$f(shifted))) * rec_power_of_two$f(shifted);
    const $real far = 1.0$f - 2.0$f / (e + 1.0$f);
    const $real z = any * any;
    $tanh_polynomial
    const $real near = z * p * any + any;
    return rec_from_bits$f(rec_to_bits$f(any >= $border ? far : near) | sign);
}

static inline $real rec_sigmoid$f($real x) {
    const $real e = rec_exp_minus$f(x);
    return (x < 0.0$f ? e : 1.0$f) / (1.0$f + e);
}
"""

FLOAT = r"""
// n ln(2) + log(1 + g) for sqrt(1/2) <= 1 + g <= sqrt(2).
static inline float rec_log_sumf(float n, float g) {
    const float g2 = g * g;
    $log1p_polynomial
    const float y = g2 * g * p + n * $ln2_low;
    return (g + (y - 0.5f * g2)) + n * $ln2_high;
}

// The bits, shifted so that those from 23 on are n + 127 with sqrt(1/2) <= x / 2^n < sqrt(2).
static inline uint32_t rec_exponentf(float x) {
    return rec_to_bitsf(x) + 0x004afb0du;
}

static inline float rec_logf(float x) {
    const float times = x < 0x1p-126f ? 0x1p23f : 1.0f;
    const float bias = x < 0x1p-126f ? 150.0f : 127.0f;
    const uint32_t k = rec_exponentf(x * times);
    const float g = rec_from_bitsf((k & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    const float y = rec_log_sumf((float)(int32_t)(k >> 23) - bias, g);
    const float over = x < INFINITY ? y : x;
    const float none = x == 0.0f ? -INFINITY : NAN;
    return x <= 0.0f ? none : over;
}

// log(1 + x) for finite x > -1; 1 + x, rounded, only determines n.
static inline float rec_log1p_finitef(float x) {
    const uint32_t k = rec_exponentf(1.0f + x) >> 23;
    const float q = rec_from_bitsf((256u - k) << 23);  // 4 * 2^-n: that itself may be subnormal
    const float g = 0.25f * x * q + (0.25f * q - 1.0f);
    const float y = rec_log_sumf((float)(int32_t)k - 127.0f, g);
    return fabsf(x) < 1e-30f ? x : y;
}

static inline float rec_log1pf(float x) {
    const float y = rec_log1p_finitef(x);
    const float over = x < INFINITY ? y : x;
    const float none = x == -1.0f ? -INFINITY : NAN;
    return x <= -1.0f ? none : over;
}

static inline float rec_softplusf(float x) {
    return (x > 0.0f ? x : 0.0f) + rec_log1p_finitef(rec_exp_minusf(x));
}
"""

DOUBLE = r"""
static inline double rec_log(double x) {
    return log(x);
}

static inline double rec_log1p(double x) {
    return log1p(x);
}

static inline double rec_softplus(double x) {
    return (x > 0.0 ? x : 0.0) + log1p(exp(-fabs(x)));
}
"""


def _filled(real: str, code: str) -> str:
    """A template for one type."""
    f = SUFFIX[real]
    polynomials = {
        "expm1_polynomial": horner("r", EXPM1[real], real),
        "tanh_polynomial": horner("z", TANH[real], real),
        "log1p_polynomial": horner("g", LOG1P, real),
    }
    filled = Template(code).substitute(polynomials | NUMBERS[real], real=real, f=f, log2e=f"1.4426950408889634{f}")
    return filled.replace("static inline", INLINE)


TEXTS = {"float": _filled("float", COMMON + FLOAT), "double": _filled("double", COMMON + DOUBLE)}
"""All functions; each calls only functions before it."""
