"""Mistakes in what PyTorch computes at once."""

from __future__ import annotations

from tests.planted import CASE, FULL, Plant

FUSIONS = "recurrency.backends._torch_fusions:_Finder."
TORCH = "recurrency.backends._torch_dialect:Torch."


def _torch(name: str, where: str, old: str, new: str, cell: str, said: str, kind: str = "forward") -> Plant:
    return Plant(name, where, old, new, cell, said, kind, backend="torch")


ROWS = (
    _torch("a difference that is fused as a sum", FUSIONS + "look_at", "match.inner, template,", 'match.inner, template.replace("value=-1", "value=1"),',
           "y = z - sin(z) * cos(z)", "?"),
    _torch("a derivative of another function", FUSIONS + "look_at", "match.inner, template,", 'match.inner, template.replace("tanh_backward", "sigmoid_backward"),',
           "y = tanh(z)", "?", "backward"),
    _torch("an argument read too late", FUSIONS + "_may", "for a in read for b in written", "for a in read for b in ()",
           "a = sin(z)\nb = a * z\ny = cos(a) + b", "?", "backward"),
    _torch("what is added to a product lost", TORCH + "product", "plus=call.plus", "plus=call.out",
           "param U : [H, H] ~ ones\ny = z + U @ z", "?"),
    _torch("vectors in the place of one another", TORCH + "product", "a=a, b=b,", "a=b, b=a,",
           "param U : [H, H] ~ ones\ny = U @ z", "?"),
)  # fmt: skip
