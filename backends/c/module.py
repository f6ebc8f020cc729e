"""A file of C for other programs: the interface with its documentation, and functions that check calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from recurrency.graph.cost import count
from recurrency.graph.roots import FINAL, OUTPUT, START
from recurrency.model.arrays import Port
from recurrency.model.export import Export

from ..kernels.arrays import Array
from ..kernels.index import clock_name
from ..names import Names, ascii_name
from .function import CFunction
from .sizes import LINE

ERRORS = {"WORK": "the workspace is smaller than NAME_FUNCTION_workspace says", "NULL": "a pointer is missing",
          "ALIGNMENT": "an array does not begin where its type may begin, or the workspace not at LINE bytes",
          "SIZE": "a number of steps or sequences is negative"}  # fmt: skip
"""The errors that functions return: 1, 2, ... in this order."""


def prefix_of(cell: str) -> str:
    """The prefix of a cell's functions: its name in lower case, unless helpers begin like that."""
    word: str = ascii_name(cell).lower()
    return f"cell_{word}" if word == "rec" or word.startswith(("rec_", "cell_")) else word


def constant(prefix: str, word: str) -> str:
    """The name of a constant; no macro of a header ends like this."""
    return f"{prefix.upper()}_{word}_"


def commented(text: str) -> str:
    """Any text as a comment of C."""
    safe = "".join(c if (c.isprintable() and c.isascii()) or c == "\n" else "?" for c in text)
    return "/* " + safe.replace("*/", "* /").replace("/*", "/ *").replace("??", "? ?") + " */"


class Interface:
    """The interface of some functions, which is in the header and at the top of the file."""

    def __init__(self, export: Export, functions: list[CFunction], prefix: str) -> None:
        self.export, self.functions, self.prefix = export, functions, prefix
        self.real = functions[0].real
        self.step = Step(export, functions[0], prefix)
        self.weights = f"const {self.real} {prefix}_weights[{constant(prefix, 'PARAMETERS')}]"

    def text(self) -> str:
        """Errors, parameters, their values, and for each function its struct and its prototypes."""
        parts = [self._errors(), self._parameters(), *([] if self.export.weights is None else [self._weights()])]
        parts += [*(self._function(f) for f in self.functions), self.step.interface]
        return "\n".join(parts)

    def header(self) -> str:
        """A header file."""
        guard = f"REC_{self.prefix.upper()}_H"
        head = commented(self.export.header)
        extern = ('#ifdef __cplusplus\nextern "C" {\n#endif\n', "#ifdef __cplusplus\n}\n#endif\n")
        return f"{head}\n#ifndef {guard}\n#define {guard}\n\n{extern[0]}\n{self.text()}\n{extern[1]}\n#endif\n"

    def _errors(self) -> str:
        said = {name: says.replace("NAME", self.prefix).replace("LINE", str(LINE)) for name, says in ERRORS.items()}
        lines = [f"    {constant(self.prefix, name)} = {k + 1}, {commented(says)}"
                 for k, (name, says) in enumerate(said.items())]  # fmt: skip
        return "\n".join(["/* What functions return. After an error, nothing has been computed. */", "enum {",
                          f"    {constant(self.prefix, 'OK')} = 0,", *lines, "};", ""])  # fmt: skip

    def _parameters(self) -> str:
        names = Names()
        lines = [
            f"/* Parameters are one vector of {self.real}: each begins at its offset, the last index runs fastest. */",
            "enum {", f"    {constant(self.prefix, 'PARAMETERS')} = {self.export.layout.size},",
        ]  # fmt: skip
        for name, (offset, shape) in sorted(self.export.layout.entries.items(), key=lambda item: item[1][0]):
            word = names.new(f"{self.prefix.upper()}_AT_{ascii_name(name)}")
            lines.append(f"    {word} = {offset}, {commented(f'{name} {list(shape)}, {prod(shape)} numbers')}")
        return "\n".join([*lines, "};", ""])

    def _weights(self) -> str:
        """The declaration of the array of parameters."""
        says = "/* The parameters that this file was written with: the `params` of all functions. */"
        return f"{says}\nextern {self.weights};\n"

    def _function(self, f: CFunction) -> str:
        says = dict(self._comments(f))
        lines = [f"struct {f.name}_call {{"]
        for name, declaration in f.call_fields():
            lines.append(f"    {declaration}{' ' + commented(says[name]) if name in says else ''}")
        return "\n".join([
            *lines, "};", "",
            "/* The bytes that `work` needs: sizes and optional pointers of the call must be set. */",
            f"long long {f.name}_workspace(const struct {f.name}_call *call, long long threads);",
            "/* Runs in one thread; returns 0 or an error. It allocates nothing, and keeps nothing between calls. */",
            f"int {f.name}(const struct {f.name}_call *call);",
            "/* The same in several threads: each calls it with its number (from 0) and the number of threads. */",
            f"int {f.name}_part(const struct {f.name}_call *call, long long thread, long long threads);", "",
        ])  # fmt: skip

    def _comments(self, f: CFunction) -> list[tuple[str, str]]:
        """Comments on the fields of a call."""
        gradient = f"out: [{f.layout.size}], of the parameters" if f.has_gradient else "not used"
        said: dict[str, list[str]] = {"params": [f"[{f.layout.size}]"], "gradient": [gradient]}
        for name, array in f.inputs.items():
            start = START.has(name)
            what = f"in: the initial {START.name(name)}, or NULL for the declared one" if start else f"in: {name}"
            said.setdefault(array.name, []).append(f"{what}, {extents(array)}")
        for root, result in f.results.items():
            rows = f", from row {result.row} on" if result.row else ""
            before = said.pop(result.array.name, [])
            said[result.array.name] = ["; ".join([*before, f"out: {root}{rows}, {extents(result.array)}"])]
        out = [(name, text) for name, texts in said.items() for text in texts]
        for clock in map(clock_name, f.memory.clocks):
            out += [(f"n_{clock}", "in: how many steps each sequence has, [B], or NULL: all have T"),
                    (f"before_{clock}", "in: how many steps came before, [B], or NULL: none"),
                    (f"T_{clock}", "steps")]  # fmt: skip
        out += [(flag, f"1 if the caller passes an initial {start}, here or to the forward function")
                for start, flag in f.memory.flags.items()]  # fmt: skip
        return [
            *out, ("B", "sequences"), ("training", "1: draws are made, such as dropout"), ("seed", "of the draws"),
            ("work", f"memory at a multiple of {LINE} bytes"), ("bytes", "how much that is"),
            ("barrier", f"for several threads: {2 * LINE} bytes at a multiple of {LINE}, all 0; else NULL"),
        ]  # fmt: skip


