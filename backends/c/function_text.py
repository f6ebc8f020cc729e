"""The text of a function in C: its structs, its kernels, its memory, and what callers call."""

from __future__ import annotations

from collections.abc import Sequence

from recurrency.graph.cost import count
from recurrency.graph.roots import AFTER, START
from recurrency.program.layout import gradients

from ..kernels.arrays import Array
from ..kernels.index import clock_name, clock_size
from .chunks import STOP
from .describe import rooms
from .function import CFunction
from .helpers import words
from .kernels import array_elements, indented, memory_scalars
from .products import inner_elements


def function_text(f: CFunction, structs: bool = True, here: bool = False, inner: bool = False) -> str:
    """The memory of a function, its kernels, and its entry points.

    With `structs`, the struct of a call as well; `here`: for this process, which may stop a call; `inner`: callers call
    other functions (see `gaps`).
    """
    call = [_call(f)] if structs else []
    kernels = [kernel.text for kernel in f.kernels]
    return "\n".join([*call, _memory(f), *kernels, _place(f), _prepare(f), _run(f, here), _entry(f, here, inner)])


def _call(f: CFunction) -> str:
    fields = [f"    {text}" for _, text in f.call_fields()]
    return "\n".join([f"struct {f.name}_call {{", *fields, "};", ""])


def _memory(f: CFunction) -> str:
    lines = ["/* Where everything is during a call. */", f"struct {f.name}_memory {{"]
    lines += [f"    const {f.real} *params;", f"    {f.real} *gradient;"]
    lines += [f"    {_type(f, array)} *{array.name};" for array in f.arrays]
    lines += [f"    {kind}{word};" for word, kind in memory_scalars(f.memory).items()]
    lines += [f"    {f.real} *{name};" for name in f.launches.products.packed.values()]
    lines += [f"    {f.real} *work;", "    long long room, ragged;", "    void *barrier;", "};", ""]
    return "\n".join(lines)


def _type(f: CFunction, array: Array) -> str:
    """The type of the elements of an array."""
    return f.real if array.real else "long long"


def _place(f: CFunction) -> str:
    """The function that gives everything its place in memory."""
    n, memory = f.name, rooms(f)
    out = ["size_t at = 0;", "const long long B = call->B;"]
    for clock in f.memory.clocks:
        out.append(f"const long long {clock_size(clock)} = call->{clock_size(clock)};")
        out.append(f"w->{clock_size(clock)} = {clock_size(clock)};")
    out += [
        "w->params = call->params; w->gradient = call->gradient; w->B = B;",
        "w->training = call->training; w->seed = &call->seed; w->barrier = call->barrier;",
        "w->ragged = 0;",
        *(f"w->{flag} = call->{flag};" for flag in f.memory.flags.values()),
    ]
    for clock in map(clock_name, f.memory.clocks):
        out.append(f"w->n_{clock} = call->n_{clock}; w->before_{clock} = call->before_{clock};")
        out.append(f"if (call->n_{clock}) w->ragged = 1;")
    out += [f"w->{array.name} = ({_type(f, array)} *)call->{array.name};" for array in f.outside()]
    for name, constant in f.launches.constants.items():
        out += [f"w->{name} = ({f.real} *)(uintptr_t){constant};"] * any(a.name == name for a in f.arrays)
    out += [room.statement(f.real) for room in memory.here()]
    out += ["w->room = 0;", *(f"REC_RAISE(w->room, {work});" for work in memory.work)]
    out += [f"REC_PLACE(work, {f.real}, w->room * count);", "return at;"]
    head = f"size_t {n}_place(struct {n}_memory *w, const struct {n}_call *call, char *base, long long count)"
    says = "Finds the place of everything, in the workspace from `base` on (NULL: none yet); returns its bytes."
    return _function(says, head, out)


