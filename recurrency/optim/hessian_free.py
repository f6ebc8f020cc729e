"""The optimiser of `recurrency.optim`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from recurrency.errors import UsageError
from recurrency.model import damping as structural
from recurrency.optim.problems import Closure, OfClosure, OfSpec, Problem, Setting, Tensor, is_closure
from recurrency.training.loop.hessian_free import Settings, State, Update, check_bounds, update

KEPT = "hessian-free"
"""The key under which the optimiser keeps its state; keys that are no tensors are stored as they are."""


class HessianFree(torch.optim.Optimizer):
    """Truncated Newton steps: conjugate gradients on products with the Gauss-Newton matrix, never formed.

    All parameters of `module` that require gradients are one group. `damping` is the first lambda; it adapts. `damp`
    names streams of a spec's module with their weight mu of structural damping, `distance` is that of `Model.gnvp`.
    `iterations` bounds conjugate gradients, which start from `decay` times their last solution and end when they make
    little `progress`; `lower` is the factor of lambda. `weight_decay` c adds c / 2 |w|^2 to the loss. The products
    are of `curvature` sequences of a batch, evenly chosen (0: of all), for the module of a spec.

    `damping` and `rho` are the present lambda and the ratio of the real to the predicted decrease of the last step
    (NaN before, and where none was predicted); `last` has all figures of it. Vectors are float64 where the device
    has it, and products have the dtype of the parameters.

    Raises:
        UsageError: an option is out of its bounds; a stream is unknown; the module has no parameters to train.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        damp: Mapping[str, float] | None = None,
        damping: float = 0.1,
        iterations: int = 150,
        decay: float = 0.95,
        progress: float = 5e-4,
        lower: float = 2 / 3,
        weight_decay: float = 0.0,
        curvature: int = 0,
        distance: str = "matching",
    ) -> None:
        options: dict[str, Any] = {"damping": damping, "iterations": iterations, "decay": decay, "progress": progress}
        options |= {"lower": lower, "weight_decay": weight_decay, "curvature": curvature}
        check_bounds("HessianFree", options)
        parameters: list[Tensor] = [p for p in module.parameters() if p.requires_grad]
        if not parameters:
            raise UsageError("HessianFree: the module has no parameters that require gradients")
        super().__init__(parameters, options)
        self.setting = Setting(module, parameters, _damped(module, damp or {}, distance), distance, curvature)
        self.last: Update | None = None
        """The figures of the last step: `iterations`, `rho`, `step`, `after`, `reason` and more."""
        self._kept.update(damping=float(damping), solution=None)

    @property
    def damping(self) -> float:
        """The present lambda."""
        return float(self._kept["damping"])

    @damping.setter
    def damping(self, value: float) -> None:
        self._kept["damping"] = float(value)

    @property
    def rho(self) -> float:
        """The ratio of the real to the predicted decrease of the last step; NaN before the first."""
        return math.nan if self.last is None else self.last.rho

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Refuse a second group: there is one curvature for all parameters.

        Raises:
            UsageError: there is a group already.
        """
        if self.param_groups:
            raise UsageError("HessianFree has one group of parameters: those of its module")
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Any = None, *arguments: Any, curvature: Closure | None = None, **named: Any) -> Any:
        """One update; returns the loss before it, a scalar tensor.

        The module of a spec takes the arguments of `module.loss` instead of a closure. Any module takes a closure,
        which returns the loss and the tensors that it is computed from (one, several, or a dict). It calls no
        `backward`; it is called several times, with equal random draws. None of these tensors may be computed from
        another, and the loss must be convex in them. `curvature` is a closure for the data of the products.

        Raises:
            UsageError: a closure returns other things; the spec has no loss, or one that is not convex in what it
                reads.
        """
        if is_closure(closure):
            if self.setting.damp:
                raise UsageError("HessianFree: structural damping needs the loss of the spec: pass step its arguments")
            return self._update(OfClosure(self.setting, closure, curvature or closure))
        if curvature is not None:
            raise UsageError("HessianFree: `curvature` is for closures; see the option of the constructor")
        return self._update(OfSpec(self.setting, (closure, *arguments), named))

    # ---------------------------------------------------------------------------------------------------- vectors

    @property
    def _kept(self) -> dict[str, Any]:
        state: Any = self.state
        kept: dict[str, Any] = state.setdefault(KEPT, {})
        return kept

    def _vector(self, tensors: Sequence[Tensor | None]) -> Tensor:
        """Tensors of the shapes of the parameters as one vector [n]; None is zero."""
        real = torch.float32 if self.setting.parameters[0].device.type == "mps" else torch.float64
        each = zip(self.setting.parameters, tensors, strict=True)
        return torch.cat([(torch.zeros_like(p) if t is None else t).detach().reshape(-1).to(real) for p, t in each])

    def _like(self, vector: Tensor) -> list[Tensor]:
        """A vector [n] as tensors like the parameters."""
        parts = torch.split(vector, [p.numel() for p in self.setting.parameters])
        return [part.view_as(p).to(p.dtype) for p, part in zip(self.setting.parameters, parts, strict=True)]

    def _write(self, vector: Tensor) -> None:
        for parameter, values in zip(self.setting.parameters, self._like(vector), strict=True):
            parameter.copy_(values)

    # -------------------------------------------------------------------------------------------------- an update

    def _update(self, problem: Problem) -> Tensor:
        group, kept = self.param_groups[0], self._kept
        decay, theta = float(group["weight_decay"]), self._vector(self.setting.parameters)
        loss, gradients = problem.start()
        value = float(loss) + decay / 2 * float(theta @ theta)

        def objective(new: Tensor) -> float:
            self._write(new)
            return problem.value() + decay / 2 * float(new @ new)

        def product(v: Tensor, damping: float) -> Tensor:
            return self._vector(problem.product(self._like(v), damping)) + decay * v

        settings = Settings(group["iterations"], group["decay"], group["progress"], lower=group["lower"])
        try:
            gradient = self._vector(gradients) + decay * theta
            solution = kept["solution"]
            before = State(kept["damping"], None if solution is None else solution.to(theta))
            found = update(theta, value, gradient, objective, product, before, settings)
        except BaseException:
            self._write(theta)
            raise
        self._write(found.theta)
        kept["damping"], kept["solution"] = found.state.damping, found.state.solution
        self.last = found
        return loss


def _damped(module: Any, damp: Mapping[str, float], distance: str) -> dict[str, float]:
    """The weights of structural damping, checked."""
    if not damp:
        return {}
    if not hasattr(module, "curvature"):
        raise UsageError("HessianFree: structural damping is for the modules of Spec.module")
    structural.is_matching(distance)
    structural.weights(module.model.interface, damp)
    return {name: float(mu) for name, mu in damp.items()}
