"""What the texts of vector functions have in common: constants of each type, and polynomials as statements of C."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import Template

SUFFIX = {"float": "f", "double": ""}
"""The suffix of functions and literals."""

INLINE = "static inline __attribute__((always_inline))"
"""In a loop with many calls gcc would inline only some of them, and then not vectorise the loop."""

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


def horner(x: str, coefficients: Sequence[float], real: str, name: str = "p") -> str:
    """Statements that set `name`, coefficients from the lowest power up."""
    first, *rest = [f"{c!r}{SUFFIX[real]}" for c in reversed(coefficients)]
    return "\n    ".join([f"{real} {name} = {first};", *(f"{name} = {name} * {x} + {c};" for c in rest)])


def filled(real: str, code: str, more: Mapping[str, str]) -> str:
    """A template with the constants of one type, and with `more`."""
    f = SUFFIX[real]
    text = Template(code).substitute(NUMBERS[real], **more, real=real, f=f, log2e=f"1.4426950408889634{f}")
    return text.replace("static inline", INLINE)
