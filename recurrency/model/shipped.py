"""The shipped cells by name."""

from __future__ import annotations

from recurrency.errors import Source, UsageError, nearest
from recurrency.language.sources import library_index
from recurrency.model.spec import Spec, from_source


def names() -> list[str]:
    """The names of all shipped cells, in the order of their files."""
    return list(library_index())


def spec(name: str) -> Spec:
    """A shipped cell.

    Raises:
        UsageError: there is no shipped cell of that name.
    """
    if name not in library_index():
        raise UsageError(missing(name))
    path = library_index()[name]
    return from_source(Source(path.name, path.read_text(encoding="utf-8")), path, name)


def near(name: str) -> str | None:
    """The shipped cell with the spelling nearest to `name`, in any case."""
    by_letters = {n.lower(): n for n in names()}
    return by_letters.get(name.lower()) or by_letters.get(nearest(name.lower(), by_letters) or "")


def missing(name: str) -> str:
    """The message for a name that no shipped cell has."""
    meant = near(name)
    return f"the library has no cell {name}; " + (f"did you mean {meant}?" if meant else f"it has {', '.join(names())}")
