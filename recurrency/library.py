"""The shipped cells: `recurrency.library.LSTM`, or by name `recurrency.library.spec("LSTM")`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recurrency.errors import UsageError, nearest
from recurrency.language.sources import library_index

if TYPE_CHECKING:
    from recurrency.model.spec import Spec


def names() -> list[str]:
    """The names of all shipped cells, in the order of their files."""
    return list(library_index())


def spec(name: str) -> Spec:
    """A shipped cell.

    Raises:
        UsageError: there is no shipped cell of that name.
    """
    from recurrency.errors import Source
    from recurrency.model.spec import from_source

    if name not in library_index():
        raise UsageError(_missing(name))
    path = library_index()[name]
    return from_source(Source(path.name, path.read_text(encoding="utf-8")), path, name)


def near(name: str) -> str | None:
    """The shipped cell with the spelling nearest to `name`, in any case."""
    by_letters = {n.lower(): n for n in names()}
    return by_letters.get(name.lower()) or by_letters.get(nearest(name.lower(), by_letters) or "")


def _missing(name: str) -> str:
    meant = near(name)
    return f"the library has no cell {name}; " + (f"did you mean {meant}?" if meant else f"it has {', '.join(names())}")


def __getattr__(name: str) -> Spec:
    if name.startswith("_"):
        raise AttributeError(name)
    if name not in library_index():
        raise AttributeError(_missing(name))
    return spec(name)


def __dir__() -> list[str]:
    return [*globals(), *names()]
