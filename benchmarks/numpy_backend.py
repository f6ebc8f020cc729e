#!/usr/bin/env python
"""The NumPy backend against a naive loop and against an LSTM written by hand for speed, all in NumPy.

Forward and backward: the gradients of all weights and of the inputs for a given gradient of the outputs. All run in one
process in alternating rounds; the table gives medians, and medians of the ratios of one round. Times are CPU time of
the process, on one thread, so that other work on the machine counts for little.

    python benchmarks/numpy_backend.py [--rounds N] [--size tiny|small|medium]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is loaded; threads that wait use CPU time too

import numpy as np
from _rounds import alternate
from recurrency.backends.numpy.backend import backend

from recurrency.backend import Call
from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind, Type
from recurrency.graph.value import Value
from recurrency.passes import derivatives, optimised
from recurrency.passes.partition import partition
from recurrency.program.layout import Layout, layout

Array = np.ndarray[Any, np.dtype[Any]]
Run = Callable[[], dict[str, Array]]

SIZES = {"tiny": (30, 10, 1, 10), "small": (100, 32, 32, 128), "medium": (100, 64, 256, 512)}
GATES = "ifog"
CLOCK = time.process_time


def cell(N: int, H: int, peephole: bool) -> Graph:
    """The graph of an LSTM: i, f, o sigmoids, g = tanh, c = f c[t-1] + i g, h = o tanh(c)."""
    graph = Graph()

    def source(op: str, name: str, *shape: int, kind: Kind = Kind.STATIC, clock: str | None = None) -> Value:
        return graph.add(op, [], {"name": name, "type": Type(kind, shape, clock)}, name=name)

    x = source("input", "x", N, kind=Kind.STREAM, clock="t")
    state = Type(Kind.STREAM, (H,), "t")
    h, c = (graph.delayed(state, 1, [source("start", name, H, kind=Kind.SEQUENCE)]) for name in "hc")

    def sums(gate: str) -> Value:
        W, U = source("param", f"W{gate}", H, N), source("param", f"U{gate}", H, H)
        return W.product(x, "ij,j->i") + U.product(h, "ij,j->i") + source("param", f"b{gate}", H)

    def gate(name: str, seen: Value) -> Value:
        total = sums(name)
        return (total + source("param", f"p{name}", H) * seen if peephole else total).apply("sigmoid")

    new = gate("f", c) * c + gate("i", c) * sums("g").apply("tanh")
    y = gate("o", new) * new.apply("tanh")
    graph.bind(h.id, y.id)
    graph.bind(c.id, new.id)
    graph.roots["output:h"] = y.id
    return graph


def compiled(N: int, H: int, peephole: bool) -> tuple[Callable[..., dict[str, Array]], Layout]:
    """Forward and backward as the package runs them, and where the parameters lie."""
    base = optimised(cell(N, H, peephole))
    places = layout(base)
    whole = optimised(derivatives.backward(base, wrt=("params", "inputs")))
    one, two = partition(whole, ["output:h"], [root for root in whole.roots if root.startswith("gradient:")])
    forward, backward = (backend.build(graph, places, "float32") for graph in (one, two))

    def run(params: Array, x: Array, dy: Array) -> dict[str, Array]:
        T, B, _ = x.shape
        call = Call(params, {"x": x}, None, {"t": T}, B)
        return backward(call.plus({**forward(call), "d:output:h": dy}))

    return run, places


def sigmoid(x: Array) -> Array:
    """The usual way to write it."""
    return np.asarray(1 / (1 + np.exp(-x)))


def naive(p: dict[str, Array], x: Array, dy: Array, peephole: bool) -> dict[str, Array]:
    """One product for each gate and step, in the words of the equations."""
    T, B, _ = x.shape
    H = dy.shape[2]
    h, c = np.zeros((B, H), x.dtype), np.zeros((B, H), x.dtype)
    kept = []
    for t in range(T):
        z = {k: x[t] @ p[f"W{k}"].T + h @ p[f"U{k}"].T + p[f"b{k}"] for k in GATES}
        i = sigmoid(z["i"] + p["pi"] * c if peephole else z["i"])
        f = sigmoid(z["f"] + p["pf"] * c if peephole else z["f"])
        g = np.tanh(z["g"])
        new = f * c + i * g
        o = sigmoid(z["o"] + p["po"] * new if peephole else z["o"])
        kept.append((h, c, i, f, o, g, new))
        h, c = o * np.tanh(new), new
    return naive_backward(p, x, dy, kept, peephole)


def naive_backward(p: dict[str, Array], x: Array, dy: Array, kept: list[Any], peephole: bool) -> dict[str, Array]:
    """The gradients, step by step."""
    out = {name: np.zeros_like(value) for name, value in p.items()}
    dx = np.zeros_like(x)
    dh, dc = np.zeros_like(dy[0]), np.zeros_like(dy[0])
    for t in reversed(range(len(x))):
        h, c, i, f, o, g, new = kept[t]
        dh = dh + dy[t]
        tanh = np.tanh(new)
        d = {"o": dh * tanh * o * (1 - o)}
        dc = dc + dh * o * (1 - tanh**2) + (d["o"] * p["po"] if peephole else 0)
        d |= {"i": dc * g * i * (1 - i), "f": dc * c * f * (1 - f), "g": dc * i * (1 - g**2)}
        dc = dc * f
        if peephole:
            dc = dc + d["i"] * p["pi"] + d["f"] * p["pf"]
            for k, seen in (("i", c), ("f", c), ("o", new)):
                out[f"p{k}"] += (d[k] * seen).sum(0)
        dh = np.zeros_like(dh)
        for k in GATES:
            out[f"W{k}"] += d[k].T @ x[t]
            out[f"U{k}"] += d[k].T @ h
            out[f"b{k}"] += d[k].sum(0)
            dx[t] += d[k] @ p[f"W{k}"]
            dh += d[k] @ p[f"U{k}"]
    return {**out, "x": dx}


class ByHand:
    """For speed: gates packed in the order i f o g, input projection before the loop, all in place, buffers kept."""

    def __init__(self, T: int, B: int, N: int, H: int) -> None:
        self.Z, self.dZ = np.empty((T, B, 4 * H), np.float32), np.empty((T, B, 4 * H), np.float32)
        self.hs, self.cs = np.zeros((T + 1, B, H), np.float32), np.zeros((T + 1, B, H), np.float32)
        self.tanhs, self.u = np.empty((T, B, H), np.float32), np.empty((B, 4 * H), np.float32)
        self.v, self.w = np.empty((B, H), np.float32), np.empty((B, 2, H), np.float32)

    def __call__(self, W: Array, U: Array, b: Array, p: Array, x: Array, dy: Array, peephole: bool) -> dict[str, Array]:
        """The gradients of the packed weights and of x."""
        T, B, N = x.shape
        H, Z = dy.shape[2], self.Z
        np.dot(x.reshape(T * B, N), W.T, Z.reshape(T * B, 4 * H))
        UT, u, v, half = U.T, self.u, self.v, np.float32(0.5)
        for z, h, c, old, tanh, y in zip(Z, self.hs, self.cs[1:], self.cs, self.tanhs, self.hs[1:], strict=False):
            z += np.dot(h, UT, u)
            z += b
            ifo = z[:, : 3 * H]
            if peephole:
                ifo = z[:, : 2 * H]
                pair = ifo.reshape(B, 2, H)
                pair += np.multiply(p[:2], old[:, None], self.w)
            sigmoid_in_place(ifo, half)
            g = z[:, 3 * H :]
            np.tanh(g, g)
            np.multiply(z[:, H : 2 * H], old, c)
            c += np.multiply(z[:, :H], g, v)
            o = z[:, 2 * H : 3 * H]
            if peephole:
                o += np.multiply(p[2], c, v)
                sigmoid_in_place(o, half)
            np.multiply(np.tanh(c, tanh), o, y)
        return self.backward(W, U, p, x, dy, peephole)

    def backward(self, W: Array, U: Array, p: Array, x: Array, dy: Array, peephole: bool) -> dict[str, Array]:
        """Weight gradients as one product over all steps."""
        T, B, H = dy.shape
        cs, dZ, v = self.cs, self.dZ, self.v
        dh, dc = np.zeros((B, H), x.dtype), np.zeros((B, H), x.dtype)
        n = 2 * H if peephole else 3 * H
        part = self.u[:, :n]
        for z, dz, tanh, y, old in zip(self.Z[::-1], dZ[::-1], self.tanhs[::-1], dy[::-1], cs[-2::-1], strict=True):
            i, f, o, g = z[:, :H], z[:, H : 2 * H], z[:, 2 * H : 3 * H], z[:, 3 * H :]
            dh += y
            do = dz[:, 2 * H : 3 * H]
            np.multiply(dh, tanh, do)
            np.multiply(tanh, tanh, v)
            np.subtract(1, v, v)
            v *= o
            v *= dh
            dc += v
            if peephole:
                np.subtract(1, o, v)
                v *= o
                do *= v
                dc += np.multiply(do, p[2], v)
            np.multiply(dc, g, dz[:, :H])
            np.multiply(dc, old, dz[:, H : 2 * H])
            np.subtract(1, z[:, :n], part)
            part *= z[:, :n]
            dz[:, :n] *= part
            dg = dz[:, 3 * H :]
            np.multiply(g, g, dg)
            np.subtract(1, dg, dg)
            dg *= i
            dg *= dc
            dc *= f
            if peephole:
                dc += np.multiply(dz[:, :H], p[0], v)
                dc += np.multiply(dz[:, H : 2 * H], p[1], v)
            np.dot(dz, U, dh)
        flat = dZ.reshape(T * B, 4 * H)
        out = {"W": flat.T @ x.reshape(T * B, -1), "U": flat.T @ self.hs[:-1].reshape(T * B, H), "b": flat.sum(0)}
        if peephole:
            seen = zip((0, 1, 2), (cs[:-1], cs[:-1], cs[1:]), strict=True)
            out["p"] = np.stack([np.einsum("tbi,tbi->i", dZ[..., k * H : (k + 1) * H], c) for k, c in seen])
        return {**out, "x": (flat @ W).reshape(x.shape)}


def sigmoid_in_place(x: Array, half: Any) -> None:
    """By way of tanh, which NumPy has in vector instructions."""
    x *= half
    np.tanh(x, x)
    x *= half
    x += half


def contestants(size: str, peephole: bool) -> dict[str, Run]:
    """The three, on the same numbers; their answers are compared."""
    T, B, N, H = SIZES[size]
    run, places = compiled(N, H, peephole)
    rng = np.random.default_rng(0)
    params = (rng.standard_normal(places.size) / np.sqrt(H)).astype(np.float32)
    x, dy = (rng.standard_normal((T, B, n)).astype(np.float32) for n in (N, H))
    views = {name: params[a : a + int(np.prod(s))].reshape(s) for name, (a, s) in places.entries.items()}
    W, U, b = (np.concatenate([views[f"{m}{k}"] for k in GATES]) for m in "WUb")
    p = np.stack([views[f"p{k}"] for k in "ifo"]) if peephole else np.zeros((3, H), np.float32)
    fused = ByHand(T, B, N, H)
    runs: dict[str, Run] = {
        "naive": lambda: naive(views, x, dy, peephole),
        "by hand": lambda: fused(W, U, b, p, x, dy, peephole),
        "compiled": lambda: run(params, x, dy),
    }
    compare(runs, places)
    return runs


def compare(runs: dict[str, Run], places: Layout) -> None:
    """All three say the same."""
    first, second, third = (run() for run in runs.values())
    close(third["gradient:input:x"], first["x"])
    close(second["x"], first["x"])
    for k, gate in enumerate(GATES):
        rows = len(first[f"b{gate}"])
        close(second["U"][k * rows : (k + 1) * rows], first[f"U{gate}"])
    for name, (a, shape) in places.entries.items():
        close(third["gradient"][a : a + int(np.prod(shape))].reshape(shape), first[name])


def close(found: Array, wanted: Array) -> None:
    """Equal up to rounding of sums in another order."""
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3 * float(abs(wanted).max()))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--size", choices=SIZES, action="append")
    options = parser.parse_args()
    print(f"{'':24}{'naive':>11}{'by hand':>11}{'compiled':>11}{'naive/compiled':>17}{'by hand/compiled':>18}")
    for size in options.size or SIZES:
        for peephole in (False, True):
            runs = contestants(size, peephole)
            rounds = np.array(list(alternate(runs, options.rounds, CLOCK, least=0.02).values()))
            ms, ratios = np.median(rounds, 1) * 1e3, np.median(rounds / rounds[2:], 1)
            title = f"{size}, {'peephole' if peephole else 'plain'}"
            print(
                f"{title:24}" + "".join(f"{m:8.3f} ms" for m in ms) + f"{ratios[0]:17.2f}{ratios[1]:18.2f}", flush=True
            )


if __name__ == "__main__":
    main()
