"""The flat vector that holds all parameters of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.errors import ShapeError
from recurrency.language.vocabulary.initialisers import initial_values
from recurrency.model.arrays import as_array, converted, whole_seed
from recurrency.model.interface import Interface

if TYPE_CHECKING:
    from recurrency.graph.op import Array


def checked_vector(interface: Interface, vector: Any, what: str = "params") -> Array:
    """One number for each element of the parameters, [size], of any real or integer dtype.

    Raises:
        ShapeError: `vector` is something else; the message calls it `what`.
    """
    array = as_array(what, vector)
    if array.shape != (interface.size,) or array.dtype.kind not in "fiu":
        found, hint = f"{array.dtype.name} {list(array.shape)}", "(see init and pack)"
        raise ShapeError(f"{what} is {found}; {interface.name} has one vector of {interface.size} numbers {hint}")
    return array


def flat(interface: Interface, vector: Any, what: str = "params") -> Array:
    """A checked vector, contiguous and in the model's dtype; the same array where it is so already."""
    ready = vector.__class__ is np.ndarray and vector.dtype is interface.real and vector.shape == (interface.size,)
    if ready and vector.flags.c_contiguous:
        found: Array = vector
        return found
    return np.ascontiguousarray(checked_vector(interface, vector, what), interface.real)


def initial(interface: Interface, seed: Any) -> Array:
    """Initial values of all parameters, [size]."""
    return pack(interface, initial_values(interface.parameters.values(), whole_seed(seed)))


def pack(interface: Interface, arrays: Mapping[str, Any]) -> Array:
    """The flat vector of parameters that are given by name.

    Raises:
        ShapeError: a parameter is missing, unknown, or of another shape.
    """
    name = interface.name
    wrong = [f"no {n}" for n in interface.parameters if n not in arrays]
    wrong += [f"an unknown {n}" for n in arrays if n not in interface.parameters]
    if wrong:
        known = ", ".join(interface.parameters) or "none"
        raise ShapeError(f"the parameters of {name} are {known}; given are {' and '.join(wrong)}")
    vector = np.empty(interface.size, interface.real)
    for parameter, view in interface.views(vector).items():
        array = converted(parameter, arrays[parameter], None, interface.real)
        if array.shape != view.shape:
            raise ShapeError(f"{parameter} is {list(array.shape)}; {name} was compiled for {list(view.shape)}")
        view[...] = array
    return vector
