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


def _bernoulli(shape: Shape, arguments: Arguments, generator: Generator) -> Tensor:
    chosen = torch.rand(shape, generator=generator, dtype=torch.float64, device="cpu") < arguments[0]
    return chosen.to(torch.float64)


def _scaled(x: Tensor, arguments: Arguments) -> Tensor:
    """Square matrices with another spectral radius."""
    radius = torch.linalg.eigvals(x).abs().amax(-1)[..., None, None]
    if not (radius > 1e-12 * x.abs().amax((-2, -1), keepdim=True)).all():
        raise ValueError("all eigenvalues of what was drawn are 0, so it can't be scaled to a spectral radius")
    out: Tensor = x * (arguments[0] / radius)
    return out


def _chrono(shape: Shape, arguments: Arguments, generator: Generator) -> Tensor:
    longest, sign = arguments[:2]
    return sign * torch.log(longest / 2 + _uniform(longest / 2 - 1, shape, generator))


def _hippo(shape: Shape, arguments: Arguments, generator: Generator) -> Tensor:
    """A (a matrix) or B (a vector) of legs, legt or lagt (Gu, Dao, Ermon, Rudra and Ré 2020)."""
    kind, n = int(arguments[0]), torch.arange(shape[0], dtype=torch.float64, device="cpu")
    odd, sign = 2 * n + 1, (-1.0) ** n
    if len(shape) == 1:
        return [odd.sqrt(), odd * sign, torch.ones_like(n)][kind]
    if kind == 0:
        return -(torch.outer(odd, odd).sqrt().tril(-1) + torch.diag(n + 1))
    below = torch.ones(shape, dtype=torch.float64, device="cpu").tril()
    return -odd[:, None] * (1 - below + below * torch.outer(sign, sign)) if kind == 1 else -below


def _dirac(shape: Shape, arguments: Arguments, generator: Generator) -> Tensor:
    out = _full(0.0, shape)
    middle = tuple(size // 2 for size in shape[2:])
    for k in range(min(shape[:2])):
        out[(k, k, *middle)] = 1.0
    return out


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
    "bernoulli": _bernoulli,
    "spectral": lambda shape, a, generator: _scaled(_normal(1.0, shape, generator), a),
    "chrono": _chrono,
    "hippo": _hippo,
    "dirac": _dirac,
}
"""Initialiser -> the function that draws values, on the host in float64."""


RESCALES: dict[str, Callable[[Tensor, Arguments], Tensor]] = {"spectral": _scaled}
"""The initialisers that, as factors, rescale what is drawn before them."""
COUNTS = {
    **dict.fromkeys(("constant", "uniform", "orthogonal", "identity", "bernoulli", "spectral", "hippo"), 1),
    **dict.fromkeys(("between", "normal", "sparse", "chrono"), 2),
}
"""How many arguments each has, if any."""


def drawn(name: str, initialiser: str, arguments: Arguments, shape: Shape, seed: int) -> Tensor:
    """The initial value of a parameter: it depends on nothing but the seed and the parameter's name."""
    digest = hashlib.sha256(f"{seed}\0{name}".encode()).digest()
    generator = Generator("cpu").manual_seed(int.from_bytes(digest[:7], "little"))
    first, *rest = initialiser.split(" * ")
    result = DRAWS[first](shape, arguments, generator)
    arguments = arguments[COUNTS.get(first, 0) :]
    for factor in rest:
        if factor in RESCALES:
            result = RESCALES[factor](result, arguments)
        else:
            result = result * DRAWS[factor](shape, arguments, generator)
        arguments = arguments[COUNTS.get(factor, 0) :]
    return result
