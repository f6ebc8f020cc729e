"""The function of a C file for one step of one sequence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod

from recurrency.graph.cost import count
from recurrency.graph.roots import AFTER, FINAL, OUTPUT, RESET, START
from recurrency.graph.types import Kind
from recurrency.model.arrays import Port
from recurrency.model.export import Export

from ..kernels.index import clock_name
from ..names import Names
from .function import CFunction
from .naming import commented, constant
from .sizes import LINE


class Step:
    """The function for one step of one sequence, for programs whose input arrives step by step; or why there is none.

    It calls `infer`, the function for whole sequences. Inputs that `infer` does not read, such as the target of a loss,
    are no arguments.
    """

    def __init__(self, export: Export, infer: CFunction, prefix: str) -> None:
        self.export, self.infer, self.prefix, self.interface, self.text = export, infer, prefix, "", ""
        self.rooms: dict[str, str] = {}
        self.inputs = {n: port for n, port in export.inputs.items() if n in infer.inputs}
        self.flags = {n: Port("resets", (), None, None, Kind.STREAM) for n in infer.inputs if _is_reset(n)}
        self.masked = {n: port for n, port in export.outputs.items() if export.masks and port.kind is Kind.STREAM}
        """The outputs that the state holds, to repeat them where a step is not there."""
        if export.no_step:
            self.interface = commented(f"There is no {prefix}_step: {export.no_step}") + "\n"
        else:
            self._write()

    def _type(self, port: Port) -> str:
        return self.infer.real if port.index is None else "long long"

    def _write(self) -> None:
        p, f = self.prefix, self.infer
        names, fields_taken = Names(), Names()
        inputs = {n: names.new(port.name) for n, port in (self.inputs | self.flags).items()}
        if self.export.masks:
            inputs["mask"] = names.new("mask")
        outputs = {n: names.new(n) for n in self.export.outputs}
        states = {n: fields_taken.new(n) for n in self.export.states}
        last = {n: fields_taken.new(f"last_{n}") for n in self.masked}
        self.rooms = {a.name: names.new(f"{a.name}room") for a in f.arrays if a.name in f.fresh}
        params = [f"const {f.real} *params", f"struct {p}_state *state"]
        params += [f"const {self._type(port)} *{inputs[n]}" for n, port in self.inputs.items()]
        params += [f"const {f.real} *{inputs[n]}" for n in inputs if n not in self.inputs]
        params += [f"{self._type(port)} *{outputs[n]}" for n, port in self.export.outputs.items()]
        head = f"int {p}_step({', '.join([*params, 'void *work', 'long long bytes'])})"
        fields = "\n".join(
            f"    {self._type(port)} {states[n]}[{max(1, prod(port.shape))}]; /* {list(port.shape)} */"
            for n, port in self.export.states.items()
        )
        fields += "".join(
            f"\n    {self._type(port)} {last[n]}[{max(1, prod(port.shape))}]; /* {list(port.shape)}, the last output */"
            for n, port in self.masked.items()
        )
        shapes = [f"{inputs[n]} {list(port.shape)}" for n, port in self.inputs.items()]
        shapes += [f"{inputs[n]} [] (1: the sequence begins again, else 0)" for n in self.flags]
        shapes += [f"{inputs['mask']} [] (0: the step is not there, else 1)"] if self.export.masks else []
        shapes += [f"{outputs[n]} {list(port.shape)} (out)" for n, port in self.export.outputs.items()]
        self.interface = f"""/* The state of one sequence between two steps. */
struct {p}_state {{
{fields or "    char none;"}
}};

