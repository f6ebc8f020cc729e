"""Merges members of a family that have the same role: nine gates become three nodes, one for each layer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from recurrency.language.elaboration.definitions import Key
from recurrency.pictures.sketching.flow import Equation, Use


@dataclass(frozen=True)
class Group:
    """Members that differ in one index; `index` is its name, `numbers` are its first and last value."""

    members: tuple[Key, ...]
    index: str
    numbers: tuple[int, int]


def find_groups(
    equations: Iterable[Equation],
    reads: Mapping[Key, frozenset[Use]],
    label: Callable[[Equation, str], str],
) -> list[Group]:
    """Groups of equations that have the same readers, read the same streams and differ in one index only.

    `label` prints an equation and leaves one index a letter.
    """
    readers: dict[Key, set[tuple[Key, int]]] = defaultdict(set)
    for reader, used in reads.items():
        for use in used:
            readers[use.key].add((reader, use.delay))
    alike: dict[object, list[tuple[int, Equation]]] = defaultdict(list)
    for equation in equations:
        name, numbers = equation.key
        for place, index in enumerate(equation.free):
            if index is not None and place < len(numbers):
                others = numbers[:place] + numbers[place + 1 :]
                part = (reads[equation.key], frozenset(readers[equation.key]))
                alike[name, place, others, part, label(equation, index)].append((numbers[place], equation))
    return _disjoint(alike.values())


def _disjoint(candidates: Iterable[list[tuple[int, Equation]]]) -> list[Group]:
    groups: list[Group] = []
    taken: set[Key] = set()
    for found in sorted(candidates, key=len, reverse=True):
        numbers = sorted(n for n, _ in found)
        members = tuple(i.key for _, i in sorted(found, key=lambda pair: pair[0]))
        gapless = numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        if len(found) < 2 or not gapless or taken.intersection(members):
            continue
        first = found[0][1]
        index = next(f for f in first.free if f is not None and _varies(f, first, members))
        groups.append(Group(members, index, (numbers[0], numbers[-1])))
        taken.update(members)
    return groups


def _varies(index: str, equation: Equation, members: tuple[Key, ...]) -> bool:
    place = equation.free.index(index)
    return len({numbers[place] for _, numbers in members}) > 1


def same_readers(delays: Mapping[Use, frozenset[Key]], loop: Mapping[Key, int]) -> list[tuple[Use, ...]]:
    """Groups of uses: members of one family with the same delay, in the same loop, with the same readers."""
    alike: dict[object, list[Use]] = defaultdict(list)
    for use, readers in delays.items():
        alike[use.key[0], use.delay, loop.get(use.key), readers].append(use)
    return [tuple(sorted(found, key=lambda u: u.key[1])) for found in alike.values()]
