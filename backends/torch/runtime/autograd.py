"""Derivatives of a network on PyTorch, up to the second order: each backward function is differentiable itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from recurrency.errors import UsageError

from .checks import no_forward_mode
from .flat import Joined, eager, parts_of
from .ops import run
from .program import SEQUENCE, Call

Gradients = tuple[Tensor | None, ...]


class Reverse(torch.autograd.Function):
    """A function of a `Call`, which its context has as `call`, with derivatives in reverse mode only."""

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        """Refuse."""
        raise no_forward_mode(ctx.call.program.name)


class Function(torch.autograd.Function):
    """A differentiable function that functorch can transform; `torch.vmap` calls it for each element of its batch.

    `torch.compile` takes no function with `jvp`, so only the other two have it.
    """

    at_once: type[torch.autograd.Function]
    """The same without what only functorch needs, which is most of the cost of a call."""
    transformed: type[torch.autograd.Function]
    """The same for functorch."""

    def __init_subclass__(cls) -> None:
        if issubclass(cls, Reverse):
            return

        def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, ...]:
            output: tuple[Tensor, ...] = cls.forward(*arguments)
            cls.setup_context(ctx, arguments, output)
            return output

        members = {"forward": staticmethod(forward), "backward": staticmethod(cls.backward)}
        cls.at_once = type(f"{cls.__name__}AtOnce", (Reverse,), members)
        cls.transformed = type(f"{cls.__name__}Transformed", (Reverse, cls), {})

    @classmethod
    def call(cls, *arguments: Any) -> tuple[Tensor, ...]:
        """The results; recorded for a backward pass, if one is possible."""
        out: tuple[Tensor, ...]
        if torch.compiler.is_compiling():
            tensors = [a for a in arguments if isinstance(a, Tensor)]
            recorded = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
            out = _apply(cls, arguments) if recorded else cls.forward(*arguments)
        elif not torch.is_grad_enabled() and not torch._C._are_functorch_transforms_active():
            out = cls.forward(*arguments)
        else:
            out = _apply(cls.transformed if torch._C._are_functorch_transforms_active() else cls.at_once, arguments)
        return out

    @classmethod
    def of_adjoints(cls, adjoints: Sequence[Tensor | None], *arguments: Any) -> tuple[Tensor, ...]:
        """`call` with arguments that depend on `adjoints`, which `is_grads_batched=True` makes a batch of."""
        if torch.compiler.is_compiling() or not any(a is not None and _is_batched(a) for a in adjoints):
            return cls.call(*arguments)
        dims = tuple(0 if isinstance(a, Tensor) and _is_batched(a) else None for a in arguments)
        # The batching of `autograd.grad` is older than `torch.vmap` and has no rules for a `Function`.
        parts = [a if d is None else torch._remove_batch_dim(a, 1, 0, 0) for a, d in zip(arguments, dims, strict=True)]
        found = cls.rows(len(parts[dims.index(0)]), dims, tuple(parts))
        return tuple(torch._add_batch_dim(column, 0, 1) for column in found)

    @classmethod
    def rows(cls, count: int, dims: tuple[int | None, ...], arguments: tuple[Any, ...]) -> tuple[Tensor, ...]:
        """The results for each element of a batch, stacked."""
        found = []
        for k in range(count):
            found.append(cls.call(*(a if d is None else a.select(d, k) for a, d in zip(arguments, dims, strict=True))))
        return tuple(torch.stack(column) for column in zip(*found, strict=True))


_is_batched: Any = torch._C._functorch.is_legacy_batchedtensor


def _apply(function: Any, arguments: tuple[Any, ...]) -> Any:
    return function.apply(*arguments)


class Forward(Function):
    """The results and the tape of a call: differentiable by parameters, inputs and initial states."""

    @staticmethod
    def forward(call: Call, params: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        """`tensors` are those of `Call.takes("kept")`."""
        return tuple(run(call, "kept", params, tensors))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Save the arguments and the tape."""
        call, *tensors = inputs
        ctx.call, tape = call, output[len(call.roots) :]
        ports = call.program.ports
        symbols = [t for root, t in zip(call.roots, output, strict=False) if ports[root].symbols is not None]
        ctx.mark_non_differentiable(*symbols, *tape)
        ctx.save_for_backward(*tensors, *tape)
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *adjoints: Tensor | None) -> Gradients:
        """The gradients, by a function that can be differentiated."""
        call, (params, *saved) = ctx.call, ctx.saved_tensors
        found = _gradients(call, params, saved, adjoints, any(ctx.needs_input_grad[2:]))
        if not found:
            return (None,) * (2 + len(call.given) + len(call.extra))
        return None, found[0], *_of_given(call, found), *(None,) * len(call.extra)

    @staticmethod
    def vmap(info: Any, dims: tuple[int | None, ...], *arguments: Any) -> Any:
        """See `Function`."""
        found = Forward.rows(info.batch_size, dims, arguments)
        return found, (0,) * len(found)


