"""The error function in C, and its complement, so that they vectorise. See `math`.

erfc(a) = exp(-a^2) p(t) / (1 + 2 a) with t = (a - c) / (a + c), as Shepherd and Laframboise (Chebyshev approximation of
(1 + 2 x) exp(x^2) erfc(x) in 0 <= x < infinity, 1981).
"""

from __future__ import annotations

from .polynomials import filled, horner

# Minimax polynomials (`tools/coefficients.py`). "Error" is relative to the function of the first column.
#
#   function                   on                            form                     error: float, double
#   erf(x)                     |x| <= 0.75                   x + x p(z), z = x^2      2^-29.2, 2^-55.9
#   (1 + 2 a) e^(a^2) erfc(a)  0 <= a <= 10.1 (float), 27.5  p(t)                     2^-26.3, 2^-56.5
ERF = {
    "float": (0.12837917, -0.37612623, 0.11283428, -0.026836967, 0.0051188124, -0.00067798473),
    "double": (
        *(0.1283791670955126, -0.37612638903184287, 0.11283791670993107, -0.026866170655662065),
        *(0.005223977775166637, -0.0008548339440262162, 0.00012055974828375504, -1.494695260657069e-05),
        *(1.6916112627601378e-06, -2.2369674284611533e-07, 5.95973812255591e-08, -1.5554584793453484e-08),
    ),
}
CENTER = {"float": "2.578125f", "double": "3.8125"}
ERFC = {
    "float": (
        *(1.2629329, -0.1252635, -0.08992348, 0.15405755, -0.10740048, 0.039200637, -0.002259259),
        *(-0.0042956113, 0.00088593335, 0.00055090874, 1.4361763e-05),
    ),
    "double": (
        *(1.2363539084541144, -0.14015514677325874, 0.006738807450821594, 0.07862435546319804, -0.10697124619065371),
        *(0.09290774430750896, -0.060814321805921716, 0.030630562692593313, -0.011296473857152404),
        *(0.00246791056414962, 0.00011018514668581556, -0.00030065668289269097, 8.06448934352118e-05),
        *(1.437372071348068e-05, -1.3468162070701039e-05, 7.103967996074134e-07, 1.7486043827747748e-06),
        *(-3.239970043044784e-07, -2.307774701160887e-07, 6.012271279908538e-08, 3.419355879808849e-08),
        *(-5.8409235824739185e-09, -4.426585457308743e-09, -4.5045199533414977e-10),
    ),
}
END = {"float": "11.0f", "double": "28.0"}
"""erfc of this is 0, nearest."""
MASK = {"float": "0xfffff000u", "double": "UINT64_C(0xfffffffff8000000)"}
"""Of the bits of which half as many as all have an exact square."""

BOTH = r"""
// erfc(|x|). The square of |x| in two parts, as its rounding error would be one of the exponential function.
static inline $real rec_erfc_size$f($real x) {
    const $real size = fabs$f(x), a = size > $end ? $end : size;
    const $real high = rec_from_bits$f(rec_to_bits$f(a) & $mask);
    const $real n = rec_unshifted$f(rec_round_shifted$f(-a * a * $log2e));
    const $real half = rec_round_shifted$f(0.5$f * n);
    const $real other = rec_round_shifted$f(n - rec_unshifted$f(half));
    const $real e = rec_exp_reduced$f(rec_reduced$f(-(high * high), n) - (a - high) * (a + high));
    const $real t = (a - $center) / (a + $center);
    $erfc_polynomial
    return (e * p) / (1.0$f + 2.0$f * a) * rec_power_of_two$f(half) * rec_power_of_two$f(other);
}

// erf(a) for 0 <= a <= 0.75.
static inline $real rec_erf_near$f($real a) {
    const $real z = a * a;
    $erf_polynomial
    return a * p + a;
}

// Below 0.5 the complement of erf, as numbers just below 1 are closer to one another.
static inline $real rec_erfc$f($real x) {
    const $real y = rec_erfc_size$f(x), a = fabs$f(x), near = rec_erf_near$f(a);
    const $real size = a < 0.5$f ? 1.0$f - near : y, other = a < 0.5$f ? 1.0$f + near : 2.0$f - y;
    return x < 0.0$f ? other : size;
}

// NaN is near.
static inline $real rec_erf$f($real x) {
    const $uint sign = rec_to_bits$f(x) & $sign;
    const $real a = fabs$f(x), near = rec_erf_near$f(a), far = 1.0$f - rec_erfc_size$f(x);
    return rec_from_bits$f(rec_to_bits$f(a >= 0.75$f ? far : near) | sign);
}
"""


def error_functions(real: str) -> str:
    """The functions for `float` or `double`."""
    more = {
        "erf_polynomial": horner("z", ERF[real], real),
        "erfc_polynomial": horner("t", ERFC[real], real),
        "end": END[real],
        "mask": MASK[real],
        "center": CENTER[real],
    }
    return filled(real, BOTH, more)
