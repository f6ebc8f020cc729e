"""The ONNX backend: it writes programs as ONNX graphs, and runs them with onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from recurrency.errors import UsageError
from recurrency.extras import install
from recurrency.graph.graph import Graph
from recurrency.graph.roots import GRADIENT, TANGENT, TAPE, in_any
from recurrency.program.layout import Layout

if TYPE_CHECKING:
    from recurrency.backend import Runner
    from recurrency.model.model import Model

    from .runner import Array


class OnnxBackend:
    """Results only, out of training: for programs that run a trained network."""

    name = "onnx"
    extension = ".onnx"
    """The extension of the files that it writes."""
    inference = True
    """It computes no gradients, and draws no random numbers."""

    def available(self) -> str | None:
        """Why this backend can't run here; None: it can."""
        missing = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
        return f"{' and '.join(missing)} not installed: {install('onnx')}" if missing else None

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Runner:
        """A session of onnxruntime that computes the roots of a graph, on one thread.

        Raises:
            UsageError: the graph has gradients, or draws random numbers out of training.
        """
        if any(in_any(root, GRADIENT, TAPE, TANGENT) for root in graph.roots):
            raise UsageError("the backend onnx computes no gradients: only forward, step and loss")
        self._require("onnx", "onnxruntime")
        from .runner import Built

        return Built(graph, layout, dtype, name)

    def files(
        self, model: Model, weights: Array | None = None, resets: bool = False, streams: Sequence[str] = ()
    ) -> Mapping[str, bytes]:
        """A compiled cell as files: the extension of each, with its content.

        `weights` [size] are its parameters (by default its initial values of seed 0); with `resets` it has an input for
        resets within sequences; `streams` are inner streams that are outputs too. `.onnx` computes whole sequences,
        `.step.onnx` one step, if the cell can be computed step by step.

        Raises:
            UsageError: the cell draws random numbers out of training, is too large for a file, or can't be reset.
        """
        self._require("onnx")
        from .files import files

        return files(model, weights, resets, streams)

    def _require(self, *names: str) -> None:
        if missing := [name for name in names if find_spec(name) is None]:
            raise UsageError(f"{' and '.join(missing)} not installed: {install('onnx')}")


backend = OnnxBackend()
