"""The tables of a compiled cell on PyTorch, and the order of the tensors of a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from recurrency.errors import UsageError

STATIC, SEQUENCE, STREAM = 0, 1, 2
"""Kinds of values, in memory [*shape], [B, *shape] and [T, B, *shape]."""

INPUT = "input:"
"""The prefix of the names of inputs; other groups of names have their own."""
RESET = "input:reset:"
"""The prefix of the names of resets, which are inputs without gradients; the name of their clock follows."""


AFTER = "input:reset:after:"
"""The prefix of the names of resets after the last step, one for each sequence."""


class Port(NamedTuple):
    """An argument or result. `shape` is the shape of one element; a clock's name in it is its number of steps.

    `symbols` is the size of the vocabulary (None: real numbers).
    """

    shape: tuple[Any, ...]
    clock: str | None
    symbols: int | None
    kind: int

    def extents(self, steps: Mapping[str, int], batch: int) -> tuple[int, ...]:
        """The shape in memory."""
        lead = () if self.kind == STATIC else (batch,) if self.kind == SEQUENCE else (steps[str(self.clock)], batch)
        return (*lead, *(steps[d] if isinstance(d, str) else d for d in self.shape))


class Program:
    """The tables of a compiled cell and its generated functions.

    There are two modes: `run` (outputs, states and inner streams) and `loss` (the loss, and states). Each has the
    functions `MODE_plain` (results), `MODE_kept` (results and tape), `MODE_back` and `MODE_back_params` (gradients from
    the tape: all, or of the parameters alone) and `MODE_second` (gradients of `MODE_back`). Their arguments are the
    vector of parameters, other tensors by name, lengths and numbers of steps by clock, the number of sequences, whether
    to draw random numbers, their seed, and by clock the number of steps before this call. They return results by name.
    """

    name: str
    key: str
    """Identifies the program in recorded graphs and pickles: equal programs have equal keys."""
    sizes: str
    equations: str
    inputs: dict[str, Port]
    outputs: dict[str, Port]
    streams: dict[str, Port]
    """The inner streams among the results."""
    states: dict[str, Port]
    parameters: dict[str, tuple[int, tuple[int, ...]]]
    """Name -> (offset in the flat vector, shape), in the order of the specification."""
    size: int
    sources: dict[str, tuple[str, ...]]
    """Mode -> the inputs (`input:x`) and initial states (`start:h`) that it reads."""
    random: bool
    samples: bool
    """Whether random numbers are drawn outside of training too."""
    clocks: tuple[str, ...]
    clock: str
    resets: tuple[str, ...]
    """The clocks on which its functions take resets; as `after:CLOCK` those on which states begin again at the end."""

    expected = "back_params"
    """The kind of function that the next backward pass calls, as far as the forward pass knows."""

    def __init__(self, **tables: Any) -> None:
        """Register this program under its key, and derive further tables."""
        self.__dict__.update(tables)
        groups = {"output": self.outputs, "final": self.states, "stream": self.streams}
        ports = {f"{group}:{name}": port for group, table in groups.items() for name, port in table.items()}
        self.roots = {"run": tuple(ports), "loss": ("loss", *(f"final:{name}" for name in self.states))}
        ports["loss"] = Port((), None, None, STATIC)
        self.real = {mode: tuple(r for r in roots if ports[r].symbols is None) for mode, roots in self.roots.items()}
        results = dict(ports)
        ports |= {f"{INPUT}{name}": port for name, port in self.inputs.items()}
        ports |= {name: Port((), clock, None, kind) for name, clock, kind in _flags(self.resets)}
        ports |= {f"start:{name}": port for name, port in self.states.items()}
        gradients = {f"gradient:{name}": ports[name] for name in ports.keys() - results.keys()}
        gradients["gradient"] = Port((self.size,), None, None, STATIC)
        self.ports = {
            **ports,
            **gradients,
            **{f"d:{name}": port for name, port in {**results, **gradients}.items()},
            **{f"gradient:d:{root}": port for root, port in results.items()},
        }
        self.order = sorted(self.parameters, key=lambda name: self.parameters[name])
        self._calls: dict[Any, Call] = {}
        self._reads: dict[str, list[str]] = {}
        PROGRAMS[self.key] = self

    def reads(self, mode: str) -> list[str]:
        """The inputs that a mode reads."""
        if mode not in self._reads:
            self._reads[mode] = self._inputs_of(mode)
        return self._reads[mode]

    def _inputs_of(self, mode: str) -> list[str]:
        read = [name for name in self.sources[mode] if name.startswith(INPUT) and not name.startswith(RESET)]
        return [name.removeprefix(INPUT) for name in read]

    def call(self, mode: str, given: tuple[str, ...], extra: tuple[str, ...], training: bool) -> Call:
        """The `Call` for these arguments; made once."""
        if torch.compiler.is_compiling():
            return Call(self, mode, given, extra, training)  # the cache would become part of its guards
        key = (mode, given, extra, training)
        if key not in self._calls:
            self._calls[key] = Call(self, mode, given, extra, training)
        return self._calls[key]

    def resetting(self, clocks: tuple[str, ...], mode: str) -> Program:
        """The program of the same cell whose functions take resets on these clocks.

        Raises:
            UsageError: there is none, or the results of this mode can't be reset.
        """
        if not set(clocks) <= set(self.resets):
            raise UsageError(f"{self.name} was written without resets: write it again, with resets")
        return self

    def function(self, kind: str, like: Tensor) -> Callable[..., dict[str, Tensor]]:
        """A generated function for tensors with the device and dtype of `like`."""
        raise NotImplementedError

    def path(self, device: torch.device, dtype: torch.dtype) -> str:
        """The code that computes on a device in a dtype, in words."""
        return f"generated torch code on {device}"

    def tape(self, mode: str) -> tuple[Port, ...]:
        """What the forward function of a mode keeps for its backward functions."""
        raise NotImplementedError

    def initial(self, seed: int) -> dict[str, Tensor]:
        """The initial values of all parameters."""
        raise NotImplementedError

    def __deepcopy__(self, memo: dict[int, Any]) -> Program:
        return self


def _flags(clocks: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """The inputs for resets: name, clock, and kind."""
    for clock in clocks:
        name = f"{RESET}{clock}"
        late = name.startswith(AFTER)
        yield name, name.removeprefix(AFTER if late else RESET), SEQUENCE if late else STREAM


PROGRAMS: WeakValueDictionary[str, Program] = WeakValueDictionary()
COMPILED: dict[str, Program] = {}
"""Programs that a compiled graph calls by their keys; they stay in memory."""


class Call:
    """Which arguments a call has, and the order of the tensors that go in and come out.

    `given` names inputs (`input:x`) and initial states (`start:h`), `extra` arguments without gradients:
    `lengths:CLOCK`, `offset` (the number of steps before this call, for random numbers) and `seed`.
    """

    def __init__(
        self, program: Program, mode: str, given: tuple[str, ...], extra: tuple[str, ...], training: bool
    ) -> None:
        self.program, self.mode, self.given, self.extra, self.training = program, mode, given, extra, training
        self.text = "|".join((program.key, mode, ";".join(given), ";".join(extra), "training" if training else ""))
        ports = program.ports
        self.roots, self.real = program.roots[mode], program.real[mode]
        self.differentiable = tuple(n for n in given if ports[n].symbols is None and not n.startswith(RESET))
        self.gradients = {name: f"gradient:{name}" for name in self.differentiable}
        self.plain = not extra and all(n in self.differentiable for n in given)
        """Whether there is nothing to check or to prepare: no lengths, symbols, resets or seeds."""
        self.zeros: dict[str, Tensor] = {}
        """By root, zeros in place of missing adjoints of states."""
        self._lists: dict[tuple[str, str], list[str]] = {}

    @staticmethod
    def read(text: str) -> Call:
        """The call with this `text`.

        Raises:
            UsageError: the text is from a graph of another process, and this process has not made the program.
        """
        key, mode, given, extra, training = text.split("|")
        program = COMPILED.get(key) or PROGRAMS.get(key)
        if program is None:
            raise UsageError(
                f"this graph calls the module {key}, which this process has not made: make it first, with the same "
                "specification and sizes, or import its file"
            )
        COMPILED[key] = program
        names = [tuple(part.split(";")) if part else () for part in (given, extra)]
        return program.call(mode, names[0], names[1], bool(training))

    def takes(self, kind: str) -> list[str]:
        """The names of the arguments of a kind of function, in order."""
        return self._remembered("takes", kind)

    def inner(self, kind: str) -> list[str]:
        """The same by the names that generated functions use."""
        return self._remembered("inner", kind)

    def _inner(self, kind: str) -> list[str]:
        return [name.removeprefix(INPUT) for name in self._takes(kind)]

    def _takes(self, kind: str) -> list[str]:
        out = [*self.given, *self.extra]
        if kind in ("plain", "kept"):
            return out
        out += [f"d:{root}" for root in self.real]
        if kind == "second":
            return [*out, "d:gradient", *(f"d:{root}" for root in self.gradients.values())]
        return [*out, *self.tape]

    def gives(self, kind: str) -> list[str]:
        """The names of the results of a kind of function, in order."""
        return self._remembered("gives", kind)

    def _gives(self, kind: str) -> list[str]:
        if kind in ("plain", "kept"):
            return [*self.roots, *(self.tape if kind == "kept" else ())]
        if kind == "back_params":
            return ["gradient"]
        seeds = [f"gradient:d:{root}" for root in self.real] if kind == "second" else []
        return ["gradient", *self.gradients.values(), *seeds]

    def _remembered(self, what: str, kind: str) -> list[str]:
        if (what, kind) not in self._lists:
            self._lists[what, kind] = getattr(self, f"_{what}")(kind)
        return self._lists[what, kind]

    @property
    def tape(self) -> list[str]:
        """The names of the tensors that the forward function keeps."""
        return [f"tape:{k}" for k in range(len(self.program.tape(self.mode)))]

    def port(self, name: str) -> Port:
        """The port of an argument or result of this call."""
        if name.startswith("tape:"):
            return self.program.tape(self.mode)[int(name[5:])]
        return self.program.ports[name]

    def measure(self, given: Sequence[Tensor]) -> tuple[dict[str, int], int]:
        """The number of steps of each clock, and the number of sequences."""
        steps, batch = dict.fromkeys(self.program.clocks, 0), 0
        for name, tensor in zip(self.given, given, strict=False):
            port = self.program.ports[name]
            if port.kind == STREAM:
                steps[str(port.clock)], batch = tensor.shape[0], tensor.shape[1]
        return steps, batch
