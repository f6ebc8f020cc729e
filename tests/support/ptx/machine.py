"""Runs PTX: all threads of a grid at once, each register an array with one number for each thread.

Of threads at different instructions, those at the earliest one run first. Every load and store is checked against the
arguments of the launch. `ex2.approx` and the like are exact here, and only approximate on a device.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.support.ptx.operations import (
    DIRECTED,
    EXACT,
    PLAIN,
    TYPES,
    Lanes,
    compared,
    converted,
    flushed,
    fused,
    high,
    shifted,
)
from tests.support.ptx.text import Entry, Instruction

ADDRESS = re.compile(r"\[([%$\w]+)(?:\+(-?\d+))?\]")
SPECIAL = re.compile(r"%(tid|ctaid|ntid|nctaid)\.([xyz])")
FAST = ("tanh", "sin", "cos")
"""Instructions whose results on a device are too inexact."""
LOCAL = 1 << 60
"""The address of the threads' own memory."""


@dataclass(frozen=True)
class Region:
    """Memory that a launch may use: where it begins, its bytes, and whether they may be written."""

    name: str
    base: int
    memory: np.ndarray[Any, np.dtype[np.uint8]]
    written: bool


class Machine:
    """One launch of a kernel: `shape` is grid and block, `values` the parameters as bits."""

    def __init__(
        self,
        entry: Entry,
        shape: Sequence[int],
        values: Sequence[int],
        regions: Sequence[Region],
        constants: dict[str, bytes],
    ) -> None:
        self.entry = entry
        self.threads = int(np.prod(shape))
        self.regions = list(regions)
        self.names = dict(zip(entry.parameters, values, strict=True))
        self.registers: dict[str, Lanes] = {}
        self._indices(shape)
        self._tables(constants)

    def _indices(self, shape: Sequence[int]) -> None:
        gx, gy, gz, bx, by, bz = map(int, shape)
        lane = np.arange(self.threads)
        thread, block = lane % (bx * by * bz), lane // (bx * by * bz)
        for name, number, (x, y, z) in (("tid", thread, (bx, by, bz)), ("ctaid", block, (gx, gy, gz))):
            places = (number % x, number // x % y, number // x // y)
            size = "ntid" if name == "tid" else "nctaid"
            for axis, place, count in zip("xyz", places, (x, y, z), strict=True):
                self.registers[f"%{name}.{axis}"] = place.astype("u4")
                self.registers[f"%{size}.{axis}"] = np.full(self.threads, count, "u4")

    def _tables(self, constants: dict[str, bytes]) -> None:
        """Constant tables and the threads' own memory get addresses of their own."""
        base = LOCAL // 2
        for name, table in constants.items():
            self.regions.append(Region(name, base, np.frombuffer(table, np.uint8), written=False))
            self.names[name] = base
            base += len(table) + 64
        for name, size in self.entry.local.items():
            self.regions.append(Region(name, LOCAL, np.zeros(size * self.threads, np.uint8), written=True))
            self.registers[name] = np.uint64(LOCAL) + np.arange(self.threads, dtype="u8") * np.uint64(size)

    def run(self) -> None:
        """All threads to their end.

        Raises:
            NotImplementedError: there is an instruction that this does not know. MemoryError: a thread uses memory
                beside the arguments.
        """
        code, end = self.entry.instructions, len(self.entry.instructions)
        at = np.zeros(self.threads, np.int64)
        with np.errstate(all="ignore"):
            while (now := int(at.min())) < end:
                step, here = code[now], at == now
                at[here] += 1
                if step.guard:
                    guard = self.registers[step.guard]
                    here = here & (~guard if step.negated else guard)
                if step.words[0] == "bra":
                    at[here] = self.entry.labels[step.operands[0]]
                elif step.words[0] == "ret":
                    at[here] = end
                elif here.any():
                    self._do(step, here)

    def _do(self, step: Instruction, here: Lanes) -> None:
        first, last = step.words[0], step.words[-1]
        if first in ("ld", "st") and step.words[1] != "param":
            (self._load if first == "ld" else self._store)(step, here)
        elif first == "mov" and step.operands[0].startswith("{"):
            self._unpack(step, here)
        elif last == "pred":
            self._put(step.operands[0], PLAIN[first](*(self.registers[o] for o in step.operands[1:])), here)
        else:
            self._put(step.operands[0], self._value(step), here)

    def _value(self, step: Instruction) -> Lanes:
        """What an instruction computes, for all threads."""
        words, operands = tuple(word for word in step.words if word != "ftz"), step.operands[1:]
        type_ = TYPES.get(words[-1])
        flush = flushed if "ftz" in step.words else np.asarray
        if type_ is None or words[0] in FAST or "cc" in words or (words[0] not in EXACT and DIRECTED & {*words}):
            raise NotImplementedError(f"the interpreter of PTX knows no {step.name}")
        a = [flush(self._read(o, type_)) for o in operands[: 2 if words[0] in ("setp", "selp", "slct") else None]]
        return flush(self._applied(step, words, operands, a))

    def _applied(self, step: Instruction, words: tuple[str, ...], operands: Sequence[str], a: Sequence[Lanes]) -> Lanes:
        """The instruction of these words on arguments `a`."""
        match words[0]:
            case "ld":
                return a[0]
            case "setp" if len(words) == 3:
                return compared(words[1], *a)
            case "selp":
                return np.where(self.registers[operands[2]], *a)
            case name if name in EXACT and a[0].dtype.kind == "f" and (name == "fma" or words[1] in DIRECTED):
                return fused(*EXACT[name](*a), words[1])
            case "mul" | "mad":
                return self._multiplied(words, operands, *a[:2])
            case "shl" | "shr":
                return shifted(a[0], self._read(operands[1], np.dtype("u4")), words[0] == "shl")
            case "cvt":
                return converted(a[0], TYPES[words[-2]], words[1:-2])
            case name if name in PLAIN:
                return PLAIN[name](*a)
        raise NotImplementedError(f"the interpreter of PTX knows no {step.name}")

    def _multiplied(self, words: tuple[str, ...], operands: Sequence[str], a: Lanes, b: Lanes) -> Lanes:
        """`mul` and `mad`, of which whole numbers keep the lower half, the upper half, or all."""
        if "wide" in words:
            wide = np.dtype(f"{a.dtype.kind}{2 * a.dtype.itemsize}")
            product: Lanes = a.astype(wide) * b.astype(wide)
        else:
            product = high(a, b) if "hi" in words else a * b
        return product if len(operands) == 2 else product + self._read(operands[2], product.dtype)

    # ---------------------------------------------------------------------------------------------------- registers

    def _read(self, operand: str, type_: np.dtype[Any]) -> Lanes:
        """A register, a literal, a parameter or an address, for each thread."""
        operand = operand.strip("[]")
        if operand.startswith("{"):
            return self._packed(operand, type_)
        if operand in self.registers:
            bits = self.registers[operand]
        elif operand[:2] in ("0f", "0d", "0F", "0D"):
            bits = np.full(self.threads, int(operand[2:], 16), f"u{len(operand) // 2 - 1}")
        else:
            number = self.names[operand] if operand in self.names else int(operand.rstrip("U"), 0)
            bits = np.full(self.threads, number & 0xFFFF_FFFF_FFFF_FFFF, "u8")
        return np.ascontiguousarray(bits.astype(f"u{type_.itemsize}", copy=False)).view(type_)

    def _packed(self, operand: str, type_: np.dtype[Any]) -> Lanes:
        """`{%r1, %r2}`: two registers as one of twice the width."""
        half = np.dtype(f"u{type_.itemsize // 2}")
        parts = [self._read(o.strip(), half) for o in operand.strip("{}").split(",")]
        return np.ascontiguousarray(np.stack(parts, 1)).view(type_)[:, 0]

    def _unpack(self, step: Instruction, here: Lanes) -> None:
        whole = self._read(step.operands[1], TYPES[step.words[-1]])
        names = [o.strip() for o in step.operands[0].strip("{}").split(",")]
        parts = whole.view(f"u{whole.itemsize // len(names)}").reshape(self.threads, len(names))
        for name, part in zip(names, parts.T, strict=True):
            self._put(name, part, here)

    def _put(self, name: str, value: Lanes, here: Lanes) -> None:
        bits = value if value.dtype == bool else np.ascontiguousarray(value).view(f"u{value.itemsize}")
        old = self.registers.get(name)
        self.registers[name] = bits if here.all() or old is None else np.where(here, bits, old)

    # ------------------------------------------------------------------------------------------------------- memory

    def _places(self, operand: str, here: Lanes) -> Lanes:
        """The addresses of the threads that take part."""
        found = ADDRESS.match(operand)
        if found is None:
            raise NotImplementedError(f"the interpreter of PTX knows no address {operand}")
        return self._read(found[1], np.dtype("u8"))[here] + np.uint64(int(found[2] or 0) & 0xFFFF_FFFF_FFFF_FFFF)

    def _load(self, step: Instruction, here: Lanes) -> None:
        type_ = TYPES[step.words[-1]]
        names = [o.strip() for o in step.operands[0].strip("{}").split(",")]
        for k, name in enumerate(names):
            value = np.zeros(self.threads, type_)
            places = self._places(step.operands[1], here) + np.uint64(k * type_.itemsize)
            value[here] = self._bytes(places, type_, here, None).view(type_)[:, 0]
            self._put(name, value, here)

    def _store(self, step: Instruction, here: Lanes) -> None:
        type_ = TYPES[step.words[-1]]
        places = self._places(step.operands[0], here)
        for k, name in enumerate(o.strip() for o in step.operands[1].strip("{}").split(",")):
            value = np.ascontiguousarray(self._read(name, type_)[here])
            self._bytes(
                places + np.uint64(k * type_.itemsize), type_, here, value.view("u1").reshape(-1, type_.itemsize)
            )

    def _bytes(self, places: Lanes, type_: np.dtype[Any], here: Lanes, stored: Lanes | None) -> Lanes:
        """The bytes at some addresses [threads, bytes], or new ones put there.

        Raises:
            MemoryError: they belong to nothing that the launch may use.
        """
        out = np.zeros((len(places), type_.itemsize), np.uint8)
        left = np.ones(len(places), bool)
        for region in self.regions:
            offset = places - np.uint64(region.base)  # what lies before it wraps around, and is far behind it
            inside = left & (offset + np.uint64(type_.itemsize) <= len(region.memory)) & (offset < len(region.memory))
            if not inside.any() or (stored is not None and not region.written):
                continue
            index = offset[inside].astype(np.int64)[:, None] + np.arange(type_.itemsize)
            if stored is None:
                out[inside] = region.memory[index]
            else:
                region.memory[index] = stored[inside]
            left &= ~inside
        if left.any():
            thread, verb = np.flatnonzero(here)[left][0], "reads" if stored is None else "writes"
            raise MemoryError(f"kernel {self.entry.name}: thread {thread} {verb} beside the arguments")
        return out
