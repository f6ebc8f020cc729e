"""The keys of a network's parameters in its `state_dict`."""

from __future__ import annotations

from collections.abc import Iterable

FLAT = "flat_param"
"""The key of the vector of all parameters, where that is the only one."""

LATER = frozenset({"parametrizations", "original", FLAT})
"""Names of children that may be added later."""


def keys_of(names: Iterable[str], outer: Iterable[str], inner: Iterable[str]) -> dict[str, str]:
    """Name of a parameter in the specification -> its key in `state_dict`.

    The key is the name, unless a part of it is an attribute of every module (`outer`: of a network, `inner`: of the
    cells within it) or begins with `_`, as PyTorch's private names do. Such a part ends in `_` in the key.
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
    """A key for each child of a module; ordinary names, which are their own keys, come first."""
    found: dict[str, str] = {}
    for part in sorted(set(parts), key=lambda part: (part in taken or part.startswith("_"), part)):
        key = part
        if part in taken or part.startswith("_"):
            key = (part.lstrip("_") or "value") + "_"
        while key in taken or key in found.values():
            key += "_"
        found[part] = key
    return found