/* Sets the declared initial state; needs as large a workspace as a step. */
int {p}_first(const {f.real} *params, struct {p}_state *state, void *work, long long bytes);
/* The bytes that `work` needs for a step; it begins at a multiple of {LINE} bytes. */
long long {p}_step_workspace(void);
/* One step of one sequence, {self._amount()}: {", ".join(shapes)}. */
{head};
/* Begins sequences again: the states and delay lines of those among `count` sequences whose element of `chosen` is 1
   (else 0; NULL: of all) become what they are before the first step. Needs as large a workspace as a step. */
{self._reset_head()};
{self._example(params)}"""
        body = _function(head, self._body(inputs, outputs, states, last))
        self.text = "\n".join([self._first(states, last), self._workspace(), body, self._reset()])

    def _amount(self) -> str:
        return "less work where it is not there" if self.export.masks else "always the same amount of work"

    def _reset_head(self) -> str:
        p, real = self.prefix, self.infer.real
        state = f"struct {p}_state *states, long long count"
        return f"int {p}_reset(const {real} *params, {state}, const {real} *chosen, void *work, long long bytes)"

    def _example(self, params: Iterable[str]) -> str:
        """How a device uses steps, in a comment."""
        p = self.prefix
        arguments = ", ".join(word.rpartition("*")[2] for word in params)
        calls = {
            f"{p}_first(params, state, work, bytes);": "once",
            f"{p}_step({arguments}, work, bytes);": "for each step",
            f"{p}_reset(params, state, 1, NULL, work, bytes);": "when an episode ends",
        }
        width = max(map(len, calls)) + 2
        lines = ["For example, with one sequence, and `bytes` from " + f"{p}_step_workspace():"]
        lines += [f"       {call:{width}}{when}" for call, when in calls.items()]
        return commented("\n".join(lines)) + "\n"

    def _reset(self) -> str:
        """The function that begins sequences again."""
        wrong = {name: f"return {constant(self.prefix, name)};" for name in ("NULL", "SIZE", "FLAG")}
        lines = [
            f"struct {self.prefix}_state first;",
            f"if (!params || !states) {wrong['NULL']}",
            f"if (count < 0) {wrong['SIZE']}",
            f"if (chosen && rec_no_flags(chosen, NULL, 1, count)) {wrong['FLAG']}",
            f"const int wrong = {self.prefix}_first(params, &first, work, bytes);",
            "if (wrong) return wrong;",
            "for (long long b = 0; b < count; ++b)",
            "    if (!chosen || chosen[b] != 0) states[b] = first;",
            "return 0;",
        ]
        return _function(self._reset_head(), lines)

    def _workspace(self) -> str:
        n = self.infer.name
        lines = [
            f"const struct {n}_call none = {{0}};",
            f"struct {n}_call call = none;",
            *(f"call.T_{clock_name(c)} = 1;" for c in self.infer.memory.clocks),
            "call.B = 1;",
            f"return {n}_workspace(&call, 1);",
        ]
        return _function(f"long long {self.prefix}_step_workspace(void)", lines)

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

    def _first(self, states: Mapping[str, str], last: Mapping[str, str]) -> str:
        """The function that sets the initial state: a call without steps, whose final states it is."""
        kept = [
            self._kept(FINAL.of(n), f"state->{states[n]}", prod(port.shape)) for n, port in self.export.states.items()
        ]
        for n, port in self.masked.items():
            nothing = "0" if port.index is None else "0xFF"
            kept.append(f"memset(state->{last[n]}, {nothing}, sizeof state->{last[n]});")
        real = self.infer.real
        read = [self.infer.inputs[n] for n in (*self.inputs, *self.flags)]
        given = [f"call.{array.name} = &nothing;" for array in read if array.real]
        symbols = [f"call.{array.name} = &no_symbol;" for array in read if not array.real]
        lines = [
            *self._called(0),
            *([f"const {real} nothing = 0;"] if given else []),
            *(["const long long no_symbol = -1;"] if symbols else []),
            *given,
            *symbols,
            f"if (!params || !state) return {constant(self.prefix, 'NULL')};",
            f"const int wrong = {self.infer.name}(&call);",
            "if (wrong) return wrong;",
            *kept,
            "return 0;",
        ]
        state = f"struct {self.prefix}_state *state"
        head = f"int {self.prefix}_first(const {real} *params, {state}, void *work, long long bytes)"
        return _function(head, lines)

    def _body(
        self,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        states: Mapping[str, str],
        last: Mapping[str, str],
    ) -> list[str]:
        f = self.infer
        lines = [*self._called(1), f"if (!params || !state) return {constant(self.prefix, 'NULL')};"]
        lines += [
            f"if (!{name}) return {constant(self.prefix, 'NULL')};" for name in (*inputs.values(), *outputs.values())
        ]
        lines += [f"call.{f.inputs[n].name} = {name};" for n, name in inputs.items() if n != "mask"]
        if self.export.masks:
            lines += self._not_there(inputs)
        for n, name in states.items():
            lines += [f"call.{f.inputs[START.of(n)].name} = state->{name};"] if START.of(n) in f.inputs else []
            lines += [f"call.{f.memory.flags[n]} = 1;"] if n in f.memory.flags else []
        lines += [f"const int wrong = {f.name}(&call);", "if (wrong) return wrong;"]
        for n, name in outputs.items():
            kept = self._kept(
                OUTPUT.of(n), f"state->{last[n]}" if n in last else name, prod(self.export.outputs[n].shape)
            )
            lines.append(f"if (there) {kept}" if n in last else kept)
            lines += [f"memcpy({name}, state->{last[n]}, sizeof state->{last[n]});"] if n in last else []
        for n, name in states.items():
            lines.append(self._kept(FINAL.of(n), f"state->{name}", prod(self.export.states[n].shape)))
        return [*lines, "return 0;"]

    def _not_there(self, inputs: Mapping[str, str]) -> list[str]:
        """The lines for a mask: a step that is not there is a call without steps, which may reset the final states."""
        f, mask = self.infer, inputs["mask"]
        lines = [
            f"if (rec_no_flags({mask}, NULL, 1, 1)) return {constant(self.prefix, 'FLAG')};",
            f"const int there = *{mask} != 0;",
            *(f"call.T_{clock_name(c)} = there;" for c in f.memory.clocks),
        ]
        for n in self.flags:
            after = f.inputs[AFTER.of(RESET.name(n))].name
            lines.append(f"if (rec_no_flags({inputs[n]}, NULL, 1, 1)) return {constant(self.prefix, 'FLAG')};")
            lines.append(f"call.{after} = there ? NULL : {inputs[n]};")
        return lines


def _is_reset(name: str) -> bool:
    """Whether an input says at which steps sequences begin again."""
    return RESET.has(name) and not AFTER.has(name)


def _function(head: str, lines: Iterable[str]) -> str:
    return "\n".join([f"{head} {{", *(f"    {line}" for line in lines), "}", ""])
