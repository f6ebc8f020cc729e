"""The source of the choices of a random spec: Hypothesis, which can shrink them, or a seeded generator."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, Protocol, TypeVar

X = TypeVar("X")


class Choices(Protocol):
    """Makes the choices of a spec; the simplest choice is 0."""

    def number(self, below: int) -> int:
        """A whole number from 0."""

    def span(self, write: Callable[[], X]) -> X:
        """What `write` writes, as one piece that can be left out or replaced when an example is shrunk."""

    def several(self, write: Callable[[], X], most: int) -> list[X]:
        """As many pieces as are drawn."""


class Drawn:
    """The choices of Hypothesis."""

    def __init__(self, draw: Callable[[Any], Any]) -> None:
        from hypothesis import strategies

        self._draw, self._st = draw, strategies

    def number(self, below: int) -> int:
        """See `Choices`."""
        found: int = self._draw(self._st.integers(0, below - 1)) if below > 1 else 0
        return found

    def span(self, write: Callable[[], X]) -> X:
        """See `Choices`."""
        found: X = self._draw(self._st.builds(write))
        return found

    def several(self, write: Callable[[], X], most: int) -> list[X]:
        """See `Choices`."""
        found: list[X] = self._draw(self._st.lists(self._st.builds(write), max_size=most))
        return found


class Dice:
    """Choices that depend only on a seed, not on the version of Hypothesis."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def number(self, below: int) -> int:
        """See `Choices`."""
        return int(self._random.random() * below)

    def span(self, write: Callable[[], X]) -> X:
        """See `Choices`."""
        return write()

    def several(self, write: Callable[[], X], most: int) -> list[X]:
        """See `Choices`."""
        return [write() for _ in range(self.number(most + 1))]
