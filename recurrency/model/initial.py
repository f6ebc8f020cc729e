"""Initial values of parameters that differ from those of the spec, by the names of the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from recurrency.errors import SpecError, UsageError
from recurrency.graph.op import Array
from recurrency.language.vocabulary.initialisers import initial_values
from recurrency.model.interface import Parameter
from recurrency.model.spec import parse

if TYPE_CHECKING:
    from recurrency.model.model import Model


def initialised(model: Model, seed: int, instead: Mapping[str, str]) -> Array:
    """Initial values of all parameters, [size], as the spec says, but for those in `instead`.

    `instead` has initialisers of the language by name (`y.Cell.U`) or pattern (`*.U`, `l[2].*`); of several patterns
    that fit a parameter, the last one counts. A draw depends on the seed and the parameter's name, as in `Model.init`.

    Raises:
        UsageError: a pattern matches no parameter, or its text is no initialiser for the shape of one.
    """
    params = model.init(seed)
    views = model.views(params)
    for name, values in initial_values(redrawn(model, instead), seed).items():
        views[name][...] = values
    return params


def redrawn(model: Model, instead: Mapping[str, str]) -> list[Parameter]:
    """The parameters that `instead` initialises, with their initialisers; it raises what `initialised` does."""
    chosen: dict[str, str] = {}
    for pattern, text in instead.items():
        chosen |= dict.fromkeys(model.interface.matching("parameter", pattern, model.parameters), text)
    return [_read(model, name, text) for name, text in chosen.items()]


def _read(model: Model, name: str, text: str) -> Parameter:
    """A parameter of the model, with the initialiser that `text` names."""
    own = model.parameters[name]
    cell = f"cell P(x: []) -> (y: []) {{\n    param W : {list(own.shape)} ~ {text}\n    y = x\n}}\n"
    try:
        if len(text.splitlines()) != 1:
            raise UsageError("an initialiser is one line of text")
        spec = parse(cell, "--init")
        spec.check()
        return replace(own, initialiser=spec.elaborate().parameters["W"].initialiser)
    except (SpecError, UsageError) as error:
        raise UsageError(f"{name} {list(own.shape)} can't be drawn by {text}:\n{error}") from error