class Step:
    """The function for one step of one sequence, for programs whose input arrives step by step; or why there is none.

    It calls `infer`, the function for whole sequences. Inputs that `infer` does not read, such as the target of a loss,
    are no arguments.
    """

    def __init__(self, export: Export, infer: CFunction, prefix: str) -> None:
        self.export, self.infer, self.prefix, self.interface, self.text = export, infer, prefix, "", ""
        self.rooms: dict[str, str] = {}
        self.inputs = {n: port for n, port in export.inputs.items() if n in infer.inputs}
        if export.no_step:
            self.interface = commented(f"There is no {prefix}_step: {export.no_step}") + "\n"
        else:
            self._write()

    def _type(self, port: Port) -> str:
        return self.infer.real if port.index is None else "long long"

    def _write(self) -> None:
        p, f = self.prefix, self.infer
        names, fields_taken = Names(), Names()
        inputs = {n: names.new(n) for n in self.inputs}
        outputs = {n: names.new(n) for n in self.export.outputs}
        states = {n: fields_taken.new(n) for n in self.export.states}
        self.rooms = {a.name: names.new(f"{a.name}room") for a in f.arrays if a.name in f.fresh}
        params = [f"const {f.real} *params", f"struct {p}_state *state"]
        params += [f"const {self._type(port)} *{inputs[n]}" for n, port in self.inputs.items()]
        params += [f"{self._type(port)} *{outputs[n]}" for n, port in self.export.outputs.items()]
        head = f"int {p}_step({', '.join([*params, 'void *work', 'long long bytes'])})"
        fields = [f"    {self._type(port)} {states[n]}[{max(1, prod(port.shape))}]; /* {list(port.shape)} */"
                  for n, port in self.export.states.items()]  # fmt: skip
        shapes = [f"{inputs[n]} {list(port.shape)}" for n, port in self.inputs.items()]
        shapes += [f"{outputs[n]} {list(port.shape)} (out)" for n, port in self.export.outputs.items()]
        self.interface = "\n".join([
            "/* The state of one sequence between two steps. */", f"struct {p}_state {{",
            *(fields or ["    char none;"]), "};", "",
            "/* Sets the declared initial state; needs as large a workspace as a step. */",
            f"int {p}_first(const {f.real} *params, struct {p}_state *state, void *work, long long bytes);",
            f"/* The bytes that `work` needs for a step; it begins at a multiple of {LINE} bytes. */",
            f"long long {p}_step_workspace(void);",
            f"/* One step of one sequence, always the same amount of work: {', '.join(shapes)}. */", f"{head};", "",
        ])  # fmt: skip
        self.text = "\n".join([*self._first(states), *self._workspace(), f"{head} {{",
                               *(f"    {line}" for line in self._body(inputs, outputs, states)), "}", ""])  # fmt: skip

    def _workspace(self) -> list[str]:
        n = self.infer.name
        return [
            f"long long {self.prefix}_step_workspace(void) {{",
            f"    const struct {n}_call none = {{0}};",
            f"    struct {n}_call call = none;",
            *(f"    call.T_{clock_name(c)} = 1;" for c in self.infer.memory.clocks),
            "    call.B = 1;",
            f"    return {n}_workspace(&call, 1);", "}", "",
        ]  # fmt: skip

    def _called(self, steps: int) -> list[str]:
        """Lines that prepare a call for so many steps of one sequence, with arrays for its results."""
        n, f = self.infer.name, self.infer
        lines = [f"const struct {n}_call none = {{0}};", f"struct {n}_call call = none;"]
        for array in (a for a in f.arrays if a.name in f.fresh):
            rows = steps + array.front + array.behind if array.timed else 1
            size = max(1, rows * count(array.shape))
            lines.append(f"{f.real if array.real else 'long long'} {self.rooms[array.name]}[{size}];")
        lines += [f"call.{name} = {room};" for name, room in self.rooms.items()]
        lines += [f"call.T_{clock_name(c)} = {steps};" for c in f.memory.clocks]
        return [*lines, "call.B = 1;", "call.params = params;", "call.work = work;", "call.bytes = bytes;"]

    def _kept(self, root: str, to: str, size: int) -> str:
        result = self.infer.results[root]
        row = result.row * count(result.array.shape)
        kind = self.infer.real if result.array.real else "long long"
        return f"memcpy({to}, {self.rooms[result.array.name]} + {row}, {size} * sizeof({kind}));"

    def _first(self, states: Mapping[str, str]) -> list[str]:
        """The function that sets the initial state: a call without steps, whose final states it is."""
        kept = [self._kept(FINAL.of(n), f"state->{states[n]}", prod(port.shape))
                for n, port in self.export.states.items()]  # fmt: skip
        real = self.infer.real
        read = [self.infer.inputs[n] for n in self.inputs]
        given = [f"call.{array.name} = &nothing;" for array in read if array.real]
        symbols = [f"call.{array.name} = &no_symbol;" for array in read if not array.real]
        lines = [
            *self._called(0), *([f"const {real} nothing = 0;"] if given else []),
            *(["const long long no_symbol = -1;"] if symbols else []), *given, *symbols,
            f"if (!params || !state) return {constant(self.prefix, 'NULL')};",
            f"const int wrong = {self.infer.name}(&call);", "if (wrong) return wrong;", *kept, "return 0;",
        ]  # fmt: skip
        state = f"struct {self.prefix}_state *state"
        head = f"int {self.prefix}_first(const {real} *params, {state}, void *work, long long bytes)"
        return [f"{head} {{", *(f"    {line}" for line in lines), "}", ""]

    def _body(self, inputs: Mapping[str, str], outputs: Mapping[str, str], states: Mapping[str, str]) -> list[str]:
        f = self.infer
        lines = [*self._called(1), f"if (!params || !state) return {constant(self.prefix, 'NULL')};"]
        lines += [
            f"if (!{name}) return {constant(self.prefix, 'NULL')};" for name in (*inputs.values(), *outputs.values())
        ]
        lines += [f"call.{f.inputs[n].name} = {name};" for n, name in inputs.items()]
        for n, name in states.items():
            lines += [f"call.{f.inputs[START.of(n)].name} = state->{name};"] if START.of(n) in f.inputs else []
            lines += [f"call.{f.memory.flags[n]} = 1;"] if n in f.memory.flags else []
        lines += [f"const int wrong = {f.name}(&call);", "if (wrong) return wrong;"]
        lines += [self._kept(OUTPUT.of(n), name, prod(self.export.outputs[n].shape)) for n, name in outputs.items()]
        for n, name in states.items():
            lines.append(self._kept(FINAL.of(n), f"state->{name}", prod(self.export.states[n].shape)))
        return [*lines, "return 0;"]


