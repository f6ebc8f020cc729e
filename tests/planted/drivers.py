"""Mistakes in loops over time on a device, in plans that are used again, and in what kernels read."""

from __future__ import annotations

from dataclasses import replace

from recurrency.testing import Case
from tests.planted import CASE, FULL, Plant

CUDA = "recurrency.backends.kernels."
WRITER = "recurrency.backends.cupy.writer:CudaWriter."
TEXT = "recurrency.backends.cupy.backend:CupyBackend.emit()"
ELMAN = """
    param U : [H, H] ~ ones
    state h : [H] ~ ones
    h = tanh(z + U @ h[t-1])
    y = h
"""
DIAGONAL = """
    state h : [H] ~ ones
    h = tanh(z * h[t-1])
    y = h
"""


def _driver(
    name: str, where: str, old: str, new: str, cell: str, said: str, kind: str = "forward", case: Case = CASE
) -> Plant:
    return Plant(name, where, old, new, cell, said, kind, case, "cupy-emulated")


ROWS = (
    _driver("a loop that ends a step too early", WRITER + "_around", "t < {steps}; ++t",
            "t < {steps} - 1; ++t", DIAGONAL, "cupy-emulated loop"),
    _driver("a state that stays what it was", WRITER + "_around", "{written[element].text};",
            "{body.carried[element]};", DIAGONAL, "cupy-emulated loop"),
    _driver("a matrix that is not turned", WRITER + "turned", "at.to(*at.idx[::-1])", "at", ELMAN,
            "cupy-emulated step"),
    _driver("a driver's loop in the wrong order", "recurrency.backends.cupy.loops:Loops._steps", "{steps} - 1, -1, -1",
            "{steps}", "h = sin(h[t+1] * sum(h[t+1])) + z\ny = h", "op "),
    _driver("a factor that is not turned", "recurrency.backends.cupy.products:CudaProducts.factor",
            "if factor.turned", "if False", "param U : [H, H] ~ ones\ny = U @ z", "op product"),
    _driver("a captured graph of old arrays", TEXT, "self.copy(array, p.__dict__.get(name)) if p.static else array",
            "array", ELMAN, "cupy-emulated split and cupy-emulated step", "steps", FULL),
    _driver("a plan that was made for other sizes", TEXT, "key = (self.queue(), sizes,", "key = (self.queue(),", ELMAN,
            "neither a pass nor a single operation", "chunks", replace(FULL, cuts=(1, 2))),
    _driver("a loop over terms without the last", CUDA + "values:Body.bound", "else str(extent(dim))",
            'else f"{extent(dim)} - 1"', "y = z * sum(sin(z))", "op sum"),
    _driver("a sum that forgets what came before", CUDA + "reductions:looped", "join.format(",
            'join.replace("+=", "=").format(', "y = z * sum(sin(z))", "op sum"),
    _driver("a final state of a step before", CUDA + "ops:_final", "1 + node.attrs", "2 + node.attrs",
            "a = exp(z)\ny = a + a[t-1]", "op final"),
    _driver("a stream turned around its end", CUDA + "ops:_reverse", "- 1 - {at.t}", "- {at.t}",
            "y = exp(z) * reverse(exp(z))", "op reverse"),
    _driver("parts that all have one start", CUDA + "ops:_concat", "start += size if", "start += 0 if",
            "y = slice(concat(z, sin(z)), 2, H + 1)", "op concat"),
    _driver("a sign of C", "recurrency.backends.kernels.scalars:SCALAR_C[sign]", "-1.0{f}", "1.0{f}", "y = sign(z)",
            "op sign"),
)  # fmt: skip
