"""Pairs the members of two lists at the least cost; members may stay unpaired."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

Pairs: TypeAlias = tuple[tuple[int | None, int | None], ...]
"""Positions in both lists; None for the partner of an unpaired member."""


def assignment(costs: Sequence[Sequence[int]], left: Sequence[int], right: Sequence[int]) -> tuple[int, Pairs]:
    """The least total cost and the pairs that have it, by the Hungarian method (Kuhn 1955).

    `costs[i][j]` is the cost of a pair; `left` and `right` have the costs of unpaired members.
    """
    n, m = len(left), len(right)
    size = n + m
    table = [[*row, *[left[i]] * n] for i, row in enumerate(costs)] + [[*right, *[0] * n] for _ in range(m)]
    columns = _solved(table, size)
    total = sum(table[i][j] for i, j in enumerate(columns))
    pairs = [(i, j if j < m else None) for i, j in enumerate(columns[:n])]
    alone = [(None, j) for j in columns[n:] if j < m]
    return total, (*pairs, *sorted(alone, key=lambda pair: pair[1]))


def _solved(table: Sequence[Sequence[int]], size: int) -> list[int]:
    """The column of each row of a square table; rows enter one by one, along shortest augmenting paths."""
    rows, columns = [0] * (size + 1), [0] * (size + 1)  # the dual variables
    owner, way = (
        [0] * (size + 1),
        [0] * (size + 1),
    )  # the row of each column, 0 for none; the column before it on the path
    for row in range(1, size + 1):
        owner[0], at = row, 0
        least: list[float] = [float("inf")] * (size + 1)
        used = [False] * (size + 1)
        while owner[at]:
            used[at] = True
            for j in range(1, size + 1):
                cost = table[owner[at] - 1][j - 1] - rows[owner[at]] - columns[j]
                if not used[j] and cost < least[j]:
                    least[j], way[j] = cost, at
            step, after = min((least[j], j) for j in range(1, size + 1) if not used[j])
            for j in range(size + 1):
                if used[j]:
                    rows[owner[j]] += int(step)
                    columns[j] -= int(step)
                else:
                    least[j] -= step
            at = after
        while at:
            owner[at], at = owner[way[at]], way[at]
    out = [0] * size
    for j in range(1, size + 1):
        out[owner[j] - 1] = j - 1
    return out
