"""Names of roots and sources: a group and a name, as in `final:h`. Groups nest: `gradient:start:h`, `d:output:y`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

V = TypeVar("V")


@dataclass(frozen=True)
class Group:
    """Values of one kind; all their names begin with `prefix`."""

    prefix: str

    def of(self, name: object) -> str:
        """The text of a name in this group: `FINAL.of("h")` is `final:h`."""
        return f"{self.prefix}{name}"

    def nested(self, inner: Group) -> Group:
        """The names of another group within this one: `gradient:start:`."""
        return Group(self.of(inner.prefix))

    def has(self, text: str) -> bool:
        """Whether a text is a name in this group."""
        return text.startswith(self.prefix)

    def name(self, text: str) -> str:
        """A name without the group: `FINAL.name("final:h")` is `h`. A name that is not in the group stays as it is."""
        return text.removeprefix(self.prefix)

    def within(self, values: Mapping[str, V]) -> dict[str, V]:
        """The values that belong to this group, by their names without it."""
        return {self.name(text): value for text, value in values.items() if self.has(text)}


OUTPUT = Group("output:")
"""Outputs of the cell."""
STREAM = Group("stream:")
"""All values that the user has named."""
FINAL = Group("final:")
"""States after the last step."""
LOSS = Group("loss:")
"""Lines of the loss, where they stand apart. Their sum is the root `loss`."""
WEIGHT = Group("weight:")
"""The weights of the steps of each sequence in loss lines that have weights, by number."""
SEQUENCE_WEIGHT = WEIGHT.nested(Group("sequences:"))
"""The same for lines with one value per sequence: the weight of each sequence."""
PARAM, INPUT, START = Group("param:"), Group("input:"), Group("start:")
"""Parameters, inputs and first values: what gradients are taken of and tangents are given for."""
GRADIENT = Group("gradient:")
"""Gradients: of parameters by their mere names, of other sources by group and name."""
ADJOINT = Group("d:")
"""Inputs: the adjoints of other roots."""
TANGENT = Group("tangent:")
"""Directions, which are inputs, and derivatives along them, which are roots."""
DAMPING = Group("damping:")
"""Inputs: the weights of the structural damping of streams."""
READ = Group("read:")
"""What is computed over another clock and read by the rest, by number: see `passes.separate`."""
RESET = Group("reset:")
"""Inputs: by clock, where sequences begin again."""
AFTER = RESET.nested(Group("after:"))
"""Inputs: by clock, which sequences begin again after their last step."""
TAPE = Group("tape:")
"""What the forward run keeps for the backward run, by number."""


def group_of(text: str) -> str:
    """The word of the outermost group of a name: `gradient` for `gradient:start:h`."""
    return text.partition(":")[0]


def bare(text: str) -> str:
    """A name without any group: `h` for `gradient:start:h`."""
    return text.rpartition(":")[2]


def in_any(text: str, *groups: Group) -> bool:
    """Whether a text is a name in one of these groups."""
    return any(map(text.startswith, (group.prefix for group in groups)))
