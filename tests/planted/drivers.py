"""Mistakes in loops over time on a device, in what a driver calls, and in what its kernels read."""

from __future__ import annotations

from dataclasses import replace

from recurrency.testing import Case
from tests.planted import CASE, FULL, Plant

CUDA = "recurrency.backends._cuda_"
CUPY = "recurrency.backends._cupy_"
TEXT = "recurrency.backends.cupy:CupyBackend.emit()"
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


def _driver(name: str, where: str, old: str, new: str, cell: str, said: str, kind: str = "forward", case: Case = CASE) -> Plant:
    return Plant(name, where, old, new, cell, said, kind, case, "cupy-emulated")


ROWS = (
    _driver("a loop that ends a step too early", CUDA + "kernels:Writer._around", "t < {steps}; ++t", "t < {steps} - 1; ++t", DIAGONAL, "cupy-emulated loop"),
    _driver("a state that stays what it was", CUDA + "kernels:Writer._around", "{written[element].text};", "{body.carried[element]};", DIAGONAL, "cupy-emulated loop"),
    _driver("a matrix that is not turned", CUDA + "kernels:Writer.turned", "body.value(id, at.to(*at.idx[::-1]))", "body.value(id, at)", ELMAN, "cupy-emulated step"),
    _driver("own products in the wrong order of time", CUPY + "loops:Loops._steps", "{steps} - 1, -1, -1", "{steps}", "param U : [H, H] ~ ones\nstate h : [H] ~ ones\nh = tanh(z + U @ h[t-1])\ny = h", "?", "backward"),
    _driver("a factor that is not turned", CUPY + "products:ProductText.factor", "if factor.turned", "if False", "param U : [H, H] ~ ones\ny = U @ z", "op product"),
    _driver("a loop over terms that leaves out the last", CUDA + "values:Body.loop", "< {bound};", "+ 1 < {bound};", "y = z * sum(sin(z))", "op sum"),
    _driver("sums that forget what came before", CUDA + "reductions:looped", "join.format(name, next_)", 'join.replace("+=", "=").format(name, next_)', "y = z * sum(sin(z))", "op sum"),
    _driver("a final state a step too early", CUDA + "ops:_final", "1 + node.attrs", "2 + node.attrs", "a = exp(z)\ny = a + a[t-1]", "op final"),
    _driver("first values from the wrong end", CUDA + "ops:_final", "(-1 - {step})", "(0 - {step})", "state h : [H] ~ ones\nh = sin(h[t-2]) * z\ny = h", "op final", "forward", replace(CASE, lengths={"t": (4, 0)})),
    _driver("a stream turned around with a step too many", CUDA + "ops:_reverse", "- 1 - {at.t}", "- {at.t}", "y = exp(z) * reverse(exp(z))", "op reverse"),
    _driver("parts of which none has a start", CUDA + "ops:_concat", "start += size if", "start += 0 if", "y = slice(concat(z, sin(z)), 2, H + 1)", "op concat"),
    _driver("a sign of C", "recurrency.backends._scalar_c:SCALAR_C[sign]", "-1.0{f}", "1.0{f}", "y = sign(z)", "op sign"),
    _driver("a captured graph that reads the old arrays", TEXT, "self.copy(array, p.__dict__.get(name)) if p.static else array", "array", ELMAN, "?", "steps"),
    _driver("results that the next call writes again", TEXT, "{name: self.copy(array) for name, array in results.items()}", "results", ELMAN, "?", "steps"),
    _driver("a plan for other sizes", TEXT, "key = (sizes, int(batch), tuple(given), bool(training), ragged, self.wanted)", "key = (int(batch), tuple(given), bool(training), ragged, self.wanted)", ELMAN, "?", "chunks", replace(FULL, cuts=(1,))),
)  # fmt: skip
