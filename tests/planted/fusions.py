"""Mistakes in what PyTorch computes at once: seen only where nobody else reads what lies in between."""

from __future__ import annotations

from tests.planted import Plant

FINDER = "recurrency.backends.torch.fusions:_Finder."
DIALECT = "recurrency.backends.torch.dialect:Torch."


def _torch(name: str, where: str, old: str, new: str, cell: str, said: str, kind: str = "forward") -> Plant:
    return Plant(name, where, old, new, cell, said, kind, backend="torch")


ROWS = (
    _torch("a difference that is fused as a sum", FINDER + "look_at", "match.inner, template,",
           'match.inner, template.replace("value=-1", "value=1"),', "y = z - sin(z) * cos(z)", "torch fusions"),
    _torch("a derivative of another function", FINDER + "look_at", "match.inner, template,",
           'match.inner, template.replace("tanh_", "sigmoid_"),', "y = tanh(z)", "torch fusions", "backward"),
    _torch("a number that fits any pattern", FINDER + "_matches", "== pattern:", "is not None:",
           "y = tanh(z) * (2 - tanh(z))", "torch fusions"),
    _torch("what is added to a product counts twice", DIALECT + "product", "plus=call.plus,",
           'plus=call.plus and f"2 * {call.plus}",', "param U : [H, H] ~ ones\ny = z + U @ z", "torch fusions"),
    _torch("backward loops of torch that run forwards", DIALECT + "per_step", "-1 if backwards else 1", "1",
           "h = sin(h[t+1]) + z\ny = h", "op shift"),
)  # fmt: skip
