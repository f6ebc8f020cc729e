"""The registers of a warp while its machine code is followed, and what integer instructions do to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from . import lanes
from .lanes import MASK, WIDE, Value
from .sass import Instruction

NOTHING = {"RZ": 0, "URZ": 0, "SRZ": 0}
MODIFIERS = (".reuse", ".64", ".H0_H0", ".H1_H1", ".U32")
"""Endings of operands that say nothing about their value."""


@dataclass
class State:
    """Registers and predicates by name; `constants` are the words of the constant bank by offset."""

    constants: Mapping[int, int]
    special: Mapping[str, Value]
    registers: dict[str, Value] = field(default_factory=dict)
    predicates: dict[str, Value] = field(default_factory=dict)

    def get(self, operand: str) -> Value:
        """The value of an operand of 32 bits."""
        text, sign, inverse = bare(operand)
        if text in NOTHING or text in ("PT", "UPT"):
            value: Value = 0
        elif text.startswith("0x"):
            value = int(text, 16) & MASK
        elif text.startswith("c["):
            value = self.constants.get(offset(text))
        elif text[:1].isdigit():
            value = None
        else:
            value = self.registers.get(text)
        if value is None or text.startswith("|"):
            return None
        value = lanes.negated(value, MASK) if sign else value
        return lanes.logic(value, 0, 0, 0x0F) if inverse else value

    def pair(self, operand: str) -> Value:
        """The value of an operand of 64 bits, whose first register is named."""
        text, sign, _ = bare(operand)
        low = self.get(text)
        high = self.constants.get(offset(text) + 4) if text.startswith("c[") else self.get(following(text))
        if low is None or high is None:
            return None
        value = low + (high << np.uint64(32) if isinstance(high, np.ndarray) else high << 32)
        return lanes.negated(value, WIDE) if sign else value

    def put(self, register: str, value: Value) -> None:
        """Write a register."""
        if register not in NOTHING:
            self.registers[register] = value

    def put_pair(self, register: str, value: Value) -> None:
        """Write a register and the one that follows it."""
        low = high = None
        if value is not None:
            low = lanes.limited(value)
            high = lanes.shifted(value, 32, left=False, bits=64)
        self.put(register, low)
        self.put(following(register), high)

    def holds(self, operand: str) -> Value:
        """A predicate: a bool, an array of bools, or None."""
        name = operand.lstrip("!")
        value: Value = True if name in ("PT", "UPT", "") else self.predicates.get(name)
        if value is None or not operand.startswith("!"):
            return value
        return ~value if isinstance(value, np.ndarray) else not value

    def condition(self, name: str, value: Value) -> None:
        """Write a predicate."""
        if name not in ("PT", "UPT"):
            self.predicates[name] = value


def bare(operand: str) -> tuple[str, bool, bool]:
    """The name in an operand, whether it is negated, and whether its bits are inverted."""
    text = operand
    for ending in MODIFIERS:
        text = text.replace(ending, "")
    return text.lstrip("-~"), text.startswith("-"), text.startswith("~")


def offset(constant: str) -> int:
    """The offset in `c[0x0][0x210]`; -1 for other constants and banks."""
    bank, _, place = constant.removeprefix("c[").removesuffix("]").partition("][")
    return int(place, 16) if bank == "0x0" and place.startswith("0x") else -1


def following(register: str) -> str:
    """The next register."""
    if register in NOTHING or register.startswith(("0x", "-")):
        return "RZ"
    head = register.rstrip("0123456789")
    return f"{head}{int(register[len(head) :]) + 1}"


def is_predicate(operand: str) -> bool:
    """Whether an operand is a predicate."""
    name = operand.lstrip("!")
    return (
        name in ("PT", "UPT") or (name[:1] == "P" and name[1:].isdigit()) or (name[:2] == "UP" and name[2:].isdigit())
    )


def _known(values: list[Value]) -> bool:
    return all(value is not None for value in values)


def _sum(s: State, i: Instruction) -> None:
    """IADD3: up to three sources, carries out after the result, carries in at the end."""
    first, *rest = i.operands
    outs = [rest.pop(0) for _ in range(2) if is_predicate(rest[0])]
    sources = [part for part in rest if not is_predicate(part)]
    ins = [s.holds(part) for part in rest if is_predicate(part)] if "X" in i.words else []
    values = [s.get(part) for part in sources]
    carries = [None if v is None else (v.astype(np.uint64) if isinstance(v, np.ndarray) else int(v)) for v in ins]
    total, carry = lanes.added([*values, *carries], MASK) if _known([*values, *carries]) else (None, None)
    s.put(first, total)
    for number, name in enumerate(outs):
        s.condition(name, None if carry is None else carry > number)


def _multiply(s: State, i: Instruction) -> None:
    """IMAD in all its forms: `.WIDE` has two registers as result and addend, `.HI` gives the upper half."""
    register, a, b, c, *carry = (part for k, part in enumerate(i.operands) if k == 0 or k > 1 or not is_predicate(part))
    is_signed = "U32" not in i.words
    if "WIDE" in i.words or "HI" in i.words:
        one, two, more = s.get(a), s.get(b), s.pair(c)
        total = lanes.limited(lanes.multiplied(one, two, is_signed) + more, WIDE) if _known([one, two, more]) else None
        if "WIDE" in i.words:
            s.put_pair(register, total)
        else:
            s.put(register, None if total is None else lanes.shifted(total, 32, left=False, bits=64))
        return
    values = [s.get(a), s.get(b), s.get(c), *(s.holds(part) for part in carry if "X" in i.words)]
    if 0 in [v for v in values[:2] if isinstance(v, int)]:  # 0 times what is unknown
        values[:2] = [0, 0]
    if not _known(values):
        s.put(register, None)
        return
    total = lanes.limited(lanes.multiplied(values[0], values[1], False))
    s.put(
        register,
        lanes.added(
            [total, *(lanes.limited(v) if isinstance(v, int) else v.astype(np.uint64) for v in values[2:])], MASK
        )[0],
    )


def _address(s: State, i: Instruction) -> None:
    """LEA: b + (a << n); `.HI` has the upper half of (c:a) << n instead."""
    register, *rest = i.operands
    outs = [rest.pop(0) for _ in range(2) if is_predicate(rest[0])]
    carry = [s.holds(part) for part in rest if is_predicate(part)] if "X" in i.words else []
    plain = [part for part in rest if not is_predicate(part)]
    a, b = s.get(plain[0]), s.get(plain[1])
    by = int(plain[-1], 16) if plain[-1].startswith("0x") and len(plain) > 2 else 0
    if "HI" in i.words and a is not None:
        sign = lanes.limited(lanes.unsigned(lanes.signed(a) >> 31, MASK)) if "SX32" in i.words else s.get(plain[2])
        a = None if sign is None else a + (sign << np.uint64(32) if isinstance(sign, np.ndarray) else sign << 32)
        a = None if a is None else lanes.limited(lanes.shifted(lanes.shifted(a, by, True, bits=64), 32, False, bits=64))
    elif a is not None:
        a = lanes.shifted(a, by, left=True)
    values = [
        a,
        b,
        *(None if v is None else v.astype(np.uint64) if isinstance(v, np.ndarray) else int(v) for v in carry),
    ]
    total, over = lanes.added(values, MASK) if _known(values) else (None, None)
    s.put(register, total)
    for name in outs[:1]:
        s.condition(name, None if over is None else over > 0)


def _shift(s: State, i: Instruction) -> None:
    """SHF: a part of (c:a) shifted."""
    register, a, by, c = i.operands[:4]
    low, high, far = s.get(a), s.get(c), s.get(by)
    s.put(register, None)
    if not _known([low, high, far]) or isinstance(far, np.ndarray):
        return
    left, upper, is_signed = "L" in i.words, "HI" in i.words, "S32" in i.words or "S64" in i.words
    if "U32" in i.words or "S32" in i.words:
        s.put(register, lanes.shifted(high if upper else low, far, left, is_signed))
        return
    both = low + (high << np.uint64(32) if isinstance(high, np.ndarray) else high << 32)
    moved = lanes.shifted(both, far, left, is_signed, bits=64)
    s.put(register, lanes.limited(lanes.shifted(moved, 32, False, bits=64) if upper else moved))


def _logic(s: State, i: Instruction) -> None:
    """LOP3: a function of three registers bit by bit, and whether any bit of it is set."""
    parts = list(i.operands)
    out = parts.pop(0) if is_predicate(parts[0]) else "PT"
    register, a, b, c, table = parts[:5]
    values = [s.get(a), s.get(b), s.get(c)]
    known = _known(values) and table.startswith("0x")
    found = lanes.logic(values[0], values[1], values[2], int(table, 16)) if known else None
    s.put(register, found)
    s.condition(out, None if found is None else found != 0)


def _compare(s: State, i: Instruction) -> None:
    """ISETP: a comparison joined with a predicate."""
    out, other, a, b, joined, *_ = i.operands
    one, two, third = s.get(a), s.get(b), s.holds(joined)
    s.condition(out, None)
    s.condition(other, None)
    name = next((word for word in i.words if word in lanes.COMPARED), None)
    if not _known([one, two, third]) or name is None or "EX" in i.words:
        return
    if "U32" not in i.words:
        one, two = lanes.signed(one), lanes.signed(two)
    found = lanes.COMPARED[name](one, two)
    s.condition(out, (found | third if "OR" in i.words else found ^ third if "XOR" in i.words else found & third))


def _predicates(s: State, i: Instruction) -> None:
    """PLOP3: two functions of three predicates, as tables."""
    out, other, *read, first, second = i.operands
    values = [s.holds(part) for part in read[:3]]
    for name, table in ((out, first), (other, second)):
        s.condition(name, None)
        if _known(values) and table.startswith("0x") and not any(isinstance(v, np.ndarray) for v in values):
            s.condition(name, bool(int(table, 16) >> (4 * values[0] + 2 * values[1] + values[2]) & 1))


def _select(s: State, i: Instruction) -> None:
    register, a, b, condition = i.operands[:4]
    values = [s.get(a), s.get(b), s.holds(condition)]
    s.put(register, lanes.chosen(values[2], values[0], values[1]) if _known(values) else None)


def _move(s: State, i: Instruction) -> None:
    s.put(i.operands[0], s.get(i.operands[1]))


def _zero(s: State, i: Instruction) -> None:
    """Half-precision arithmetic that sets a register: known only where it is zero."""
    s.put(i.operands[0], 0 if i.operands[1:] in (("-RZ", "RZ", "0", "0"), ("-RZ", "RZ", "0", "0.0")) else _halves(i))


def _halves(i: Instruction) -> int | None:
    """The bits of two constants of half precision: `HFMA2 R, -RZ, RZ, high, low`."""
    if i.operands[1:3] != ("-RZ", "RZ"):
        return None
    try:
        high, low = (int(np.float16(part).view(np.uint16)) for part in i.operands[3:5])
    except ValueError:
        return None
    return high << 16 | low


def _special(s: State, i: Instruction) -> None:
    s.put(i.operands[0], s.special.get(i.operands[1]))


def _clear(s: State, i: Instruction) -> None:
    s.put_pair(i.operands[0], 0 if i.operands[1] == "SRZ" else None)


def _constant(s: State, i: Instruction) -> None:
    register, place = i.operands[0], offset(i.operands[1])
    for number in range(i.size // 4):
        s.put(register, s.constants.get(place + 4 * number))
        register = following(register)


def _absolute(s: State, i: Instruction) -> None:
    value = s.get(i.operands[1])
    s.put(
        i.operands[0],
        None
        if value is None
        else lanes.limited(abs(lanes.signed(value)))
        if isinstance(value, int)
        else np.abs(lanes.signed(value)).astype(np.uint64),
    )


MEANINGS: dict[str, Callable[[State, Instruction], None]] = {
    **dict.fromkeys(("IADD3", "UIADD3", "VIADD", "IADD"), _sum),
    **dict.fromkeys(("IMAD", "UIMAD"), _multiply),
    **dict.fromkeys(("LEA", "ULEA"), _address),
    **dict.fromkeys(("SHF", "USHF"), _shift),
    **dict.fromkeys(("LOP3", "ULOP3"), _logic),
    **dict.fromkeys(("ISETP", "UISETP"), _compare),
    **dict.fromkeys(("PLOP3", "UPLOP3"), _predicates),
    **dict.fromkeys(("SEL", "USEL"), _select),
    **dict.fromkeys(("MOV", "UMOV", "R2UR"), _move),
    **dict.fromkeys(("HFMA2",), _zero),
    **dict.fromkeys(("S2R", "S2UR"), _special),
    **dict.fromkeys(("LDC", "LDCU", "ULDC"), _constant),
    "CS2R": _clear,
    "IABS": _absolute,
}
"""What instructions compute; the results of all others are unknown."""
