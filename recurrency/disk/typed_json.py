"""Typed JSON: numbers, strings, tuples, mappings, and dataclasses made of them, as text and back.

The expected type decides what a text may hold. Only objects that it names are created, so a text can't run code, and
what does not match is refused.
"""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

SCALARS = (int, float, bool, str, type(None))
TAGS = {"tuple": tuple, "list": list, "frozenset": frozenset}
"""Sequences by their tag, where the expected type is `Any`."""


class MisfitError(ValueError):
    """A text does not hold a value of the expected type."""


def dumps(value: object) -> str:
    """A value as text.

    Raises:
        TypeError: it holds something other than plain data.
    """
    return json.dumps(_written(value), separators=(",", ":"))


def loads(wanted: Any, text: str | bytes) -> Any:
    """The value of the type `wanted` that `dumps` wrote.

    Raises:
        MisfitError: the text holds something else.
    """
    try:
        return _read(wanted, json.loads(text))
    except MisfitError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MisfitError(str(error)) from error


def _written(value: Any) -> Any:
    kind = type(value)
    if kind in SCALARS:
        return value
    if kind in (tuple, list, frozenset):
        items = sorted(value) if kind is frozenset else value
        return {kind.__name__: [_written(item) for item in items]}
    if isinstance(value, Mapping):
        return {"table": [[_written(key), _written(item)] for key, item in value.items()]}
    if isinstance(value, Enum):
        return {"name": value.name}
    if dataclasses.is_dataclass(value):
        return {"fields": [_written(getattr(value, field.name)) for field in dataclasses.fields(value)]}
    if isinstance(value, tuple):  # with names
        return {"fields": [_written(item) for item in value]}
    raise TypeError(f"{kind.__name__} is no plain data")


def _read(wanted: Any, found: Any) -> Any:
    """The value of the type `wanted` in parsed JSON."""
    if wanted is Any:
        return _anything(found)
    if wanted in SCALARS or wanted is None:
        return _scalar(wanted, found)
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType):
        return _either(wanted, found)
    if origin is Literal:
        return next(one for one in get_args(wanted) if type(one) is type(found) and one == found)
    if origin is tuple:
        return _tuple(get_args(wanted), _only(found, "tuple"))
    if origin in (list, frozenset):
        return origin(_read(get_args(wanted)[0], item) for item in _only(found, origin.__name__))
    if origin is dict or (isinstance(origin, type) and issubclass(origin, Mapping)):
        of_key, of_item = get_args(wanted)
        return {_read(of_key, key): _read(of_item, item) for key, item in _only(found, "table")}
    if isinstance(wanted, type) and issubclass(wanted, Enum):
        return wanted[_only(found, "name")]
    return _record(wanted, _only(found, "fields"))


def _only(found: Any, tag: str) -> Any:
    if not isinstance(found, dict) or list(found) != [tag]:
        raise MisfitError(f"no {tag}")
    return found[tag]


def _scalar(wanted: Any, found: Any) -> Any:
    wanted = type(None) if wanted is None else wanted
    if wanted is float and type(found) is int:
        return found
    if type(found) is not wanted:
        raise MisfitError(f"no {wanted.__name__}: {found!r}")
    return found


def _either(wanted: Any, found: Any) -> Any:
    for one in get_args(wanted):
        try:
            return _read(one, found)
        except (MisfitError, TypeError, ValueError, KeyError):
            continue
    raise MisfitError(f"none of {wanted}")


def _tuple(kinds: tuple[Any, ...], items: list[Any]) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is ...:
        return tuple(_read(kinds[0], item) for item in items)
    if kinds == ((),):
        kinds = ()
    return tuple(_read(kind, item) for kind, item in zip(kinds, items, strict=True))


def _record(wanted: Any, items: list[Any]) -> Any:
    values = [_read(kind, item) for kind, item in zip(_fields(wanted), items, strict=True)]
    return wanted(*values)


@cache
def _fields(wanted: Any) -> tuple[Any, ...]:
    """The types of the fields, in order."""
    hints = get_type_hints(wanted)
    if dataclasses.is_dataclass(wanted):
        return tuple(hints[field.name] for field in dataclasses.fields(wanted))
    if names := getattr(wanted, "_fields", None):
        return tuple(hints[name] for name in names)
    raise MisfitError(f"{wanted!r} is no plain data")


def _anything(found: Any) -> Any:
    """Scalars, sequences and mappings, with any content."""
    if isinstance(found, dict):
        (tag, items), *_ = found.items()
        if tag == "table":
            return {_anything(key): _anything(item) for key, item in items}
        return TAGS[tag](map(_anything, items))
    if isinstance(found, list):
        raise MisfitError("a list without a tag")
    return found
