"""Small cells, each with one thing that a backend must get right; together they use every operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from recurrency.model.spec import parse

if TYPE_CHECKING:
    from recurrency.model.spec import Spec


@dataclass(frozen=True)
class Small:
    """A text whose last cell is meant, and dimensions that differ from one another."""

    text: str
    dimensions: dict[str, int] = field(default_factory=lambda: {"N": 2, "H": 3})


CELLS = {
    "two states": Small("""
        cell TwoStates[N, H](x: [N], goal: [H]) -> (y: [H], c: [H]) {
            param W    : [H, N] ~ glorot_uniform
            param U, V : [H, H] ~ glorot_uniform
            param b    : [H]    ~ normal(0, 0.3)
            state c : [H] = 0
            state h : [H] ~ uniform(0.5)
            c = 0.9 * c[t-1] + W @ x
            h = tanh(U @ h[t-1] + c + b)
            y = V @ h
            loss squared_error(y, goal)
            loss 0.01 * l2(U)
        }"""),
    "delay lines": Small("""
        cell DelayLines[N, H](x: [N]) -> (y: [H]) {
            param W, V : [H, N] ~ glorot_uniform
            param U, A : [H, H] ~ glorot_uniform
            state h : [H] ~ uniform(0.5)
            h = tanh(W @ x + V @ x[t-3] + U @ h[t-1] + A @ h[t-3])
            y = h + h[t-2]
            loss sum(y * y)
        }"""),
    "symbols": Small(
        """
        cell Symbols[V, H](w: index[V]) -> (logits: [V], before: index[V]) {
            param E, F : [V, H] ~ normal(0, 0.5)
            param U    : [H, H] ~ glorot_uniform
            state h : [H] = 0
            before = w[t-2]
            h = tanh(embed(E, w[t-1]) + embed(F, before) + U @ h[t-1])
            logits = F @ h
            loss cross_entropy(logits, w)
        }""",
        {"V": 4, "H": 3},
    ),
    "whole sequences": Small("""
        cell Whole[N, H](x: [N]) -> (y: [H], start: [N], mean: [H], z: [H]) {
            param W : [H, N] ~ glorot_uniform
            param U : [H, H] ~ glorot_uniform
            state h : [H] = 0
            h = tanh(W @ x + U @ h[t-1])
            y = sigmoid(last(h))
            start = first(x)
            mean = mean_over_time(h)
            z = h - mean
            loss binary_cross_entropy(y, U @ mean * 0 + 0.5)
        }"""),
    "no state": Small("""
        cell NoState[N, H](x: [N]) -> (y: [H], k: [H]) {
            param W : [H, N] ~ glorot_uniform
            param b : [H]    ~ normal(0, 1)
            k = 2 * b
            y = sigmoid(W @ x + k)
            loss absolute_error(y, k)
        }"""),
    "later steps": Small("""
        cell Later[N, H](x: [N]) -> (y: [H], h: [H]) {
            param W, V : [H, N] ~ glorot_uniform
            param U    : [H, H] ~ glorot_uniform
            h = tanh(W @ x + V @ x[t+2] + U @ h[t+1])
            y = h[t+1] * h
            loss sum(y * y)
        }"""),
    "both ways": Small("""
        cell Inner[N, H](x: [N]) -> (h: [H]) {
            param W : [H, N] ~ glorot_uniform
            param U : [H, H] ~ glorot_uniform
            state h : [H] = 0
            h = tanh(W @ x + U @ h[t-1])
        }
        cell BothWays[N, H](x: [N]) -> (y: [2 * H]) {
            y = concat(Inner[H](x), reverse(Inner[H](reverse(x))))
            loss sum(y * y)
        }"""),
    "matrix state": Small("""
        cell Memory[N, H](x: [N]) -> (y: [H]) {
            param K, Q : [N, N] ~ glorot_uniform
            param V    : [H, N] ~ glorot_uniform
            param f    : []     ~ constant(0.5)
            state C : [H, N] = 0
            C = sigmoid(f) * C[t-1] + outer(V @ x, K @ x)
            y = tanh(C @ (Q @ x))
            loss squared_error(y, C[t-1] @ x)
        }"""),
    "random": Small("""
        cell Random[N, H](x: [N]) -> (y: [H]) {
            param W, V : [H, N] ~ glorot_uniform
            param U    : [H, H] ~ glorot_uniform
            state h : [H] = 0
            fresh = dropout(x, 0.4)
            fixed = dropout(x, 0.5, per = sequence)
            new = tanh(W @ fresh + V @ fixed + U @ noise(h[t-1], 0.1))
            h = zoneout(new, h[t-1], 0.3)
            y = h
            loss sum(y * y)
        }"""),
    "functions": Small("""
        cell Functions[N, H](x: [N]) -> (y: [H], z: [H]) {
            param W, V : [H, N] ~ glorot_uniform
            param U    : [H, H] ~ glorot_uniform
            param p    : []     ~ constant(0.3)
            state h : [H] = 0
            a = W @ x + U @ h[t-1]
            b = sin(a) + cos(V @ x) + log(1 + exp(a)) + sqrt(1 + a * a)
            h = elu(b) / (1 + abs(b)) + gelu(a) * (1 + a ** 2) ** (-0.5)
            y = softplus(h) - prelu(h, p) + silu(a) * square(h)
            z = (1 + h * h) ** sigmoid(p) + sign(h) + hard_sigmoid(a)
            loss sum(y * z)
        }"""),
    "further functions": Small("""
        cell Further[N, H](x: [N]) -> (y: [H], z: [H]) {
            fn bump(v) = v * v derivative 2 * v

            const K : [H, H] = matrix(i, j: (i - 0.3 * j) / 4)

            param W : [H, N] ~ glorot_uniform
            state h : [H] = 0
            a = W @ x + K @ h[t-1]
            h = atan(a) * erf(a) + erfc(a) * bump(a)
            y = cumsum(h) + onehot(argmax(a)) * a
            z = floor(a / 99 + 0.5) - round(a / 99 + 0.2) + mod(h + 8, 17)
            loss sum(y * y) + sum(z)
        }"""),
    "comparisons": Small("""
        cell Comparisons[N, H](x: [N]) -> (y: [H]) {
            param W, V : [H, N] ~ glorot_uniform
            param U    : [H, H] ~ glorot_uniform
            state h : [H] = 0
            a = W @ x
            b = V @ x + U @ h[t-1]
            h = clip(max(a, relu(b)) - min(a, b), -2, 2)
            y = where(a < b, a, where(b <= h[t-1], b, h)) + maxout(concat(a, b), 2)
            loss sum(y) + l1(U)
        }"""),
    "arrangements": Small("""
        cell Arrangements[N, H](x, z: [N]) -> (y: [2 * H], p: [H], q: [H]) {
            param W, V : [H, N] ~ glorot_uniform
            param U    : [H, H] ~ glorot_uniform
            param d    : [H]    ~ ones
            state h : [H] = 0
            A = transpose(U) + diag(d) + identity(H)
            v = V @ (x + z)
            a = layer_norm(W @ (x + z) + A @ h[t-1])
            b = split(concat(a, v), 2, 1)
            c = slice(concat(a, v), H + 1, 2 * H)
            h = clip_grad(tanh(b), 0.1) + 0.1 * stop_grad(c) * rms_norm(c)
            p = softmax(h)
            y = concat(log_softmax(c), h / (1 + norm(h)))
            q = split(y, 2, 2)
            loss sum(y) + sum(p * p) + var(h)
        }"""),
    "two clocks": Small(
        """
        cell Reader[N, H](x: [N]) -> (h: [H]) {
            param W : [H, N] ~ glorot_uniform
            param U : [H, H] ~ glorot_uniform
            state h : [H] ~ uniform(0.5)
            h = tanh(W @ x + U @ h[t-1])
        }
        cell TwoClocks[N, V, H](a: [N] over s, w: index[V]) -> (logits: [V]) {
            param W    : [H, N] ~ glorot_uniform
            param U, A : [H, H] ~ glorot_uniform
            param E    : [V, H] ~ normal(0, 0.5)
            enc = Reader[H](a)
            state h : [H] = last(enc)
            h = tanh(embed(E, w[t-1]) + U @ h[t-1] + attend(A @ h[t-1], enc, enc))
            logits = E @ (h + tanh(W @ mean_over_time(a)))
            loss cross_entropy(logits, w)
        }""",
        {"N": 2, "V": 4, "H": 3},
    ),
}


@cache
def cell(name: str) -> Spec:
    """A cell by name."""
    text = CELLS[name].text
    title = text.rsplit("cell ", 1)[1].split("[")[0]
    return parse(text, f"{name.replace(' ', '_')}.rnn", title)
