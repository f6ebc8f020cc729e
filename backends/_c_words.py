"""Words that arrays and values can't be called in generated C."""

from __future__ import annotations

from recurrency.backends._cupy_words import KERNELS, MATHS
from recurrency.backends._python_names import Names, ascii_name

C99 = "inline restrict _Bool _Complex _Imaginary _Alignas _Alignof _Atomic _Generic _Noreturn _Static_assert asm typeof"
LIBRARY = (
    "main printf memcpy memset malloc free abort exit errno NULL int32_t uint32_t int64_t uint64_t size_t ptrdiff_t "
    "INFINITY NAN HUGE_VAL M_PI fpclassify isnormal signbit y0 y1 index rindex gamma linux unix i386 I complex"
)
MACROS = (
    "FP_ILOGB0 FP_ILOGBNAN FP_INFINITE FP_NAN FP_NORMAL FP_SUBNORMAL FP_ZERO HUGE_VAL HUGE_VALF HUGE_VALL "
    "INFINITY INT16_C INT16_MAX INT16_MIN INT32_C INT32_MAX INT32_MIN INT64_C INT64_MAX INT64_MIN INT8_C "
    "INT8_MAX INT8_MIN INTMAX_C INTMAX_MAX INTMAX_MIN INTPTR_MAX INTPTR_MIN INT_FAST16_MAX INT_FAST16_MIN "
    "INT_FAST32_MAX INT_FAST32_MIN INT_FAST64_MAX INT_FAST64_MIN INT_FAST8_MAX INT_FAST8_MIN INT_LEAST16_MAX "
    "INT_LEAST16_MIN INT_LEAST32_MAX INT_LEAST32_MIN INT_LEAST64_MAX INT_LEAST64_MIN INT_LEAST8_MAX "
    "INT_LEAST8_MIN MATH_ERREXCEPT MATH_ERRNO M_1_PI M_2_PI M_2_SQRTPI M_E M_LN10 M_LN2 M_LOG10E M_LOG2E M_PI "
    "M_PI_2 M_PI_4 M_SQRT1_2 M_SQRT2 NAN NULL PTRDIFF_MAX PTRDIFF_MIN SCHED_FIFO SCHED_OTHER SCHED_RR "
    "SIG_ATOMIC_MAX SIG_ATOMIC_MIN SIZE_MAX UINT16_C UINT16_MAX UINT32_C UINT32_MAX UINT64_C UINT64_MAX "
    "UINT8_C UINT8_MAX UINTMAX_C UINTMAX_MAX UINTPTR_MAX UINT_FAST16_MAX UINT_FAST32_MAX UINT_FAST64_MAX "
    "UINT_FAST8_MAX UINT_LEAST16_MAX UINT_LEAST32_MAX UINT_LEAST64_MAX UINT_LEAST8_MAX WCHAR_MAX WCHAR_MIN "
    "WINT_MAX WINT_MIN fpclassify isfinite isgreater isgreaterequal isinf isless islessequal islessgreater "
    "isnan isnormal isunordered linux math_errhandling offsetof sched_priority signbit unix"
)
"""Macros of the headers that generated files include, as gcc lists them (`-dM`)."""

OWN = "w memory id count work room packed ragged t0 t1 b0 b1 call philox before seed bytes barrier base cb"

RESERVED = frozenset(
    [
        *(word for words in (C99, LIBRARY, MACROS, OWN, KERNELS, MATHS) for word in words.split()),
        *(f"{name}f" for name in MATHS.split()),
        *(f"i{axis}" for axis in range(10)),
    ]
)
"""All of them."""


class CNames(Names):  # type: ignore[misc]  # its types are checked under the folder's name
    """Gives names that are not those of our functions and macros, which all begin with `rec_` or `REC_`."""

    def new(self, wish: str) -> str:
        """The wished name in ASCII; see `Names`."""
        return str(super().new(f"v_{wish}" if ascii_name(wish).lower().startswith("rec_") else wish))
