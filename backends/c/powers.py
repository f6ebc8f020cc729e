"""Powers in C that vectorise: 2 to the product of exponent and base-2 logarithm. See `math`.

For float the logarithm is one of double. For double it has two parts: products of their halves are exact, with or
without contraction. Powers that are numbers of the type are exact, such as 3^2.
"""

from __future__ import annotations

from .exponentials import EXPM1
from .polynomials import filled, horner

# Minimax polynomials (`tools/coefficients.py`). "Error" is relative to the function of the first column.
#
#   function         on                             form                               error
#   2 atanh(s)       s = (m - 1) / (m + 1),         s (2 + z p(z)), z = s^2            float 2^-43.9
#   3 atanh(s)       sqrt(1/2) <= m <= sqrt(2)      s (3 + z + z^2 p(z))               double 2^-64.7
#   2^t              |t| <= 1/2                     1 + t p(t)                         float 2^-32.5
LOG2 = {
    "float": (0.6666666667580484, 0.39999995620549594, 0.28572109285811864, 0.22176182830114252, 0.19584261756310745),
    "double": (
        *(0.6000000000000338, 0.42857142855149316, 0.3333333377990064, 0.2727267654878519),
        *(0.2308013610138173, 0.1988522385232469, 0.19794521420921699),
    ),
}
EXP2 = (
    *(0.6931471805536971, 0.2402265092258437, 0.055504109288841356, 0.009618056614143937),
    *(0.0013333454371183017, 0.00015461470331456042, 1.5310133600199355e-05),
)

FLOAT = r"""
// |a|^b, by the base-2 logarithm in double.
static inline float rec_power_sizef(float a, float b) {
    const double x = fabs((double)a), y = (double)b;
    const uint64_t k = rec_double_bits(x) + UINT64_C(0x00095f619980c433);
    const double n = rec_double_of_bits((k >> 52) | UINT64_C(0x4330000000000000)) - (4503599627370496.0 + 1023.0);
    const double g = rec_double_of_bits((k & UINT64_C(0x000fffffffffffff)) + UINT64_C(0x3fe6a09e667f3bcd)) - 1.0;
    const double s = g / (2.0 + g), z = s * s;
    $log2_polynomial
    const double within = n + s * (2.0 + z * p) * 1.4426950408889634, finite = x < INFINITY ? within : x;
    const double product = y * (x == 0.0 ? -INFINITY : finite);
    const double above = product < -200.0 ? -200.0 : product, power = above > 200.0 ? 200.0 : above;
    const double shifted = power + 6755399441056767.0, t = power - (shifted - 6755399441056767.0);
    $exp2_polynomial
    return (float)((t * q + 1.0) * rec_double_of_bits(rec_double_bits(shifted) << 52));
}
"""

DOUBLE = r"""
// The upper half of a number's bits.
static inline double rec_upper(double x) {
    return rec_from_bits(rec_to_bits(x) & UINT64_C(0xfffffffff8000000));
}

// 2^(high + low), both finite.
static inline double rec_exp2_sum(double high, double low) {
    const double n = rec_unshifted(rec_round_shifted(high + low));
    const double half = rec_round_shifted(0.5 * n), other = rec_round_shifted(n - rec_unshifted(half));
    const double t = (high - n) + low, t1 = rec_upper(t), t2 = ((high - n) - t1) + low;
    const double r1 = t1 * 0.6931471675634384, r2 = t1 * 1.2996506893889889e-08 + t2 * 0.6931471805599453;
    const double r = r1 + r2;
    $expm1_polynomial
    const double most = 1.0 + r1, rest = ((1.0 - most) + r1) + (r * r * p + r2);
    return (most + rest) * rec_power_of_two(half) * rec_power_of_two(other);
}

// |a|^b. The base-2 logarithm is n + 2 / (3 ln(2)) * u * v, with s = u and 3 + s^2 + ... = v, all in two parts.
static inline double rec_power_size(double a, double b) {
    const double x = fabs(a), times = x < 0x1p-1022 ? 0x1p54 : 1.0;
    const uint64_t k = rec_exponent(x * times);
    const double n = rec_exponent_of_bits(k, x < 0x1p-1022 ? 1077.0 : 1023.0), m = rec_mantissa_of_bits(k);
    const double g = m - 1.0, d = m + 1.0, d1 = rec_upper(d), d2 = m - (d1 - 1.0);
    const double inverse = 1.0 / d, s = g * inverse, s1 = rec_upper(s), s2 = ((g - s1 * d1) - s1 * d2) * inverse;
    const double z = s * s, square = s1 * s1;
    $log2_polynomial
    const double more = z * z * p + s2 * (s1 + s);
    const double v1 = rec_upper(3.0 + square + more), v2 = more - ((v1 - 3.0) - square);
    const double w1 = s1 * v1, w2 = s2 * v1 + v2 * s, w = rec_upper(w1 + w2), rest = w2 - (w - w1);
    const double c = 0.9617966860532761 * w, low = 7.872699542894897e-09 * w + rest * 0.9617966939259756;
    const double l1 = rec_upper((c + low) + n), l2 = low - ((l1 - n) - c), b1 = rec_upper(b);
    const double finite = x < INFINITY ? l1 + l2 : x;
    const double about = b * (x == 0.0 ? -INFINITY : finite);
    const double above = about < -1100.0 ? -1100.0 : about, within = above > 1100.0 ? 1100.0 : above;
    const double high = about == within ? b1 * l1 : within;
    return rec_exp2_sum(high, about == within ? (b - b1) * l1 + b * l2 : 0.0);
}
"""

BOTH = r"""
// Whether x is an integer, or infinite.
static inline $int rec_whole$f($real x) {
    const $real a = fabs$f(x);
    return ((a + $whole) - $whole == a) | (a >= $whole);
}

static inline $real rec_power$f($real a, $real b) {
#if defined(__SSE2__) && !defined(__SSE4_2__)  // vectors of which conditions are expensive
    return pow$f(a, b);
#else
    const $int whole = rec_whole$f(b), even = rec_whole$f(0.5$f * b);
    const $uint odd = ($uint)(whole & ~even) << $top;
    const $real y = rec_from_bits$f(rec_to_bits$f(rec_power_size$f(a, b)) ^ (rec_to_bits$f(a) & odd));
    const $int none = (a < 0.0$f) & (a > -INFINITY) & ~whole;
    const $int one = (b == 0.0$f) | (a == 1.0$f) | ((a == -1.0$f) & (fabs$f(b) == INFINITY));
    const $real some = none ? NAN : y;
    return one ? 1.0$f : some;
#endif
}
"""


def powers(real: str) -> str:
    """The function for `float` or `double`."""
    polynomials = {
        "log2_polynomial": horner("z", LOG2[real], "double"),
        "exp2_polynomial": horner("t", EXP2, "double", "q"),
        "expm1_polynomial": horner("r", EXPM1["double"], "double"),
        "top": {"float": "31", "double": "63"}[real],
        "whole": {"float": "0x1p23f", "double": "0x1p52"}[real],
    }
    return filled(real, {"float": FLOAT, "double": DOUBLE}[real] + BOTH, polynomials)
