"""The losses that `HessianFree` minimises: of a spec, or of a closure; values, gradients and curvature on one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

from recurrency.errors import UsageError

Tensor: TypeAlias = torch.Tensor
Closure: TypeAlias = Callable[[], Any]


@dataclass(frozen=True)
class Setting:
    """What stays the same between updates: the module, its trained parameters, and options of the curvature."""

    module: Any
    parameters: list[Tensor]
    damp: Mapping[str, float]
    distance: str
    sequences: int


class Problem:
    """A loss on one batch: its value and gradient now, its value at other parameters, and products at those of now."""

    def start(self) -> tuple[Tensor, Sequence[Tensor | None]]:
        """The loss, and the gradients of the parameters."""
        raise NotImplementedError

    def value(self) -> float:
        """The loss at the parameters that the module has."""
        raise NotImplementedError

    def product(self, v: Sequence[Tensor], damping: float) -> Sequence[Tensor | None]:
        """The curvature at the first parameters times tensors like them."""
        raise NotImplementedError


class OfSpec(Problem):
    """The loss of a spec: the products are generated functions."""

    def __init__(self, setting: Setting, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        self.setting, self.arguments, self.named = setting, arguments, named
        module = setting.module
        if not hasattr(module, "curvature"):
            raise UsageError("HessianFree: step takes a closure, unless the module is one of Spec.module with a loss")
        module.model.need_loss()
        if module.model.over_curvature:
            raise UsageError(f"HessianFree can't use the loss of {module.program.name}: {module.model.over_curvature}")
        if module.program.random and module.training and named.get("seed") is None:
            self.named = {**named, "seed": int(torch.randint(1 << 62, ()))}
        self.places = self._places(module)

    def _places(self, module: Any) -> list[slice]:
        """Where each parameter is in the flat vector of the program."""
        named = {"": module.flat_param} if module.flat else module.parameters_by_name()
        known = {id(p): name for name, p in named.items()}
        if any(id(p) not in known for p in self.setting.parameters):
            raise UsageError("HessianFree: parameters that are parametrised need a closure")
        table = {"": (0, ()), **module.program.parameters}
        starts = [table[known[id(p)]][0] for p in self.setting.parameters]
        return [slice(start, start + p.numel()) for start, p in zip(starts, self.setting.parameters, strict=True)]

    def start(self) -> tuple[Tensor, Sequence[Tensor | None]]:
        """See `Problem`."""
        module = self.setting.module
        with torch.enable_grad():
            loss = module.loss(*self.arguments, **self.named)
            gradients = torch.autograd.grad(loss, self.setting.parameters, allow_unused=True)
        count = self.setting.sequences
        options = {"damped": tuple(self.setting.damp), "distance": self.setting.distance, "sequences": count}
        self.curvature = module.curvature(*self.arguments, **self.named, **options)
        self.zeros = torch.zeros(module.program.size, dtype=loss.dtype, device=loss.device)
        return loss.detach(), gradients

    def value(self) -> float:
        """See `Problem`."""
        module = self.setting.module
        return float(module.loss(*self.arguments, **self.named))

    def product(self, v: Sequence[Tensor], damping: float) -> Sequence[Tensor | None]:
        """See `Problem`."""
        vector = self.zeros.clone()
        for place, tensor in zip(self.places, v, strict=True):
            vector[place] = tensor.reshape(-1)
        weights = {name: damping * mu for name, mu in self.setting.damp.items()}
        found = self.curvature(vector, weights)
        return [found[place] for place in self.places]


class OfClosure(Problem):
    """The loss of a closure: the products are derivatives of derivatives that autograd recorded."""

    def __init__(self, setting: Setting, closure: Closure, curvature: Closure) -> None:
        self.setting, self.closure, self.other = setting, closure, curvature
        self.device = setting.parameters[0].device
        self.draws = _draws(self.device)

    def start(self) -> tuple[Tensor, Sequence[Tensor | None]]:
        """See `Problem`."""
        parameters = self.setting.parameters
        with torch.enable_grad():
            loss, outputs = _returned(self.closure())
            own = self.other is self.closure
            gradients = torch.autograd.grad(loss, parameters, retain_graph=own, allow_unused=True)
            after = _draws(self.device)
            read, self.outputs = (loss, outputs) if own else _returned(self._again(self.other))
            _restore(after, self.device)
            self.slopes = torch.autograd.grad(read, self.outputs, create_graph=True, allow_unused=True)
            self.u = [torch.zeros_like(y, requires_grad=True) for y in self.outputs]
            self.pulled = self._pull(self.u, create_graph=True)
        return loss.detach(), gradients

    def _again(self, closure: Closure) -> Any:
        _restore(self.draws, self.device)
        return closure()

    def value(self) -> float:
        """See `Problem`."""
        with _kept_draws(self.device):
            return float(_returned(self._again(self.closure))[0])

    def _pull(self, seeds: Sequence[Tensor], create_graph: bool = False) -> Sequence[Tensor | None]:
        return torch.autograd.grad(
            self.outputs,
            self.setting.parameters,
            seeds,
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
        )

    def product(self, v: Sequence[Tensor], damping: float) -> Sequence[Tensor | None]:
        """See `Problem`: J' H J v; the adjoints J' u are linear in u, and their derivative along v is J v."""
        moved = _products(self.pulled, self.u, v)
        return self._pull(_products(self.slopes, self.outputs, moved))


def _products(of: Sequence[Tensor | None], wrt: Sequence[Tensor], along: Sequence[Tensor | None]) -> list[Tensor]:
    """The gradients of <of, along> by `wrt`; zero where nothing depends on them."""
    each = [(y, v) for y, v in zip(of, along, strict=True) if y is not None and y.requires_grad and v is not None]
    if not each:
        return [torch.zeros_like(x) for x in wrt]
    values, seeds = zip(*each, strict=True)
    found: Sequence[Tensor | None] = torch.autograd.grad(values, wrt, seeds, retain_graph=True, allow_unused=True)
    return [torch.zeros_like(x) if f is None else f for f, x in zip(found, wrt, strict=True)]


def is_closure(argument: Any) -> bool:
    return callable(argument) and not isinstance(argument, torch.Tensor)


def _returned(found: Any) -> tuple[Tensor, list[Tensor]]:
    """The loss and the outputs that a closure returned.

    Raises:
        UsageError: it returned other things.
    """
    wanted = "HessianFree: the closure returns the loss, a scalar, and the tensors that it is computed from"
    if not isinstance(found, tuple) or len(found) != 2:
        raise UsageError(f"{wanted}, not {type(found).__name__}")
    loss, outputs = found
    if isinstance(outputs, torch.Tensor):
        outputs = [outputs]
    outputs = list(outputs.values() if isinstance(outputs, Mapping) else outputs)
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1 or not outputs:
        raise UsageError(wanted)
    if not all(isinstance(y, torch.Tensor) for y in outputs):
        raise UsageError(wanted)
    if torch.is_grad_enabled() and not (loss.requires_grad and all(y.requires_grad for y in outputs)):
        raise UsageError("HessianFree: the loss and the outputs that a closure returns must depend on the parameters")
    return loss.reshape(()), outputs


def _draws(device: Any) -> list[Tensor]:
    """The states of torch's generators, of the CPU and of a device."""
    more = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [torch.get_rng_state(), *more]


def _restore(states: list[Tensor], device: Any) -> None:
    torch.set_rng_state(states[0])
    if len(states) > 1:
        torch.cuda.set_rng_state(states[1], device)


@contextmanager
def _kept_draws(device: Any) -> Iterator[None]:
    """Inside, random draws do not change those of later."""
    states = _draws(device)
    try:
        yield
    finally:
        _restore(states, device)
