"""Recurrent layers of ours and of others on a CPU: each runs forward, or forward and backward, on the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from _loops import LOOPS, Loop, Weights

from recurrency import library

Array = np.ndarray[Any, np.dtype[Any]]
Arrays = dict[str, Array]

OUTPUT = "output"
"""Under this name stands the output among results; the gradients have the names of what they belong to."""


class Job(NamedTuple):
    """`run` is what is timed; `read` makes arrays by name of what it gives."""

    run: Callable[[], Any]
    read: Callable[[Any], Arrays]


Contestant = Mapping[str, Job]
"""What it does: `forward`, `train`, or both."""


@dataclass(frozen=True)
class Task:
    """What all compute: the output for x [T, B, N], and the gradients for a gradient dy of the output."""

    cell: str
    size: str
    threads: int
    sizes: dict[str, int]
    x: Array
    dy: Array
    weights: Arrays
    """By the names of the shipped cell."""

    @property
    def loop(self) -> Loop:
        """The cell as people write it."""
        return LOOPS[self.cell]

    def gathered(self) -> Arrays:
        """The weights of the loop."""
        return {name: gathered(self.weights, text) for name, text in self.loop.weights.items()}

    def scattered(self, gradients: Mapping[str, Any]) -> Arrays:
        """Gradients of the weights of the loop, by the names of the shipped cell."""
        out: Arrays = {}
        for name, text in self.loop.weights.items():
            out |= scattered(np.asarray(gradients[name]), text)
        return out


def gathered(weights: Mapping[str, Array], text: str) -> Array:
    """Weights below each other, or each as a row (see `Loop.weights`)."""
    if "/" in text:
        return np.stack([weights[name] for name in text.split(" / ")])
    return np.concatenate([weights[name] for name in text.split()])


def scattered(array: Array, text: str) -> Arrays:
    """The other way round."""
    names = text.replace("/", " ").split()
    parts = list(array) if "/" in text else np.split(array, len(names))
    return dict(zip(names, parts, strict=True))


def task(cell: str, size: str, threads: int, T: int, B: int, N: int, H: int) -> Task:
    """Random numbers; what starts as a constant is moved a little, so that it has a say."""
    spec = library.spec(cell)
    every = {"N": N, "H": H, "K": H, "R": max(1, H // 2)}
    sizes = {name: every[name] for name in sorted({"N", "H", *LOOPS[cell].states})}
    model = spec.compile(backend="numpy", **sizes)
    rng = np.random.default_rng(0)
    weights = {name: np.array(array) for name, array in model.views(model.init(seed=0)).items()}
    for array in weights.values():
        if np.ptp(array) == 0:
            array += 0.1 * rng.standard_normal(array.shape, np.float32)
    x = rng.standard_normal((T, B, N), np.float32)
    ((_, port),) = model.outputs.items()
    return Task(cell, size, threads, sizes, x, rng.standard_normal((T, B, *port.shape), np.float32), weights)


# ------------------------------------------------------------------------------------------------------------- ours


def ours(backend: str, dtype: str = "float32") -> Callable[[Task], Contestant]:
    """A backend of this package."""

    def build(task: Task) -> Contestant:
        model = library.spec(task.cell).compile(backend=backend, dtype=dtype, **task.sizes)
        params, inputs, (output,) = model.pack(task.weights), {"x": task.x}, model.outputs
        gradients = {output: task.dy}

        def forward() -> Any:
            return model.forward(params, inputs, keep=False)

        def train() -> Any:
            run = model.forward(params, inputs)
            return run, model.backward(run, gradients)

        def read(found: Any) -> Arrays:
            run, grown = found
            return {OUTPUT: run.outputs[output], "x": grown.inputs["x"], **model.views(grown.params)}

        return {"forward": Job(forward, lambda run: {OUTPUT: run.outputs[output]}), "train": Job(train, read)}

    return build


# ------------------------------------------------------------------------------------------------------------ torch


def torch_job(
    task: Task,
    function: Callable[[Any], Any],
    x: Any,
    weights: dict[str, Any],
    read: Callable[[dict[str, Any]], Arrays],
) -> Contestant:
    """A function of x in torch, differentiated by torch; `read` gives gradients of weights the names of ours."""
    import torch

    dy, wanted = torch.from_numpy(task.dy), [x, *weights.values()]

    def forward() -> Any:
        with torch.inference_mode():
            return function(x)

    def train() -> Any:
        y = function(x)
        return y, torch.autograd.grad(y, wanted, dy)

    def read_all(found: Any) -> Arrays:
        y, (dx, *rest) = found
        named = dict(zip(weights, (g.numpy() for g in rest), strict=True))
        return {OUTPUT: y.detach().numpy(), "x": dx.numpy(), **read(named)}

    return {"forward": Job(forward, lambda y: {OUTPUT: y.numpy()}), "train": Job(train, read_all)}


def torch_tensors(task: Task) -> tuple[Any, dict[str, Any]]:
    """x and the weights of the loop."""
    import torch

    torch.set_num_threads(task.threads)
    weights = {name: torch.from_numpy(array).requires_grad_() for name, array in task.gathered().items()}
    return torch.from_numpy(task.x).requires_grad_(), weights


LAYERS = {"PlainLSTM": "LSTM", "TorchGRU": "GRU", "Elman": "RNN"}
"""What torch and ONNX call what is the same."""


def torch_layer(task: Task) -> Contestant:
    """`nn.LSTM`, `nn.GRU` or `nn.RNN`."""
    import torch

    x, given = torch_tensors(task)
    model = getattr(torch.nn, LAYERS[task.cell])(task.sizes["N"], task.sizes["H"])
    second = torch.zeros_like(given["b"])
    if "b_hn" in given:
        second[-task.sizes["H"] :] = given["b_hn"].detach()
    values = {"weight_ih_l0": given["W"], "weight_hh_l0": given["U"], "bias_ih_l0": given["b"], "bias_hh_l0": second}
    model.load_state_dict(values)

    def read(found: dict[str, Any]) -> Arrays:
        weights = {"W": found["weight_ih_l0"], "U": found["weight_hh_l0"], "b": found["bias_ih_l0"]}
        return task.scattered({**weights, "b_hn": found["bias_hh_l0"][-task.sizes["H"] :]})

    return torch_job(task, lambda x: model(x)[0], x, dict(model.named_parameters()), read)


def torch_words() -> Any:
    """The words of the loops."""
    import torch
    from torch.nn import functional

    def norm(x: Any, gain: Any, bias: Any) -> Any:
        return functional.layer_norm(x, x.shape[-1:], gain, bias)

    return SimpleNamespace(
        linear=functional.linear,
        sigmoid=torch.sigmoid,
        tanh=torch.tanh,
        exp=torch.exp,
        sin=torch.sin,
        cos=torch.cos,
        sqrt=torch.sqrt,
        norm=norm,
        chunk=lambda x, n: x.chunk(n, -1),
        cat=lambda parts: torch.cat(parts, -1),
    )


def torch_loop(task: Task) -> Contestant:
    """The loop that people write in torch: products of x and of the state at every step."""
    return looped(task, naive)


def torch_hoisted(task: Task) -> Contestant:
    """The same with all that reads x alone before the loop."""
    return looped(task, hoisted)


def torch_compiled(task: Task) -> Contestant:
    """The loop that people write, through `torch.compile`, which unrolls it."""
    import torch

    return looped(task, naive, torch.compile)


def naive(m: Any, loop: Loop, p: Weights, x: Any, s: Sequence[Any]) -> list[Any]:
    """The outputs."""
    p, out, state = loop.prepare(m, p), [], tuple(s)
    for x_t in x:
        state, y = loop.step(m, p, loop.inputs(m, p, x_t), state)
        out.append(y)
    return out


def hoisted(m: Any, loop: Loop, p: Weights, x: Any, s: Sequence[Any]) -> list[Any]:
    """The outputs, by way of products of x for all steps."""
    p, out, state = loop.prepare(m, p), [], tuple(s)
    for z in zip(*loop.inputs(m, p, x), strict=True):
        state, y = loop.step(m, p, z, state)
        out.append(y)
    return out


def looped(task: Task, outputs: Callable[..., list[Any]], compiled: Any = lambda f: f) -> Contestant:
    """A loop in torch."""
    import torch

    m, loop, (x, weights) = torch_words(), task.loop, torch_tensors(task)
    starts = [(task.x.shape[1], task.sizes[dimension]) for dimension in loop.states]

    def function(x: Any) -> Any:
        return torch.stack(outputs(m, loop, weights, x, [x.new_zeros(start) for start in starts]))

    return torch_job(task, compiled(function), x, weights, task.scattered)


# -------------------------------------------------------------------------------------------------------------- jax


def jax_words() -> Any:
    """The words of the loops."""
    import jax
    import jax.numpy as jnp

    def norm(x: Any, gain: Any, bias: Any) -> Any:
        return (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-5) * gain + bias

    return SimpleNamespace(
        linear=lambda x, W, b=0.0: x @ W.T + b,
        sigmoid=jax.nn.sigmoid,
        tanh=jnp.tanh,
        exp=jnp.exp,
        sin=jnp.sin,
        cos=jnp.cos,
        sqrt=jnp.sqrt,
        norm=norm,
        chunk=lambda x, n: jnp.split(x, n, -1),
        cat=lambda parts: jnp.concatenate(parts, -1),
    )


def jax_job(task: Task, function: Callable[[Any, Any], Any]) -> Contestant:
    """A function of weights and x, compiled; differentiated by `jax.vjp`."""
    import jax
    import jax.numpy as jnp

    x, dy = jnp.asarray(task.x), jnp.asarray(task.dy)
    weights = {name: jnp.asarray(array) for name, array in task.gathered().items()}

    def both(p: Any, x: Any, dy: Any) -> Any:
        y, back = jax.vjp(function, p, x)
        return y, back(dy)

    value, gradients = jax.jit(function), jax.jit(both)

    def read(found: Any) -> Arrays:
        y, (dp, dx) = found
        return {OUTPUT: np.asarray(y), "x": np.asarray(dx), **task.scattered(dp)}

    return {
        "forward": Job(lambda: jax.block_until_ready(value(weights, x)), lambda y: {OUTPUT: np.asarray(y)}),
        "train": Job(lambda: jax.block_until_ready(gradients(weights, x, dy)), read),
    }


def jax_scan(task: Task, before: bool = False) -> Contestant:
    """`lax.scan`, with the products of x in it or before it."""
    import jax
    import jax.numpy as jnp

    m, loop = jax_words(), task.loop
    starts = tuple(jnp.zeros((task.x.shape[1], task.sizes[dimension])) for dimension in loop.states)

    def function(p: Any, x: Any) -> Any:
        p = loop.prepare(m, p)
        if before:
            return jax.lax.scan(lambda s, z: loop.step(m, p, z, s), starts, tuple(loop.inputs(m, p, x)))[1]
        return jax.lax.scan(lambda s, x: loop.step(m, p, loop.inputs(m, p, x), s), starts, x)[1]

    return jax_job(task, function)


def jax_hoisted(task: Task) -> Contestant:
    """`lax.scan`, with the products of x before it."""
    return jax_scan(task, before=True)


def jax_associative(task: Task) -> Contestant:
    """`lax.associative_scan` of a recurrence h = a h[t-1] + b, in which all steps are known before."""
    import jax
    import jax.numpy as jnp

    m, loop = jax_words(), task.loop

    def scan(a: Any, b: Any) -> Any:
        return jax.lax.associative_scan(lambda p, q: (p[0] * q[0], q[0] * p[1] + q[1]), (a, b))[1]

    def min_gru(p: Any, x: Any) -> Any:
        z, c = loop.inputs(m, p, x)
        return scan(1 - z, z * c)

    def lru(p: Any, x: Any) -> Any:
        p = loop.prepare(m, p)
        re, im, through = loop.inputs(m, p, x)
        b = re + 1j * im
        h = scan(jnp.broadcast_to(p["re"] + 1j * p["im"], b.shape), b)
        return h.real @ p["C_re"].T - h.imag @ p["C_im"].T + through

    return jax_job(task, {"MinGRU": min_gru, "LRU": lru}[task.cell])


# ------------------------------------------------------------------------------------------------------------- onnx


def onnxruntime(task: Task) -> Contestant:
    """The LSTM, GRU or RNN of ONNX, which can only run forward."""
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = task.threads, 1
    session = runtime.InferenceSession(onnx_text(task), options, providers=["CPUExecutionProvider"])
    return {"forward": Job(lambda: session.run(["Y"], {"x": task.x}), lambda found: {OUTPUT: found[0][:, 0]})}


def onnx_text(task: Task) -> bytes:
    """A file of one layer."""
    from onnx import TensorProto, helper, numpy_helper

    kind, H = LAYERS[task.cell], task.sizes["H"]
    order, more = {"LSTM": ("iofg", {}), "GRU": ("zrn", {"linear_before_reset": 1}), "RNN": ("", {})}[kind]
    W, U, b = (gathered(task.weights, " ".join(f"{k}_{gate}" for gate in order) or k) for k in "WUb")
    second = np.zeros_like(b)
    if "b_hn" in task.weights:
        second[-H:] = task.weights["b_hn"]
    arrays = {"W": W, "R": U, "B": np.concatenate([b, second])}
    node = helper.make_node(kind, ["x", *arrays], ["Y"], hidden_size=H, **more)
    graph = helper.make_graph(
        [node],
        kind,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(task.x.shape))],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array[None], name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    return bytes(model.SerializeToString())


# -------------------------------------------------------------------------------------------------------------- all


class Entry(NamedTuple):
    """Who builds a contestant, and for which cells; `smallest`: for the smallest size only."""

    build: Callable[[Task], Contestant]
    cells: Sequence[str] = tuple(LOOPS)
    smallest: bool = False


UNROLLED = tuple(cell for cell in LOOPS if cell not in LAYERS and cell != "GatedFeedback")
"""What `torch.compile` unrolls at the smallest size in a minute or two; with GatedFeedback it is not done after six."""

BASE = "c"
"""What all are compared with."""

CONTESTANTS = {
    BASE: Entry(ours("c")),
    "numpy": Entry(ours("numpy")),
    "torch.nn": Entry(torch_layer, tuple(LAYERS)),
    "torch-loop": Entry(torch_loop),
    "torch-hoisted": Entry(torch_hoisted),
    "torch.compile": Entry(torch_compiled, UNROLLED, smallest=True),
    "jax-scan": Entry(jax_scan),
    "jax-hoisted": Entry(jax_hoisted),
    "jax-associative": Entry(jax_associative, ("MinGRU", "LRU")),
    "onnxruntime": Entry(onnxruntime, tuple(LAYERS)),
}
"""By name; the first are ours."""
