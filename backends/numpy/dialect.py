"""The dialect of NumPy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recurrency.graph.fixed import Fixed
from recurrency.graph.roots import TAPE
from recurrency.program.program import Program

from ..python.dialect import Fused, listed, number_text
from ..python.frame import Frame, FunctionDialect
from ..python.masks import masked_axes
from ..python.memory import leased
from ..python.module import folded
from ..python.products import Call
from .ops import ELEMENTWISE

UFUNC = {"sum": "add", "peak": "maximum"}


class Numpy(FunctionDialect):
    """Statements on NumPy arrays. The memory of results is used again once the caller no longer holds them."""

    elementwise = ELEMENTWISE
    step_padding = "(padding{s} if ragged{s} else [None] * T{s})"
    length = "full(B, {T})"
    range = "arange({T})[:, None]"
    steps_before = "arange({T})[:, None] + np.asarray((offset or {{}}).get({clock}, 0))"
    eye = "np.eye({0})"
    place = "place({x}, {step}, n{s}, {out})"
    if_length = ("{out}[...] = {x}", "{out}[n{s} != {length}] = 0")
    permute = "transpose"
    view = "view({0}, {1})"
    widens = True
    hoists = False
    apart = False

    def text(self, f: Frame) -> str:
        kept = sorted(set(f.memory.own) & f.words(), key=f.memory.order)
        if not kept:
            return "\n".join(f.definition([]))
        arenas = {home: parts for home, parts in f.memory.arenas.items() if parts}
        make, sizes = f"{f.name}_memory", ", ".join(f.sizes)
        lines = [*f.definition([f"({listed(kept)}) = cached({make}, {sizes})"]), "", "", f"def {make}({sizes}):"]
        lines.append(
            f'    """The buffers of `{f.name}` for these numbers of steps and sequences, and views of them."""'
        )
        lines += [f"    {home} = Arena({', '.join(parts)})" for home, parts in arenas.items()]
        lines += [f"    {line}" for line in f.memory.lines]
        lines.append(f"    return ({listed([f'{home}.memory' for home in arenas])}), ({listed(kept)})")
        return "\n".join(short for line in lines for short in folded(line))

    def literal(self, f: Frame, value: float, index: bool = False) -> str:
        return str(int(value)) if index else number_text(value)

    def fixed(self, elements: str, array: Fixed) -> str:
        if not elements.startswith("["):
            elements = f'np.frombuffer(b64decode({elements}), "<f8").reshape({array.shape})'
        large = np.abs(array.array).max() > np.finfo(np.float32).max
        maker = 'np.errstate(over="ignore")(np.array)' if large else "np.array"
        return f"{maker}({elements}, real)"

    def full(self, shape: str, value: str, index: bool = False) -> str:
        return f"full({shape}, {value}, {'np.intp' if index else 'real'})"

    def empty(self, shape: str, zeros: bool = False, here: bool = False) -> str:
        return f"{'zeros' if zeros else 'empty'}({shape}, real)"

    def buffer(self, shape: str, front: int, behind: int, home: str | None) -> str:
        """A new array, or a piece of an arena."""
        return f"{home}.array({shape})" if home else self.empty(shape, zeros=front + behind > 0)

    def given(self, text: str, index: bool) -> str:
        return f"asarray({text}, {'np.intp' if index else 'real'})"

    def assign(self, out: str, value: str, indexed: bool = False, number: bool = False) -> str:
        return f"{out}{'' if indexed else '[...]'} = {value}"

    def clear(self, out: str, where: str, nothing: str) -> str:
        return f"{out}[{where}] = {nothing}"

    def spread(self, text: str, shape: str) -> str:
        return f"np.broadcast_to({text}, {shape})"

    def each(self, whole: str, backwards: bool) -> str:
        """The array itself: iteration runs over its first axis."""
        return f"{whole}[::-1]" if backwards else whole

    def per_step(self, wholes: list[str], backwards: bool) -> str:
        return f"step_views({', '.join(self.each(whole, backwards) for whole in wholes)})"

    def product(self, f: Frame, call: Call) -> str:
        if call.function == "einsum":
            return f'einsum("{call.spec}", {call.a}, {call.b}, out={call.out})'
        if call.shape:
            return self.assign(call.out, f"dot({call.a}, {call.b}).reshape({call.shape})")
        return f"{call.function}({call.a}, {call.b}, {call.out})"

    def reduced(self, op: str, text: str, axes: str, out: str, fits: bool = True) -> str:
        call = f"{UFUNC[op]}.reduce({text}, {axes}"
        return f"{call}, None, {out})" if fits else f"{out}[...] = {call})"

    def results(self, f: Frame, roots: Mapping[str, int]) -> list[str]:
        """A dict: views of the memory that the caller gets, and copies of other results."""
        items = ["'gradient': gradient"] if len(roots) < len(f.graph.roots) else []
        lent = handed_out(f.program, roots)
        items += [f"{name!a}: {_result(f, name, id, name in lent)}" for name, id in roots.items()]
        return ["return {", *(f"    {item}," for item in items), "}"]

    def fusions(self, program: Program) -> dict[int, Fused]:
        """None: NumPy has no function for several operations."""
        return {}


def handed_out(program: Program, roots: Mapping[str, int]) -> set[str]:
    """The results that the caller gets without a copy.

    Results in memory that the backward pass reads may share it, because they are read-only. Results that the caller
    may write to have their memory alone.
    """
    found: set[str] = set()
    taken: set[int] = set()
    tape = _tape(program)
    for name, id in roots.items():
        if leased(program, id):
            memory = _memory(program, id)
            if memory in tape or memory not in taken:
                found.add(name)
            taken.add(memory)
    return found


def _result(f: Frame, name: str, id: int, lent: bool) -> str:
    type_ = f.graph[id].type
    text = f.full(id)
    if lent:
        locked = not TAPE.has(name) and _memory(f.program, id) in _tape(f.program)
        return f"read_only({text})" if locked else f"{text}.view()"
    return masked_axes(f, f"{text}.copy()", type_, range(len(type_.shape)), "0")


def _tape(program: Program) -> set[int]:
    """The buffers that the backward pass reads."""
    roots = program.graph.roots.items()
    return {_memory(program, id) for name, id in roots if TAPE.has(name) and leased(program, id)}


def _memory(program: Program, id: int) -> int:
    """The buffer whose memory holds a value."""
    buffer = program.buffers[program.places[id].buffer]
    return buffer.id if buffer.same is None else buffer.same