def _gradients(
    call: Call, params: Tensor, saved: Sequence[Tensor], adjoints: Sequence[Tensor | None], whole: bool
) -> tuple[Tensor, ...]:
    """The gradients for the adjoints of the results: of the parameters, and if `whole` of `call.differentiable`.

    `saved` are the other arguments and the tape. There are none if no real result has an adjoint.
    """
    count = len(call.given) + len(call.extra)
    known = dict(zip(call.roots, adjoints, strict=False))
    if all(known[root] is None for root in call.real):
        return ()
    seeds = _seeds(call, params, saved[: len(call.given)], [known[root] for root in call.real])
    kind = "back" if whole else "back_params"
    return Backward.of_adjoints(adjoints, call, kind, params, *saved[:count], *seeds, *saved[count:])


def _of_given(call: Call, found: Sequence[Tensor]) -> Iterator[Tensor | None]:
    """The gradient of each input and state that is given, from those of parameters and of `call.differentiable`."""
    gradients = dict(zip(call.differentiable, found[1:], strict=False))
    return (gradients.get(name) for name in call.given)


class Recorded(Reverse):
    """`Forward` for parameters that are views of one vector, each of which gets its gradient from here.

    The results of most training steps come through here, so it does no more than it has to.
    """

    @staticmethod
    def forward(ctx: Any, call: Call, vector: Tensor, *arguments: Tensor) -> tuple[Tensor, ...]:
        """`arguments` are those of `Call.takes("kept")`, and then the parameters in the order of the vector.

        The vector is copied: an optimiser may change the parameters before the backward pass.
        """
        count, params = len(call.given) + len(call.extra), vector.clone()
        call.program.expected = "back" if any(ctx.needs_input_grad[2 : 2 + count]) else "back_params"
        found = run(call, "kept", params, arguments[:count])
        results, ctx.call, ctx.parameters = tuple(found[: len(call.roots)]), call, arguments[count:]
        if len(call.real) < len(results):
            real = {*call.real}
            ctx.mark_non_differentiable(*(t for root, t in zip(call.roots, results, strict=True) if root not in real))
        ctx.save_for_backward(params, *arguments[:count], *found[len(results) :])
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    def backward(ctx: Any, *adjoints: Tensor | None) -> Gradients:
        """The gradients; those of the parameters are views of one vector."""
        call, (params, *saved), parameters = ctx.call, ctx.saved_tensors, ctx.parameters
        if torch.is_grad_enabled():
            params = _apply(Joined, (params, *parameters))
        of_parameters = len(ctx.needs_input_grad) - len(parameters)
        found = _gradients(call, params, saved, adjoints, any(ctx.needs_input_grad[2:of_parameters]))
        if not found:
            return (None,) * len(ctx.needs_input_grad)
        return None, None, *_of_given(call, found), *(None,) * len(call.extra), *parts_of(found[0], parameters)


_record: Any = super(torch.autograd.Function, Recorded).apply
"""`Recorded.apply` without a look at each parameter: here they are no tensors of functorch."""
_living: Any = torch._C._functorch.unwrap_if_dead


