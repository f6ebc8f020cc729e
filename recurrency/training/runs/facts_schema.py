"""The schema of facts.json, the description of its data in a run folder; it detects damaged files on reading."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

UNITS = ("characters", "words", "bytes")


def _symbols(value: Any) -> bool:
    return isinstance(value, list) and all(type(v) is str and v for v in value) and len(set(value)) == len(value)


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _positive(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < math.inf


def _numbers(value: Any) -> bool:
    return isinstance(value, list) and all(type(v) in (int, float) and abs(v) < math.inf for v in value)


def _of_each(kind: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A check for a mapping with one value for each input."""
    return lambda value: isinstance(value, dict) and all(map(kind, value.values()))


def _classes(value: Any) -> bool:
    """Texts, numbers or truth values, all of one type."""
    kinds = {type(v) for v in value} if isinstance(value, list) else set()
    return len(kinds) == 1 and kinds <= {str, int, float, bool} and len(set(value)) == len(value)


KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "vocabulary": (lambda v: _symbols(v) or _of_each(_symbols)(v), "different texts in a list, or such lists by name"),
    "unit": (lambda v: v in UNITS, f"one of {', '.join(UNITS)}"),
    "ends": (_of_each(lambda v: type(v) is str), "texts by name"),
    "labels": (_symbols, "different texts in a list"),
    "classes": (_classes, "different texts, numbers or truth values in a list"),
    "columns": (_whole, "a whole number"),
    "single": (lambda v: type(v) is bool, "true or false"),
    "lowest": (_whole, "a whole number"),
    "steps": (lambda v: _whole(v) and v > 0, "a whole number from 1 on"),
    "pace": (_positive, "a number above 0"),
    "scale": (lambda v: _numbers(v) and len(v) == 2, "two numbers in a list"),
    "mean": (_numbers, "numbers in a list"),
    "deviation": (_numbers, "numbers in a list"),
    "delay": (_whole, "a whole number"),
}
"""The check of each key, and what it must be; all keys are optional."""


def wrong_fact(facts: Mapping[str, Any]) -> str | None:
    """What is wrong with the first key that has a bad value; None if all are right."""
    for name, (sound, words) in KINDS.items():
        if name in facts and not sound(facts[name]):
            return f"{name} must be {words}"
    vocabulary = facts.get("vocabulary", {})
    for name, end in facts.get("ends", {}).items():
        known = vocabulary.get(name, ()) if isinstance(vocabulary, Mapping) else vocabulary
        if end and end not in known:
            return f"{end!r}, which ends {name}, is not in its vocabulary"
    return None
