"""What the instructions of PTX compute, on one number for each thread: a row for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Lanes = np.ndarray[Any, np.dtype[Any]]
Rule = Callable[..., Lanes]

TYPES = {
    f"{letter}{bits}": np.dtype(f"{code}{bits // 8}")
    for letter, code, widths in (
        ("f", "f", (32, 64)),
        ("s", "i", (8, 16, 32, 64)),
        ("u", "u", (8, 16, 32, 64)),
        ("b", "u", (8, 16, 32, 64)),
    )
    for bits in widths
}
"""The types that instructions name."""

WIDER: dict[np.dtype[Any], np.dtype[Any]] = {np.dtype("f4"): np.dtype("f8"), np.dtype("f8"): np.dtype("longdouble")}
"""A float in which the product of two numbers is exact, or nearly (64 of 106 bits) for double."""


def fused(a: Lanes, b: Lanes, c: Lanes, rounding: str) -> Lanes:
    """a b + c, rounded once: to nearest, down, up or towards zero (CUDA's `expf` and `fmodf` need two of these)."""
    wide = WIDER[a.dtype]
    product, addend = a.astype(wide) * b.astype(wide), c.astype(wide)
    total: Lanes = product + addend
    near: Lanes = total.astype(a.dtype)
    part = total - product
    rest = (product - (total - part)) + (addend - part)  # what `total` lacks of the sum (Knuth's two-sum)
    excess = near.astype(wide) - total
    over = np.where(excess != 0, excess, -rest)
    return TURNED[rounding](near, over, a.dtype.type(np.inf))


TURNED: dict[str, Rule] = {
    "rn": lambda near, over, far: near,
    "rm": lambda near, over, far: np.where(over > 0, np.nextafter(near, -far), near),
    "rp": lambda near, over, far: np.where(over < 0, np.nextafter(near, far), near),
    "rz": lambda near, over, far: np.where(over * np.sign(near) > 0, np.nextafter(near, near.dtype.type(0)), near),
}
"""From the nearest number, and by how much it is over the exact one, to the number that a rounding wants."""
DIRECTED = frozenset(TURNED) - {"rn"}
"""Roundings other than to nearest, which only these instructions know here."""
EXACT: dict[str, Callable[..., tuple[Lanes, Lanes, Lanes]]] = {
    "fma": lambda a, b, c: (a, b, c),
    "add": lambda a, b: (a, np.ones_like(a), b),
    "sub": lambda a, b: (a, np.ones_like(a), -b),
    "mul": lambda a, b: (a, b, np.copysign(np.zeros_like(a), -np.sign(a) * np.sign(b))),
}
"""The a, b and c of which each is a b + c."""


def flushed(a: Lanes) -> Lanes:
    """Denormal numbers of float as zero, with their sign; everything else as it is."""
    if a.dtype != np.float32:
        return a
    return np.where(np.abs(a) < np.finfo(np.float32).tiny, np.copysign(np.float32(0), a), a)


def high(a: Lanes, b: Lanes) -> Lanes:
    """The upper half of a product of whole numbers."""
    bits = a.dtype.itemsize * 8
    if bits == 32:
        whole: Lanes = a.astype(f"{a.dtype.kind}8") * b.astype(f"{a.dtype.kind}8")
        return (whole >> 32).astype(a.dtype)
    return np.array([(int(x) * int(y)) >> bits for x, y in zip(a, b, strict=True)]).astype(a.dtype)


def quotient(a: Lanes, b: Lanes) -> Lanes:
    """Division; of whole numbers, towards zero."""
    if a.dtype.kind == "f":
        return np.divide(a, b)
    safe = np.where(b == 0, 1, b).astype(a.dtype)
    down: Lanes = np.floor_divide(a, safe)
    return down if a.dtype.kind == "u" else down + ((a % safe != 0) & ((a < 0) != (safe < 0))).astype(a.dtype)


def shifted(a: Lanes, by: Lanes, left: bool) -> Lanes:
    """A shift; by the width or more, everything is shifted out."""
    bits = a.dtype.itemsize * 8
    step = np.minimum(by, bits - 1).astype(a.dtype)
    moved = a << step if left else a >> step
    return np.where(by >= bits, moved >> (bits - 1) if a.dtype.kind == "i" else 0, moved).astype(a.dtype)


def inserted(a: Lanes, b: Lanes, start: Lanes, count: Lanes) -> Lanes:
    """The lowest bits of `a` in place of as many bits of `b`."""
    mask: Lanes = shifted(shifted(np.ones_like(a), count, left=True) - np.ones_like(a), start, left=True)
    return (b & ~mask) | (shifted(a, start, left=True) & mask)


ROUNDED = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}
"""Rounding to whole numbers."""


def converted(a: Lanes, to: np.dtype[Any], words: tuple[str, ...]) -> Lanes:
    """A number in another type; what does not fit a whole number is the nearest that does, and NaN is 0."""
    rounding = next((ROUNDED[w] for w in words if w in ROUNDED), None)
    if rounding is not None:
        a = rounding(a)
    if "sat" in words:
        a = np.where(np.isnan(a), 0, np.clip(a, 0, 1)).astype(a.dtype)
    if a.dtype.kind == "f" and to.kind in "iu":
        limits = np.iinfo(to)
        inside = np.where(np.isnan(a), 0, np.clip(a, float(limits.min), float(np.nextafter(float(limits.max), 0))))
        return inside.astype(to)
    return a.astype(to)


COMPARED: dict[str, Callable[[Lanes, Lanes], Lanes]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def compared(name: str, a: Lanes, b: Lanes) -> Lanes:
    """`lt` and the like, false of NaN; `ltu` and the like are true of it."""
    if a.dtype.kind != "f":
        return COMPARED[name](a, b)
    nothing = np.isnan(a) | np.isnan(b)
    if name in ("nan", "num"):
        return nothing if name == "nan" else ~nothing
    return COMPARED[name[:2]](a, b) | nothing if len(name) == 3 else COMPARED[name](a, b) & ~nothing


PLAIN: dict[str, Rule] = {
    "mov": lambda a: a,
    "cvta": lambda a: a,
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "neg": lambda a: -a,
    "abs": np.abs,
    "not": np.invert,
    "min": lambda a, b: np.fmin(a, b),
    "max": lambda a, b: np.fmax(a, b),
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "bfi": inserted,
    "div": quotient,
    "rem": lambda a, b: a - quotient(a, b) * b,
    "sqrt": np.sqrt,
    "rsqrt": lambda a: 1 / np.sqrt(a),
    "rcp": lambda a: (1 / a).astype(a.dtype),
    "ex2": np.exp2,
    "lg2": np.log2,
    "copysign": lambda a, b: np.copysign(b, a),
}
"""Instructions whose arguments and result have the type in their last word."""
