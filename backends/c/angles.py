"""Trigonometric functions in C that vectorise: `sin`, `cos` and `atan`. See `math`.

`sin` and `cos` subtract the nearest multiple of pi / 2, which is a number of several parts whose products are exact, in
double for float and in two doubles for double. That is right for |x| <= FAR; farther away they are those of libm. So
that this condition does not keep a loop from being vectorised, `far` makes two of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .polynomials import SUFFIX, filled, horner

FAR = 2.0**26
"""The greatest |x| whose sine and cosine are computed here."""

# Minimax polynomials (`tools/coefficients.py`). "Error" is relative to the function of the first column.
#
#   function  on                  form                              error: float, double
#   sin(r)    |r| <= pi / 4       r - r z p(z), z = r^2             2^-28.1, 2^-58
#   cos(r)    |r| <= pi / 4       1 - z / 2 + z^2 p(z)              2^-33.3, 2^-64.2
#   atan(t)   |t| <= tan(pi / 8)  t + t z p(z), z = t^2             2^-30.5, 2^-59.5
SIN = {
    "float": (0.16666654940552392, -0.008332177934864226, 0.00019517268920589965),
    "double": (
        *(0.16666666666666632, -0.008333333333322488, 0.000198412698298556, -2.755731370605566e-06),
        *(2.5050760075345215e-08, -1.5896899122607065e-10),
    ),
}
COS = {
    "float": (0.04166664685987232, -0.0013887367166061002, 2.4438409078756528e-05),
    "double": (
        *(0.0416666666666666, -0.0013888888888874472, 2.4801587289669253e-05, -2.7557314400160745e-07),
        *(2.087572913930078e-09, -1.1359925846648921e-11),
    ),
}
ATAN = {
    "float": (-0.33333316, 0.19998533, -0.1424451, 0.106001645, -0.06092701),
    "double": (
        *(-0.333333333333332, 0.19999999999953816, -0.14285714280220085, 0.11111110784646964, -0.09090897791786612),
        *(0.07692060813731998, -0.06663110722760761, 0.058479365900620923, -0.050395111152645736),
        *(0.03806962286507301, -0.017912546034420437),
    ),
}

CHOICE = r"""
// One of two numbers, by the last bit of `turns`, with the sign of the bit before it.
static inline double rec_chosen(uint64_t turns, double even, double odd) {
    const uint64_t mask = UINT64_C(0) - (turns & 1u);
    const uint64_t bits = (rec_double_bits(even) & ~mask) | (rec_double_bits(odd) & mask);
    return rec_double_of_bits(bits ^ ((turns & 2u) << 62));
}

