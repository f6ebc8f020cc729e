"""A specification: one cell of a `.rnn` text, which can be inspected, checked and compiled."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from recurrency.disk import records
from recurrency.errors import Source, UsageError, nearest
from recurrency.graph.fixed import Fixed
from recurrency.language.given_files import is_cell, is_file
from recurrency.language.own_cells import OwnCell
from recurrency.language.sources import library_index, read_source
from recurrency.model import forks  # noqa: F401 - locks
from recurrency.model.pictured import Pictured
from recurrency.model.text import Made, Text

if TYPE_CHECKING:
    from recurrency.backend import Backend
    from recurrency.errors import Diagnostic
    from recurrency.graph.graph import Graph
    from recurrency.language import syntax
    from recurrency.language.elaboration.elaborate import Elaborated
    from recurrency.language.elaboration.modules import CellDef
    from recurrency.model.cell_module import CellModule
    from recurrency.model.model import Model

PLAIN = (int, float, bool, str)
"""The types of values that need no conversion."""


class Spec(Pictured):
    """A cell and the file that defines it."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._known = text.known()
        self._checked = False
        self._elaborated: WeakValueDictionary[str, Elaborated] = WeakValueDictionary()
        if self._known is None:
            self._parsed  # noqa: B018 - to raise what is wrong with it

    @cached_property
    def _parsed(self) -> tuple[CellDef, tuple[Diagnostic, ...], dict[str, str]]:
        return self._text.parsed()

    @property
    def definition(self) -> CellDef:
        """The cell, and the module with the names that it can use."""
        return self._parsed[0]

    def __getstate__(self) -> dict[str, Any]:
        """What is copied and pickled: all but the graphs of this process."""
        return {**self.__dict__, "_elaborated": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**state, "_elaborated": WeakValueDictionary()})

    @property
    def name(self) -> str:
        """The cell's name."""
        return self._known[0] if self._known else self.cell.name

    @cached_property
    def made_of(self) -> str:
        """A digest of the cell and all that it uses."""
        return (
            self._known[1] if self._known else records.key("cell", self._text.record, sorted(self._parsed[2].items()))
        )

    @property
    def cell(self) -> syntax.Cell:
        """The cell's syntax tree."""
        return self.definition.cell

    @property
    def file(self) -> syntax.File:
        """The syntax tree of the whole text."""
        return self.definition.module.file

    @property
    def source(self) -> Source:
        """The text."""
        return self._text.source

    @property
    def doc(self) -> str:
        """The cell's docstring ("" where it has none)."""
        return self.cell.doc or ""

    def __repr__(self) -> str:
        return f"<cell {self.name} of {self.source.name}>"

    # ----------------------------------------------------------------------------------------------- compilation

    def check(self, all_cells: bool = True) -> None:
        """Check every cell of the file, or this cell only, with dimensions as units.

        Raises:
            SpecError: it holds every independent mistake.
        """
        cells = [c for c in self.definition.module.cells.values() if c.module is self.definition.module]
        self._check(cells if all_cells else [self.definition])

    def checked(self) -> Elaborated:
        """Check the cell, and return what `units` returns.

        Raises:
            SpecError: it holds every independent mistake.
        """
        found = self._check([self.definition])
        self._checked = True
        return found

    def _check(self, cells: Sequence[CellDef]) -> Elaborated:
        from recurrency.language.elaboration.elaborate import check, check_all

        return check_all(cells, self._parsed[1], lambda c: self.units() if c is self.definition else check(c))

    def units(self, given: Mapping[str, Any] | None = None) -> Elaborated:
        """The stream graph with numbers for the given dimensions, and units for the others; see `elaborate`."""
        from recurrency.language.elaboration.elaborate import check

        given = together(given or {})
        key = f"units {sorted(given.items())!r}"
        return self._elaborated.get(key) or self._elaborated.setdefault(key, check(self.definition, given))

    def lint(self) -> tuple[Diagnostic, ...]:
        """Warnings about the cells of the file: what is valid, but probably a mistake (docs/diagnostics.md)."""
        from recurrency.language.linting.lints import lint

        return lint(self.definition.module)

    def elaborate(self, /, **dimensions: Any) -> Elaborated:
        """The stream graph for these dimensions, with the types of its sources and results.

        Models of these dimensions share it, so it must not be changed.

        Raises:
            SpecError: the spec has mistakes. UsageError: a dimension is missing or unknown.
        """
        from recurrency.language.elaboration.elaborate import elaborate

        dimensions = together(dimensions)
        key = repr(sorted(dimensions.items()))
        found = self._elaborated.get(key)
        if found is None:
            self._check_once()
            found = self._elaborated[key] = elaborate(self.definition, dimensions)
        return found

    def _check_once(self) -> None:
        if not self._checked:
            self.checked()

    def graph(self, /, **dimensions: Any) -> Graph:
        """The stream graph for these dimensions, before any pass."""
        return self.elaborate(**dimensions).graph

    def compile(
        self,
        /,
        backend: str = "auto",
        dtype: str = "float32",
        batch_first: bool = False,
        without: Sequence[str] = (),
        checkpoint: int | str | None = None,
        compute: str = "",
        optimise: str | None = None,
        **dimensions: Any,
    ) -> Model:
        """Compile the cell for given dimensions (numbers; functions and cells by name), and arrays of its constants.

        Those that are called like an option of this method go into a dict: `dimensions={"dtype": 3}`. The array of
        `const M : [H, H] = given` is `M=array` (or the path of a .npy file), that of a cell inside, `{"enc.M": array}`.
        `const_seed` is the seed of constants that are drawn (default 0).

        `backend` is one of `recurrency backends`; `auto` is `c` where there is a C compiler, else `numpy`. `dtype` is
        float32 or float64; with `batch_first` arrays are [B, T, ...] instead of [T, B, ...]; `without` names passes
        that are switched off. With `checkpoint`, gradients keep only the states at every k-th step and recompute the
        steps between them: the number k, or a budget of memory such as "512 MB" (docs/memory.md). With
        `compute="bf16"`, matrix products have operands rounded to bf16 and sums in float32 (docs/c.md). `optimise` is
        "full" (the default), or "quick": of the backend c, the first call comes sooner, and calls take longer
        (docs/c.md).

        Raises:
            SpecError: the spec has mistakes.
            UsageError: a dimension is missing or unknown, the backend can't run here, or the cell can't run in chunks;
                backend, processor or dtype don't allow `compute`.
        """
        from recurrency.backend import Prepared, at_tier, find

        chosen, dimensions = find(f"{backend}:{compute}" if compute else backend), together(dimensions)
        chosen = at_tier(chosen, optimise)
        if isinstance(chosen, Prepared):
            chosen.prepare()
        from recurrency.model.model import Model

        record = self._record(chosen, dimensions, dtype, without)
        elaborated = partial(self.elaborate, **dimensions)
        return Model(self, elaborated, chosen, dtype, batch_first, without, record, checkpoint)

    def _record(
        self, backend: Backend, dimensions: Mapping[str, Any], dtype: Any, without: Sequence[str]
    ) -> str | None:
        """The name of the record of a model; None if the backend or the dimensions allow no record."""
        plain = all(type(value) in (*PLAIN, Fixed, OwnCell) for value in dimensions.values())
        if not plain or not hasattr(backend, "restored") or not records.enabled():
            return None
        if self._known is None:
            self._check_once()
            self._known = self._remember()
        return records.key(self._known[1], sorted(dimensions.items()), str(dtype), sorted(without), backend.name)

    def _remember(self) -> tuple[str, str]:
        """Write the record of the text, for the next process."""
        text, (_, _, uses) = self._text, self._parsed
        made_of = self.made_of
        digests = {p: hashlib.sha256(used.encode()).hexdigest() for p, used in uses.items()}
        name = self.cell.name
        records.write(text.record, Made(name, digests, made_of))
        return name, made_of

    def module(
        self,
        /,
        batch_first: bool = False,
        state: str = "names",
        streams: Sequence[str] = (),
        dtype: Any = None,
        device: Any = None,
        seed: int | None = None,
        without: Sequence[str] = (),
        flat: bool = False,
        **dimensions: Any,
    ) -> CellModule:
        """Compile the cell to a `torch.nn.Module` for given dimensions; docs/torch.md says how it behaves.

        With `state="tuple"`, states are passed and returned as by `nn.LSTM` or `nn.GRU`; otherwise in a dict by name.
        `streams` are inner streams that the module returns as well. `dtype` and `device` are torch's (its defaults).
        Parameters are drawn from `seed` as by `Model.init`; without one, from a seed of torch's generator. With `flat`
        they are one parameter, a vector.

        Raises:
            SpecError: the spec has mistakes.
            UsageError: a dimension or stream is missing or unknown, or PyTorch is not installed.
        """
        from recurrency.backend import find

        chosen: Any = find("torch")
        dimensions = together(dimensions)
        model = self.compile(backend="torch", without=without, dimensions=dimensions)
        options: Any = {"batch_first": batch_first, "state": state, "dtype": dtype, "device": device, "seed": seed}
        network: CellModule = chosen.network(model, dimensions, streams, flat=flat, **options)
        return network

    # --------------------------------------------------------------------------------------------------- pictures

    def save_picture(self, path: str | Path, /, **dimensions: Any) -> None:
        """Draw the cell to a file; the suffix determines the format: .svg, .png, .pdf or .dot.

        Dimensions, functions and cells of the header are given as to `compile`; the others are drawn by name.

        Raises:
            SpecError: the cell has mistakes.
            UsageError: another suffix, a size that does not fit, a cell too large for a picture, or a file that can't
                be written.
        """
        from recurrency.pictures import draw

        self.check(all_cells=False)
        draw(self.definition, together(dimensions)).save(path)


