"""What the parameters of a network on PyTorch are called in its `state_dict`."""

from __future__ import annotations

from collections.abc import Iterable

LATER = frozenset({"parametrizations", "original"})
"""Names that PyTorch gives to children that it adds later."""


def keys_of(names: Iterable[str], outer: Iterable[str], inner: Iterable[str]) -> dict[str, str]:
    """The keys in `state_dict` of parameters, by their names in the specification.

    They are equal, but where a part of a name is an attribute of every module, `outer` of a network and `inner` of the
    cells in it, or begins with `_`, as what PyTorch keeps for itself does: then `_` stands behind it.
    """
    children: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        path = tuple(name.split("."))
        for k, part in enumerate(path):
            children.setdefault(path[:k], []).append(part)
    new = {path: _unlike(parts, {*(inner if path else outer), *LATER}) for path, parts in children.items()}
    found = {}
    for name in names:
        path = tuple(name.split("."))
        found[name] = ".".join(new[path[:k]][part] for k, part in enumerate(path))
    return found


def _unlike(parts: Iterable[str], taken: set[str]) -> dict[str, str]:
    """A key for each child of a module; the ordinary ones first, which are their own."""
    found: dict[str, str] = {}
    for part in sorted(set(parts), key=lambda part: (part in taken or part.startswith("_"), part)):
        key = part
        if part in taken or part.startswith("_"):
            key = (part.lstrip("_") or "value") + "_"
        while key in taken or key in found.values():
            key += "_"
        found[part] = key
    return found
