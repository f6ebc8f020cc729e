"""What the calls of a model return."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from recurrency.model.gaps import NONE, Gaps

if TYPE_CHECKING:
    from recurrency.backend import Call
    from recurrency.graph.op import Array
    from recurrency.model.interface import Interface


State: TypeAlias = "dict[str, Array]"
"""The states between two chunks, by their roots `final:NAME`; empty before the first chunk."""


@dataclass(frozen=True)
class Kept:
    """What a run in chunks keeps: the first step and the end of each chunk, and the states before it."""

    pieces: tuple[tuple[int, int], ...]
    states: tuple[State, ...]


class Tape(NamedTuple):
    """What the backward pass needs of a forward pass: its call, the values it kept, and the streams it returned.

    A run in chunks keeps no values, only `kept`.
    """

    call: Call
    values: dict[str, Array]
    streams: tuple[str, ...]
    kept: Kept | None = None
    gaps: Gaps = NONE


@dataclass(frozen=True, init=False)
class Run:
    """The results of `Model.forward`. `state` holds each state after the last step of each sequence, [B, *shape].

    If the cell draws random numbers, `state["t"]` counts the steps so far, so that the next chunk draws others.
    """

    outputs: dict[str, Array]
    state: dict[str, Array]
    streams: dict[str, Array] = field(default_factory=dict)
    tape: Tape | None = field(default=None, repr=False)
    interface: Interface | None = field(default=None, repr=False, compare=False)

    def __init__(
        self,
        outputs: dict[str, Array],
        state: dict[str, Array],
        streams: dict[str, Array] | None = None,
        tape: Tape | None = None,
        interface: Interface | None = None,
    ) -> None:
        own = self.__dict__  # what frozen classes do instead takes twice as long, in every call
        own["outputs"], own["state"], own["streams"] = outputs, state, {} if streams is None else streams
        own["tape"], own["interface"] = tape, interface

    def _repr_html_(self) -> str:
        """The arrays with their axes and ranges, for notebooks."""
        from recurrency.model.views import run_html

        groups = {"output": self.outputs, "state": self.state, "stream": self.streams}
        return run_html(groups, self.interface)

    @property
    def output(self) -> Array:
        """The first output."""
        return next(iter(self.outputs.values()))

    def __getitem__(self, name: str) -> Array:
        """An output, a stream that was asked for, or a final state.

        Raises:
            KeyError: the run has nothing of this name.
        """
        for table in (self.outputs, self.streams, self.state):
            if name in table:
                return table[name]
        known = dict.fromkeys((*self.outputs, *self.streams, *self.state))
        raise KeyError(f"this run has no {name}; it has {', '.join(known)}")


@dataclass(frozen=True, init=False)
class Gradients:
    """Gradients of the parameters (one flat vector), and of the real-valued inputs and initial states by name."""

    params: Array
    inputs: dict[str, Array]
    state: dict[str, Array]

    def __init__(self, params: Array, inputs: dict[str, Array], state: dict[str, Array]) -> None:
        own = self.__dict__
        own["params"], own["inputs"], own["state"] = params, inputs, state
