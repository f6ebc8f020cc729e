"""Values of more than two axes on every backend: products, reductions and views, in loops and out of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

import recurrency as rc
from recurrency.graph.verify import verify
from recurrency.testing.case import Case
from recurrency.testing.compare import differences
from recurrency.testing.measured_slopes import slopes
from tests.support.specimens import each_backend

SPECS = {
    "heads": """
        cell Heads[N, M, D, K](x: [N]) -> (h: [M * D]) {
            param W_q, W_k : [M, K, N] ~ glorot_uniform
            param W_v      : [M * D, N] ~ glorot_uniform
            param a, b     : [M]       ~ normal(0, 1)
            param g        : [D]       ~ ones

            state S : [M, D, K] = 0
            state z : [M, K]    ~ zeros

            q = einsum("mkn,n->mk", W_q, x)
            k = softmax(einsum("mkn,n->mk", W_k, x), axis = 2)
            v = reshape(W_v @ x, [M, D])
            S = einsum("m,mdk->mdk", sigmoid(a), S[t-1]) + einsum("md,mk->mdk", v, k)
            z = einsum("m,mk->mk", sigmoid(b), z[t-1]) + k
            o = einsum("mdk,mk,m->md", S, q, 1 / (1 + abs(sum(z * q, axis = 2))))
            h = reshape(layer_norm(o, g, axis = 2), [M * D])

            loss l2(h - 0.3)
        }""",
    "blocks": """
        cell Blocks[N, M, D](x: [N]) -> (h: [M, D]) {
            param W : [4 * M * D, N] ~ glorot_uniform
            param R : [M, 4 * D, D] ~ orthogonal
            param b : [M, 4 * D] ~ zeros

            state h : [M, D] = 0
            state c : [M, D] = 0

            a = reshape(W @ x, [M, 4 * D]) + einsum("mij,mj->mi", R, h[t-1]) + b
            i = sigmoid(split(a, 4, 1, axis = 2))
            f = sigmoid(split(a, 4, 2, axis = 2))
            o = sigmoid(slice(a, 2 * D + 1, 3 * D, axis = 2))
            c = f * c[t-1] + i * tanh(split(a, 4, 4, axis = 2))
            h = o * tanh(c)

            loss squared_error(h, tanh(h[t-1]))
        }""",
    "turned": """
        cell Turned[N, M, D](x: [M, N, D], w: [D]) -> (y: [D, M], s: [N]) {
            param A : [D, M, N] ~ normal(0, 1)
            param P : [2 * N, D] ~ normal(0, 1)

            state C : [D, N, M] = 0

            u = transpose(x, 1, 3) + transpose(A, 2, 3)
            e = concat(C[t-1][1], C[t-1][D], axis = 1)
            C = 0.5 * tanh(transpose(transpose(C[t-1], 1, 2), 1, 2) * u) + 0.1 * e[1, 1]
            v = concat(split(P, 2, 1) @ w, split(P, 2, 2) @ w)
            y = max(C, axis = 2) + einsum("dnm,n->dm", u, split(v, 2, 2))
            f = log_softmax(C, axis = 1)[1, 1, 1] + softmax(C, axis = 2)[1, 1, 1]
            s = norm(transpose(C, 1, 3)[M], axis = 2) + f

            loss cross_entropy(s, softmax(split(v, 2, 1)))
        }""",
    "chain": """
        cell Chain[N, M, D](x: [M, N], w: index[D]) -> (y: [M, D]) {
            param E : [D, M, N]    ~ normal(0, 1)
            param L : [M, N, D]    ~ glorot_uniform
            param B : [M, D, N, N] ~ normal(0, 0.5)

            state p : [M, N] = 0.1

            e = embed(E, w[t-1]) + dropout(x, 0.3)
            p = tanh(einsum("mn,mnd,mdnk,mk->mk", e, L, B, p[t-1]) + e)
            c = einsum("mn,nd->md", last(p), L[1])
            q = repeat(sum(p, axis = 2), D, axis = 2)
            r = cumsum(roll(L, -1, axis = 3), axis = 2) * logsumexp(B, axis = 2)[1, 1, N]
            y = einsum("mn,mnd,kn,kd->md", p, r, e, c) + var(B, axis = 4)[1, 1, N] + q
            z = cumsum(roll(concat(p, y, axis = 2), 1, axis = 2), axis = 1)

            loss l2(y - 0.5) + sum(logsumexp(z, axis = 1)) - sum(logsumexp(z, axis = 2))
            loss 0.1 * l2(B)
        }""",
    "long rows": """
        cell Rows[L](x: [L], A: [2, L]) -> (y: [L], s: [L]) {
            param w : [L] ~ normal(0, 1)

            state c : [L] = 0

            c = 0.1 * cumsum(x * w - c[t-1] / L)
            y = cumsum(cumsum(A, axis = 2), axis = 1)[2] + c
            s = cumsum(onehot(argmax(y)) * y) - cumsum(roll(y, 3))

            loss l2(y) / L + sum(s) / L
        }""",
}
SIZES = {"L": 37, "N": 3, "M": 2, "D": 2, "K": 3}


@cache
def spec(name: str) -> rc.Spec:
    """The same object for all cases and backends, which then share its graphs and the interpreter's results."""
    return rc.parse(SPECS[name], name=name)


def cases(name: str) -> Iterator[Case]:
    sizes = {d.name: SIZES[d.name] for d in spec(name).cell.dimensions}
    yield Case(sizes, {"t": 2}, batch=2, training=True)
    yield Case(sizes, {"t": 1}, batch=1, state=True, seed=1)
    yield Case(sizes, {"t": 4}, batch=3, lengths={"t": (2, 4, 0)}, cuts=(1, 3), seed=2)


@pytest.mark.parametrize("name", SPECS)
def test_its_graph_is_valid(name: str) -> None:
    spec(name).check()
    verify(spec(name).graph(**next(cases(name)).dimensions))


@each_backend
@pytest.mark.parametrize("name", SPECS)
def test_every_backend_computes_it(name: str, backend: str) -> None:
    for case in cases(name):
        assert not differences(spec(name), case, backend)


@pytest.mark.parametrize("name", SPECS)
def test_derivatives_agree_with_differences(name: str) -> None:
    first, *_ = cases(name)
    assert not slopes(spec(name), first)
