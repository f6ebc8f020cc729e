"""Strict reading of tables of TOML: unknown keys, wrong types and sizes out of bounds are named with their place."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from recurrency.errors import UsageError, nearest_hint

MOST_TEXT = 2000
"""The most characters of a text."""
MOST_ITEMS = 200
"""The most items of a list."""


@dataclass(frozen=True)
class Fields:
    """One table of a file; `where` names both in messages."""

    table: Mapping[str, Any]
    where: str

    def wrong(self, words: str) -> UsageError:
        """The error that something is wrong here."""
        return UsageError(f"{self.where}: {words}")

    def only(self, known: Iterable[str]) -> None:
        """Refuse keys that are not known.

        Raises:
            UsageError: there is one (with the nearest known key).
        """
        known = list(known)
        for key in self.table:
            if key not in known:
                raise self.wrong(f"there is no key {key}; there are {', '.join(known)}{nearest_hint(key, known)}")

    def text(self, key: str, default: str | None = None) -> str:
        """A text; without a default it is needed.

        Raises:
            UsageError: it is missing, no text, empty or too long.
        """
        found = self.table.get(key, default)
        if found is None:
            raise self.wrong(f"the key {key} is missing")
        if not isinstance(found, str) or "\0" in found or (not found.strip() and found != default):
            raise self.wrong(f"{key} must be a text, not {found!r}")
        if len(found) > MOST_TEXT:
            raise self.wrong(f"{key} has {len(found)} characters; {MOST_TEXT} are the most")
        return found

    def number(self, key: str, least: float = -math.inf, above: bool = False) -> float | None:
        """A finite number of at least `least`, or greater than it; None if it is not given.

        Raises:
            UsageError: it is something else.
        """
        found = self.table.get(key)
        return None if found is None else self._number(found, key, least, above)

    def _number(self, found: Any, key: str, least: float, above: bool) -> float:
        if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
            raise self.wrong(f"{key} must be a number, not {found!r}")
        if not (found > least if above else found >= least):
            raise self.wrong(f"{key} must be {'more than' if above else 'at least'} {least:g}, not {found}")
        return found

    def whole(self, key: str, default: int, least: int, most: int) -> int:
        """A whole number within bounds.

        Raises:
            UsageError: it is something else.
        """
        found = self.table.get(key, default)
        if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
            raise self.wrong(f"{key} must be a whole number from {least} to {most}, not {found!r}")
        return found

    def flag(self, key: str) -> bool:
        """Whether a switch is true; false if it is not given.

        Raises:
            UsageError: it is something else.
        """
        found = self.table.get(key, False)
        if not isinstance(found, bool):
            raise self.wrong(f"{key} must be true or false, not {found!r}")
        return found

    def items(self, key: str, needed: bool = False) -> list[Any]:
        """A list; empty if it is not given and not `needed`.

        Raises:
            UsageError: it is no list, or has too many items, or none where it is needed.
        """
        found = self.table.get(key, [])
        if not isinstance(found, list) or len(found) > MOST_ITEMS:
            raise self.wrong(f"{key} must be a list of at most {MOST_ITEMS} items")
        if not found and (needed or key in self.table):
            raise self.wrong(f"{key} must be a list that is not empty")
        return found

    def numbers(self, key: str, least: float) -> tuple[float, ...]:
        """A list of different numbers greater than `least`."""
        found = tuple(self._number(item, f"each of {key}", least, True) for item in self.items(key))
        return self._different(found, key)

    def wholes(self, key: str) -> tuple[int, ...]:
        """A list of different whole numbers, 0 or more."""
        found = tuple(self.items(key))
        if any(isinstance(item, bool) or not isinstance(item, int) or not 0 <= item < 1 << 32 for item in found):
            raise self.wrong(f"{key} must be whole numbers of at least 0, not {list(found)!r}")
        return self._different(found, key)

    def texts(self, key: str, needed: bool = False) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(Fields({key: item}, self.where).text(key) for item in self.items(key, needed))

    def part(self, key: str) -> Fields:
        """A table in this one; empty if it is not given.

        Raises:
            UsageError: it is something else.
        """
        found = self.table.get(key, {})
        if not isinstance(found, dict):
            raise self.wrong(f"{key} must be a table, not {found!r}")
        return Fields(found, f"{self.where}, {key}")

    def parts(self, key: str, needed: bool = False) -> list[Fields]:
        """A list of tables, `[[key]]`; each is called by its name in messages, else by its number.

        Raises:
            UsageError: it is something else.
        """
        found = self.items(key, needed)
        if any(not isinstance(item, dict) for item in found):
            raise self.wrong(f"{key} must be a list of tables: [[{key}]]")
        names = [item.get("name", number) for number, item in enumerate(found, 1)]
        return [Fields(item, f"{self.where}, {key} {name}") for item, name in zip(found, names, strict=True)]

    def like(self, defaults: Mapping[str, Any], beside: Iterable[str] = ()) -> dict[str, Any]:
        """All `defaults`, with the values that are given here; the table may also have the keys `beside`.

        Raises:
            UsageError: there is another key, or a value has another type than its default.
        """
        self.only([*beside, *defaults])
        given = {key: value for key, value in self.table.items() if key in defaults}
        for key, value in given.items():
            if type(value) is not type(defaults[key]):
                raise self.wrong(f"{key} must be like {defaults[key]!r}, not {value!r}")
        return {**defaults, **given}

    def _different(self, found: tuple[Any, ...], key: str) -> tuple[Any, ...]:
        if len(set(found)) < len(found):
            raise self.wrong(f"{key} has a number twice: {list(found)!r}")
        return found
