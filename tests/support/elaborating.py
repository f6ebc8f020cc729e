"""What the tests of the elaborator share: small specs, elaborated and evaluated by the interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np

import recurrency as rc
from recurrency.errors import Diagnostic, SpecError
from recurrency.graph.interpreter import evaluate
from recurrency.graph.verify import verify
from recurrency.language.elaboration.elaborate import Elaborated

T, B = 5, 3


def elaborated(text: str, **dimensions: Any) -> Elaborated:
    """The graph of the last cell of a text, verified."""
    result = rc.parse(text).elaborate(**dimensions)
    verify(result.graph)
    return result


def arrays(result: Elaborated, seed: int = 0) -> dict[str, Any]:
    """Random parameters and inputs (symbols where there are symbols), the same for the same names and sizes."""
    out: dict[str, Any] = {}
    for name, info in result.parameters.items():
        out[name] = _random(name, seed).normal(size=tuple(int(d) for d in info.shape))
    for name, type_ in result.inputs.items():
        shape = (T, B, *(int(d) for d in type_.shape))
        random = _random(name, seed)
        out[name] = random.normal(size=shape) if type_.index is None else random.integers(0, type_.index, shape)
    return out


def _random(name: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, *name.encode()])


def run(
    text: str, given: dict[str, Any] | None = None, options: dict[str, Any] | None = None, **dimensions: Any
) -> Any:
    """All results of a text on random arrays: `run(...)["output:y"]`; `given` replaces some of them."""
    result = elaborated(text, **dimensions)
    return evaluate(result.graph, {**arrays(result), **(given or {})}, **(options or {}))


def same(one: str, other: str, names: str = "y", **dimensions: Any) -> bool:
    """Whether two texts give the same numbers for some streams, from the same arrays."""
    first, second = run(one, **dimensions), run(other, **dimensions)
    return all(np.allclose(first[f"stream:{n}"], second[f"stream:{n}"]) for n in names.split())


def mistakes(text: str) -> tuple[Diagnostic, ...]:
    """What is wrong with a text."""
    try:
        rc.parse(text).check()
    except SpecError as error:
        return error.diagnostics
    return ()


def numbers(text: str) -> list[int]:
    """The numbers of the diagnostics of a text."""
    return [d.number for d in mistakes(text)]


def cell(*lines: str, header: str = "Small[N, H](x: [N]) -> (y: [N])") -> str:
    """A cell with these lines as its body."""
    return f"cell {header} {{\n    " + "\n    ".join(lines) + "\n}\n"