def extents(array: Array) -> str:
    """The shape of an array in words."""
    return f"[{', '.join([*array.lead(), *map(str, array.shape)])}]"


def checked(f: CFunction, prefix: str) -> str:
    """The function that checks a call before it runs it."""
    wrong = {name: constant(prefix, name) for name in ERRORS}
    given = {array.name: name for name, array in f.inputs.items()}
    lines = [f"if (!call) return {wrong['NULL']};"]
    sizes = ["call->B < 0", *(f"call->T_{clock_name(c)} < 0" for c in f.memory.clocks)]
    lines.append(f"if ({' || '.join(sizes)}) return {wrong['SIZE']};")
    needed = ["params", "gradient"] if f.has_gradient else ["params"]
    needed += [a.name for a in f.arrays if a.name in f.fresh or a.name in given]
    for name in needed:
        optional = START.has(given.get(name, ""))
        if not optional:
            lines.append(f"if (!call->{name}) return {wrong['NULL']};")
        lines.append(f"if ((uintptr_t)call->{name} % sizeof *call->{name}) return {wrong['ALIGNMENT']};")
    lines += [
        f"if (!call->work && {f.name}_workspace(call, 1)) return {wrong['NULL']};",
        f"if ((uintptr_t)call->work % REC_LINE_BYTES) return {wrong['ALIGNMENT']};",
        f"return {f.name}_part(call, 0, 1);",
    ]
    body = "\n".join(f"    {line}" for line in lines)
    return f"int {f.name}(const struct {f.name}_call *call) {{\n{body}\n}}\n"


