"""Words that arrays and values can't be called in generated C."""

from __future__ import annotations

from recurrency.backends._cupy_words import KERNELS, MATHS

C99 = "inline restrict _Bool _Complex _Imaginary _Alignas _Alignof _Atomic _Generic _Noreturn _Static_assert asm typeof"
LIBRARY = (
    "main printf memcpy memset malloc free abort exit errno NULL int32_t uint32_t int64_t uint64_t size_t ptrdiff_t "
    "INFINITY NAN HUGE_VAL M_PI fpclassify isnormal signbit y0 y1 index rindex gamma linux unix i386 I complex"
)
OWN = "w memory id count work room packed ragged t0 t1 b0 b1 call philox before seed"

RESERVED = frozenset(
    [*C99.split(), *LIBRARY.split(), *OWN.split(), *KERNELS.split(), *MATHS.split(), *(f"{m}f" for m in MATHS.split()),
     *(f"i{axis}" for axis in range(10))]
)  # fmt: skip
"""Names with the prefixes `rec_` and `REC_` are refused by what makes names."""
