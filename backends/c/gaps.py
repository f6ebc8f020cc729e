"""Sequences with gaps in files for other programs.

The steps that are there are brought together before a call, and results are put apart after it. The function without
gaps is then `NAME_dense_part`; what callers call is written here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recurrency.graph.roots import ADJOINT, AFTER, GRADIENT, INPUT, OUTPUT, RESET, bare, in_any

from ..kernels.arrays import Array
from ..kernels.index import clock_name, clock_size
from ..names import Names
from .function import CFunction, Result
from .products import inner_elements

HELPERS = r"""
/* Whether some numbers [steps, batch], within the lengths, are other than 0 and 1; NaN is. */
static REC_UNUSED int rec_no_flags(const REAL *flags, const long long *lengths, long long steps, long long batch) {
    for (long long b = 0; b < batch; ++b) {
        const long long end = lengths ? lengths[b] : steps;
        for (long long t = 0; t < end; ++t)
            if (!(flags[t * batch + b] == 0 || flags[t * batch + b] == 1)) return 1;
    }
    return 0;
}

/* Whether a length is negative, or greater than the number of steps. */
static REC_UNUSED int rec_no_lengths(const long long *lengths, long long steps, long long batch) {
    for (long long b = 0; b < batch; ++b)
        if (lengths[b] < 0 || lengths[b] > steps) return 1;
    return 0;
}

/* The number of steps of each sequence that are there. */
static REC_UNUSED void rec_count(
    const REAL *mask, const long long *lengths, long long steps, long long batch, long long *counts
) {
    for (long long b = 0; b < batch; ++b) {
        const long long end = lengths ? lengths[b] : steps;
        counts[b] = 0;
        for (long long t = 0; t < end; ++t) counts[b] += mask[t * batch + b] != 0;
    }
}

/* A stream [steps, batch] of rows of `size` bytes without its gaps; what follows the steps is 0. */
static REC_UNUSED void rec_together(
    const REAL *mask, const long long *lengths, long long steps, long long batch, const void *from, const void *to,
    size_t size
) {
    const char *x = (const char *)from;
    char *y = (char *)(uintptr_t)to;
    memset(y, 0, (size_t)(steps * batch) * size);
    for (long long b = 0; b < batch; ++b) {
        const long long end = lengths ? lengths[b] : steps;
        for (long long t = 0, k = 0; t < end; ++t)
            if (mask[t * batch + b] != 0)
                memcpy(y + (size_t)(k++ * batch + b) * size, x + (size_t)(t * batch + b) * size, size);
    }
}

/* Adjoints of a repeated stream: each step gets what the gap after it got. */
static REC_UNUSED void rec_sum_gaps(
    const REAL *mask, const long long *lengths, long long steps, long long batch, const REAL *x, const REAL *to,
    long long size
) {
    REAL *y = (REAL *)(uintptr_t)to;
    REC_FILL(y, steps * batch * size, 0);
    for (long long b = 0; b < batch; ++b) {
        const long long end = lengths ? lengths[b] : steps;
        for (long long t = 0, k = -1; t < end; ++t) {
            k += mask[t * batch + b] != 0;
            for (long long i = 0; k >= 0 && i < size; ++i)
                y[(k * batch + b) * size + i] += x[(t * batch + b) * size + i];
        }
    }
}

/* Resets without gaps: one in a gap takes effect at the next step that is there; `after`: there is none. */
static REC_UNUSED void rec_close_resets(
    const REAL *mask, const long long *lengths, long long steps, long long batch, const REAL *x, const REAL *to,
    const REAL *given, const REAL *after
) {
    REAL *y = (REAL *)(uintptr_t)to, *last = (REAL *)(uintptr_t)after;
    REC_FILL(y, steps * batch, 0);
    for (long long b = 0; b < batch; ++b) {
        const long long end = lengths ? lengths[b] : steps;
        int waiting = 0;
        for (long long t = 0, k = 0; t < end; ++t) {
            waiting |= x[t * batch + b] != 0;
            if (mask[t * batch + b] != 0) {
                y[k++ * batch + b] = (REAL)waiting;
                waiting = 0;
            }
        }
        last[b] = (REAL)(waiting || (given && given[b] != 0));
    }
}

