"""The PyTorch backend: a program as a readable module of PyTorch, for any device and any real dtype."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from recurrency.errors import UsageError
from recurrency.extras import install
from recurrency.graph.graph import Graph
from recurrency.passes.beyond import beyond
from recurrency.passes.lengths import lengths as with_lengths
from recurrency.program.layout import Layout
from recurrency.program.schedule import schedule

from ..names import ascii_name
from ..python.fixed import fixed_text
from ..python.function import Function
from ..python.module import assembled, docstring, executed, import_line
from .dialect import Torch
from .helpers import HELPERS
from .ops import FUNCTIONS

if TYPE_CHECKING:
    from recurrency.backend import Call
    from recurrency.model.export import Export
    from recurrency.model.model import Model

FUSIONS = "fusions"
"""The switch for computing several operations by one function of PyTorch, where it has one."""

Array = np.ndarray[Any, np.dtype[Any]]


class Built:
    """A generated function on NumPy arrays (see `recurrency.backend.Runner`); `function` is the same on tensors."""

    def __init__(self, function: Callable[..., dict[str, Any]], source: str, graph: Graph) -> None:
        self.function, self.source, self.graph = function, source, graph
        self.fits: set[str] = set()
        """The dtypes into which the fixed arrays of the graph fit."""

    def __call__(self, call: Call) -> dict[str, Array]:
        import torch

        real = call.params.dtype
        if real.name not in self.fits:
            beyond(self.graph, real.name)
            self.fits.add(real.name)
        tensors = {n: tensor(np.asarray(a, real if a.dtype.kind == "f" else np.int64)) for n, a in call.given.items()}
        lengths, offset = _tensors(call.lengths), _tensors(call.offset)
        call = call._replace(params=tensor(call.params), given=tensors, lengths=lengths, offset=offset)
        with torch.no_grad():
            found = self.function(*call)
        return {name: value.numpy() for name, value in found.items()}


def _tensors(counts: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if counts is None else {clock: tensor(np.asarray(n)) for clock, n in counts.items()}


class _Writable:
    """A read-only array that claims to be writable, because PyTorch warns about others. We only read it."""

    def __init__(self, array: Array) -> None:
        address, _ = array.__array_interface__["data"]
        self.array, self.__array_interface__ = array, {**array.__array_interface__, "data": (address, False)}


def tensor(array: Array) -> Any:
    """A tensor on the memory of an array, or on a copy where PyTorch does not support its strides."""
    import torch

    if any(stride < 0 or stride % array.itemsize for stride in array.strides):
        array = array.copy()  # not `ascontiguousarray`, which keeps any stride of an axis of one element
    return torch.from_numpy(array if array.flags.writeable else np.asarray(_Writable(array)))


class TorchBackend:
    """Generated PyTorch: on arrays, as in every backend, and as an `nn.Module`."""

    name = "torch"
    extension = ".py"
    """The extension of the files that it writes."""
    switches = frozenset({FUSIONS})
    """What can be switched off, besides passes and pieces of the schedule."""
    any_dtype = True
    """Its functions compute in the dtype of their arguments, which is known when they are called."""

    def available(self) -> str | None:
        """Why this backend can't run here; None: it can."""
        if find_spec("torch") is None:
            return f"PyTorch is not installed: {install('torch')}"
        return None

    def _need_torch(self) -> None:
        if reason := self.available():
            raise UsageError(reason)

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Built:
        """Generate and execute one function, which computes the roots of a graph in the dtype of its arguments.

        Raises:
            UsageError: PyTorch is not installed.
        """
        self._need_torch()
        text = self.emit([(name, graph)], layout, "", without)
        called = ascii_name(name)
        return Built(executed(text, self.name, called)[called], text, graph)

    def module(self, export: Export) -> str:
        """The source of a whole module: an `nn.Module` that needs nothing but PyTorch.

        Raises:
            UsageError: PyTorch is not installed; the writer needs it too.
        """
        self._need_torch()
        from .module_text import module_text

        return module_text(export)

    def network(self, model: Model, dimensions: Mapping[str, Any], streams: Sequence[str], **options: Any) -> Any:
        """A compiled model as an `nn.Module`; see `Spec.module`."""
        from .module import network

        return network(model, dimensions, streams, **options)

    def emit(
        self,
        functions: Sequence[tuple[str, Graph]],
        layout: Layout,
        header: str = "",
        without: frozenset[str] = frozenset(),
    ) -> str:
        """The source of a module with these functions on tensors, which needs nothing but PyTorch.

        Each is `NAME(params, given, lengths, steps, batch, training, seed, offset)`, as in `recurrency.backend.Runner`,
        on tensors of one device; real ones have the dtype of `params`. Call it without autograd. The tensors that it
        returns are contiguous, share no memory, and are not changed by later calls. Several threads may call it at
        once.
        """
        written = []
        for name, graph in functions:
            program = schedule(with_lengths(graph), layout, without)
            written.append(Function(ascii_name(name), program, layout, Torch(FUSIONS not in without)))
        own = [*(function.text() for function in written), fixed_text(written, Torch())]
        return assembled(lambda used: _preamble(header, used), own, HELPERS)


def _preamble(header: str, used: set[str]) -> str:
    lines = [docstring(header), ""] if header else []
    lines += ["import math"] if used & {"math", "nan", "inf"} else []
    lines += ["from base64 import b64decode", "from struct import unpack"] if "b64decode" in used else []
    lines += ["from sys import getrefcount"] if "getrefcount" in used else []
    lines += ["", "import torch"]
    plain = {name for name in used if FUNCTIONS.get(name) == f"torch.{name}"}
    lines += [import_line("torch", plain)] if plain else []
    lines += ["", *(f"{name} = {FUNCTIONS[name]}" for name in sorted(used & FUNCTIONS.keys() - plain))]
    lines += ["nan, inf = math.nan, math.inf"] if used & {"nan", "inf"} else []
    return "\n".join(lines)


backend = TorchBackend()
