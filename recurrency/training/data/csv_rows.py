"""A user's data in a .csv file: one row per step, a column with the name of the sequence, a column for each number.

    sequence,split,x.0,x.1,label
    a,train,0.5,1,3
    a,train,0.25,0,3
    b,test,1,0,0

An input with one number a step, or with symbols, is a column of its name; `x.0`, `x.1` are the elements of a vector,
`x.0.1` those of a matrix. The rows of a sequence are consecutive. `split` may be missing, as in an .npz file; without
`sequence` all rows are one series. Symbols may be texts, and cells empty. A column `resets`, if no input has this name,
is 1 where a sequence begins again, else 0; `mask` is 0 in rows that are no steps.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from recurrency.errors import UsageError, nearest, nearest_help
from recurrency.training.data.npz import SPLITS
from recurrency.training.data.places import read_text
from recurrency.training.data.rows import PLAIN, How, first_wrong, sized, unread, would_fit
from recurrency.training.data.sequences import FLAG, FLAGS, PLACE, Array, InputPort, Sequences, flag

SEQUENCE, SPLIT = "sequence", "split"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|infinity|nan)", re.ASCII | re.IGNORECASE)
"""The syntax of numbers; stricter than Python, which accepts `1_000`."""
DATE = re.compile(r"\d{4}-\d\d?-\d\d?|\d\d?[./]\d\d?[./]\d{2,4}", re.ASCII)
LONGEST = 1000
"""The most characters of a symbol; an array of texts has the width of the longest."""
MANY = 6
"""A message lists no more columns than these."""
MARKS = ",;\t"
"""Possible separators; the most frequent one in the header is used."""


Line: TypeAlias = tuple[int, list[str]]
"""The cells of a row, and the number of the line where it ends."""


def read_csv(path: str | Path, ports: Mapping[str, InputPort], how: How = PLAIN) -> dict[str, Sequences]:
    """The splits of a .csv file, plain or compressed; without a column `split` all sequences are in `train`.

    Without a column `sequence` all rows are one sequence, or one for each split. Empty cells are NaN, and '' among
    symbols that are texts.

    Raises:
        UsageError: a column is missing, or a row does not fit; the message names the line.
    """
    return read_table(path, lines_of_csv(path), ports, how)


def lines_of_csv(path: str | Path) -> list[Line]:
    """The rows of a .csv file that are not empty, each with the number of its line; the header is the first.

    Raises:
        UsageError: it cannot be read, or quotation marks are not closed.
    """
    return _lines(path, read_text(path))


def read_table(
    path: str | Path, lines: Sequence[Line], ports: Mapping[str, InputPort], how: How = PLAIN
) -> dict[str, Sequences]:
    """The same for the lines of a table, with its header as the first."""
    if len({port.clock for port in ports.values()}) > 1:
        raise UsageError(f"the inputs {', '.join(ports)} run over several clocks; put them into an .npz file")
    table = _Table.of(path, lines, ports, how.others)
    flags = {flag(name): FLAG for name in FLAGS if flag(name) in table.places}
    pieces = list(_pieces(table))
    symbols = frozenset([*flags, *(name for name, port in ports.items() if port.index is not None)])
    texts = {name for name in symbols - flags.keys() if name in how.texts or table.has_texts(name)}
    clock = next(iter(ports.values())).clock or "t" if ports else "t"
    every: dict[str, InputPort] = {**ports, **flags}
    rows = {name: table.texts(name) if name in texts else table.numbers(name, port) for name, port in every.items()}
    rows[flag(PLACE)] = np.array([line for line, _ in table.rows])
    out = {}
    for split in dict.fromkeys(piece.split for piece in pieces):
        own = [piece for piece in pieces if piece.split == split]
        inputs = {name: [array[piece.start : piece.end] for piece in own] for name, array in rows.items()}
        names = [piece.name for piece in own]
        clocks = dict.fromkeys(inputs, clock)
        out[split] = Sequences(inputs, clocks, symbols, names, [piece.first for piece in own], table.where)
    return out


def columns_of(name: str, port: InputPort) -> list[str]:
    """The columns of an input: one of its name, or one for each element of a step."""
    if np.prod(port.shape, dtype=int) == 1:
        return [name]
    return [".".join([name, *map(str, place)]) for place in np.ndindex(*port.shape)]


@dataclass(frozen=True)
class _Table:
    """The cells of a file, and the columns of each input."""

    path: str | Path
    header: list[str]
    rows: list[Line]
    places: Mapping[str, list[int]]

    @classmethod
    def of(
        cls,
        path: str | Path,
        lines: Sequence[Line],
        ports: Mapping[str, InputPort],
        others: Collection[str],
    ) -> _Table:
        if len(lines) < 2:
            raise UsageError(f"{path} has no rows below its header")
        header = _header(path, lines[0][1])
        wanted = {name: _columns(path, name, port, header) for name, port in ports.items()}
        wanted |= {flag(name): [name] for name in FLAGS if name in header and name not in ports}
        read = {SEQUENCE, SPLIT, *(column for columns in wanted.values() for column in columns)}
        read |= {column for column in header if column.partition(".")[0] in others}
        unread(path, "column", [c or "''" for c in header if c not in read], [SPLIT] if SPLIT not in header else [])
        for line, row in lines[1:]:
            if len(row) != len(header):
                raise UsageError(f"{path}, line {line}: {len(row)} cells; the header has {len(header)}")
        places = {n: [header.index(c) for c in columns] for n, columns in wanted.items()}
        return cls(path, header, list(lines[1:]), places)

    def has_texts(self, name: str) -> bool:
        """Whether the column of an input of symbols has cells that are no numbers."""
        (place,) = self.places[name]
        return any(row[place] and not NUMBER.fullmatch(row[place]) for _, row in self.rows)

    def texts(self, name: str) -> Array:
        """The cells of an input of symbols, [rows]."""
        (place,) = self.places[name]
        for line, row in self.rows:
            if len(row[place]) > LONGEST:
                raise UsageError(f"{self.path}, line {line}, {name}: a symbol has at most {LONGEST} characters")
        return np.array([row[place] for _, row in self.rows])

    def numbers(self, name: str, port: InputPort) -> Array:
        """The numbers of an input, [rows, *shape], NaN where a cell is empty."""
        places = self.places[name]
        numbers = np.empty((len(self.rows), len(places)))
        for at, (line, row) in enumerate(self.rows):
            for column, place in enumerate(places):
                cell = row[place]
                if cell and not NUMBER.fullmatch(cell):
                    more = "; write dates as numbers, such as days since the first one" if DATE.match(cell) else ""
                    raise UsageError(f"{self.path}, line {line}, {self.header[place]}: {cell!r} is not a number{more}")
                numbers[at, column] = float(cell) if cell else np.nan
        return self._flags(name, numbers[:, 0]) if port is FLAG else numbers.reshape(-1, *port.shape)

    def _flags(self, name: str, numbers: Array) -> Array:
        """A flag, whose values are checked at once."""
        found = first_wrong(numbers, FLAG)
        if found is not None:
            raise UsageError(f"{self.path}, line {self.rows[found[0]][0]}, {name.removeprefix(flag(''))}: {found[1]}")
        return numbers.astype(np.int64)

    def where(self, name: str, line: Array) -> str:
        """A place in words."""
        return f"{self.path}, line {int(line)}, {name}"


def _lines(path: str | Path, text: str) -> list[Line]:
    """The rows of a text that are not empty, each with the number of the line where it ends.

    Raises:
        UsageError: quotation marks are not closed.
    """
    mark = max(MARKS, key=text.lstrip().partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    out, last = [], 0
    limit = csv.field_size_limit(max(len(text), 1))
    try:
        for row in reader:
            last = reader.line_num
            if any(map(str.strip, row)):
                out.append((last, [cell.strip() for cell in row]))
    except csv.Error as error:
        raise UsageError(f"{path}, line {last + 1}: quotation marks around a cell are not closed ({error})") from error
    finally:
        csv.field_size_limit(limit)
    return out


def _header(path: str | Path, header: list[str]) -> list[str]:
    """The names of the columns.

    Raises:
        UsageError: they are numbers, one occurs twice, or there is none called `sequence`, but one almost.
    """
    if SEQUENCE not in header and any(map(NUMBER.fullmatch, header)):
        raise UsageError(f"{path} has no header: its first line has to name the columns, such as {SEQUENCE},x.0,x.1")
    twice = [column for column in header if column and header.count(column) > 1]
    if twice:
        raise UsageError(f"{path} has the column {twice[0]} twice; leave one out")
    if SEQUENCE not in header and nearest(SEQUENCE, header):
        raise UsageError(f"{path} has no column {SEQUENCE}; {_instead(SEQUENCE, header)}")
    return header


def _columns(path: str | Path, name: str, port: InputPort, header: list[str]) -> list[str]:
    """The columns of an input, which are all that the file has for it.

    Raises:
        UsageError: there are none, or more or fewer (the message says for what size the spec would fit).
    """
    elements = re.compile(rf"{re.escape(name)}(\.\d+)+")
    there = [column for column in header if elements.fullmatch(column)]
    one = np.prod(port.shape, dtype=int) == 1
    if one and name in header and not there:
        return [name]
    wanted = [".".join([name, *"0" * max(1, len(port.shape))])] if one else columns_of(name, port)
    if set(wanted) == set(there) and (name not in header or not one):
        return wanted
    if not there and one:
        raise UsageError(f"{path} has no column {name}; {_instead(name, header)}")
    if not there:
        has = name if name in header else f"none of them; {_instead(wanted[0], header)}"
        raise UsageError(f"{path}: {_wanted(name, port, wanted)}; the file has {has}")
    there = [column for column in header if column == name] + there
    counted = there == [f"{name}.{number}" for number in range(len(there))]
    hint = would_fit(port, (len(there),)) if counted else ""
    if there == [f"{name}.{number + 1}" for number in range(len(wanted))]:
        hint = "; elements are numbered from 0"
    raise UsageError(f"{path}: {_wanted(name, port, wanted)}; the file has {_listed(there)}{hint}")


def _wanted(name: str, port: InputPort, columns: list[str]) -> str:
    return f"{name} has {sized(port)} column{'s' * (len(columns) > 1)}, {_listed(columns)}"


def _listed(columns: list[str]) -> str:
    return ", ".join(columns if len(columns) <= MANY else [*columns[: MANY - 2], "...", columns[-1]])


def _instead(column: str, header: list[str]) -> str:
    return str(nearest_help(column, header, f"it has {', '.join(header)}"))


@dataclass
class _Piece:
    """The rows from `start` to before `end`, which are one sequence; the first one is step `first` of it."""

    name: str
    split: str
    start: int
    end: int
    first: int = 0


def _pieces(table: _Table) -> Iterator[_Piece]:
    """The sequences in the order of the file."""
    at = table.header.index(SEQUENCE) if SEQUENCE in table.header else None
    split_at = table.header.index(SPLIT) if SPLIT in table.header else None
    seen: set[str] = set()
    piece: _Piece | None = None
    for number, (line, row) in enumerate(table.rows):
        split = SPLITS[0] if split_at is None else row[split_at]
        name = (split if split_at is not None else "0") if at is None else row[at]
        if not name:
            raise UsageError(f"{table.path}, line {line}: the column {SEQUENCE} is empty; it names the row's sequence")
        if split not in SPLITS:
            raise UsageError(f"{table.path}, line {line}: the split is {split!r}; it must be train, valid or test")
        if piece is None or name != piece.name:
            if piece is not None:
                yield piece
            if name in seen:
                raise UsageError(
                    f"{table.path}, line {line}: sequence {name} goes on after another one; put its rows together"
                )
            seen.add(name)
            piece = _Piece(name, split, number, number, 0 if at is not None else number)
        if split != piece.split:
            raise UsageError(f"{table.path}, line {line}: sequence {piece.name} is in {piece.split} and in {split}")
        piece.end = number + 1
    if piece is not None:
        yield piece