/* A stream without gaps with its last value repeated in them, or with `repeats` 0 with bytes `nothing` in them. */
static REC_UNUSED void rec_apart(
    const REAL *mask, const long long *lengths, long long steps, long long batch, const void *from, void *to,
    size_t size, int repeats, int nothing
) {
    const char *x = (const char *)from;
    char *y = (char *)to;
    memset(y, nothing, (size_t)(steps * batch) * size);
    for (long long b = 0; b < batch; ++b) {
        const long long end = lengths ? lengths[b] : steps;
        for (long long t = 0, k = -1; t < end; ++t) {
            const int there = mask[t * batch + b] != 0;
            k += there;
            if (k >= 0 && (there || repeats))
                memcpy(y + (size_t)(t * batch + b) * size, x + (size_t)(k * batch + b) * size, size);
        }
    }
}
"""


@dataclass(frozen=True)
class Apart:
    """A result over time that a call with a mask writes into a field of its own."""

    root: str
    result: Result
    field: str

    @property
    def repeats(self) -> bool:
        """Whether it is repeated in gaps, as outputs are; gradients are 0 there."""
        return OUTPUT.has(self.root)


class Gaps:
    """The gaps of a function: its masks by clock, and its fields for results with gaps."""

    def __init__(self, f: CFunction, clocks: tuple[str, ...]) -> None:
        self.f, self.real = f, f.real
        self.clocks = [clock for clock in clocks if clock in f.memory.clocks]
        names = Names(name for name, _ in f.call_fields())
        self.apart = [
            Apart(root, result, names.new(f"masked_{bare(root)}"))
            for root, result in f.results.items()
            if in_any(root, OUTPUT, GRADIENT.nested(INPUT)) and result.array.timed and result.array.clock in self.clocks
        ]

    def fields(self) -> list[tuple[str, str, str]]:
        """The fields that a call has more: name, declaration, and a comment."""
        out = []
        for clock in self.clocks:
            word, sizes = clock_name(clock), f"[T_{clock_name(clock)}, B]"
            says = f"in: 0 at steps that are not there, else 1, {sizes}, or NULL: all are there"
            out.append((f"mask_{word}", f"const {self.real} *mask_{word};", says))
        for one in self.apart:
            array = one.result.array
            kind = self.real if array.real else "long long"
            shape = f"[{', '.join([clock_size(array.clock), 'B', *map(str, array.shape)])}]"
            how = "repeated in gaps" if one.repeats else "0 in gaps"
            says = f"out with mask_{clock_name(array.clock)}: {one.root}, {how}, {shape}; without it not used"
            out.append((one.field, f"{kind} *{one.field};", says))
        return out

    def text(self) -> str:
        """What callers call: the workspace, and one thread's part."""
        n = self.f.name
        masks = [f"!call->mask_{clock_name(clock)}" for clock in self.clocks]
        call = f"const struct {n}_call *call"
        parts = [
            _function(
                f"static long long {n}_places({call}, struct {n}_call *w, char *base)",
                "Makes the call without gaps, whose arrays begin at `base`; returns their bytes.",
                self._places(),
            ),
            _function(
                f"static void {n}_close({call}, const struct {n}_call *w)",
                "Brings the steps that are there together.",
                [line for clock in self.clocks for line in self._at(clock, self._closed(clock))],
            ),
            _function(
                f"static void {n}_open({call}, const struct {n}_call *w)",
                "Puts results apart.",
                [line for clock in self.clocks for line in self._at(clock, self._opened(clock))]
                or ["(void)call, (void)w;"],
            ),
            ENTRY.replace("NONE", " && ".join(masks)).replace("NAME", n),
        ]
        return "\n".join(parts)

    def _places(self) -> list[str]:
        out = ["size_t at = 0;", "const long long B = call->B;", "*w = *call;"]
        for clock in self.clocks:
            lines = [f"REC_PLACE(n_{clock_name(clock)}, long long, B);"]
            for _, array in self._inputs(clock):
                kind = self.real if array.real else "long long"
                sizes = f"call->{clock_size(clock)} * B * {inner_elements(array)}" if array.timed else "B"
                lines.append(f"REC_PLACE({array.name}, {kind}, {sizes});")
            out += self._if(clock, lines)
        return [*out, "w->work = base + at;", "w->bytes = call->bytes - (long long)at;", "return (long long)at;"]

    def _inputs(self, clock: str) -> Iterator[tuple[str, Array]]:
        """The arrays of the caller that a call without gaps has other ones for."""
        for name, array in self.f.inputs.items():
            if name == AFTER.of(clock) or (array.name in self.f.padded and array.clock == clock):
                yield name, array

    def _closed(self, clock: str) -> Iterator[str]:
        where = f"call->mask_{clock_name(clock)}, call->n_{clock_name(clock)}, {clock_size(clock)}, B"
        yield f"rec_count({where}, (long long *)(uintptr_t)w->n_{clock_name(clock)});"
        for name, array in self._inputs(clock):
            sides, size = f"call->{array.name}, w->{array.name}", inner_elements(array)
            if RESET.has(name):
                if not AFTER.has(name):
                    after = self.f.inputs[AFTER.of(clock)].name
                    yield f"rec_close_resets({where}, {sides}, call->{after}, w->{after});"
            elif ADJOINT.nested(OUTPUT).has(name):
                yield f"rec_sum_gaps({where}, {sides}, {size});"
            else:
                yield f"rec_together({where}, {sides}, (size_t){size} * sizeof *call->{array.name});"

    def _opened(self, clock: str) -> Iterator[str]:
        where = f"call->mask_{clock_name(clock)}, call->n_{clock_name(clock)}, {clock_size(clock)}, B"
        for one in self.apart:
            array, size = one.result.array, inner_elements(one.result.array)
            if array.clock == clock:
                source = f"w->{array.name}" + (f" + {one.result.row} * B * {size}" if one.result.row else "")
                bytes_ = f"(size_t){size} * sizeof *call->{one.field}"
                nothing = "0" if array.real else "0xFF"
                yield f"rec_apart({where}, {source}, call->{one.field}, {bytes_}, {int(one.repeats)}, {nothing});"

    def _at(self, clock: str, lines: Iterator[str]) -> list[str]:
        found = list(lines)
        sizes = ["const long long B = call->B;", f"const long long {clock_size(clock)} = call->{clock_size(clock)};"]
        return self._if(clock, [*sizes, *found]) if found else []

    def _if(self, clock: str, lines: list[str]) -> list[str]:
        return [f"if (call->mask_{clock_name(clock)}) {{", *(f"    {line}" for line in lines), "}"]


ENTRY = """long long NAME_workspace(const struct NAME_call *call, long long count) {
    struct NAME_call w;
    const long long bytes = NAME_places(call, &w, (char *)(uintptr_t)REC_LINE_BYTES);
    return bytes + NAME_dense_workspace(&w, count);
}

int NAME_part(const struct NAME_call *call, long long id, long long count) {
    struct NAME_call w;
    if (NONE) return NAME_dense_part(call, id, count);
    if (NAME_workspace(call, count) > call->bytes) return 1;
    NAME_places(call, &w, (char *)call->work);
    if (id == 0) NAME_close(call, &w);
    rec_wait(call->barrier, count);
    NAME_dense_part(&w, id, count);
    rec_wait(call->barrier, count);
    if (id == 0) NAME_open(call, &w);
    return 0;
}
"""


def _function(head: str, says: str, lines: list[str]) -> str:
    return "\n".join([f"/* {says} */", f"{head} {{", *(f"    {line}" for line in lines), "}", ""])
