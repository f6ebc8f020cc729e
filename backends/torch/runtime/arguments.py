"""The arguments of a network on PyTorch: checked against the specification, and brought into one form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from recurrency.errors import ShapeError, UsageError

from .checks import check_flags, checked, dtype_name, whole_numbers
from .gaps import Gap
from .program import AFTER, INPUT, RESET, STATIC, STREAM, Port, Program


class Frame:
    """The form of the arrays of one call: the axis of time, what is packed, the number of steps and sequences."""

    def __init__(self, program: Program, batch_first: bool) -> None:
        self.program, self.batch_first = program, batch_first
        self.packed: dict[str, PackedSequence] = {}
        self.steps: dict[str, int] = {}
        self.batch = -1
        self.alone = False
        """Whether there is one sequence, and no batch axis."""
        self.lengths: dict[str, Tensor] = {}
        self.gaps: dict[str, Gap] = {}

    # ------------------------------------------------------------------------------------------------------ inwards

    def inputs(self, arrays: Mapping[str, Any], real: torch.dtype | None, device: torch.device) -> dict[str, Tensor]:
        """The inputs as [T, B, *shape], by the names that generated functions use.

        Raises:
            ShapeError: one has another shape, dtype or device.
        """
        out = {}
        for name, array in arrays.items():
            port = self.program.inputs[name]
            if isinstance(array, PackedSequence):
                checked(f"{name} (packed)", array.data, port, real, device)
                array = self._padded(name, port, array)
            else:
                array = self._timed(name, port, checked(name, array, port, real, device))
            self._count(name, port, array)
            out[f"{INPUT}{name}"] = array if port.symbols is not None or array.dtype is real else array.to(real)
        for clock in self.program.clocks:
            self.steps.setdefault(clock, 0)
        return out

    def _timed(self, name: str, port: Port, array: Tensor) -> Tensor:
        """An array as [T, B, *shape]."""
        if array.dim() == 1 + len(port.shape) and array.shape[1:] == port.shape:
            self.alone = True
            return array.unsqueeze(1)
        if array.dim() != 2 + len(port.shape) or array.shape[2:] != port.shape or self.alone:
            self._refuse(name, array, port)
        return array.transpose(0, 1) if self.batch_first else array

    def _padded(self, name: str, port: Port, packed: PackedSequence) -> Tensor:
        """A packed sequence as a padded tensor, its sequences in their original order."""
        array, lengths = pad_packed_sequence(packed, padding_value=0 if port.symbols is None else -1)
        if array.shape[2:] != port.shape:
            self._refuse(f"{name} (packed)", array, port)
        self.packed[str(port.clock)], self.lengths[str(port.clock)] = packed, lengths
        return array

    def _refuse(self, name: str, array: Tensor, port: Port) -> None:
        lead = ("B", "T") if self.batch_first else ("T", "B")
        wanted = ", ".join((*lead, *map(str, port.shape)))
        raise ShapeError(f"{name} is {list(array.shape)}; {self.program.name} needs [{wanted}]")

    def _count(self, name: str, port: Port, array: Tensor) -> None:
        steps, batch = array.shape[0], array.shape[1]
        clock = str(port.clock)
        if self.steps.setdefault(clock, steps) != steps:
            raise ShapeError(f"{name} has {steps} steps; another input has {self.steps[clock]}")
        self.batch = batch if self.batch < 0 else self.batch
        if self.batch != batch:
            raise ShapeError(f"{name} has {batch} sequences; another input has {self.batch}")

    def measure(self, lengths: Any, device: torch.device) -> None:
        """Note the lengths that the caller gives: [B], or such a list for each clock by name."""
        if lengths is None:
            return
        if self.packed:
            raise UsageError("a PackedSequence has its own lengths: leave out `lengths`")
        if not isinstance(lengths, Mapping):
            lengths = dict.fromkeys(self._only_clock("lengths"), lengths)
        for clock, numbers in lengths.items():
            if clock not in self.steps:
                raise UsageError(f"{self.program.name} has no clock {clock}; it has {', '.join(self.steps)}")
            if numbers is not None:
                rule = f"lengths must be {self.batch} whole numbers, one for each sequence"
                self.lengths[clock] = whole_numbers(rule, numbers, ((self.batch,),), device)

    def resets(self, given: Any, real: torch.dtype, device: torch.device) -> dict[str, Tensor]:
        """The resets as [T, B] for each clock, by the names that generated functions use; also those after gaps, [B].

        `given` is an array for the only clock of the inputs, or a dict of such arrays by clock.

        Raises:
            ShapeError: one has another shape, or is on another device. UsageError: a clock is unknown.
        """
        found = self._by_clock("resets", given, device)
        out = {}
        for clock, flags in found.items():
            gap = self.gaps.get(clock)
            out[f"{RESET}{clock}"] = (flags if gap is None else gap.resets(flags)).to(real)
            if gap is not None:
                out[f"{AFTER}{clock}"] = gap.late(flags).to(real)
        return out

    def leave_out(self, mask: Any, given: dict[str, Tensor], device: torch.device) -> None:
        """Bring the steps of inputs together that a mask says are there.

        Raises:
            ShapeError: a mask has another shape, or is on another device. UsageError: a clock is unknown or packed.
        """
        if self.packed:
            raise UsageError("a PackedSequence has no gaps: leave out `mask`, or pass padded tensors")
        for clock, flags in self._by_clock("mask", mask, device).items():
            gap = self.gaps[clock] = Gap(flags.ne(0), self.lengths.get(clock))
            self.lengths[clock] = gap.lengths
            for name, array in given.items():
                if self.program.inputs[name.removeprefix(INPUT)].clock == clock:
                    given[name] = gap.together(array)

    def _by_clock(self, what: str, given: Any, device: torch.device) -> dict[str, Tensor]:
        """Resets or masks by clock, [T, B]."""
        if not isinstance(given, Mapping):
            given = dict.fromkeys(self._only_clock(what), given)
        for clock in given:
            if clock not in self.steps:
                raise UsageError(f"{self.program.name} has no clock {clock}; it has {', '.join(self.steps)}")
        return {c: self._flags(what, flags, c, device) for c, flags in given.items() if flags is not None}

    def _flags(self, what: str, flags: Any, clock: str, device: torch.device) -> Tensor:
        """Resets or a mask as [T, B]. A last axis of size one, which TorchRL gives them, is left out."""
        if isinstance(flags, PackedSequence):
            flags, _ = pad_packed_sequence(flags, total_length=self.steps[clock])
        elif not isinstance(flags, Tensor):
            raise ShapeError(f"{what} is of the type {type(flags).__name__}; it must be a tensor")
        elif not self.alone and self.batch_first and flags.dim() > 1:
            flags = flags.transpose(0, 1)
        wanted = (self.steps[clock],) if self.alone else (self.steps[clock], self.batch)
        if flags.shape == (*wanted, 1):
            flags = flags.squeeze(-1)
        if flags.shape != wanted or flags.is_complex():
            lead = "T" if self.alone else "B, T" if self.batch_first else "T, B"
            sizes, found = (
                list(wanted[::-1] if self.batch_first else wanted),
                f"{dtype_name(flags)} {list(flags.shape)}",
            )
            raise ShapeError(f"{what} is {found}; it must be {sizes} ([{lead}])")
        if flags.device != device:
            raise ShapeError(f"{what} is on {flags.device}, the module on {device}: move one of them with .to(...)")
        check_flags("elements of the mask" if what == "mask" else what, flags)
        out: Tensor = flags.unsqueeze(1) if self.alone else flags
        return out

    def no_resets(self, name: str, real: torch.dtype, device: torch.device) -> Tensor:
        """Zeros in place of resets, [T, B] or [B], that are not given."""
        shape = self.program.ports[name].extents(self.steps, max(self.batch, 0))
        return torch.zeros(shape, dtype=real, device=device)

    def _only_clock(self, what: str) -> list[str]:
        """The clock of the inputs, in a list.

        Raises:
            UsageError: they run over several.
        """
        clocks = sorted({str(port.clock) for port in self.program.inputs.values()})
        if len(clocks) > 1:
            runs = f"{self.program.name} runs over the clocks {', '.join(clocks)}"
            raise UsageError(f"{runs}: pass {what} for each by name")
        return clocks

    def state(self, given: Any, real: torch.dtype | None, device: torch.device) -> dict[str, Tensor]:
        """Initial states by name, each [B, *shape], and `t`, the number of steps before them.

        Raises:
            ShapeError: one has another shape, dtype or device. UsageError: a name is unknown.
        """
        out = {}
        for name, array in given.items():
            if name == "t" and self.program.random:
                rule = f"the state t counts steps: {self.batch} whole numbers, one for each sequence"
                out[name] = whole_numbers(rule, array, ((), (self.batch,)), device).expand(self.batch)
                continue
            port = self.program.states.get(name)
            if port is None:
                raise UsageError(f"{self.program.name} has no state {name}; it has {_listed(self.program.states)}")
            array = checked(f"the state {name}", array, port, real, device)
            if self.alone and array.shape == port.shape:
                array = array.unsqueeze(0)
            if array.shape != (self.batch, *port.shape):
                wanted = [self.batch, *port.shape]
                raise ShapeError(f"the state {name} is {list(array.shape)}; this call needs {wanted} (B first)")
            out[f"start:{name}"] = array if port.symbols is not None or array.dtype is real else array.to(real)
        return out

    # ----------------------------------------------------------------------------------------------------- outwards

    def outward(self, array: Tensor, port: Port) -> Tensor | PackedSequence:
        """A result in the form of the caller's arrays: batch first, packed, or without a batch axis."""
        if port.kind == STATIC:
            return array
        if port.kind == STREAM and str(port.clock) in self.gaps:
            array = self.gaps[str(port.clock)].repeated(array, 0 if port.symbols is None else -1)
        if self.alone:
            return array.squeeze(1 if port.kind == STREAM else 0)
        if port.kind != STREAM:
            return array
        packed = self.packed.get(str(port.clock))
        if packed is None:
            return array.transpose(0, 1) if self.batch_first else array
        lengths = self.lengths[str(port.clock)]
        if packed.sorted_indices is not None:
            array = array.index_select(1, packed.sorted_indices)
            lengths = lengths[packed.sorted_indices.to(lengths.device)]
        data, _ = torch._VF._pack_padded_sequence(array, lengths, False)
        return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)

    def count(self, offset: Tensor | None, device: torch.device) -> Tensor:
        """The number of steps of each sequence so far, [B]."""
        clock = self.program.clock
        lengths = self.lengths.get(clock)
        steps = torch.full((self.batch,), self.steps[clock], device="cpu") if lengths is None else lengths
        return (steps if offset is None else steps + offset.to(steps.device)).to(device)


