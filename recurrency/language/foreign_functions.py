"""Functions of other libraries that are functions of the language under the same name."""

from __future__ import annotations

from typing import Any

from recurrency.errors import UsageError

LIBRARIES = ("torch", "numpy", "math", "jax")
"""The packages whose functions are known."""
SAME = frozenset("abs cos exp log log_softmax relu sigmoid sign silu sin softmax softplus sqrt square tanh".split())
"""The names that mean the same there; `gelu` and `hardsigmoid`, for example, have another formula."""


def named_here(dimension: str, function: Any) -> str:
    """The name in the language of a function of PyTorch, NumPy, JAX or Python.

    Raises:
        UsageError: there is no function that is the same.
    """
    name = str(getattr(function, "__name__", function))
    module = str(getattr(function, "__module__", None) or type(function).__module__)
    if name in SAME and module.split(".")[0].lstrip("_") in LIBRARIES:
        return name
    raise UsageError(
        f'{dimension}: {name} is not known to be a function of the language; name one, such as {dimension}="tanh", '
        "or define it in the spec: fn mine(x) = ..."
    )
