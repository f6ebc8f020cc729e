"""Exponential functions in C that vectorise: `exp`, `expm1`, `tanh` and `sigmoid`. See `math`."""

from __future__ import annotations

from .polynomials import filled, horner

# Minimax polynomials, by Remez exchange in 40 digits. "Error" is relative to the function of the first column.
#
#   function  on                               form                       error: float, double
#   expm1(r)  |r| <= ln(2) / 2                 r + r^2 p(r)               2^-26.2, 2^-61.7
#   tanh(a)   a <= 0.6 (float), 0.55 (double)  a + a z p(z), z = a^2      2^-28.4, 2^-55.5
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


def exponentials(real: str) -> str:
    """The functions for `float` or `double`."""
    polynomials = {
        "expm1_polynomial": horner("r", EXPM1[real], real),
        "tanh_polynomial": horner("z", TANH[real], real),
    }
    return filled(real, COMMON, polynomials)
