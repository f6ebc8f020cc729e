"""Initial values of parameters, drawn by torch alone: the laws of `recurrency.language.vocabulary.initialisers`."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable

import torch
from torch import Generator, Tensor

Shape = tuple[int, ...]
Arguments = tuple[float, ...]
Draw = Callable[[Shape, Arguments, Generator], Tensor]


def _fans(shape: Shape) -> tuple[int, int]:
    """(fan_in, fan_out) of matrices [..., out, in], or of a vector [n], which is read as [1, n]."""
    return (shape[-1], shape[-2]) if len(shape) > 1 else (shape[0], 1)


def _mean_fan(shape: Shape) -> float:
    return sum(_fans(shape)) / 2


def _fan_in(shape: Shape) -> float:
    return _fans(shape)[0]


def _uniform(bound: float, shape: Shape, generator: Generator) -> Tensor:
    return (2 * torch.rand(shape, generator=generator, dtype=torch.float64, device="cpu") - 1) * bound


def _normal(deviation: float, shape: Shape, generator: Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu") * deviation


def _uniform_by(gain: float, fan: Callable[[Shape], float]) -> Draw:
    """U(-b, b) with variance `gain / fan`."""
    return lambda shape, _, generator: _uniform(math.sqrt(3 * gain / max(1.0, fan(shape))), shape, generator)


def _normal_by(gain: float, fan: Callable[[Shape], float]) -> Draw:
    """N(0, gain / fan)."""
    return lambda shape, _, generator: _normal(math.sqrt(gain / max(1.0, fan(shape))), shape, generator)


def _stacked(draw: Draw) -> Draw:
    """Draws each matrix [out, in] of a stack."""

    def each(shape: Shape, arguments: Arguments, generator: Generator) -> Tensor:
        count = math.prod(shape[:-2])
        return torch.stack([draw(shape[-2:], arguments, generator) for _ in range(count)]).reshape(shape)

    return each


def _orthogonal(shape: Shape, arguments: Arguments, generator: Generator) -> Tensor:
    q, r = torch.linalg.qr(_normal(1.0, (max(shape), min(shape)), generator))
    q = q * torch.where(r.diagonal() < 0, -1.0, 1.0)  # makes it uniform (Mezzadri 2007, section 5)
    out: Tensor = arguments[0] * (q if shape[0] >= shape[1] else q.T)
    return out


def _sparse(shape: Shape, arguments: Arguments, generator: Generator) -> Tensor:
    columns = shape[1]
    chosen = torch.rand(shape, generator=generator, device="cpu").argsort(1)[:, : min(int(arguments[0]), columns)]
    values = _normal(arguments[1], tuple(chosen.shape), generator)
    return torch.zeros(shape, dtype=torch.float64, device="cpu").scatter_(1, chosen, values)


def _full(value: float, shape: Shape) -> Tensor:
    return torch.full(shape, value, dtype=torch.float64, device="cpu")


DRAWS: dict[str, Draw] = {
    "zeros": lambda shape, a, generator: _full(0.0, shape),
    "ones": lambda shape, a, generator: _full(1.0, shape),
    "constant": lambda shape, a, generator: _full(float(a[0]), shape),
    "uniform": lambda shape, a, generator: _uniform(a[0], shape, generator),
    "between": lambda shape, a, generator: (a[0] + a[1]) / 2 + _uniform((a[1] - a[0]) / 2, shape, generator),
    "normal": lambda shape, a, generator: a[0] + _normal(a[1], shape, generator),
    "glorot_uniform": _uniform_by(1.0, _mean_fan),
    "glorot_normal": _normal_by(1.0, _mean_fan),
    "he_uniform": _uniform_by(2.0, _fan_in),
    "he_normal": _normal_by(2.0, _fan_in),
    "lecun_uniform": _uniform_by(1.0, _fan_in),
    "lecun_normal": _normal_by(1.0, _fan_in),
    "standard_uniform": _uniform_by(1 / 3, _fan_in),
    "orthogonal": _stacked(_orthogonal),
    "identity": _stacked(lambda shape, a, generator: a[0] * torch.eye(shape[0], dtype=torch.float64, device="cpu")),
    "sparse": _stacked(_sparse),
}
"""Initialiser -> the function that draws values, on the host in float64."""


def drawn(name: str, initialiser: str, arguments: Arguments, shape: Shape, seed: int) -> Tensor:
    """The initial value of a parameter: it depends on nothing but the seed and the parameter's name."""
    digest = hashlib.sha256(f"{seed}\0{name}".encode()).digest()
    generator = Generator("cpu").manual_seed(int.from_bytes(digest[:7], "little"))
    return DRAWS[initialiser](shape, arguments, generator)