def _seeds(call: Call, params: Tensor, given: Sequence[Tensor], known: Sequence[Tensor | None]) -> list[Tensor]:
    """The adjoints of all real results; those that are missing are zero."""
    if all(seed is not None for seed in known):
        return [seed for seed in known if seed is not None]
    steps, batch = call.measure(given)
    kept = params.is_cpu and not torch.is_grad_enabled() and eager()
    out = []
    for root, seed in zip(call.real, known, strict=True):
        port = call.program.ports[root]
        if seed is None and kept and port.kind == SEQUENCE:
            seed = _zeros(call.zeros, root, port.extents(steps, batch), params)
        out.append(params.new_zeros(port.extents(steps, batch)) if seed is None else seed)
    return out


def _zeros(made: dict[str, Tensor], root: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """Zeros that nobody writes to, in most calls those of the last one."""
    found = made.get(root)
    if found is None or found.dtype is not like.dtype or found.shape != shape:
        found = made[root] = like.new_zeros(shape)
    return found


def results(call: Call, params: Tensor, tensors: list[Tensor], parameters: list[Tensor]) -> dict[str, Tensor]:
    """The results by root; nothing is saved where no backward pass is possible.

    `tensors` are those of `Call.takes("plain")`; `parameters` are the views of `params`, if it is no function of them.
    """
    wanted = torch.is_grad_enabled() and any(t.requires_grad for t in (params, *tensors, *parameters))
    found: Sequence[Tensor]
    if wanted and parameters:
        found = _record(call, params, *map(_living, tensors), *parameters)
    elif wanted or (not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active()):
        found = Forward.call(call, params, *tensors)
    else:
        found = run(call, "plain", params, tensors)
    return dict(zip(call.roots, found, strict=False))


class Backward(Function):
    """The gradients of a call: differentiable by the arguments of `Forward` and by the adjoints."""

    @staticmethod
    def forward(call: Call, kind: str, params: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        """`tensors` are those of `Call.takes(kind)`."""
        return tuple(run(call, kind, params, tensors))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Save all arguments but the tape, which `Second` does not need."""
        call, _, *tensors = inputs
        count = 1 + len(call.given) + len(call.extra) + len(call.real)
        ctx.call, ctx.tape = call, len(tensors) - count
        ctx.save_for_backward(*tensors[:count])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *adjoints: Tensor | None) -> Gradients:
        """The gradients of the gradients."""
        call: Call = ctx.call
        params, *tensors = ctx.saved_tensors
        if all(adjoint is None for adjoint in adjoints):
            return (None,) * (3 + len(tensors) + int(ctx.tape))
        known = dict(zip(("params", *call.differentiable), adjoints, strict=False))
        primal = {"params": params, **dict(zip(call.given, tensors, strict=False))}
        cotangents = []
        for name in ("params", *call.differentiable):
            adjoint = known.get(name)
            cotangents.append(torch.zeros_like(primal[name]) if adjoint is None else adjoint)
        found = Second.of_adjoints(adjoints, call, params, *tensors, *cotangents)
        count = 1 + len(call.differentiable)
        gradients = dict(zip(call.differentiable, found[1:count], strict=True))
        of_given = [gradients.get(name) for name in call.given]
        none = (None,)
        out: Gradients = (None, None, found[0], *of_given, *none * len(call.extra), *found[count:], *none * ctx.tape)
        return out

    @staticmethod
    def vmap(info: Any, dims: tuple[int | None, ...], *arguments: Any) -> Any:
        """See `Function`."""
        found = Backward.rows(info.batch_size, dims, arguments)
        return found, (0,) * len(found)


class Second(Function):
    """The gradients of the gradients; they have no gradients themselves."""

    @staticmethod
    def forward(call: Call, params: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        """`tensors` are those of `Call.takes("second")`."""
        return tuple(run(call, "second", params, tensors))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Note the call, for the messages."""
        ctx.call = inputs[0]

    @staticmethod
    def backward(ctx: Any, *adjoints: Tensor | None) -> Gradients:
        """Refuse: there are no third derivatives."""
        raise UsageError(
            f"{ctx.call.program.name} has first and second derivatives; third derivatives are not supported"
        )

    @staticmethod
    def vmap(info: Any, dims: tuple[int | None, ...], *arguments: Any) -> Any:
        """See `Function`."""
        found = Second.rows(info.batch_size, dims, arguments)
        return found, (0,) * len(found)
