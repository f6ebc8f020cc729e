"""The shipped cells: `recurrency.library.LSTM`, or by name `recurrency.library.spec("LSTM")`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recurrency.errors import UsageError
from recurrency.language.modules import library_index, nearest

if TYPE_CHECKING:
    from recurrency.spec import Spec


def names() -> list[str]:
    """The names of all shipped cells, in the order of their files."""
    return list(library_index())


def spec(name: str) -> Spec:
    """A shipped cell.

    Raises:
        UsageError: there is none of that name.
    """
    from recurrency.spec import load

    if name not in library_index():
        near = nearest(name, names())
        raise UsageError(f"the library has no cell {name}" + (f"; did you mean {near}?" if near else ""))
    return load(library_index()[name], cell=name)


def __getattr__(name: str) -> Spec:
    if name.startswith("_") or name not in library_index():
        raise AttributeError(f"the library has no cell {name}")
    return spec(name)


def __dir__() -> list[str]:
    return [*globals(), *names()]
