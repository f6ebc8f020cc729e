"""Values of more than two axes: what the language says about them, against NumPy, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency.graph.graph import Graph
from recurrency.graph.op import Trait
from recurrency.language.writing.format import format_file
from tests.support.elaborating import B, T, arrays, cell, elaborated, mistakes, numbers, run

SIZES = {"M": 2, "D": 3, "K": 4}
HEADER = "Any[M, D, K](x: [M, D, K], z: [M, K], q: [M * D]) -> (y: [M * D])"
LINES = ("param A : [M, D, K] ~ normal(0, 1)", "param g : [K] ~ ones", "param W : [2 * D, K] ~ zeros", "y = q")

Array = np.ndarray[Any, Any]


def _softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(e / e.sum(axis, keepdims=True))


def _layer_norm(x: Array, axis: int) -> Array:
    centred = x - x.mean(axis, keepdims=True)
    return np.asarray(centred / np.sqrt(x.var(axis, keepdims=True) + 1e-5))


def _rms(x: Array, axis: int) -> Array:
    return np.asarray(x / np.sqrt((x * x).mean(axis, keepdims=True) + 1e-5))


CALLS: list[tuple[str, Callable[..., Any]]] = [
    ("x + A * tanh(x) - 1", lambda x, A, **_: x + A * np.tanh(x) - 1),
    ("max(x, A, 0)", lambda x, A, **_: np.maximum(np.maximum(x, A), 0)),
    *(
        (f"{name}(x, axis = {k + 1})", lambda x, f=f, k=k, **_: f(x, k))
        for name, f in (
            ("sum", lambda x, k: x.sum(k)),
            ("mean", lambda x, k: x.mean(k)),
            ("var", lambda x, k: x.var(k)),
            ("max", lambda x, k: x.max(k)),
            ("min", lambda x, k: x.min(k)),
            ("norm", lambda x, k: np.linalg.norm(x, axis=k)),
            ("softmax", _softmax),
            ("log_softmax", lambda x, k: np.log(_softmax(x, k))),
            ("layer_norm", _layer_norm),
            ("rms_norm", _rms),
            ("logsumexp", lambda x, k: np.log(np.exp(x).sum(k))),
            ("cumsum", np.cumsum),
        )
        for k in range(3)
    ),
    *((f"roll(x, 1, axis = {k + 1})", lambda x, k=k, **_: np.roll(x, 1, k)) for k in range(3)),
    ("sum(x)", lambda x, **_: x.sum()),
    ("max(x)", lambda x, **_: x.max()),
    ("norm(x)", lambda x, **_: np.linalg.norm(x)),
    ("layer_norm(x, g, axis = 3)", lambda x, g, **_: _layer_norm(x, 2) * g),
    ("layer_norm(x, A, g, axis = 3)", lambda x, A, g, **_: _layer_norm(x, 2) * A + g),
    ("rms_norm(x, A, axis = 2)", lambda x, A, **_: _rms(x, 1) * A),
    ("transpose(x, 1, 3)", lambda x, **_: x.swapaxes(0, 2)),
    ("transpose(transpose(x, 1, 2), 2, 3)", lambda x, **_: x.transpose(1, 2, 0)),
    ("reshape(x, [M * D, K])", lambda x, **_: x.reshape(6, 4)),
    ("reshape(transpose(x, 1, 2), [D, K * M])", lambda x, **_: x.swapaxes(0, 1).reshape(3, 8)),
    ("reshape(q, [M, D])", lambda q, **_: q.reshape(2, 3)),
    ("concat(x, A)", lambda x, A, **_: np.concatenate([x, A])),
    ("concat(x, A, x, axis = 2)", lambda x, A, **_: np.concatenate([x, A, x], 1)),
    ("concat(x, 2 * x, axis = 3)", lambda x, **_: np.concatenate([x, 2 * x], 2)),
    ("split(concat(x, A, axis = 2), 2, 2, axis = 2)", lambda A, **_: A),
    ("split(W, 2, 2) @ g", lambda W, g, **_: W[3:] @ g),
    ("slice(x, 2, 3, axis = 3)", lambda x, **_: x[:, :, 1:3]),
    ("slice(x, 2, 2)", lambda x, **_: x[1:2]),
    ("x[2]", lambda x, **_: x[1]),
    ("A[M][D] + x[1, 2]", lambda x, A, **_: A[-1, -1] + x[0, 1]),
    ("x[2, 3, 4] * g", lambda x, g, **_: x[1, 2, 3] * g),
    ("repeat(z, D, axis = 2)", lambda z, **_: np.repeat(z[:, None], 3, 1)),
    ("repeat(repeat(g, D, axis = 1), M, axis = 1)", lambda g, **_: np.broadcast_to(g, (2, 3, 4))),
]


@pytest.mark.parametrize(("call", "plain"), CALLS, ids=[call for call, _ in CALLS])
def test_a_function_of_tensors_computes_what_numpy_says(call: str, plain: Callable[..., Any]) -> None:
    _compare(call, plain)


def _compare(call: str, plain: Callable[..., Any]) -> None:
    text = cell(*LINES, f"found = {call}", header=HEADER)
    given = arrays(elaborated(text, **SIZES))
    found = run(text, **SIZES)["stream:found"]
    for t, b in np.ndindex(T, B):
        here = {n: a if n in "AgW" else a[t, b] for n, a in given.items()}
        value = found[t, b] if found.shape[:2] == (T, B) else found
        wanted = plain(**here)
        assert np.shape(value) == np.shape(wanted)
        assert np.allclose(value, wanted), call


EINSUMS = (
    ("mdk,mk->md", "xz"),
    ("mdk,mk->dm", "xz"),
    ("mdk,mk->mdk", "xz"),
    ("mk,mdk->mdk", "zx"),
    ("md,mk->mdk", "uz"),
    ("mk,md->kdm", "zu"),
    ("mdk,mek->mde", "xA"),
    ("mdk,nek->mnde", "xA"),
    ("mdk->kmd", "x"),
    ("mdk->d", "x"),
    ("mdk->", "x"),
    ("mk,mk->m", "zz"),
    ("mk,nk->mn", "zz"),
    ("mk,mk->", "zz"),
    ("mk,->mk", "zs"),
    ("mdk,k->md", "xg"),
    ("mdk,k,mk->md", "Agz"),
    ("md,mdk,mk,k->m", "uxzg"),
    ("mdk,mdk,mdk->mk", "xAx"),
    ("nm,mn->mn", "ww"),
    ("mn,nk->km", "wz"),
    (" X k m , k->mX ", "yg"),
)


@pytest.mark.parametrize(("letters", "names"), EINSUMS)
def test_einsum_is_that_of_numpy(letters: str, names: str) -> None:
    extra = {"u": "reshape(q, [M, D])", "s": "sum(q)", "y": "transpose(x, 1, 2)"}
    extra["w"] = 'einsum("mk,nk->mn", z, tanh(z))'
    call = f'einsum("{letters}", {", ".join(extra.get(n, n) for n in names)})'
    if "X" in letters:
        call = call.replace("transpose(x, 1, 2)", "transpose(transpose(x, 1, 2), 2, 3)")

    def plain(q: Array, x: Array, **given: Array) -> Any:
        own = {"u": q.reshape(2, 3), "s": q.sum(), "y": x.transpose(1, 2, 0), "x": x, "q": q}
        own["w"] = given["z"] @ np.tanh(given["z"]).T
        return np.einsum(letters.replace(" ", ""), *((own | given)[n] for n in names))

    _compare(call, plain)


def test_einsum_contracts_in_the_cheapest_order() -> None:
    def products(text: str) -> list[tuple[int, ...]]:
        header = "Any(a: [50, 2], b: [2, 50], v: [50]) -> (y: [50])"
        graph: Graph = elaborated(cell("param P, Q : [50, 50] ~ zeros", f"y = {text}", header=header)).graph
        return [graph[id].type.shape for id in graph.order() if Trait.CONTRACTS in graph[id].op.traits]

    assert products('einsum("ij,jk,k->i", a, b, v)') == [(2,), (50,)]
    assert products('einsum("k,ij,jk->i", v, a, b)') == [(2,), (50,)]
    assert products('einsum("ij,jk,k->i", P, Q, v)') == [(50, 50), (50,)], "what is the same at all steps comes first"


def test_what_a_choice_leaves_out_has_no_gradient_behind_axes_in_another_order() -> None:
    header = "Chosen[M, D, K, J](x: [M, D, K, J], c: [K, D, M], p: [J]) -> (y: [K, D, M])"
    text = cell('e = einsum("mdkj,j->kdm", log(x), p)', "y = where(c, e, 0)", header=header)
    model = rc.parse(text).compile(backend="interpreter", dtype="float64", M=2, D=3, K=4, J=2)
    rng = np.random.default_rng(0)
    c = rng.integers(0, 2, (1, 1, 4, 3, 2)).astype(float)
    x = 1 + rng.random((1, 1, 2, 3, 4, 2))
    x *= c.transpose(0, 1, 4, 3, 2)[..., None]  # 0, where the logarithm is infinite, if it is not chosen
    p, dy = rng.random((1, 1, 2)), rng.random(c.shape)
    run = model.forward(model.init(0), {"x": x, "c": c, "p": p})
    found = model.backward(run, {"y": dy}).inputs["x"]
    weight = (c * dy).transpose(0, 1, 4, 3, 2)[..., None] * p[:, :, None, None, None]
    assert np.allclose(found, np.divide(weight, x, out=np.zeros_like(x), where=x > 0))


def test_a_row_is_neither_a_member_nor_a_step() -> None:
    lines = ("param U[1..2] : [K, K] ~ ones", "state C : [K, K] = 0", "C = x[1] @ U[2] + C[t-1]")
    header = "Any[K](x: [2, K, K]) -> (y: [K])"
    found = run(cell(*lines, "y = U[2][1] + C[t-1][K]", header=header), K=3)
    given = arrays(elaborated(cell(*lines, "y = U[2][1] + C[t-1][K]", header=header), K=3))
    before = np.concatenate([np.zeros((1, B, 3, 3)), found["stream:C"][:-1]])
    assert np.allclose(found["stream:y"], given["U[2]"][0] + before[:, :, 2])


def test_a_row_of_a_stream_inside_a_use_is_read_by_its_name() -> None:
    inner = cell("y = x", "z = x[1]", header="Inner[K](x: [2, K]) -> (y: [2, K])")
    outer = cell("u = Inner(x)", "y = u.y[2] + u.x[1] + u[1]", header="Outer[K](x: [2, K]) -> (y: [K])")
    given = arrays(elaborated(inner + outer, K=3))["x"]
    assert np.allclose(run(inner + outer, K=3)["stream:y"], given[:, :, 1] + 2 * given[:, :, 0])
    wrong = outer.replace("u.y[2]", "u.z[2]")
    assert numbers(inner + wrong) == [52]


REFUSED: list[tuple[str, int, str]] = [
    ('einsum("mdk,md->mk", x, z)', 58, "the axis d is D in axis 2 of x, and K in axis 2 of z"),
    ('einsum("mdk,m->dk", x, g)', 58, "the axis m is M in axis 1 of x, and K in g"),
    ('einsum("mk->m", x)', 58, "x [M, D, K] has 3 axes, and the text of einsum 2 letters for it"),
    ('einsum("m,k->mk", x)', 58, "the text of einsum has letters for 2 values, and 1 follow it"),
    ('einsum("mdk,mk", x, z)', 58, "the text of einsum lacks -> and the axes of the result"),
    ('einsum("m.k->m", z)', 58, ". names no axis in the text of einsum"),
    ('einsum("mk->mk,m", z)', 58, ", names no axis in the text of einsum"),
    ('einsum("kk->k", z)', 58, "the letter k stands twice in kk"),
    ('einsum("mk->mm", z)', 58, "the letter m stands twice in mm"),
    ('einsum("mk->mkd", z)', 58, "no value has the axis d of the result mkd"),
    ("einsum(x, z)", 27, "x is not a text in quotation marks"),
    ("reshape(q, [M, K])", 58, "q [D * M] cannot get the shape [M, K]"),
    ("reshape(q, M)", 27, "M is not a shape in square brackets, such as [M, D]"),
    ("softmax(z)", 58, "softmax of [M, K] needs an axis"),
    ("layer_norm(x)", 58, "layer_norm of [M, D, K] needs an axis"),
    ("softmax(z, axis = 3)", 58, "there is no axis 3 here"),
    ("sum(z, axis = 0)", 58, "there is no axis 0 here"),
    ("max(z, z, axis = 1)", 27, "max has an axis only where it takes one value"),
    ("sum(z, axis = x)", 32, "x is not known when the spec is compiled"),
    ("transpose(x)", 58, "transpose of [M, D, K] needs two axes"),
    ("transpose(x, 1, 4)", 58, "there is no axis 4 in [M, D, K]"),
    ("transpose(x, 1)", 27, "transpose exchanges two axes; this call names one"),
    ("repeat(z, 3)", 58, "repeat of [M, K] needs an axis"),
    ("concat(x, z)", 22, "concat cannot join [M, D, K] and [M, K]: only the first dimension may differ"),
    ("concat(z, transpose(z), axis = 2)", 22, "concat cannot join [M, K] and [K, M]: only dimension 2 may differ"),
    ("split(x, 2, 1, axis = 3)", 46, "K does not divide into 2 equal parts"),
    ("x[0]", 30, "there is no row 0 in x [M, D, K], whose rows count from 1"),
    ("x[-1]", 30, "there is no row -1 in x [M, D, K], whose rows count from 1"),
    ("g[1]", 30, "g is not a family"),
    ("x[1, 1, 1, 1]", 30, "x is not a family"),
    ("x + z", 22, "cannot combine x [M, D, K] with z [M, K] by +"),
    ("layer_norm(x, g, axis = 2)", 22, "a gain or bias of [K] does not fit the value of [M, D, K]"),
    ('tanh("x")', 55, '"x" is not a value'),
    ("tanh([x])", 2, "there are no lists"),
]


@pytest.mark.parametrize(("call", "number", "title"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_does_not_fit_is_refused_by_its_axes(call: str, number: int, title: str) -> None:
    (found,) = mistakes(cell(*LINES, f"found = {call}", header=HEADER))
    assert (found.number, found.title) == (number, title)


def test_heads_that_do_not_divide_are_refused_with_both_numbers() -> None:
    text = cell("y = reshape(reshape(x, [M, H / M]), [H])", header="Heads[H, M = 4](x: [H]) -> (y: [H])")
    assert rc.parse(text).compile(H=8) is not None
    with pytest.raises(rc.SpecError, match=r"H / M = 2.5 is not a dimension"):
        rc.parse(text).compile(H=10)


def test_texts_and_shapes_keep_their_layout() -> None:
    text = cell(*LINES, 'found=einsum( "m k,m->k" ,z,reshape( q,[ M,D ] )[ 1 ] )', header=HEADER)
    assert 'einsum("m k,m->k", z, reshape(q, [M, D])[1])' in format_file(text, "text")
    assert numbers(cell(*LINES, 'found = einsum("mk->m, z)', header=HEADER)) == [7]


def test_latex_prints_the_letters_of_einsum_and_the_new_shape() -> None:
    text = cell(*LINES, 'found = einsum("mdk,mk->md", x, z)', "other = reshape(q, [M, D])", header=HEADER)
    printed = rc.parse(text).latex()
    assert r"\operatorname{einsum}_{mdk,\,mk \to md}(x_{t}, z_{t})" in printed
    assert r"\operatorname{reshape}_{M \times D}(q_{t})" in printed
