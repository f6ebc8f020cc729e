"""A file with one value for each sequence, such as a label, beside the file of the sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recurrency.errors import UsageError
from recurrency.training.data.csv_rows import SEQUENCE, lines_of_csv, read_table
from recurrency.training.data.npz import read_single
from recurrency.training.data.parquet import parquet_lines
from recurrency.training.data.readers import ending
from recurrency.training.data.rows import How, not_numbers
from recurrency.training.data.sequences import PLACE, Array, InputPort, Sequences, flag


@dataclass(frozen=True)
class Labels:
    """The values of some inputs by the names of sequences; without `names` they are in the order of the sequences.

    `clocks` are those of the inputs.
    """

    path: Path
    values: Mapping[str, Array]
    clocks: Mapping[str, str]
    names: tuple[str, ...] = ()

    def added(self, data: Sequences) -> Sequences:
        """The sequences with these values at each of their steps.

        Raises:
            UsageError: there is no value for a sequence, or their numbers differ.
        """
        rows = self._rows(data)
        more: dict[str, list[Array]] = {}
        for name, values in self.values.items():
            if self.clocks[name] not in data.clocks.values():
                raise UsageError(f"the data have no other input over the clock {self.clocks[name]} of {name}")
            steps = data.lengths(self.clocks[name])
            more[name] = [np.repeat(values[row : row + 1], count, 0) for row, count in zip(rows, steps, strict=True)]
        inner = data.where

        def where(name: str, place: Array) -> str:
            at = inner(name, place) if inner is not None else name
            return f"{self.path}, {name} of the sequence at {at}" if name in more else at

        symbols = data.symbols | {name for name, values in self.values.items() if values.dtype.kind in "iuU"}
        clocks = {**data.clocks, **self.clocks}
        return replace(data, inputs={**data.inputs, **more}, clocks=clocks, symbols=symbols, where=where)

    def _rows(self, data: Sequences) -> Sequence[int]:
        count = len(next(iter(self.values.values())))
        if not self.names:
            if len(data) != count:
                raise UsageError(f"{self.path} has {count} values, the data have {len(data)} sequences")
            return range(count)
        places = {name: row for row, name in enumerate(self.names)}
        for name in data.names:
            if name not in places:
                raise UsageError(f"{self.path} has no row for the sequence {name}")
        return [places[name] for name in data.names]


def read_labels(path: str | Path, ports: Mapping[str, InputPort], how: How) -> Labels:
    """The values of those of the inputs `ports` that a file has: a table with a row for each sequence, or an array.

    A table (.csv, .parquet) has a column `sequence`; an .npy file [sequences, *shape] is for the only input.

    Raises:
        UsageError: the file can't be read, has none of the inputs, or two rows of one sequence.
    """
    path = Path(path)
    if ending(path) == ".npy":
        return Labels(path, _array(path, ports), _clocks(ports))
    if ending(path) not in (".csv", ".parquet"):
        raise UsageError(f"{path}: labels are in a .csv, .parquet or .npy file")
    lines = lines_of_csv(path) if ending(path) == ".csv" else parquet_lines(path)
    header = lines[0][1] if lines else []
    if SEQUENCE not in header:
        raise UsageError(f"{path} has no column {SEQUENCE}, which says whose labels they are")
    own = {name: port for name, port in ports.items() if any(c.partition(".")[0] == name for c in header)}
    if not own:
        raise UsageError(f"{path} has none of the columns {', '.join(ports)}; it has {', '.join(header)}")
    (found,) = read_table(path, lines, own, how).values()
    for number, place in enumerate(found.inputs[flag(PLACE)]):
        if len(place) > 1:
            raise UsageError(f"{path}, line {int(place[1])}: sequence {found.names[number]} has a label already")
    values = {name: np.concatenate(list(found.inputs[name])) for name in own}
    return Labels(path, values, _clocks(own), tuple(found.names))


def _clocks(ports: Mapping[str, InputPort]) -> dict[str, str]:
    return {name: port.clock or "t" for name, port in ports.items()}


def _array(path: Path, ports: Mapping[str, InputPort]) -> dict[str, Array]:
    if len(ports) != 1:
        raise UsageError(f"{path} holds one array, for the inputs {', '.join(ports)}; name the columns in a .csv file")
    ((name, port),) = ports.items()
    array = read_single(path)
    if array.shape[1:] != tuple(port.shape) or not array.size:
        raise UsageError(f"{path} is {list(array.shape)}; {name} needs {['sequences', *port.shape]}")
    kinds = "biuf" if port.index is None else "biuU"
    if array.dtype.kind not in kinds:
        raise UsageError(f"{path}: {not_numbers(array.dtype, port)}")
    return {name: array.astype(np.int64) if array.dtype.kind == "b" else array}
