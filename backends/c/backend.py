"""The C backend: writes a program as one file of C, which the system's compiler compiles; a cache keeps the library."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from recurrency.backend import tier
from recurrency.disk.libraries import CompileError
from recurrency.errors import RecurrencyError, UsageError

from .bf16 import COMPUTE
from .runtime import compiler, pool, target, trust
from .runtime.runner import Built
from .signature import Signature

if TYPE_CHECKING:
    from recurrency.graph.graph import Graph
    from recurrency.model.export import Export
    from recurrency.program.layout import Layout

    from .function import CFunction
    from .gaps import Gaps


class CBackend:
    """Native code from a C compiler; with `compute`, bf16, for products with operands of that type."""

    computes = (COMPUTE,)
    """The types other than its own to which a model's operands of products may be rounded."""
    extension = ".c"
    """The extension of the files that it writes."""
    writes_steps = True
    """Its modules have a function for one step."""

    def __init__(self, compute: str = "", optimise: str | None = None) -> None:
        """`optimise` is one of `recurrency.backend.TIERS`; None is that of the environment when a model is compiled."""
        self.compute, self.optimise = compute, optimise
        self.name = f"c:{compute}" if compute else "c"

    def computing(self, compute: str) -> CBackend:
        """The backend that rounds the operands of products to this type."""
        return CBackend(compute, self.optimise)

    def at(self, optimise: str) -> CBackend:
        """This backend at a tier; its programs have the same source."""
        return CBackend(self.compute, optimise)

    def require(self, dtype: str) -> None:
        """Check that models can have this dtype.

        Raises:
            UsageError: they can't with what is computed in.
        """
        if self.compute and dtype != "float32":
            raise UsageError(
                f"with compute={self.compute} sums are of float32, so that dtype can't be {dtype}; "
                "give dtype float32 (on the command line: --dtype float32)"
            )

    def available(self) -> str | None:
        """Why this backend cannot run here, or None."""
        reason: str | None = compiler.obstacle() or self.doubts() or (self.lacks() if self.compute else None)
        return reason

    def lacks(self) -> str | None:
        """Why this processor can't compute in bf16, or None; nothing is emulated."""
        try:
            return target.lacks_bf16()
        except CompileError as error:
            return str(error)

    def doubts(self) -> str | None:
        """Why the compiler cannot be used, or None: a trial showed that its code is wrong on this processor."""
        try:
            found: str | None = None if compiler.obstacle() else trust.doubts()
        except CompileError as error:
            return str(error)
        return found

    def prepare(self) -> None:
        """Compile the pool, which all functions need, while Python is busy with the model."""
        with suppress(RecurrencyError):
            if pool.threads() > 1:
                pool.begin()

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Built:
        """Compile one function, which computes the roots of a graph."""
        from ..names import ascii_name
        from .describe import signature

        source, (function,) = self.emit([(ascii_name(name), graph)], layout, dtype, without, here=True)
        return Built(signature(function), source, dtype, tier(self.optimise))

    record = tuple[Signature, str, str]
    """What `Built.kept` gives, for `recurrency.disk.records`."""

    def restored(self, kept: tuple[Signature, str, str]) -> Built:
        """A function that was compiled before, from the result of `Built.kept`; this needs no graph."""
        return Built(*kept, tier(self.optimise))

    def module(self, export: Export) -> str:
        """The text of a file for other programs: functions for whole sequences, steps, gradients, and the loss.

        It is C99 with extensions where a compiler has vectors; -DREC_PORTABLE leaves these out.
        """
        return self.module_with_header(export)[0]

    def module_with_header(self, export: Export) -> tuple[str, str]:
        """The text of `module`, and its header file."""
        from .module import Interface, file_text
        from .naming import prefix_of
        from .weights import weights_text

        prefix = prefix_of(export.name)
        graphs = [(f"{prefix}_{name.removesuffix('_pass')}", graph) for name, graph in export.functions]
        graphs.insert(0, (f"{prefix}_infer", export.programs.graph("forward", ())))
        written = self._written(graphs, export.layout, export.dtype, export.without)
        interface = Interface(export, written, prefix)
        calls = interface.calls_text()
        before, texts, after = self._texts(
            written, export.dtype, False, False, interface.gaps if export.masks else (), calls
        )
        return file_text(interface, before, texts, after, weights_text(interface)), interface.header()

    def emit(
        self,
        functions: Sequence[tuple[str, Graph]],
        layout: Layout,
        dtype: str,
        without: frozenset[str] = frozenset(),
        here: bool = False,
    ) -> tuple[str, list[CFunction]]:
        """The text of a file with these functions, which needs no other file; and the functions.

        `here`: it is for this process, which may stop a call between two steps.
        """
        written = self._written(functions, layout, dtype, without)
        before, texts, after = self._texts(written, dtype, structs=True, here=here)
        return "\n".join([before, *texts, after]), written

    def _written(
        self, functions: Sequence[tuple[str, Graph]], layout: Layout, dtype: str, without: frozenset[str]
    ) -> list[CFunction]:
        from ..names import Names
        from .function import CFunction

        self.require(dtype)
        return [CFunction(name, graph, layout, dtype, without, Names()) for name, graph in functions]

    def _texts(
        self,
        functions: Sequence[CFunction],
        dtype: str,
        structs: bool,
        here: bool,
        gaps: Sequence[Gaps] = (),
        calls: str = "",
    ) -> tuple[str, list[str], str]:
        """What comes before functions, the text of each, and what comes after them; `calls` calls them."""
        from ..kernels.fixed import fixed_text
        from .function_text import function_text
        from .helpers import around
        from .text import library

        real = {"float32": "float", "float64": "double"}[dtype]
        texts = [function_text(f, structs, here, bool(gaps)).replace("??", "? ?") for f in functions]
        texts = [f"{text}\n{own.text()}" for text, own in zip(texts, gaps, strict=True)] if gaps else texts
        widths = {n for f in functions for n in f.launches.products.columns}
        columns = {int(n) for n in widths} if all(n.isdigit() for n in widths) else None
        before, after = around(library(real, here, columns, self.compute), "\n".join([*texts, calls]))
        fixed = fixed_text(functions, dtype, "static")
        return f"{before}\n{fixed}" if fixed else before, texts, after


backend = CBackend()