def _listed(names: Sequence[str] | Mapping[str, Any]) -> str:
    return ", ".join(names) or "none"


def by_name(program: Program, mode: str, inputs: Any, named: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs by name; a tensor alone is the one input that has no keyword.

    Inputs that the mode does not read, such as a target when no loss is asked for, may be missing.

    Raises:
        UsageError: a needed input is missing, or a name is unknown.
    """
    if isinstance(inputs, Mapping):
        arrays = {**inputs, **named}
    elif inputs is None:
        arrays = dict(named)
    else:
        left = [name for name in program.reads(mode) if name not in named]
        if len(left) != 1:
            raise UsageError(f"{program.name} has the inputs {_listed(program.inputs)}: pass them by name")
        arrays = {left[0]: inputs, **named}
    unknown = [name for name in arrays if name not in program.inputs]
    missing = [name for name in program.reads(mode) if arrays.get(name) is None]
    if unknown or missing:
        wrong = " and ".join([*(f"no {name}" for name in missing), *(f"an unknown {name}" for name in unknown)])
        raise UsageError(f"{program.name} has the inputs {_listed(program.inputs)}; given are {wrong}")
    return {name: arrays[name] for name in program.inputs if arrays.get(name) is not None}


def order_of_states(program: Program) -> list[str]:
    """The states in the order of a tuple: as in `nn.LSTM`, those that are outputs come first."""
    return sorted(program.states, key=lambda name: name not in program.outputs)


def state_by_name(program: Program, state: Any, alone: bool) -> Mapping[str, Any]:
    """States in the form of `nn.LSTM` and `nn.GRU` (one tensor [1, B, *shape], or a tuple of them), by name.

    `alone`: there is one sequence, and no axis B.

    Raises:
        ShapeError: they have another form.
    """
    names = order_of_states(program)
    parts = tuple(state) if isinstance(state, (tuple, list)) else (state,)
    if len(parts) != len(names):
        raise ShapeError(f"{program.name} has {len(names)} states ({', '.join(names)}), not {len(parts)}")
    axes = 1 if alone else 2
    for name, part in zip(names, parts, strict=True):
        if not isinstance(part, Tensor) or part.dim() != axes + len(program.states[name].shape) or part.shape[0] != 1:
            shape = ", ".join((*("1", "B")[:axes], *map(str, program.states[name].shape)))
            found = list(part.shape) if isinstance(part, Tensor) else type(part).__name__
            raise ShapeError(f"the state {name} is {found}; it must be [{shape}]")
    return {name: part if alone else part[0] for name, part in zip(names, parts, strict=True)}


def state_as_tuple(program: Program, state: Mapping[str, Tensor], alone: bool) -> Any:
    """States in the form of `nn.LSTM` (a tuple) or, for one state, of `nn.GRU` (a tensor)."""
    parts = tuple(state[name] if alone else state[name].unsqueeze(0) for name in order_of_states(program))
    return parts[0] if len(parts) == 1 else parts


STATES = ("names", "tuple")
"""The forms of states: a dict by name, or a tuple."""