def file_text(interface: Interface, before: str, functions: Sequence[str], after: str, weights: str) -> str:
    """A whole file, with a table of contents at its top.

    `before` and `after` are the helpers around the text of each function.
    """
    prefix, step = interface.prefix, interface.step.text
    sections = [
        ("interface: errors, parameters, and the calls of each function", interface.text()),
        ("macros, and declarations of the helpers at the end", before),
        *((_title(f, prefix), text) for f, text in zip(interface.functions, functions, strict=True)),
        ("calls that check their arguments", "\n".join(checked(f, prefix) for f in interface.functions)),
        *([("one step of one sequence", step)] if step else []),
        ("helpers, as in other files: functions of one element, threads, matrix products", after),
        *([("weights", weights)] if weights else []),
    ]
    head = commented(interface.export.header)
    texts = [f"/* {f' {title} ':=^110} */\n\n{text.strip(chr(10))}\n" for title, text in sections]
    at, lines = head.count("\n") + len(sections) + 7, []
    for (title, _), text in zip(sections, texts, strict=True):
        lines.append(f"    line {at:5}  {title}")
        at += text.count("\n") + 1
    says = f"/* Contents; the cell's own code begins in line {lines[2].split()[1]}:"
    return "\n".join([head, "", says, "", *lines, "*/", "", *texts])


PURPOSES = {
    "infer": "outputs and final states",
    "forward": "outputs, final states, and what backward reads",
    "backward": "gradients",
    "loss": "the loss, its gradients, and final states",
}


def _title(f: CFunction, prefix: str) -> str:
    return f"{f.name}: {PURPOSES[f.name.removeprefix(f'{prefix}_')]}"
