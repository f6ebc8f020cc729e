"""Finds the dimensions of a spec from the shapes of given arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from recurrency.errors import UsageError
from recurrency.graph.dimensions import Poly
from recurrency.language.elaboration.elaborate import Elaborated, check
from recurrency.model.spec import Spec, together

if TYPE_CHECKING:
    from recurrency.model.model import Model


def compiled(target: Any) -> tuple[Spec, Model | None]:
    """The spec of a target (a `Spec`, a `Model`, or a module of `Spec.module`), and its model if it has one.

    Raises:
        UsageError: the target is something else.
    """
    model = target if hasattr(target, "programs") else getattr(target, "model", None)
    if isinstance(target, Spec):
        return target, None
    if model is not None and isinstance(getattr(model, "spec", None), Spec):
        return model.spec, model
    raise UsageError(f"a spec, a compiled model or a module of one is needed, not {type(target).__name__}")


def by_parameters(target: Any, shapes: Mapping[str, tuple[int, ...]], dimensions: Mapping[str, Any]) -> Elaborated:
    """The cell whose parameters have these shapes."""
    spec, model = compiled(target)
    if model is not None:
        return _of(model, dimensions)
    known = check(spec.definition).parameters
    pairs = [(known[name].shape, shape) for name, shape in shapes.items() if name in known]
    return spec.elaborate(**{**_solved(spec, pairs), **together(dimensions)})


def by_ports(target: Any, inputs: int, outputs: int, dimensions: Mapping[str, Any]) -> Elaborated:
    """The cell whose first input and first output are vectors of these sizes."""
    spec, model = compiled(target)
    if model is not None:
        return _of(model, dimensions)
    known = check(spec.definition)
    ports = [*known.inputs.values()][:1], [*known.outputs.values()][:1]
    pairs = [(type_.shape, (size,)) for side, size in zip(ports, (inputs, outputs), strict=True) for type_ in side]
    return spec.elaborate(**{**_solved(spec, pairs), **together(dimensions)})


def _of(model: Model, dimensions: Mapping[str, Any]) -> Elaborated:
    if together(dimensions):
        raise UsageError(f"{model.spec.name} is compiled already; leave {', '.join(together(dimensions))} out")
    return model.programs.elaborated


def _solved(spec: Spec, pairs: Iterable[tuple[tuple[Any, ...], tuple[int, ...]]]) -> dict[str, int]:
    """The dimensions that follow from pairs of symbolic and numeric shapes, by solving for one name at a time."""
    names = {dimension.name for dimension in spec.cell.dimensions}
    sizes = [(size, n) for shape, numbers in pairs for size, n in zip(shape, numbers, strict=False)]
    found: dict[str, int] = {}
    for _ in names:
        for size, number in sizes:
            if isinstance(size, Poly):
                found |= {name: n for name, n in _solution(size, number, found) if name in names}
    return found


def _solution(size: Poly, number: int, known: Mapping[str, int]) -> list[tuple[str, int]]:
    """The value of the only unknown name of an equation such as `4 * H + N = 23`, if it is a positive whole number."""
    unknown = [(letters, factor) for letters, factor in size.terms if not set(letters) <= set(known)]
    rest = number - sum(
        factor * prod(known[name] for name in letters)
        for letters, factor in size.terms
        if (letters, factor) not in unknown
    )
    if len(unknown) != 1 or len(unknown[0][0]) != 1 or rest % unknown[0][1]:
        return []
    ((name,), factor) = unknown[0]
    return [(name, rest // factor)] if rest // factor > 0 else []
