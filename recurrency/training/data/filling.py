"""From the values of a file, of which some may be missing, to the inputs of a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from operator import itemgetter

import numpy as np

from recurrency.errors import UsageError
from recurrency.model.gaps import after_gaps
from recurrency.training.data.rows import element, first_wrong
from recurrency.training.data.rules import LAST, NO_SYMBOL, Rules
from recurrency.training.data.sequences import FLAGS, PLACE, Array, InputPort, Sequences, flag


def filled(data: Sequences, ports: Mapping[str, InputPort], rules: Rules, real: str = "float64") -> Sequences:
    """The inputs `ports` of each sequence: missing values by the `rules`, with masks and elapsed times.

    Missing are NaN and, of symbols that are texts, ''. Symbols that are texts stay texts, '-1' for none. `real` is the
    dtype in which numbers are computed.

    Raises:
        UsageError: a value is missing that may not be, is not finite or no symbol of the spec; a value that is to be
            one for each sequence changes in it; times go back. The message names the first such place.
    """
    inputs: dict[str, list[Array]] = {}
    for name, port in ports.items():
        if name in rules.masks:
            inputs[name] = [_mask(rows, port) for rows in data.inputs[rules.masks[name]]]
        elif name in rules.elapsed:
            inputs[name] = [rows.reshape(len(rows), *port.shape) for rows in _elapsed(data, rules.elapsed[name])]
        else:
            inputs[name] = [each.done() for each in _each(data, name, port, rules, real)]
    kept = [flag(name) for name in (*FLAGS, PLACE) if flag(name) in data.inputs]
    inputs |= {name: list(data.inputs[name]) for name in kept}
    clocks = {name: ports[name].clock or "t" if name in ports else data.clocks[name] for name in inputs}
    symbols = frozenset(
        name for name in inputs if (ports[name].index is not None if name in ports else name in data.symbols)
    )
    return replace(data, inputs=inputs, clocks=clocks, symbols=symbols)


def missing(rows: Array) -> Array:
    """Which elements are missing."""
    if rows.dtype.kind in "US":
        return np.asarray(rows == "")
    return np.asarray(np.isnan(rows)) if rows.dtype.kind == "f" else np.zeros(rows.shape, bool)


def check_some(data: Sequences, ports: Mapping[str, InputPort]) -> None:
    """Refuse data to train on in which an element of an input has no value at all.

    Raises:
        UsageError: there is such an element; the message names it.
    """
    for name, port in ports.items():
        none = np.all([missing(rows).all(0) for rows in data.inputs[name]], 0)
        if none.any():
            place = element(np.argwhere(none)[0].tolist(), port.shape)
            raise UsageError(
                f"{place}{name} has no value at all in the sequences to train on; leave it out of the spec"
            )


def _mask(rows: Array, port: InputPort) -> Array:
    """1 where values are there, else 0; of a mask with one number for each step, where all are."""
    there = ~missing(rows)
    if there.shape[1:] != tuple(port.shape):
        there = np.asarray(there.reshape(len(there), -1).all(1))
    return there.astype(np.float64).reshape(len(there), *port.shape)


def _elapsed(data: Sequences, column: str) -> Iterable[Array]:
    """The time since the step before, [T]: 0 at the first step, after a reset, and where a mask leaves a step out."""
    masks, resets = (data.inputs.get(flag(name)) for name in ("mask", "resets"))
    for number, times in enumerate(data.inputs[column]):
        times = times.reshape(len(times)).astype(np.float64)
        kept = np.arange(len(times)) if masks is None else np.flatnonzero(masks[number])
        for step in np.flatnonzero(np.isnan(times[kept]))[:1]:
            raise UsageError(f"{data.place(column, number, kept[step])}: the time is missing")
        steps = np.diff(times[kept], prepend=times[kept[:1]])
        if resets is not None:
            steps[after_gaps(resets[number], itemgetter(kept))] = 0
        for step in np.flatnonzero(steps < 0)[:1]:
            at, before = times[kept[step]], times[kept[step - 1]]
            raise UsageError(
                f"{data.place(column, number, kept[step])}: the time {at:g} is before {before:g}, the last one"
            )
        out = np.zeros(len(times))
        out[kept] = steps
        yield out


def _each(data: Sequences, name: str, port: InputPort, rules: Rules, real: str) -> Iterable[_Filling]:
    for number, rows in enumerate(data.inputs[name]):
        yield _Filling(data, name, port, rules, real, number, rows)


@dataclass
class _Filling:
    """The values of one input in one sequence."""

    data: Sequences
    name: str
    port: InputPort
    rules: Rules
    real: str
    number: int
    rows: Array

    @property
    def texts(self) -> bool:
        return self.rows.dtype.kind in "US"

    def place(self, step: int) -> str:
        return self.data.place(self.name, self.number, step)

    def done(self) -> Array:
        gone = missing(self.rows)
        if self.name in self.rules.whole:
            gone = self._constant(gone)
        if gone.any():
            self._refuse(gone)
            self._fill(gone)
        found = None if self.texts else first_wrong(self.rows, self.port, self.real)
        if found is not None:
            raise UsageError(f"{self.place(found[0])}: {found[1]}")
        return self.rows if self.texts or self.port.index is None else self.rows.astype(np.int64)

    def _constant(self, gone: Array) -> Array:
        """Give the only value of the sequence to steps without one, if it has only one; what is missing after that."""
        there = np.flatnonzero(~gone.reshape(len(gone), -1).any(1))
        values = self.rows[there]
        if self.port.index is not None:
            self._check_same(there[values != (NO_SYMBOL if self.texts else -1)])
        if len(values) and (values == values[0]).all():
            self.rows = np.broadcast_to(values[0], self.rows.shape).copy()
            return np.zeros(gone.shape, bool)
        return gone

    def _check_same(self, there: Array) -> None:
        values = self.rows[there]
        for at in np.flatnonzero(values != values[:1])[:1]:
            other, first = (str(values[k]) if self.texts else f"{values[k]:g}" for k in (at, 0))
            raise UsageError(
                f"{self.place(int(there[at]))}: it is {other}, and {first} before in the same sequence; the loss reads "
                f"{self.name} once for each sequence, so it must not change in it"
            )

    def _refuse(self, gone: Array) -> None:
        if self.rules.allows(self.name, self.port):
            return
        place = np.argwhere(gone)[0].tolist()
        raise UsageError(
            f"{self.place(place[0])}: {element(place[1:], self.port.shape)}there is no value; "
            f"{self.rules.why(self.name, self.port)}"
        )

    def _fill(self, gone: Array) -> None:
        nothing: str | float = NO_SYMBOL if self.texts else 0.0 if self.port.index is None else -1.0
        rows = np.where(gone, nothing, self.rows)
        if self.rules.missing == LAST and self.name not in self.rules.targets:
            steps = np.arange(len(rows)).reshape(-1, *[1] * (rows.ndim - 1))
            before = np.maximum.accumulate(np.where(gone, -1, steps), 0)
            rows = np.where(before < 0, rows, np.take_along_axis(rows, np.maximum(before, 0), 0))
        self.rows = rows
