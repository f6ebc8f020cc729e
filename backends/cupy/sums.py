"""The lines in which a block computes its sums of products, see `tiles`: each thread, then each warp, then all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .tiles import WARP, Part, Tile


def vector_text(real: str, size: int) -> str:
    """The definition of `vector`, which a thread loads and stores at once."""
    return f"struct __align__(16) vector {{ {real} at[{size}]; }};\n"


@dataclass(frozen=True)
class Terms:
    """How a thread reads a term `k` of the sequence `b`: `lines` and then the text of its value.

    `vector` is an aligned element that has the terms behind it as neighbours, if there is one, and `stride` the number
    of elements from one sequence to the next.
    """

    lines: tuple[str, ...]
    text: str
    vector: str | None
    stride: int = 0


def product_lines(made: Tile, number: int, sequences: int, weights: str, terms: Terms, real: str) -> list[str]:
    """The sums of one product of a tile, from the packed weights to shared memory, `part_NUMBER`.

    The weights of the next round are on their way while those of one are used. More rounds at once, or more terms than
    those of one sequence, are left to the compiler, which has registers for one round only.
    """
    part = made.parts[number]
    v, f = part.vector, "f" if real == "float" else ""
    loops = [_rounds(made, part, sequences, terms, f, full) for full in (True, False)]
    full = [f"if (last >= {sequences - 1}) {{", *(f"    {x}" for x in loops[0]), "} else {"]
    body = [
        f"{real} sum[{sequences}][{v}];",
        *_loop("s", sequences, _loop("c", v, [f"sum[s][c] = 0.0{f};"])),
        f"const vector* __restrict__ weights = (const vector*){weights} "
        f"+ ((long long)tile * {part.rounds * v * WARP} + lane);",
        f"vector weight[{v}];",
        f"if (warp < {part.rounds}) {{",
        *(f"    {x}" for x in _loop("j", v, [f"weight[j] = weights[(warp * {v} + j) * {WARP}];"])),
        "}",
        *_base(terms, real),
        *([*full, *(f"    {x}" for x in loops[1]), "}"] if terms.vector is not None else loops[1]),
        *_folded(part, sequences, real),
        *_stored(part, number, sequences),
    ]
    return ["{", *(f"    {line}" for line in body), "}"]


def _rounds(made: Tile, part: Part, sequences: int, terms: Terms, f: str, full: bool) -> list[str]:
    """The rounds of a warp; `full`: the block has all sequences, so that their terms are at fixed distances."""
    v, step = part.vector, made.warps * part.vector * WARP
    inner = [
        f"const int first = (round * {part.groups} + lane / {part.lanes}) * {v};",
        f"vector next[{v}];",
        f"if (round + {made.warps} < {part.rounds}) {{",
        *(f"    {x}" for x in _loop("j", v, [f"next[j] = weights[(round * {v} + j) * {WARP} + {step}];"])),
        "}",
        *_loop("s", sequences, _of_sequence(part, terms, f, full)),
        *_loop("j", v, ["weight[j] = next[j];"]),
    ]
    head = f"for (int round = warp; round < {part.rounds}; round += {made.warps}) {{"
    return ["#pragma unroll 1", head, *(f"    {line}" for line in inner), "}"]


def _loop(name: str, size: int, lines: Sequence[str]) -> list[str]:
    """An unrolled loop around some lines."""
    return ["#pragma unroll", f"for (int {name} = 0; {name} < {size}; ++{name}) {{", *(f"    {x}" for x in lines), "}"]


def _base(terms: Terms, real: str) -> list[str]:
    """The first term of the first sequence, from which those of the others are found by few instructions."""
    if terms.vector is None:
        return []
    at = ["const int b = b0, k = 0;", "const long long tb = tb0;", f"terms = &{terms.vector};"]
    return [f"const {real}* terms;", "{", *(f"    {line}" for line in at), "}"]


def _of_sequence(part: Part, terms: Terms, f: str, full: bool) -> list[str]:
    """What one sequence adds to the sums in a round; `full`: the block has all sequences."""
    v = part.vector
    exact = part.terms == part.rounds * part.groups * v
    row = ["const int row = min(s, last), b = b0 + row;", "const long long tb = tb0 + row;"]
    if terms.vector is not None:
        lines = ["vector term;"]
        read = f"term = *(const vector*)(terms + first + {'s' if full else 'min(s, last)'} * {terms.stride});"
        nothing = _loop("j", v, [f"term.at[j] = 0.0{f};"])
        lines += (
            [read] if exact else [f"if (first < {part.terms}) {read}", "else {", *(f"    {x}" for x in nothing), "}"]
        )
    else:
        found = [*terms.lines, f"term.at[j] = {terms.text};"]
        guarded = found if exact else [f"if (k < {part.terms}) {{", *(f"    {x}" for x in found), "}"]
        lines = [
            *row,
            "vector term;",
            *_loop("j", v, ["const int k = first + j;", f"term.at[j] = 0.0{f};", *guarded]),
        ]
    added = _loop("c", v, ["sum[s][c] += weight[j].at[c] * term.at[j];"])
    return [*lines, *_loop("j", v, added)]


def _folded(part: Part, sequences: int, real: str) -> Iterator[str]:
    """Add up the sums of the groups of a warp: these share the sequences, as long as there are any to share."""
    yield "int mine = 0;"
    left, mask = sequences, WARP // 2
    while mask >= part.lanes:
        if left > 1:
            left //= 2
            yield "{"
            yield f"    const bool high = lane & {mask};"
            swapped = [
                f"const {real} kept = high ? sum[s + {left}][c] : sum[s][c];",
                f"const {real} given = high ? sum[s][c] : sum[s + {left}][c];",
                f"sum[s][c] = kept + __shfl_xor_sync(0xffffffffu, given, {mask});",
            ]
            yield from (f"    {line}" for line in _loop("s", left, _loop("c", part.vector, swapped)))
            yield f"    mine += high ? {left} : 0;"
            yield "}"
        else:
            yield from _loop("c", part.vector, [f"sum[0][c] += __shfl_xor_sync(0xffffffffu, sum[0][c], {mask});"])
        mask //= 2


def _shared(part: Part, sequences: int) -> tuple[int, int]:
    """How many sequences a thread has at the end, and the mask of lanes that have the same as others."""
    left, mask, same = sequences, WARP // 2, 0
    while mask >= part.lanes:
        left, same = (left // 2, same) if left > 1 else (left, same | mask)
        mask //= 2
    return left, same


def _stored(part: Part, number: int, sequences: int) -> list[str]:
    """Store the sums of a warp in shared memory."""
    left, same = _shared(part, sequences)
    place = f"(warp * {sequences} + mine + s) * {part.row} + lane % {part.lanes} * {part.vector}"
    store = [
        f"vector* to = (vector*)&part_{number}[{place}];",
        *_loop("c", part.vector, ["to->at[c] = sum[s][c];"]),
    ]
    lines = _loop("s", left, store)
    return [f"if (!(lane & {same})) {{", *(f"    {x}" for x in lines), "}"] if same else lines


def declared(made: Tile, sequences: int, real: str) -> list[str]:
    """The shared memory of a tile, and what a thread knows of its place."""
    sizes = [made.warps * sequences * part.row for part in made.parts]
    return [
        *(f"__shared__ __align__(16) {real} part_{k}[{size}];" for k, size in enumerate(sizes)),
        f"const int lane = threadIdx.x % {WARP}, warp = threadIdx.x / {WARP};",
        f"const int tile = blockIdx.x % {made.blocks}, b0 = blockIdx.x / {made.blocks} * {sequences};",
        "const int last = B - 1 - b0;",
        "const long long tb0 = (long long)t * B + b0;",
    ]


def total_lines(made: Tile, number: int, column: int, name: str, sequences: int, real: str) -> list[str]:
    """The sum of one column, of what all warps have: for the unit `u` of the tile, the sequence `s`."""
    row = made.parts[number].row
    start = f"part_{number}[s * {row} + {column * made.units} + u]"
    if made.warps == 1:
        return [f"const {real} {name} = {start};"]
    more = f"part_{number}[(w * {sequences} + s) * {row} + {column * made.units} + u]"
    return [
        f"{real} {name} = {start};",
        "#pragma unroll",
        f"for (int w = 1; w < {made.warps}; ++w) {name} += {more};",
    ]
