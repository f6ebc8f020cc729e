"""The dialect of PyTorch: on any device, in the dtype of the parameters of a call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from recurrency.graph.fixed import Fixed
from recurrency.graph.roots import TAPE
from recurrency.program.program import Program

from ..names import ascii_name
from ..python.dialect import Fused, listed
from ..python.frame import Frame, FunctionDialect
from ..python.masks import masked_axes
from ..python.memory import leased
from ..python.module import folded
from ..python.products import Call
from .fusions import fusions
from .ops import ELEMENTWISE

REDUCE = {"sum": "sum_over", "peak": "amax"}
DOTS = {
    (2, 2): "{best}({a}, {b}, out={out})",
    (2, 1): "mv({a}, {b}, out={out})",
    (1, 2): "mv({b_T}, {a}, out={out})",
    (1, 1): "dot({a}, {b}, out={out})",
    (0, 0): "matmul({a}, {b}, out={out})",
}
SUMS = {
    (2, 2): "{best}({plus}, {a}, {b}, out={out})",
    (2, 1): "addmv({plus}, {a}, {b}, out={out})",
    (1, 2): "addmv({plus}, {b_T}, {a}, out={out})",
}


class Torch(FunctionDialect):
    """Statements on tensors. A function uses its own buffers again; what the caller gets is never written again."""

    elementwise = ELEMENTWISE
    step_padding = "(padding{s}.unbind(0) if ragged{s} else [None] * T{s})"
    length = "params.new_full((B,), {T}, dtype=torch.int64)"
    range = "arange({T}, device=params.device)[:, None]"
    steps_before = "step_numbers({T}, (offset or {{}}).get({clock}, 0), params.device)"
    eye = "torch.eye({0}, dtype=params.dtype, device=params.device)"
    place = "place({x}, {step}, n{s}, ragged{s}, {out})"
    if_length = ("if_length({x}, {length}, n{s}, ragged{s}, T{s}, {out})",)
    permute = "permute"
    view = "{0}.view({1})"
    widens = False
    hoists = True
    apart = True

    def __init__(self, fuses: bool = True) -> None:
        self.fuses = fuses

    def text(self, f: Frame) -> str:
        used = f.words()
        makers: list[str] = []
        borrowed: list[str] = []
        for group, suffix, key in (("kept", "memory", "key"), ("lent", "results", "lease")):
            names = sorted((n for n, g in f.memory.own.items() if g == group and n in used), key=f.memory.order)
            if not names:
                continue
            made = [line for line in f.memory.lines if f.memory.own[line.split(" = ")[0]] == group]
            made = list(_needed(made, set(names)))
            makers += ["", "", f"def {f.name}_{suffix}(like, {', '.join(f.sizes)}):"]
            makers += [f'    """{DOCS[group].format(f.name)}"""', *(f"    {line}" for line in made)]
            makers.append(f"    return Buffers(({listed(_owners(made))}), ({listed(names)}))")
            borrowed += [f"{key}, {group} = borrow({f.name}_{suffix}, params, {', '.join(f.sizes)})"]
            borrowed += [f"({listed(names)}) = {group}.tensors"]
        return "\n".join(short for line in [*f.definition(borrowed), *makers] for short in folded(line))

    def literal(self, f: Frame, value: float, index: bool = False) -> str:
        """The number as a tensor without axes, because PyTorch would make one of a Python number at each call."""
        if index:
            return f.constant(value, "()", index=True)
        known = {0.0: "zero", 1.0: "one", 0.5: "half", 2.0: "two"}
        return f.constant(value, "()", known.get(value, ascii_name(f"number {value}")))

    def fixed(self, elements: str, array: Fixed) -> str:
        if elements.startswith("["):
            return f"torch.tensor({elements}, dtype=torch.float64)"
        numbers = f'unpack("<{array.elements}d", b64decode({elements}))'
        return f"torch.tensor({numbers}, dtype=torch.float64).reshape({array.shape})"

    def full(self, shape: str, value: str, index: bool = False) -> str:
        return f"like.new_full({shape}, {value}{', dtype=torch.int64' if index else ''})"

    def empty(self, shape: str, zeros: bool = False, here: bool = False) -> str:
        if not here:
            return f"like.new_{'zeros' if zeros else 'empty'}({shape})"
        return f"lend(params, {shape if shape[0] == '(' else f'({shape},)'}){'.zero_()' if zeros else ''}"

    def buffer(self, shape: str, front: int, behind: int, home: str | None) -> str:
        made = f"lend(like, {shape}, {front})" if home else self.empty(shape)
        return f"zero_rows({made}, {front}, {behind})" if front or behind else made

    def given(self, text: str, index: bool) -> str:
        """The tensor itself: it has the dtype of the parameters already (symbols: int64)."""
        return text

    def assign(self, out: str, value: str, indexed: bool = False, number: bool = False) -> str:
        return f"{out}.{'fill_' if number else 'copy_'}({value})"

    def clear(self, out: str, where: str, nothing: str) -> str:
        return f"fill_where({out}, {where}, {nothing})"

    def spread(self, text: str, shape: str) -> str:
        return f"{text}.expand({shape})"

    def each(self, whole: str, backwards: bool) -> str:
        views = whole if whole.startswith("(") else f"{whole}.unbind(0)"
        return f"{views}[::-1]" if backwards else views

    def per_step(self, wholes: list[str], backwards: bool) -> str:
        return f"step_views({-1 if backwards else 1}, {', '.join(wholes)})"

    def product(self, f: Frame, call: Call) -> str:
        a, b, out = call.a, call.b, call.out
        if call.function in ("dot", "matmul"):
            b_T = b.removesuffix(".T") if b.endswith(".T") else f"{b}.T"
            if call.shape:
                return f"{out}.copy_(matmul({a}, {b}).view({call.shape}))"
            row, best = (SUMS if call.plus else DOTS)[call.axes], ""
            if "{best}" in row:
                best, b = self._best("addmm" if call.plus else "mm", f, call)
            return row.format(a=a, b=b, b_T=b_T, out=out, plus=call.plus, best=best)
        if call.function == "multiply":
            return f"addcmul({call.plus}, {a}, {b}, out={out})" if call.plus else f"mul({a}, {b}, out={out})"
        first, second, result = call.spec.replace("->", ",").split(",")
        summed = [str(axis) for axis, letter in enumerate(first) if letter not in result]
        if first == second and "".join(c for c in first if c in result) == result and len(set(first)) == len(first):
            return f"sum_products({a}, {b}, ({listed(summed)}), {out})"
        return f'{out}.copy_(einsum("{call.spec}", {a}, {b}))'

    def _best(self, name: str, f: Frame, call: Call) -> tuple[str, str]:
        """The fastest function for a product of these sizes, chosen when memory is allocated; and its factor b.

        A factor that is the same at all steps of a loop is converted to the function's own form before the loop.
        """
        loop = f.memory.loop
        large = "step" if call.fixed and loop is not None else "large"
        best = _named(f, name, f"best_product(like, {name}, {large}_{name}, {', '.join(call.sizes)})", "kept")
        if not call.fixed or loop is None:
            return best, call.b
        steps = f.memory.steps(loop.region.clock)
        return best, _named(f, f"{call.b}_prepared", f"prepared({best}, {call.b}, {call.sizes[0]}, {steps})", None)

    def reduced(self, op: str, text: str, axes: str, out: str, fits: bool = True) -> str:
        call = f"{REDUCE[op]}({text}, {axes}"
        return f"{call}, out={out})" if fits else f"{out}.copy_({call}))"

    def results(self, f: Frame, roots: Mapping[str, int]) -> list[str]:
        """The results in memory that the caller gets, and copies of the others."""
        direct, copies = [], ["'gradient': gradient"] if len(roots) < len(f.graph.roots) else []
        handed = _handed_out(f, roots)
        for name, id in roots.items():
            if name in handed:
                direct.append(f"{name!a}: {f.full(id)}")
            else:
                copies.append(f"{name!a}: {_copy(f, id)}")
        lines = ["results = {", *(f"    {item}," for item in copies), "}"]
        if direct:
            items = [f"    {item}," for item in direct]
            lines += [f"results.update(handed_out({f.name}_results, lease, lent, {{", *items, "}))"]
        elif "lent" in f.memory.own.values():
            lines.append(f"give_back({f.name}_results, lease, lent)")
        if "kept" in f.memory.own.values():
            lines.append(f"give_back({f.name}_memory, key, kept)")
        return [*lines, "return results"]

    def fusions(self, program: Program) -> dict[int, Fused]:
        return fusions(program) if self.fuses else {}


DOCS = {
    "kept": "The buffers of `{}` for these numbers of steps and sequences, and views of them.",
    "lent": "The memory of the results of `{}`, and views of it.",
}


def _named(f: Frame, wish: str, text: str, group: str | None) -> str:
    """A name for the value of a text, which is computed once: with our memory, or (None) in the function."""
    if text not in f.memory.views:
        f.memory.views[text] = f.names.new(wish)
        f.memory.define(f.memory.views[text], text, group)
    return f.memory.views[text]


def _needed(lines: list[str], names: set[str]) -> Iterator[str]:
    """The lines without definitions that nothing uses."""
    needed, kept = set(names), []
    for line in reversed(lines):
        name, text = line.split(" = ", 1)
        if name in needed:
            needed |= set(re.findall(r"[^\W\d]\w*", text))
            kept.append(line)
    return reversed(kept)


def _owners(lines: list[str]) -> list[str]:
    """The tensors that these lines allocate; the others are views of them."""
    made = [line.split(" = ", 1) for line in lines]
    return [name for name, text in made if re.search(r"\.new_|\blend\(", text)]


def _handed_out(f: Frame, roots: Mapping[str, int]) -> set[str]:
    """The results that the caller gets without a copy.

    Results on the tape may share memory, because nobody writes to them; other results have their memory alone.
    """
    found: set[str] = set()
    taken: dict[int, bool] = {}
    for name in sorted(roots, key=lambda name: not TAPE.has(name)):
        id = roots[name]
        if leased(f.program, id) and f.contiguous(id):
            buffer = f.program.buffers[f.program.places[id].buffer]
            memory = buffer.id if buffer.same is None else buffer.same
            if memory not in taken or (TAPE.has(name) and taken[memory]):
                taken[memory] = TAPE.has(name)
                found.add(name)
    return found


def _copy(f: Frame, id: int) -> str:
    """A copy of a result, with zeros in padding."""
    type_ = f.graph[id].type
    return masked_axes(f, f"copy_of({f.full(id)})", type_, range(len(type_.shape)), "0")