def together(dimensions: Mapping[str, Any]) -> dict[str, Any]:
    """Dimensions by name, and those in the dict `dimensions`, whose names may be those of other arguments.

    Arrays of constants among them, and files with arrays, become `Fixed`; specs, and the paths of their files, become
    `OwnCell`; functions of NumPy and PyTorch become their names.

    Raises:
        UsageError: an array is not finite or too large, or a file can't be read. SpecError: a file is malformed.
    """
    own = dict(dimensions)
    more = own.pop("dimensions", None)
    given = {**own, **more} if isinstance(more, Mapping) else dict(dimensions)
    if all(type(value) in PLAIN and not is_file(value) and not is_cell(value) for value in given.values()):
        return given
    return {name: _converted(name, value) for name, value in given.items()}


def _converted(name: str, value: Any) -> Any:
    from recurrency.language.elaboration.handed import array_of
    from recurrency.language.foreign_functions import named_here

    if is_cell(value):
        value = load(value)
    if isinstance(value, Spec):
        return OwnCell(value.name, value.made_of, value.definition)
    return named_here(name, value) if callable(value) else array_of(name, value)


# ------------------------------------------------------------------------------------------------------------ loading


def load(path: str | Path, cell: str | None = None) -> Spec:
    """Load a cell from a `.rnn` file: the one that is named (`cell=`, or `"file.rnn:Cell"`), or the last.

    Raises:
        UsageError: there is no such file. SpecError: the text is malformed, or has no such cell.
    """
    text = str(path)
    if cell is None and ".rnn:" in text:
        text, cell = text.rsplit(":", 1)
    file = Path(text)
    if not file.is_file():
        raise UsageError(f"there is no file {text}{_hint(file)}")
    return from_source(read_source(file), file.resolve(), cell)


def _hint(file: Path) -> str:
    """A suggestion for a file that does not exist, to append to a message."""
    folder = file if file.is_dir() else file.parent
    files = [p.name for p in sorted(folder.glob("*.rnn"))]
    near = nearest(file.name, files)
    if near:
        return f"; did you mean {folder / near}?"
    if str(file) in library_index():
        return f"; the cell of the library is recurrency.library.{file}"
    return f"; {folder} has {', '.join(files)}" if files and file.is_dir() else ""


def parse(text: str, name: str = "<text>", cell: str | None = None) -> Spec:
    """Parse a cell from a text, which may use the library but no files.

    Raises:
        SpecError: the text is malformed, or has no such cell.
    """
    return from_source(Source(name, text), None, cell)


def from_source(source: Source, path: Path | None, cell: str | None) -> Spec:
    """A cell of a text; files that it uses are relative to `path`."""
    return Spec(Text(source, path, cell))
