"""The text of a function in C: its structs, its kernels, its memory, and what callers call."""

from __future__ import annotations

from recurrency.graph.cost import count
from recurrency.program.layout import gradients

from ..kernels.index import clock_name, clock_size
from .describe import rooms
from .function import CFunction
from .kernels import array_elements, indented, memory_scalars
from .products import inner_elements


def function_text(f: CFunction, structs: bool = True) -> str:
    """Struct (with `structs` the struct of a call as well), kernels and entry points."""
    kernels = [k.text for k in f.kernels]
    return "\n".join([_structs(f, structs), *kernels, _lay(f), _zeros(f), _run(f), _entry(f)])


def _structs(f: CFunction, call: bool) -> str:
    fields = [f"    {text}" for _, text in f.call_fields()]
    lines = [f"struct {f.name}_call {{", *fields, "};", ""] if call else []
    lines += [f"struct {f.name}_memory {{", f"    const {f.real} *params;", f"    {f.real} *gradient;"]
    for array in f.arrays:
        lines.append(f"    {f.real if array.real else 'long long'} *{array.name};")
    lines += [f"    {kind}{word};" for word, kind in memory_scalars(f.memory).items()]
    lines += [f"    {f.real} *{name};" for name in f.launches.products.packed.values()]
    lines += [f"    {f.real} *work;", "    long long room, ragged;", "    void *barrier;", "};", ""]
    return "\n".join(lines)


def _lay(f: CFunction) -> str:
    """The function that says where everything lies."""
    n, memory = f.name, rooms(f)
    out = [
        f"static size_t {n}_lay(struct {n}_memory *w, const struct {n}_call *call, char *base, long long count) {{",
        "size_t at = 0;",
        "const long long B = call->B;",
        *(f"const long long {clock_size(c)} = call->{clock_size(c)};" for c in f.memory.clocks),
        *(f"w->{clock_size(c)} = {clock_size(c)};" for c in f.memory.clocks),
        "w->params = call->params; w->gradient = call->gradient; w->B = B;",
        "w->training = call->training; w->seed = &call->seed; w->barrier = call->barrier;",
        "w->ragged = 0;",
        *(f"w->{flag} = call->{flag};" for flag in f.memory.flags.values()),
    ]
    for clock in map(clock_name, f.memory.clocks):
        out += [
            f"w->n_{clock} = call->n_{clock}; w->before_{clock} = call->before_{clock};",
            f"if (call->n_{clock}) w->ragged = 1;",
        ]
    for array in f.outside():
        out.append(f"w->{array.name} = ({f.real if array.real else 'long long'} *)call->{array.name};")
    out += [room.statement(f.real) for room in memory.here()]
    out += ["w->room = 0;", *(f"REC_MORE(w->room, {work});" for work in memory.work)]
    out += [f"REC_ROOM(work, {f.real}, w->room * count);", "(void)B; (void)count;"]
    out += [f"(void){clock_size(c)};" for c in f.memory.clocks]
    return _function([*out, "return at;"])


def _zeros(f: CFunction) -> str:
    """What has to be there before anything is computed: rows in front and behind, missing first states."""
    n = f.name
    out = [f"static void {n}_begin(const struct {n}_memory *w, const struct {n}_call *call) {{"]
    out.append("const long long B = w->B;")
    out += [f"const long long {clock_size(c)} = w->{clock_size(c)};" for c in f.memory.clocks]
    for clock in map(clock_name, f.memory.clocks):
        for word, size in ((f"n_{clock}", f"T_{clock}"), (f"before_{clock}", "0")):
            out.append(f"if (!call->{word}) {{ REC_FILL((long long *)w->{word}, B, {size}); }}")
    starts = {a.name: name[6:] for name, a in f.inputs.items() if name.startswith("start:")}
    for array in (a for a in f.arrays if a.name in f.padded):
        clock, inner = clock_name(array.clock), inner_elements(array)
        sides = f"w->{array.name}, call->{array.name}, T_{clock}, {inner}, w->n_{clock}, {0 if array.real else -1}"
        out.append(f"if (call->n_{clock}) {{ REC_CLEAN({sides}); }}")
    for array in f.arrays:
        inner = f"B * {inner_elements(array)}"
        nothing = "0" if array.real else "-1"
        if array.timed and array.front:
            out.append(f"REC_FILL(w->{array.name}, {array.front} * {inner}, {nothing});")
        if array.timed and array.behind:
            behind = f"w->{array.name} + ({clock_size(array.clock)} + {array.front}) * {inner}"
            out.append(f"REC_FILL({behind}, {array.behind} * {inner}, {nothing});")
        if array.name in f.nothing and array.name in starts:
            out.append(f"if (!call->{array.name}) {{ REC_FILL(w->{array.name}, {array_elements(array)}, {nothing}); }}")
    if f.has_gradient and not _covered(f):
        out.append(f"REC_FILL(w->gradient, {f.layout.size}, 0);")
    out += ["(void)B;", *(f"(void){clock_size(c)};" for c in f.memory.clocks)]
    return _function(out)


def _covered(f: CFunction) -> bool:
    covered = sum(count(f.layout.entries[n][1]) for n in gradients(f.graph, f.layout))
    return bool(covered == f.layout.size)


def _run(f: CFunction) -> str:
    n = f.name
    out = [f"static void {n}_run(const struct {n}_memory *w, long long id, long long count) {{"]
    out += ["const long long B = w->B;", *(f"const long long {clock_size(c)} = w->{clock_size(c)};"
                                           for c in f.memory.clocks)]  # fmt: skip
    out += ["(void)B; (void)id; (void)count;", *(f"(void){clock_size(c)};" for c in f.memory.clocks)]
    return _function([*out, *f.body])


def _entry(f: CFunction) -> str:
    n = f.name
    return f"""
REC_PUBLIC long long {n}_workspace(const struct {n}_call *call, long long count) {{
    struct {n}_memory w;
    return (long long){n}_lay(&w, call, NULL, count);
}}

REC_PUBLIC int {n}_part(const struct {n}_call *call, long long id, long long count) {{
    struct {n}_memory memory, *w = &memory;
    if ((long long){n}_lay(w, call, NULL, count) > call->bytes) return 1;
    {n}_lay(w, call, (char *)call->work, count);
    if (id == 0) {n}_begin(w, call);
    rec_wait(w->barrier, count);
    {n}_run(w, id, count);
    return 0;
}}
"""


def _function(lines: list[str]) -> str:
    return "\n".join([lines[0], *indented(lines[1:]), "}"]) + "\n"
