"""A file of C for other programs: the interface with its documentation, and functions that check calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import prod

from recurrency.graph.roots import AFTER, RESET, START, in_any
from recurrency.model.export import Export

from ..kernels.arrays import Array
from ..kernels.index import clock_name
from ..names import Names, ascii_name
from .function import CFunction
from .gaps import Gaps
from .naming import commented, constant
from .sizes import LINE
from .step import Step

ERRORS = {
    "WORK": "the workspace is smaller than NAME_FUNCTION_workspace says",
    "NULL": "a pointer is missing",
    "ALIGNMENT": "an array does not begin where its type may begin, or the workspace not at LINE bytes",
    "SIZE": "a number of steps or sequences is negative, or a length greater than the number of steps",
    "FLAG": "a reset or an element of a mask is neither 0 nor 1",
}
"""The errors that functions return: 1, 2, ... in this order."""


class Interface:
    """The interface of some functions, which is in the header and at the top of the file."""

    def __init__(self, export: Export, functions: list[CFunction], prefix: str) -> None:
        self.export, self.functions, self.prefix = export, functions, prefix
        self.real = functions[0].real
        self.step = Step(export, functions[0], prefix)
        self.gaps = [Gaps(f, export.masks) for f in functions]
        self.weights = f"const {self.real} {prefix}_weights[{constant(prefix, 'PARAMETERS')}]"

    def text(self) -> str:
        """Errors, parameters, their values, and for each function its struct and its prototypes."""
        parts = [self._errors(), self._parameters(), *([] if self.export.weights is None else [self._weights()])]
        parts += [*map(self._function, self.functions, self.gaps), self.step.interface]
        return "\n".join(parts)

    def calls_text(self) -> str:
        """The functions that check calls, and the function of one step."""
        return "\n".join([*map(partial(checked, self.prefix), self.functions, self.gaps), self.step.text])

    def header(self) -> str:
        """A header file."""
        guard = f"REC_{self.prefix.upper()}_H"
        head = commented(self.export.header)
        extern = ('#ifdef __cplusplus\nextern "C" {\n#endif\n', "#ifdef __cplusplus\n}\n#endif\n")
        return f"{head}\n#ifndef {guard}\n#define {guard}\n\n{extern[0]}\n{self.text()}\n{extern[1]}\n#endif\n"

    def _errors(self) -> str:
        said = {name: says.replace("NAME", self.prefix).replace("LINE", str(LINE)) for name, says in ERRORS.items()}
        numbered = enumerate(said.items(), 1)
        lines = [f"    {constant(self.prefix, name)} = {k}, {commented(says)}" for k, (name, says) in numbered]
        errors = "\n".join(lines)
        return f"""/* What functions return. After an error, nothing has been computed. */
enum {{
    {constant(self.prefix, "OK")} = 0,
{errors}
}};
"""

    def _parameters(self) -> str:
        names = Names()
        lines = [
            f"/* Parameters are one vector of {self.real}: each begins at its offset, the last index runs fastest. */",
            f"enum {{\n    {constant(self.prefix, 'PARAMETERS')} = {self.export.layout.size},",
        ]
        for name, (offset, shape) in sorted(self.export.layout.entries.items(), key=lambda item: item[1][0]):
            word = names.new(f"{self.prefix.upper()}_AT_{ascii_name(name)}")
            lines.append(f"    {word} = {offset}, {commented(f'{name} {list(shape)}, {prod(shape)} numbers')}")
        return "\n".join([*lines, "};", ""])

    def _weights(self) -> str:
        """The declaration of the array of parameters."""
        says = "/* The parameters that this file was written with: the `params` of all functions. */"
        return f"{says}\nextern {self.weights};\n"

    def _function(self, f: CFunction, gaps: Gaps) -> str:
        call = f"const struct {f.name}_call *call"
        return f"""{self._call(f, gaps)}

