"""A compiled cell as an ordinary `nn.Module`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from recurrency.errors import UsageError

from .arguments import STATES, Frame, by_name, order_of_states, state_as_tuple, state_by_name
from .autograd import results
from .checks import capturing, casts, fresh_seed, whole_seed
from .parameters import Parameters
from .program import RESET, Call, Program


class Network(Parameters):
    """A compiled cell.

    `module(x, state=None, lengths=None)` returns `(output, state)`. Several inputs are passed by keyword or as a dict;
    several outputs are a dict. Tensors are [T, B, *shape], with `batch_first` [B, T, *shape], for one sequence
    [T, *shape], or packed sequences; symbols are whole numbers. States that are missing start at their declared
    values. States are a dict by name of tensors [B, *shape]; with `state="tuple"` they have the form of `nn.LSTM` and
    `nn.GRU`. If the module was made with inner streams, a dict of them is a third result.

    The module computes in the dtype of its parameters. Under autocast it casts inputs to this dtype, and results to
    the dtype of autocast.

    With `flat=True` there is one parameter, the vector `flat_param`, so that an optimiser takes the time of one;
    `parameters_by_name()` and `state_dict()` have its parts by name.

    Random numbers are drawn in training mode (`train()`), from `seed=` or from a seed of torch's generator.
    """

    def __init__(
        self,
        program: Program,
        batch_first: bool = False,
        state: str = "names",
        dtype: torch.dtype | None = None,
        device: Any = None,
        seed: int | None = None,
        flat: bool = False,
    ) -> None:
        if state not in STATES:
            raise UsageError(f"state is one of {', '.join(STATES)}, not {state}")
        self.batch_first, self.state_form = batch_first, state
        super().__init__(program, dtype, device, flat)
        self.reset_parameters(seed)

    # ------------------------------------------------------------------------------------------------------ calls

    def forward(
        self,
        inputs: Any = None,
        state: Any = None,
        lengths: Any = None,
        *,
        seed: int | None = None,
        resets: Any = None,
        is_init: Any = None,
        mask: Any = None,
        **named: Any,
    ) -> Any:
        """The output and the states after the last step; see the class.

        `lengths` is the number of steps of each sequence, [B], or such a list for each clock by name. `resets` says at
        which steps a sequence begins again from the declared initial states: bools, or 0 and 1, [T, B], with
        `batch_first` [B, T], or such a tensor for each clock by name; `is_init` is TorchRL's name for it. `mask`, of
        the same shapes, is 0 at steps that are not there; outputs repeat their last value there.

        Raises:
            ShapeError: a tensor has another shape, dtype or device. UsageError: a name is unknown or missing.
        """
        flags = self._flags(resets, is_init, mask, named)
        values, frame, state = self._called("run", inputs, state, lengths, seed, named, flags)
        outputs = {n: frame.outward(values[f"output:{n}"], p) for n, p in self.program.outputs.items()}
        output = next(iter(outputs.values())) if len(outputs) == 1 else outputs
        if not self.program.streams:
            return output, state
        return output, state, {n: frame.outward(values[f"stream:{n}"], p) for n, p in self.program.streams.items()}

    def loss(
        self,
        inputs: Any = None,
        state: Any = None,
        lengths: Any = None,
        *,
        seed: int | None = None,
        resets: Any = None,
        is_init: Any = None,
        mask: Any = None,
        **named: Any,
    ) -> Tensor:
        """The sum of the cell's loss lines, a scalar; see `forward` for the arguments.

        Raises:
            UsageError: the cell has no loss line.
        """
        flags = {"resets": resets, "is_init": is_init, "mask": mask}
        return self.loss_and_state(inputs, state, lengths, seed=seed, **flags, **named)[0]

    def loss_and_state(
        self,
        inputs: Any = None,
        state: Any = None,
        lengths: Any = None,
        *,
        seed: int | None = None,
        resets: Any = None,
        is_init: Any = None,
        mask: Any = None,
        **named: Any,
    ) -> tuple[Tensor, Any]:
        """The loss, and the states after the last step."""
        if "loss" not in self.program.sources:
            raise UsageError(f"{self.program.name} has no loss line")
        flags = self._flags(resets, is_init, mask, named)
        values, _, state = self._called("loss", inputs, state, lengths, seed, named, flags)
        return values["loss"], state

    def _flags(self, resets: Any, is_init: Any, mask: Any, named: dict[str, Any]) -> tuple[Any, Any]:
        """The resets, by whichever name they are given, and the mask; an input of the cell has its name for itself.

        Raises:
            UsageError: resets are given twice.
        """
        found = {}
        for name, flags in (("resets", resets), ("is_init", is_init), ("mask", mask)):
            if flags is not None and name in self.program.inputs:
                named[name] = flags
            elif flags is not None:
                found[name] = flags
        if {"resets", "is_init"} <= found.keys():
            raise UsageError("resets and is_init are two names for one thing: pass one of them")
        return found.get("resets", found.get("is_init")), found.get("mask")

    def _called(
        self,
        mode: str,
        inputs: Any,
        state: Any,
        lengths: Any,
        seed: int | None,
        named: Mapping[str, Any],
        flags: tuple[Any, Any] = (None, None),
    ) -> tuple[dict[str, Tensor], Frame, Any]:
        """The results by root, and the states after the last step."""
        call, params, parameters, tensors, frame, offset = self._gathered(
            mode, inputs, state, lengths, seed, named, flags
        )
        values = results(call, params, tensors, parameters)
        if (
            mode == "run" and casts(params.device) and params.dtype is not torch.float64
        ):  # autocast leaves float64 alone
            out = torch.get_autocast_dtype(params.device.type)
            values = {root: v.to(out) if v.is_floating_point() else v for root, v in values.items()}
        return values, frame, self._state(values, frame, offset, params.device)

    def _gathered(
        self,
        mode: str,
        inputs: Any,
        state: Any,
        lengths: Any,
        seed: int | None,
        named: Mapping[str, Any],
        flags: tuple[Any, Any] = (None, None),
    ) -> tuple[Call, Tensor, list[Tensor], list[Tensor], Frame, Tensor | None]:
        """The arguments of a generated function: the call, `_vector`, and tensors as `Call.takes("plain")`.

        Raises:
            UsageError: torch.jit traces the call; the trace would fix the number of steps for all calls.
        """
        program, frame = self.program, Frame(self.program, self.batch_first)
        if not torch.compiler.is_compiling() and torch._C._get_tracing_state() is not None:
            raise UsageError(f"torch.jit can't record {program.name}: use torch.export or torch.compile")
        arrays = by_name(program, mode, inputs, named)
        params, parameters = self._vector(arrays)
        given = frame.inputs(arrays, params.dtype, params.device)
        frame.measure(lengths, params.device)
        resets, mask = flags
        if mask is not None:
            frame.leave_out(mask, given, params.device)
        if resets is not None or program.resets:
            found = {} if resets is None else frame.resets(resets, params.dtype, params.device)
            program = program.resetting(tuple(name.removeprefix(RESET) for name in found), mode)
            missing = [name for clock in program.resets if (name := f"{RESET}{clock}") not in found]
            given |= found | {name: frame.no_resets(name, params.dtype, params.device) for name in missing}
        offset = None
        if state is not None:
            given |= frame.state(self._by_name(state, frame), params.dtype, params.device)
            offset = given.pop("t", None)
        names = tuple(name for name in program.sources[mode] if name in given)
        extra = {f"lengths:{clock}": n for clock, n in frame.lengths.items()}
        if program.samples or (program.random and self.training):
            if seed is None and capturing(params.device):
                raise UsageError(
                    f"{program.name} draws random numbers: each replay of a graph would repeat them; "
                    "pass seed=... if that is meant"
                )
            extra["seed"] = fresh_seed(1 << 62) if seed is None else torch.tensor(whole_seed(seed), device="cpu")
            if offset is not None:
                extra["offset"] = offset
        call = program.call(mode, names, tuple(extra), self.training and program.random)
        return call, params, parameters, [*(given[name] for name in names), *extra.values()], frame, offset

    def _by_name(self, state: Any, frame: Frame) -> Mapping[str, Any]:
        if isinstance(state, Mapping):
            return state
        if self.state_form == "names":
            raise UsageError(
                f"states of this module are a dict by name; to use tuples, make {self.program.name} with state='tuple'"
            )
        found: Mapping[str, Any] = state_by_name(self.program, state, frame.alone)
        return found

    def _state(self, values: Mapping[str, Tensor], frame: Frame, offset: Tensor | None, device: torch.device) -> Any:
        """The states after the last step in the form that the caller chose."""
        state = {name: values[f"final:{name}"] for name in self.program.states}
        if self.state_form == "tuple":
            return state_as_tuple(self.program, state, frame.alone)
        if frame.alone:
            state = {name: value[0] for name, value in state.items()}
        if self.program.random:
            state["t"] = frame.count(offset, device)
        return state

    # ------------------------------------------------------------------------------------------------------ words

    @property
    def path(self) -> str:
        """The code that computes: `generated torch code on cpu`."""
        tensors = self._tensors()[:1] or [torch.empty(0)]
        return str(self.program.path(tensors[0].device, tensors[0].dtype))

    def _get_name(self) -> str:
        return str(self.program.name)

    def extra_repr(self) -> str:
        """The sizes and the equations."""
        words = [self.program.sizes] if self.program.sizes else []
        words += [f"{option}=True" for option in ("batch_first", "flat") if getattr(self, option)]
        words += ["state=(" + ", ".join(order_of_states(self.program)) + ")"] if self.state_form == "tuple" else []
        return "\n".join([", ".join(words), *self.program.equations.split("\n")])
