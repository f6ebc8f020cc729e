"""Integer arithmetic of a warp: a value is one number for all lanes, an array of them, or None where it is unknown.

Numbers are those of the registers, not negative; signed ones are in two's complement.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

LANES = 32
MASK = 2**32 - 1
WIDE = 2**64 - 1

Value = Any
"""An int, an array [32] of uint64, or None."""


def limited(value: Value, mask: int = MASK) -> Value:
    """A value cut to the bits of a register, or of two (`WIDE`)."""
    if isinstance(value, np.ndarray):
        return value & np.uint64(mask)
    return int(value) & mask


def negated(value: Value, mask: int) -> Value:
    """The negative of a value."""
    if isinstance(value, np.ndarray):
        return (~value + np.uint64(1)) & np.uint64(mask)
    return -int(value) & mask


def signed(value: Value, bits: int = 32) -> Value:
    """A register as a signed number: an int, or an array of int64."""
    if isinstance(value, np.ndarray):
        return value.astype(np.uint32).view(np.int32).astype(np.int64) if bits == 32 else value.view(np.int64)
    return value - (1 << bits) if value >> (bits - 1) else value


def unsigned(value: Value, mask: int) -> Value:
    """A signed number as the bits of a register."""
    if isinstance(value, np.ndarray):
        return value.astype(np.int64).view(np.uint64) & np.uint64(mask)
    return int(value) & mask


def added(values: list[Value], mask: int) -> tuple[Value, Value]:
    """The sum of registers, and how often it exceeds them."""
    bits = mask.bit_length()
    total: Value = 0
    for value in values:
        total = total + value  # of at most three registers and a carry, below 2**35 where mask is MASK
    carry = total >> np.uint64(bits) if isinstance(total, np.ndarray) else total >> bits
    return limited(total, mask), carry


def multiplied(a: Value, b: Value, is_signed: bool) -> Value:
    """The product of two registers, 64 bits."""
    if is_signed:
        return unsigned(signed(a) * signed(b), WIDE)
    return limited(a * b if isinstance(a, np.ndarray) or isinstance(b, np.ndarray) else int(a) * int(b), WIDE)


def shifted(value: Value, by: Value, left: bool, is_signed: bool = False, bits: int = 32) -> Value:
    """A register, or two, shifted; None if the distance differs between lanes."""
    if isinstance(by, np.ndarray):
        return None
    mask, by = (1 << bits) - 1, min(int(by), bits)
    if left:
        if isinstance(value, np.ndarray):
            return (value << np.uint64(by)) & np.uint64(mask) if by < 64 else value * np.uint64(0)
        return value << by & mask
    if is_signed:
        by = min(by, bits - 1)
        number = signed(value, bits)
        return unsigned(number >> (np.int64(by) if isinstance(number, np.ndarray) else by), mask)
    if isinstance(value, np.ndarray):
        return value >> np.uint64(by) if by < 64 else value * np.uint64(0)
    return value >> by


def logic(a: Value, b: Value, c: Value, table: int) -> Value:
    """`LOP3`: each bit of the result is the bit of `table` at the number of the bits of a, b, c."""
    arrays = any(isinstance(v, np.ndarray) for v in (a, b, c))
    one = [np.asarray(v, np.uint64) if arrays else int(v) for v in (a, b, c)]
    out: Value = np.zeros(LANES, np.uint64) if arrays else 0
    full = np.uint64(MASK) if arrays else MASK
    for number in range(8):
        if table >> number & 1:
            term: Value = full
            for v, bit in zip(one, (4, 2, 1), strict=True):
                term = term & (v if number & bit else ~v & full)
            out = out | term
    return out


def chosen(condition: Value, a: Value, b: Value) -> Value:
    """`a` where a condition holds, else `b`."""
    if not isinstance(condition, np.ndarray):
        return a if condition else b
    return np.where(condition, np.asarray(a, np.uint64), np.asarray(b, np.uint64))


COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "LT": lambda a, b: a < b,
    "LE": lambda a, b: a <= b,
    "GT": lambda a, b: a > b,
    "GE": lambda a, b: a >= b,
    "EQ": lambda a, b: a == b,
    "NE": lambda a, b: a != b,
}
"""The comparisons of `ISETP`."""


def lines(address: Value, size: int) -> tuple[int, frozenset[int]]:
    """The wavefronts in which a load of the lanes is served, and the sectors of 32 bytes that it touches.

    A wavefront hands 128 bytes to registers, from one line of 128 bytes. Lanes with the same address share one, but for
    16 bytes a lane two are counted: what the hardware does there is not documented.
    """
    if address is None:
        return max(1, size * LANES // 128), frozenset()
    places = np.unique(np.atleast_1d(np.asarray(address, np.uint64)).astype(np.int64))
    first = np.unique(places // 32)
    sectors = np.unique(np.concatenate([first, (places + size - 1) // 32]))
    rows = len(np.unique(places // 128))
    return max(rows, -(-len(places) * size // 128), size // 8), frozenset(sectors.tolist())


def banks(address: Value, size: int) -> int:
    """The wavefronts of an access to shared memory: the most words that lanes want of one of its 32 banks.

    See `lines` for 16 bytes a lane.
    """
    if address is None:
        return max(1, size * LANES // 128)
    places = np.unique(np.atleast_1d(np.asarray(address, np.uint64)).astype(np.int64))
    words = np.unique((places[:, None] + 4 * np.arange(max(1, size // 4))).ravel() // 4)
    return max(int(np.bincount(words % 32).max()), size // 8)