// 2 x / pi, plus 1.5 * 2^52: the last bits of the sum are the nearest integer.
static inline double rec_turns(double x) {
    return x * 0.6366197723675814 + 6755399441055744.0;
}
"""

BITS = r"""
static inline double rec_double_of_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint64_t rec_double_bits(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
"""

FLOAT = r"""
// sin(x + more * pi / 2) for |x| <= 2^26.
static inline float rec_sine_nearf(float x, uint64_t more) {
    const double turns = rec_turns((double)x), n = turns - 6755399441055744.0;
    const double r = ((double)x - n * 1.570796325802803) - n * 9.920935796805404e-10;  // 27 bits, and the rest
    const double z = r * r;
    $sin_polynomial
    $cos_polynomial
    return (float)rec_chosen(rec_double_bits(turns) + more, r * (1.0 - z * p), z * (z * q - 0.5) + 1.0);
}
"""

DOUBLE = r"""
// sin(x + more * pi / 2) for |x| <= 2^26. The remainder is r - low: the first products and differences are exact.
static inline double rec_sine_near(double x, uint64_t more) {
    const double turns = rec_turns(x), n = turns - 6755399441055744.0;
    const double w = (x - n * 0x1.921fb5p+0) - n * 0x1.110b46p-26, m = n * 0x1.1a6263p-54;  // 26 bits each
    const double r = w - m, back = r - w;
    const double low = n * 0x1.8a2e03707344ap-81 - ((w - (r - back)) - (m + back));
    const double z = r * r, half = 0.5 * z, most = 1.0 - half;
    $sin_polynomial
    $cos_polynomial
    const double cosine = most + (((1.0 - most) - half) + (z * z * q + r * low));
    return rec_chosen(rec_double_bits(turns) + more, r - (low + r * z * p), cosine);
}
"""

BOTH = r"""
// Whether sine and cosine are those of libm.
static inline $int rec_far$f($real x) {
    return fabs$f(x) > $far;
}

static inline $real rec_sin_near$f($real x) {
    return rec_sine_near$f(x, 0u);
}

static inline $real rec_cos_near$f($real x) {
    return rec_sine_near$f(x, 1u);
}

static inline $real rec_sin$f($real x) {
    return fabs$f(x) > $far ? sin$f(x) : rec_sin_near$f(x);
}

static inline $real rec_cos$f($real x) {
    return fabs$f(x) > $far ? cos$f(x) : rec_cos_near$f(x);
}

// Of 1 / a above tan(3 pi / 8), of (a - 1) / (a + 1) above tan(pi / 8).
static inline $real rec_atan$f($real x) {
    const $uint sign = rec_to_bits$f(x) & $sign;
    const $real a = fabs$f(x);
    const $real above = a > 0.41421357$f ? a - 1.0$f : a, below = a > 0.41421357$f ? a + 1.0$f : 1.0$f;
    const $real t = (a > 2.4142136$f ? -1.0$f : above) / (a > 2.4142136$f ? a : below);
    const $real z = t * t;
    $atan_polynomial
    const $real some = a > 0.41421357$f ? $quarter : 0.0$f, most = a > 2.4142136$f ? $half : some;
    const $real little = a > 0.41421357$f ? $quarter_rest : 0.0$f, rest = a > 2.4142136$f ? $half_rest : little;
    return rec_from_bits$f(rec_to_bits$f(most + (t + (t * z * p + rest))) | sign);
}
"""

PI = {
    "float": {
        "far": "67108864.0f",
        "half": "1.5707964f",
        "half_rest": "-4.371139e-08f",
        "quarter": "0.7853982f",
        "quarter_rest": "-2.1855694e-08f",
    },
    "double": {
        "far": "67108864.0",
        "half": "1.5707963267948966",
        "half_rest": "6.123233995736766e-17",
        "quarter": "0.7853981633974483",
        "quarter_rest": "3.061616997868383e-17",
    },
}
"""FAR, and pi / 2 and pi / 4 in two parts."""


def angles(real: str) -> str:
    """The functions for `float` or `double`."""
    polynomials = {
        "sin_polynomial": horner("z", SIN[real], "double"),
        "cos_polynomial": horner("z", COS[real], "double", "q"),
        "atan_polynomial": horner("z", ATAN[real], real),
    }
    own = {"float": FLOAT, "double": DOUBLE}[real]
    return filled(real, BITS + CHOICE + own + BOTH, polynomials | PI[real])


DEFINED = re.compile(r"^(?:const )?(?:float|double) (\w+)")
ADDS = re.compile(r"\] [+*-]= ")
CALL = re.compile(r"\brec_(sin|cos)(f?)\(([\w.-]+)\)")


def near_and_far(loop: str, plain: Sequence[str], body: Sequence[str], real: str) -> list[str] | None:
    """Two loops for one over elements: one for arguments that are near, and one for all, run if any is far.

    `loop` is the head of the first, `plain` that of the second. None if the body has neither sine nor cosine, or has
    them of what is known in a loop within it only, or adds to an array. The body must not read what it writes.
    """
    calls = list(dict.fromkeys(found[3] for line in body for found in CALL.finditer(line.split("//")[0])))
    if not calls or not _within(body).isdisjoint(calls) or any(ADDS.search(line.split("//")[0]) for line in body):
        return None
    f = SUFFIX[real]
    kind = {"float": "int32_t", "double": "int64_t"}[real]
    near = [CALL.sub(r"rec_\1_near\2(\3)", line) for line in body]
    far = " | ".join(f"rec_far{f}({x})" for x in calls)
    first = [f"{kind} rec_any = 0;", loop, *near, f"rec_any |= {far};", "}"]
    return [*first, "if (rec_any) {", *plain, *body, "}"]  # all else is closed at the end


def _within(body: Sequence[str]) -> set[str]:
    """The names that blocks within these lines define, and that the lines at their end do not know."""
    depth, names = 0, set()
    for line in body:
        text = line.split("//")[0].strip()
        found = DEFINED.match(text)
        if found and depth:
            names.add(found[1])
        depth += text.count("{") - text.count("}")
    return names