def _prepare(f: CFunction) -> str:
    """The function that writes what is read before it is computed: rows around streams, missing initial states."""
    n = f.name
    out = []
    for clock in map(clock_name, f.memory.clocks):
        for word, size in ((f"n_{clock}", f"T_{clock}"), (f"before_{clock}", "0")):
            out.append(f"if (!call->{word}) {{ REC_FILL((long long *)w->{word}, B, {size}); }}")
    starts = {a.name for name, a in f.inputs.items() if START.has(name)}
    for array in (a for a in f.arrays if a.name in f.padded):
        clock, inner = clock_name(array.clock), inner_elements(array)
        sides = f"w->{array.name}, call->{array.name}, T_{clock}, B, {inner}, w->n_{clock}, {_nothing(array)}"
        out.append(f"if (call->n_{clock}) {{ REC_COPY_VALID({sides}); }}")
    for array in f.arrays:
        out += _rows_around(array)
        if array.name in f.nothing and array.name in starts:
            missing = f"REC_FILL(w->{array.name}, {array_elements(array)}, {_nothing(array)});"
            out.append(f"if (!call->{array.name}) {{ {missing} }}")
    for array in (a for name, a in f.inputs.items() if AFTER.has(name)):
        out.append(f"if (!call->{array.name}) {{ REC_FILL(w->{array.name}, B, 0); }}")
    if f.has_gradient and not _covered(f):
        out.append(f"REC_FILL(w->gradient, {f.layout.size}, 0);")
    head = f"void {n}_prepare(const struct {n}_memory *w, const struct {n}_call *call)"
    return _function("Writes what is read before it is computed.", head, [*_sizes(f, out), *out])


def _rows_around(array: Array) -> list[str]:
    """The statements that fill the rows of a stream before its first step and after its last one."""
    inner, out = f"B * {inner_elements(array)}", []
    if array.carried:
        return [f"REC_FILL(w->{array.name}, {inner}, {_nothing(array)});"]
    if array.timed and array.front:
        out.append(f"REC_FILL(w->{array.name}, {array.front} * {inner}, {_nothing(array)});")
    if array.timed and array.behind:
        steps = f"({clock_size(array.clock)} + {array.front})" if array.front else clock_size(array.clock)
        behind = f"w->{array.name} + {steps} * {inner}"
        out.append(f"REC_FILL({behind}, {array.behind} * {inner}, {_nothing(array)});")
    return out


def _nothing(array: Array) -> str:
    """What an array holds where it has no value."""
    return "0" if array.real else "-1"


def _covered(f: CFunction) -> bool:
    """Whether every element of the gradient is computed."""
    return sum(count(f.layout.entries[n][1]) for n in gradients(f.graph, f.layout)) == f.layout.size


def _run(f: CFunction, here: bool) -> str:
    n = f.name
    body = [line for line in f.body if here or not line.startswith(STOP)]
    named = words("\n".join(body))
    out = [*_sizes(f, body), *(f"(void){name};" for name in ("id", "count") if name not in named), *body]
    head = f"void {n}_run(const struct {n}_memory *w, long long id, long long count)"
    return _function("One thread's part of all kernels and products.", head, out)


def _sizes(f: CFunction, lines: Sequence[str]) -> list[str]:
    """The definitions of the sizes that some lines name."""
    named = words("\n".join(lines))
    sizes = ["B", *map(clock_size, f.memory.clocks)]
    return [f"const long long {size} = w->{size};" for size in sizes if size in named]


def _entry(f: CFunction, here: bool, inner: bool) -> str:
    n, public = f.name, "REC_PUBLIC " * here or "static " * inner
    entry = f"{n}_dense" if inner else n
    return f"""
{public}long long {entry}_workspace(const struct {n}_call *call, long long count) {{
    struct {n}_memory w;
    return (long long){n}_place(&w, call, NULL, count);
}}

{public}int {entry}_part(const struct {n}_call *call, long long id, long long count) {{
    struct {n}_memory memory, *w = &memory;
    if ((long long){n}_place(w, call, NULL, count) > call->bytes) return 1;
    {n}_place(w, call, (char *)call->work, count);
    if (id == 0) {n}_prepare(w, call);
    rec_wait(w->barrier, count);
    {n}_run(w, id, count);
    return 0;
}}
""".lstrip("\n")


def _function(says: str, head: str, lines: Sequence[str]) -> str:
    return "\n".join([f"/* {says} */", f"static {head} {{", *indented(lines), "}"]) + "\n"
