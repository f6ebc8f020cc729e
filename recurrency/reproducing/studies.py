"""Studies: the experiments of a paper and the numbers it published, as TOML files.

The shipped ones are in specs/experiments/papers; docs/reproduce.md describes the format. Everything that a file may
hold is checked here, before anything runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from recurrency.disk.toml import read_tables
from recurrency.errors import UsageError, nearest_hint
from recurrency.reproducing.fields import Fields
from recurrency.reproducing.pictures import picture_named
from recurrency.reproducing.readings import Value
from recurrency.reproducing.values import value_named
from recurrency.training.runs.experiments import PARTS, VALUES, Experiment, checked

SCALES = ("paper", "small", "tiny")
"""The scales: hours, minutes, and seconds for the tests."""
HEADS = ("spec", "task", "data")
LAYER = (*HEADS, *PARTS)
"""The keys of an experiment that a layer of a study may have."""
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}")


@dataclass(frozen=True)
class Layer:
    """Changes of an experiment: some of its keys. The layers of a study are applied one after the other."""

    keys: Mapping[str, Any]

    def on(self, below: Experiment) -> Experiment:
        """The experiment with these changes; a task in place of another one resets its options."""
        heads = {key: self.keys[key] for key in HEADS if key in self.keys}
        if below.task is not None and heads.get("task", below.task) != below.task:
            below = replace(below, task_options={})
        parts = {part.replace("-", "_"): self.keys.get(part, {}) for part in VALUES}
        return replace(below.changed(self.keys.get("training", {}), **parts), **heads)


@dataclass(frozen=True)
class Scaled:
    """How large a run is at one scale: changes of the experiment, and seeds, rates, minutes where they differ."""

    layer: Layer
    seeds: tuple[int, ...] = ()
    rates: tuple[float, ...] = ()
    minutes: float | None = None
    limit: float | None = None
    processes: int = 0
    skip: bool = False
    about: str = ""
    """What this scale changes, in words."""


@dataclass(frozen=True)
class Row:
    """A run of a table: one system, with each seed and, if `rates` are given, with each rate.

    `published` is the number of the paper, or words; `minutes` the expected time of one run at the scale `small`.
    """

    name: str
    published: float | str | None
    usual: Scaled
    scaled: Mapping[str, Scaled]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Claim:
    """The order of values that a paper claims: each of `chain`, the name of a run or a number, before the next one.

    `otherwise` is what the report says where the claim does not hold.
    """

    less: bool
    chain: tuple[str | float, ...]
    margin: float
    words: str
    otherwise: str = ""


@dataclass(frozen=True)
class Drawn:
    """A picture of a study: its kind, the table it shows, and its other keys."""

    kind: str
    table: str
    caption: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """Runs that are compared by one value.

    `tolerance` is the part of a published number by which a measured one may be worse before it counts as a miss.
    """

    name: str
    caption: str
    value: Value
    unit: str
    source: str
    curve: bool
    log: bool
    tolerance: float
    usual: Scaled
    scaled: Mapping[str, Scaled]
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]


@dataclass(frozen=True)
class Study:
    """The experiments of one paper."""

    name: str
    paper: str
    about: str
    changed: tuple[str, ...]
    base: Layer
    scales: Mapping[str, Scaled]
    tables: tuple[Table, ...]
    pictures: tuple[Drawn, ...] = ()
    folder: Path = Path()
    """The folder of the file: paths of specs are relative to it."""


# -------------------------------------------------------------------------------------------------------------- files


def shipped() -> dict[str, Path]:
    """The shipped studies: name -> file."""
    folder = Path(str(resources.files("recurrency.specs"))) / "experiments" / "papers"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find(name: str) -> Study:
    """A shipped study by its name, or the one in a file `.toml`.

    Raises:
        UsageError: there is none (with the nearest name), or the file is malformed.
    """
    if name.endswith(".toml"):
        return load(Path(name))
    files = shipped()
    if name not in files:
        raise UsageError(f"there is no study {name}; there are {', '.join(files)}{nearest_hint(name, files)}")
    return load(files[name])


def load(path: Path) -> Study:
    """The study in a file.

    Raises:
        UsageError: the file can't be read, or has a key or a value that it can't have (the message names the place).
    """
    return parsed(read_tables(path), path)


def parsed(tables: Mapping[str, Any], path: Path) -> Study:
    """The study that the tables of a file say.

    Raises:
        UsageError: a key is unknown, missing, or has a value that it can't have.
    """
    top = Fields(tables, path.name)
    top.only(("paper", "about", "changed", "base", "scales", "table", "picture"))
    if not NAME.fullmatch(path.stem):
        raise top.wrong("a study's name has small letters, digits and hyphens")
    scales = top.part("scales")
    scales.only(SCALES)
    sizes = {name: _scaled(scales.part(name), ("about",)) for name in scales.table}
    for name, size in sizes.items():
        if not size.seeds:
            raise scales.wrong(f"{name} has no seeds: seeds = [0, 1, 2]")
    if not sizes:
        raise top.wrong(f"there is no scale: [scales.small], with any of {', '.join(SCALES)}")
    found = tuple(_table(part, path) for part in top.parts("table", needed=True))
    _different([table.name for table in found], top, "table")
    return Study(
        path.stem,
        top.text("paper"),
        top.text("about"),
        top.texts("changed"),
        _layer(top.part("base"), LAYER),
        sizes,
        found,
        tuple(_drawn(part, found) for part in top.parts("picture")),
        path.resolve().parent,
    )


# ------------------------------------------------------------------------------------------------------------- pieces

SCALED = ("seeds", "rates", "minutes", "limit", "processes", "skip")


def _layer(fields: Fields, known: tuple[str, ...]) -> Layer:
    """The keys of an experiment in a table; other keys are refused unless they are `known`."""
    fields.only(known)
    keys = {key: fields.table[key] for key in LAYER if key in fields.table}
    if "seed" in keys.get("training", {}):
        raise fields.wrong("seed is not an option here; each scale has its seeds: [scales.small] seeds = [0]")
    checked({"spec": "", **keys}, Path(), fields.where)
    return Layer(keys)


def _scaled(fields: Fields, known: tuple[str, ...] = ()) -> Scaled:
    """The changes at one scale."""
    return Scaled(
        _layer(fields, (*LAYER, *SCALED, *known)),
        fields.wholes("seeds"),
        fields.numbers("rates", 0),
        fields.number("minutes", 0, above=True),
        fields.number("limit", 0, above=True),
        fields.whole("processes", 0, 1, 64) if "processes" in fields.table else 0,
        fields.flag("skip"),
        fields.text("about", "") if "about" in known else "",
    )


def _by_scale(fields: Fields) -> dict[str, Scaled]:
    return {scale: _scaled(fields.part(scale)) for scale in SCALES if scale in fields.table}


OF_TABLE = ("name", "caption", "value", "with", "unit", "source", "curve", "log", "tolerance", "run", "claim")
OF_RUN = ("name", "published", "with")


def _table(fields: Fields, path: Path) -> Table:
    usual = _scaled(fields, (*OF_TABLE, *SCALES))
    if not NAME.fullmatch(fields.text("name")):
        raise fields.wrong("a table's name has small letters, digits and hyphens")
    value = value_named(fields.text("value"), fields.where)
    options = value.taken(fields.part("with").table, fields.where)
    rows = tuple(_row(part, value, options) for part in fields.parts("run", needed=True))
    _different([row.name for row in rows], fields, "run")
    if fields.text("curve", "valid") != "valid":
        raise fields.wrong(f'curve must be "valid", not {fields.table["curve"]!r}')
    tolerance = fields.number("tolerance", 0)
    return Table(
        fields.text("name"),
        fields.text("caption"),
        value,
        fields.text("unit", ""),
        fields.text("source", ""),
        "curve" in fields.table,
        fields.flag("log"),
        0.05 if tolerance is None else tolerance,
        usual,
        _by_scale(fields),
        rows,
        tuple(_claim(part, rows) for part in fields.parts("claim")),
    )


def _row(fields: Fields, value: Value, options: Mapping[str, Any]) -> Row:
    usual = _scaled(fields, (*OF_RUN, *SCALES))
    published = fields.table.get("published")
    if isinstance(published, str):
        published = fields.text("published")
    elif published is not None:
        published = fields.number("published")
    given = fields.part("with").table
    return Row(
        fields.text("name"), published, usual, _by_scale(fields), value.taken({**options, **given}, fields.where)
    )


def _claim(fields: Fields, rows: tuple[Row, ...]) -> Claim:
    fields.only(("less", "more", "margin", "words", "otherwise"))
    if ("less" in fields.table) == ("more" in fields.table):
        raise fields.wrong('a claim has one of less and more: less = ["IRNN", "tanh"]')
    order = "less" if "less" in fields.table else "more"
    names = [row.name for row in rows]
    chain = fields.items(order, needed=True)
    for item in chain:
        if isinstance(item, bool) or not isinstance(item, str | int | float):
            raise fields.wrong(f"{order} has names of runs and numbers, not {item!r}")
        if isinstance(item, str) and item not in names:
            hint = nearest_hint(item, names)
            raise fields.wrong(f"there is no run {item} in this table; there are {', '.join(names)}{hint}")
    if len(chain) < 2 or not any(isinstance(item, str) for item in chain):
        raise fields.wrong(f"{order} needs two or more, at least one of them a run")
    margin, otherwise = fields.number("margin", 0) or 0.0, fields.text("otherwise", "")
    return Claim(order == "less", tuple(chain), margin, fields.text("words"), otherwise)


def _drawn(fields: Fields, tables: tuple[Table, ...]) -> Drawn:
    kind, table, names = fields.text("kind"), fields.text("table"), [one.name for one in tables]
    if table not in names:
        raise fields.wrong(f"there is no table {table}; there are {', '.join(names)}{nearest_hint(table, names)}")
    options = fields.like(picture_named(kind, fields.where).options, ("kind", "table", "caption"))
    return Drawn(kind, table, fields.text("caption"), options)


def _different(names: list[str], fields: Fields, what: str) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise fields.wrong(f"two of [[{what}]] are called {twice}")
