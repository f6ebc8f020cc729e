"""Exported ONNX files of a case, run by onnxruntime as a user would, and compared with the interpreter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from recurrency.backend import find
from recurrency.graph.roots import FINAL, OUTPUT
from recurrency.testing.bench import bench
from recurrency.testing.case import Case
from recurrency.testing.compare import tolerance
from recurrency.testing.outcomes import Call

Arrays = dict[str, Any]


def session(content: bytes) -> Any:
    """A session on one thread, without warnings."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


class Reference:
    """The evaluator of the package onnx, which says what the operators mean, as a session."""

    def __init__(self, content: bytes) -> None:
        import onnx
        from onnx.reference import ReferenceEvaluator

        self.file = onnx.load_from_string(content)
        self.evaluator = ReferenceEvaluator(self.file)
        self.initial = {tensor.name for tensor in self.file.graph.initializer}

    def get_inputs(self) -> list[Any]:
        return [i for i in self.file.graph.input if i.name not in self.initial]

    def get_overridable_initializers(self) -> list[Any]:
        return [i for i in self.file.graph.input if i.name in self.initial]

    def get_outputs(self) -> list[Any]:
        return list(self.file.graph.output)

    def run(self, _: None, feed: Arrays) -> list[Any]:
        with np.errstate(all="ignore"):
            found: list[Any] = self.evaluator.run(None, feed)
        return found


class Exported:
    """A cell with the parameters of a case, as files; the results have the names of the interpreter's."""

    def __init__(self, spec: Any, case: Case) -> None:
        self.spec, self.case = spec, case
        self.model = bench(spec).model(case.dimensions, "numpy", case.dtype)
        self.call = Call.of(self.model, case)
        backend: Any = find("onnx", run=False)
        self.files = backend.files(self.model, self.call.params)

    @cached_property
    def whole(self) -> Any:
        return session(self.files[".onnx"])

    @cached_property
    def single(self) -> Any:
        return session(self.files[".step.onnx"])

    def run(self, session: Any, inputs: Mapping[str, Any], state: Mapping[str, Any], lengths: Any = None) -> Arrays:
        """One call: outputs and final states."""
        given = {i.name for i in (*session.get_inputs(), *session.get_overridable_initializers())}
        real = self.model.real
        feed = {n: np.asarray(a, real if a.dtype.kind == "f" else np.int64) for n, a in inputs.items() if n in given}
        feed |= {f"initial:{n}": np.asarray(a, None if a.dtype.kind == "i" else real) for n, a in state.items()}
        feed = {name: array for name, array in feed.items() if name in given}
        for clock, counts in (lengths or {}).items():
            feed["lengths" if "lengths" in given else f"lengths:{clock}"] = np.asarray(counts, np.int64)
        found = session.run(None, feed)
        names = [o.name for o in session.get_outputs()]
        return {n if FINAL.has(n) else OUTPUT.of(n): a for n, a in zip(names, found, strict=True)}

    def in_one(self) -> Arrays:
        """The whole sequences."""
        return self.run(self.whole, self.call.data.inputs, self.call.data.state or {}, self.case.ragged)

    def in_pieces(self, *ends: int) -> Arrays:
        """In chunks that pass on their states."""
        clock, total = self.model.clock, self.case.steps[self.model.clock]
        return self._joined(self._chunks([0, *ends, total], clock))

    def _chunks(self, edges: list[int], clock: str) -> Iterator[Arrays]:
        state = self.call.data.state or {}
        for start, stop in pairwise(edges):
            inputs = {n: x[start:stop] for n, x in self.call.data.inputs.items()}
            ragged = self.case.ragged
            left = None if ragged is None else {clock: np.clip(ragged[clock] - start, 0, stop - start)}
            found = self.run(self.whole, inputs, state, left)
            state = FINAL.within(found)
            yield found

    def in_steps(self) -> Arrays:
        """By the graph for one step."""
        state, parts = self.call.data.state or {}, []
        for t in range(self.case.steps[self.model.clock]):
            found = self.run(self.single, {n: x[t] for n, x in self.call.data.inputs.items()}, state)
            state = FINAL.within(found)
            parts.append({n: a if FINAL.has(n) else a[None] for n, a in found.items()})
        return self._joined(iter(parts))

    def _joined(self, parts: Iterator[Arrays]) -> Arrays:
        """The streams of all parts, and the states of the last one."""
        found = list(parts)
        timed = [OUTPUT.of(n) for n, p in self.model.outputs.items() if p.clock is not None]
        streams = {n: np.concatenate([part[n] for part in found]) for n in timed}
        return {**{n: a for n, a in found[-1].items() if FINAL.has(n)}, **streams}

    def wrong(self, found: Arrays) -> list[str]:
        """The results that are farther from the interpreter's than the bounds of `verify` allow."""
        wanted, out = bench(self.spec).reference(self.case, "forward"), []
        for name, array in found.items():
            assert array.shape == wanted[name].shape, f"{name} is {array.shape} and not {wanted[name].shape}"
            with np.errstate(invalid="ignore"):
                error = np.abs(array.astype(float) - wanted[name])
            for conditioned in (False, True):
                bound = tolerance(self.spec, self.case, "forward", name, conditioned)
                bad = ~(error <= bound) & np.isfinite(wanted[name])
                if not bad.any():
                    break
            out += [f"{name} is wrong by {error[bad].max():.3g}"] if bad.any() else []
        return out
