"""A compiled cell as an ordinary `nn.Module`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from recurrency.errors import UsageError

from .arguments import STATES, Frame, by_name, order_of_states, state_as_tuple, state_by_name
from .autograd import results
from .checks import capturing, casts, fresh_seed, whole_seed
from .flat import Place, joined, lay_together, lying_together, new_parameters, places_of
from .keys import keys_of
from .program import RESET, Call, Program


class Part(nn.Module):
    """The parameters of a cell within another cell; the outer one computes."""


class Network(nn.Module):
    """A compiled cell.

    `module(x, state=None, lengths=None)` returns `(output, state)`. Several inputs are passed by keyword or as a dict;
    several outputs are a dict. Tensors are [T, B, *shape], with `batch_first` [B, T, *shape], for one sequence
    [T, *shape], or packed sequences; symbols are whole numbers. States that are missing start at their declared
    values. States are a dict by name of tensors [B, *shape]; with `state="tuple"` they have the form of `nn.LSTM` and
    `nn.GRU`. If the module was made with inner streams, a dict of them is a third result.

    The module computes in the dtype of its parameters. Under autocast it casts inputs to this dtype, and results to
    the dtype of autocast.

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
    ) -> None:
        super().__init__()
        if state not in STATES:
            raise UsageError(f"state is one of {', '.join(STATES)}, not {state}")
        self.program, self.batch_first, self.state_form = program, batch_first, state
        self.keys = keys_of(program.parameters, dir(self), dir(Part()))
        made = new_parameters(self._places, dtype, device)
        for name in program.parameters:
            owner, leaf = self._owner(name)
            owner._parameters[leaf] = made[name]
        self.reset_parameters(seed)

    # ------------------------------------------------------------------------------------------------- parameters

    def _owner(self, name: str) -> tuple[nn.Module, str]:
        """The module that a parameter belongs to, made if it is missing, and the parameter's name there."""
        owner: nn.Module = self
        *path, leaf = self.keys[name].split(".")
        for part in path:
            children: Any = owner._modules
            owner = children.setdefault(part, Part())
        return owner, leaf

    @cached_property
    def _places(self) -> tuple[Place, ...]:
        """The parameters in the order of the vector."""
        return places_of(self.program.parameters, self.keys, self.program.order)

    def parameters_by_name(self) -> dict[str, Any]:
        """The parameters, by their names in the specification."""
        found = {place.name: tensor for place, tensor in zip(self._places, self._tensors(), strict=True)}
        return {name: found[name] for name in self.program.parameters}

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        """Accept parameters under their names in the specification too, where their keys differ."""
        for name, key in self.keys.items():
            if prefix + name in state_dict and prefix + key not in state_dict:
                state_dict[prefix + key] = state_dict.pop(prefix + name)
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def _tensors(self) -> list[Tensor]:
        """The parameters in the order of the vector, or what replaces them: a parametrisation, `functional_call`."""
        out = []
        for place in self._places:
            owner: Any = self
            for part in place.path:
                owner = owner._modules[part]
            found = owner._parameters.get(place.leaf)
            out.append(getattr(owner, place.leaf) if found is None else found)
        return out

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """Convert all parameters, as any module does; those that got new memory become views of one vector again."""
        inherited: Any = super()._apply
        out = inherited(fn, recurse)
        lay_together(self._tensors(), self._places)
        return out

    def __setstate__(self, state: Any) -> None:
        """The same for those of a copy."""
        inherited: Any = super().__setstate__
        inherited(state)
        lay_together(self._tensors(), self._places)

    def reset_parameters(self, seed: int | None = None) -> None:
        """Draw all parameters from the initialisers of the specification; the default seed is from torch's generator.

        Parameters without content (on `meta`, or in a `FakeTensorMode`) stay as they are.
        """
        if all(parameter.device.type == "meta" for parameter in self.parameters()) or _fake():
            return
        values = self.program.initial(int(fresh_seed(1 << 31)) if seed is None else whole_seed(seed))
        with torch.no_grad():
            for name, parameter in self.parameters_by_name().items():
                parameter.copy_(values[name])

    def _vector(self, inputs: Mapping[str, Any]) -> tuple[Tensor, list[Tensor]]:
        """All parameters as one vector [size], and the parameters that are views of it.

        There are none of these if the vector is a function of the parameters. Without parameters it is like the inputs.

        Raises:
            UsageError: they differ in dtype or device, or a replaced parameter has another shape.
        """
        places = self._places
        if not places:
            return _no_parameters(inputs), []
        tensors = self._tensors()
        together = lying_together(tensors, places)
        return (joined(tensors, places, self.program.name), []) if together is None else (together, tensors)

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
        words += ["batch_first=True"] if self.batch_first else []
        words += ["state=(" + ", ".join(order_of_states(self.program)) + ")"] if self.state_form == "tuple" else []
        return "\n".join([", ".join(words), *self.program.equations.split("\n")])


def _no_parameters(arrays: Mapping[str, Any]) -> Tensor:
    """An empty vector on the device of the inputs, in their dtype."""
    tensors = [array if isinstance(array, Tensor) else getattr(array, "data", None) for array in arrays.values()]
    found = [tensor for tensor in tensors if isinstance(tensor, Tensor)]
    for tensor in found:
        if tensor.is_floating_point():
            return tensor.new_empty(0)
    return torch.empty(0, device=found[0].device if found else None)


def _fake() -> bool:
    """Whether new tensors have no content (`FakeTensorMode`)."""
    return torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE) is not None
