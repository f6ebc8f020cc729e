"""The statements of each element-wise operation in PyTorch; they leave the result in `out`."""

from __future__ import annotations

from recurrency.graph.ops import OPS

SAME = frozenset(op.name for op in OPS.values() if op.is_function)
"""The functions that PyTorch has under the same name."""

ELEMENTWISE: dict[str, tuple[str, ...]] = {
    **{name: (f"{name}({{0}}, out={{out}})",) for name in SAME},
    "negative": ("neg({0}, out={out})",),
    "add": ("add({0}, {1}, out={out})",),
    "subtract": ("sub({0}, {1}, out={out})",),
    "multiply": ("mul({0}, {1}, out={out})",),
    "divide": ("div({0}, {1}, out={out})",),
    "power": ("power({0}, {1}, out={out})",),
    "sqrt": ("sqrt({0}, out={out})",),
    "sigmoid": ("sigmoid({0}, out={out})",),
    "softplus": ("softplus({0}, {out})",),
    "relu": ("clamp_min({0}, 0.0, out={out})",),
    "abs": ("absolute({0}, out={out})",),
    "sign": ("sign_of({0}, {out})",),
    "floor": ("floor({0}, out={out})",),
    "round": ("rint({0}, out={out})",),
    "mod": ("mod({0}, {1}, {out})",),
    "atan": ("atan({0}, out={out})",),
    "erf": ("erf({0}, out={out})",),
    "erfc": ("erfc({0}, out={out})",),
    "less": ("lt({0}, {1}, out={out})",),
    "less_equal": ("le({0}, {1}, out={out})",),
    "equal": ("eq({0}, {1}, out={out})",),
    "minimum": ("minimum({0}, {1}, out={out})",),
    "maximum": ("maximum({0}, {1}, out={out})",),
    "where": ("where({0}.bool(), {1}, {2}, out={out})",),
}
"""`{0}`, `{1}`, `{2}` are the arguments. A function that PyTorch has under the same name needs no row."""

FUNCTIONS: dict[str, str] = {
    **{
        name: f"torch.{name}"
        for name in (
            *SAME,
            *"add addcdiv addcmul addmm addmv amax arange atan clamp_min div dot".split(),
            *"einsum eq erf erfc floor le lt".split(),
            *"matmul maximum minimum mm mul mv neg sigmoid sqrt sub where".split(),
        )
    },
    "absolute": "torch.abs",
    "power": "torch.pow",
    "rint": "torch.round",
    "sum_over": "torch.sum",
    "sigmoid_backward": "torch.ops.aten.sigmoid_backward.grad_input",
    "tanh_backward": "torch.ops.aten.tanh_backward.grad_input",
}
"""Name in a module -> the function of PyTorch that it stands for, if the module uses it."""