/* The bytes that `work` needs: sizes and optional pointers of the call must be set. */
long long {f.name}_workspace({call}, long long threads);
/* Runs in one thread; returns 0 or an error. It allocates nothing, and keeps nothing between calls. */
int {f.name}({call});
/* The same in several threads: each calls it with its number (from 0) and the number of threads. */
int {f.name}_part({call}, long long thread, long long threads);
"""

    def _call(self, f: CFunction, gaps: Gaps) -> str:
        says = dict(self._comments(f))
        fields = [f"    {text}{' ' + commented(says[name]) if name in says else ''}" for name, text in f.call_fields()]
        fields += [f"    {text} {commented(says)}" for _, text, says in gaps.fields()]
        return "\n".join([f"struct {f.name}_call {{", *fields, "};"])

    def _comments(self, f: CFunction) -> list[tuple[str, str]]:
        """Comments on the fields of a call."""
        gradient = f"out: [{f.layout.size}], of the parameters" if f.has_gradient else "not used"
        said: dict[str, list[str]] = {"params": [f"[{f.layout.size}]"], "gradient": [gradient]}
        for name, array in f.inputs.items():
            start = START.has(name)
            what = f"in: the initial {START.name(name)}, or NULL for the declared one" if start else f"in: {name}"
            what = "in: 1 where a sequence begins again, else 0" if RESET.has(name) else what
            what = "in: 1 where the final states begin again, else 0, or NULL: nowhere" if AFTER.has(name) else what
            said.setdefault(array.name, []).append(f"{what}, {extents(array)}")
        for root, result in f.results.items():
            rows = f", from row {result.row} on" if result.row else ""
            before = said.pop(result.array.name, [])
            said[result.array.name] = ["; ".join([*before, f"out: {root}{rows}, {extents(result.array)}"])]
        out = [(name, text) for name, texts in said.items() for text in texts]
        for clock in map(clock_name, f.memory.clocks):
            out += [
                (f"n_{clock}", "in: how many steps each sequence has, [B], or NULL: all have T"),
                (f"before_{clock}", "in: how many steps came before, [B], or NULL: none"),
                (f"T_{clock}", "steps"),
            ]
        out += [
            (flag, f"1 if the caller passes an initial {start}, here or to the forward function")
            for start, flag in f.memory.flags.items()
        ]
        return [
            *out,
            ("B", "sequences"),
            ("training", "1: draws are made, such as dropout"),
            ("seed", "of the draws"),
            ("work", f"memory at a multiple of {LINE} bytes"),
            ("bytes", "how much that is"),
            ("barrier", f"for several threads: {2 * LINE} bytes at a multiple of {LINE}, all 0; else NULL"),
        ]


def extents(array: Array) -> str:
    """The shape of an array in words."""
    return f"[{', '.join([*array.lead(), *map(str, array.shape)])}]"


def checked(prefix: str, f: CFunction, gaps: Gaps) -> str:
    """The function that checks a call before it runs it."""
    wrong = {name: constant(prefix, name) for name in ERRORS}
    given = {array.name: name for name, array in f.inputs.items()}
    lines = [f"if (!call) return {wrong['NULL']};"]
    sizes = ["call->B < 0", *(f"call->T_{clock_name(c)} < 0" for c in f.memory.clocks)]
    lines.append(f"if ({' || '.join(sizes)}) return {wrong['SIZE']};")
    for clock in map(clock_name, f.memory.clocks):
        bad = f"call->n_{clock} && rec_no_lengths(call->n_{clock}, call->T_{clock}, call->B)"
        lines.append(f"if ({bad}) return {wrong['SIZE']};")
    needed = ["params", "gradient"] if f.has_gradient else ["params"]
    needed += [a.name for a in f.arrays if a.name in f.fresh or a.name in given]
    for name in needed:
        optional = in_any(given.get(name, ""), START, AFTER)
        if not optional:
            lines.append(f"if (!call->{name}) return {wrong['NULL']};")
        lines.append(f"if ((uintptr_t)call->{name} % sizeof *call->{name}) return {wrong['ALIGNMENT']};")
    lines += _flags(f, gaps, wrong)
    lines += [
        f"if (!call->work && {f.name}_workspace(call, 1)) return {wrong['NULL']};",
        f"if ((uintptr_t)call->work % REC_LINE_BYTES) return {wrong['ALIGNMENT']};",
        f"return {f.name}_part(call, 0, 1);",
    ]
    body = "\n".join(f"    {line}" for line in lines)
    return f"int {f.name}(const struct {f.name}_call *call) {{\n{body}\n}}\n"


def _flags(f: CFunction, gaps: Gaps, wrong: Mapping[str, str]) -> list[str]:
    """The checks of resets, masks, and what calls with masks need."""
    lines = []
    for name, array in f.inputs.items():
        if AFTER.has(name):
            bad = f"call->{array.name} && rec_no_flags(call->{array.name}, NULL, 1, call->B)"
            lines.append(f"if ({bad}) return {wrong['FLAG']};")
        elif RESET.has(name):
            clock = clock_name(array.clock)
            bad = f"rec_no_flags(call->{array.name}, call->n_{clock}, call->T_{clock}, call->B)"
            lines.append(f"if ({bad}) return {wrong['FLAG']};")
    for one in gaps.apart:
        mask = f"call->mask_{clock_name(one.result.array.clock)}"
        lines.append(f"if ({mask} && !call->{one.field}) return {wrong['NULL']};")
        lines.append(f"if ((uintptr_t)call->{one.field} % sizeof *call->{one.field}) return {wrong['ALIGNMENT']};")
    for clock in map(clock_name, gaps.clocks):
        bad = f"rec_no_flags(call->mask_{clock}, call->n_{clock}, call->T_{clock}, call->B)"
        lines.append(f"if (call->mask_{clock} && {bad}) return {wrong['FLAG']};")
    return lines


def file_text(interface: Interface, before: str, functions: Sequence[str], after: str, weights: str) -> str:
    """A whole file, with a table of contents at its top.

    `before` and `after` are the helpers around the text of each function.
    """
    prefix, step = interface.prefix, interface.step.text
    sections = [
        ("interface: errors, parameters, and the calls of each function", interface.text()),
        ("macros, and declarations of the helpers at the end", before),
        *((_title(f, prefix), text) for f, text in zip(interface.functions, functions, strict=True)),
        ("calls that check their arguments" + (", and steps of one sequence" if step else ""), interface.calls_text()),
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
