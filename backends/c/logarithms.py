"""Logarithms in C that vectorise: `log`, `log1p` and `softplus`. See `math`."""

from __future__ import annotations

from .polynomials import filled, horner

# Minimax polynomials (`tools/coefficients.py`). "Error" is relative to the function of the first column.
#
#   function     on                             form                                      error
#   log1p(g)     sqrt(1/2) <= 1 + g <= sqrt(2)  g - g^2 / 2 + g^3 p(g)                    float 2^-27.4
#   2 atanh(s)   s = g / (2 + g)                s (2 + z p(z)), z = s^2                   double 2^-65
LOG1P = (0.3333333, -0.2500082, 0.20001225, -0.16623361, 0.14201784, -0.13160183, 0.12761386, -0.076342426)
ATANH = (
    *(0.6666666666666666, 0.40000000000004926, 0.2857142856940983, 0.2222222260721953),
    *(0.1818177833265966, 0.15386989895844455, 0.13252124511410227, 0.13234983744981166),
)

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

// n, from these bits, and a number that is added to it.
static inline float rec_exponent_of_bitsf(uint32_t k, float bias) {
    return (float)(int32_t)(k >> 23) - bias;
}

// x / 2^n, from these bits.
static inline float rec_mantissa_of_bitsf(uint32_t k) {
    return rec_from_bitsf((k & 0x007fffffu) + 0x3f3504f3u);
}

// 4 * 2^-n, from these bits; 2^-n itself may be subnormal.
static inline float rec_inverse_of_bitsf(uint32_t k) {
    return rec_from_bitsf((256u - (k >> 23)) << 23);
}
"""

DOUBLE = r"""
// n ln(2) + log(1 + g) for sqrt(1/2) <= 1 + g <= sqrt(2), as 2 atanh(s): h - s h is what s takes from g.
static inline double rec_log_sum(double n, double g) {
    const double s = g / (2.0 + g);
    const double z = s * s;
    $log1p_polynomial
    const double h = 0.5 * g * g;
    return n * $ln2_high - ((h - (s * (h + z * p) + n * $ln2_low)) - g);
}

// The bits, shifted so that those from 52 on are n + 1023 with sqrt(1/2) <= x / 2^n < sqrt(2).
static inline uint64_t rec_exponent(double x) {
    return rec_to_bits(x) + UINT64_C(0x00095f619980c433);
}

// n, from these bits, and a number that is added to it: as the last bits of 2^52, which any processor can convert.
static inline double rec_exponent_of_bits(uint64_t k, double bias) {
    return rec_from_bits((k >> 52) | UINT64_C(0x4330000000000000)) - (4503599627370496.0 + bias);
}

// x / 2^n, from these bits.
static inline double rec_mantissa_of_bits(uint64_t k) {
    return rec_from_bits((k & UINT64_C(0x000fffffffffffff)) + UINT64_C(0x3fe6a09e667f3bcd));
}

// 4 * 2^-n, from these bits; 2^-n itself may be subnormal.
static inline double rec_inverse_of_bits(uint64_t k) {
    return rec_from_bits((UINT64_C(2048) - (k >> 52)) << 52);
}
"""

BOTH = r"""
static inline $real rec_log$f($real x) {
    const $real times = x < $least ? $up : 1.0$f;
    const $real bias = x < $least ? $raised : $bias;
    const $uint k = rec_exponent$f(x * times);
    const $real y = rec_log_sum$f(rec_exponent_of_bits$f(k, bias), rec_mantissa_of_bits$f(k) - 1.0$f);
    const $real over = x < INFINITY ? y : x;
    const $real none = x == 0.0$f ? -INFINITY : NAN;
    return x <= 0.0$f ? none : over;
}

// log(1 + x) for finite x > -1; 1 + x, rounded, only determines n.
static inline $real rec_log1p_finite$f($real x) {
    const $uint k = rec_exponent$f(1.0$f + x);
    const $real q = rec_inverse_of_bits$f(k);
    const $real g = 0.25$f * x * q + (0.25$f * q - 1.0$f);
    const $real y = rec_log_sum$f(rec_exponent_of_bits$f(k, $bias), g);
    return fabs$f(x) < 1e-30$f ? x : y;
}

static inline $real rec_log1p$f($real x) {
    const $real y = rec_log1p_finite$f(x);
    const $real over = x < INFINITY ? y : x;
    const $real none = x == -1.0$f ? -INFINITY : NAN;
    return x <= -1.0$f ? none : over;
}

static inline $real rec_softplus$f($real x) {
    return (x > 0.0$f ? x : 0.0$f) + rec_log1p_finite$f(rec_exp_minus$f(x));
}
"""

LOG_NUMBERS = {
    "float": {"least": "0x1p-126f", "up": "0x1p23f", "bias": "127.0f", "raised": "150.0f"},
    "double": {"least": "0x1p-1022", "up": "0x1p54", "bias": "1023.0", "raised": "1077.0"},
}
"""The least normal number, a factor that makes others normal, and what their exponents have then."""


def logarithms(real: str) -> str:
    """The functions for `float` or `double`."""
    polynomial = horner("g", LOG1P, real) if real == "float" else horner("z", ATANH, real)
    own = {"float": FLOAT, "double": DOUBLE}[real]
    return filled(real, own + BOTH, {"log1p_polynomial": polynomial} | LOG_NUMBERS[real])
