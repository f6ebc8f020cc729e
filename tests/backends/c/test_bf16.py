"""`compute="bf16"`: products are those of rounded operands, `verify` sees faults in them, and all others refuse it."""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from recurrency.backends.c import bf16, text
from recurrency.backends.c.runtime import target

import recurrency as rc
from recurrency import backend
from recurrency.errors import UsageError
from recurrency.testing import Case
from recurrency.testing.bench import bench
from recurrency.testing.compare import compared

Array = np.ndarray[Any, np.dtype[np.float32]]
COMPILER = shlex.split(os.environ.get("CC", "cc"))


def lacking() -> str | None:
    """Why nothing can be computed in bf16 here."""
    if shutil.which(COMPILER[0]) is None:
        return "no C compiler"
    return target.lacks_bf16()


needs_bf16 = pytest.mark.skipif(lacking() is not None, reason=lacking() or "")

DRIVER = """
long room(long m, long n, long k); long room(long m, long n, long k) {
    return rec_product_work_size(m, n, k) + rec_packed_size(k, n);
}
void whole(long m, long n, long k, const float *a, long a_m, long a_k, const float *b, long b_k, long b_n, float *c,
           long c_m, float *work);
void whole(long m, long n, long k, const float *a, long a_m, long a_k, const float *b, long b_k, long b_n, float *c,
           long c_m, float *work) { rec_product(m, n, k, a, a_m, a_k, b, b_k, b_n, c, c_m, 0, work, n); }
void packed(long m, long n, long k, const float *a, long a_m, long a_k, const float *b, long b_k, long b_n, float *c,
            long c_m, float *work);
void packed(long m, long n, long k, const float *a, long a_m, long a_k, const float *b, long b_k, long b_n, float *c,
            long c_m, float *work) {
    (void)a_k;
    rec_pack(k, n, b, b_k, b_n, work);
    rec_multiply(m, n, k, a, a_m, work, c, c_m, 0, 0, REC_CEIL_DIV(n, REC_COLUMNS), n % 2 == 0);
}
"""
SIZES = [(1, 1, 1), (3, 5, 7), (6, 16, 33), (13, 67, 20), (50, 131, 65), (97, 129, 259), (5, 70, 0)]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder: Path = tmp_path_factory.mktemp("bf16")
    (folder / "products.c").write_text(text.common("float") + bf16.bf16_text() + DRIVER)
    flags = "-std=gnu11 -O1 -march=native -fopenmp-simd -Wall -Wextra -Wconversion -Werror -shared -fPIC".split()
    done = subprocess.run(
        [*COMPILER, *flags, "products.c", "-o", "products.so"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = ctypes.CDLL(str(folder / "products.so"))
    found.room.restype = ctypes.c_long
    return found


def rounded(x: Array) -> Array:
    """The nearest numbers of bf16, ties to even, by their bits."""
    bits = x.view(np.uint32).astype(np.uint64)
    near = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16).astype(np.uint32).view(np.float32)
    return np.where(np.isnan(x), np.nan, np.where(abs(x) < np.finfo(np.float32).tiny, 0, near)).astype(np.float32)


def on_a_line(size: int) -> Array:
    """Floats aligned to 64 bytes."""
    room = np.full(size + 16, np.nan, np.float32)
    return room[-room.ctypes.data % 64 // 4 :]


def multiplied(library: ctypes.CDLL, name: str, a: Array, b: Array) -> Array:
    """A product, and untouched numbers behind each row."""
    (m, k), n = a.shape, b.shape[1]
    c = np.full((m, n + 3), 7, np.float32)
    work = on_a_line(library.room(*map(ctypes.c_long, (m, n, k))))
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (a, b, c, work)]
    apart = [[ctypes.c_long(s // 4) for s in array.strides] for array in (a, b)]
    sizes = [ctypes.c_long(size) for size in (m, n, k)]
    library[name](
        *sizes, pointers[0], *apart[0], pointers[1], *apart[1], pointers[2], ctypes.c_long(n + 3), pointers[3]
    )
    assert (c[:, n:] == 7).all()
    return c[:, :n]


def laid(x: Array, layout: str) -> Array:
    """The matrix in another layout."""
    if layout == "apart":
        wide = np.zeros((x.shape[0], 2 * x.shape[1]), np.float32)
        wide[:, ::2] = x
        return wide[:, ::2]
    return np.asfortranarray(x) if layout == "columns" else x


@needs_bf16
@pytest.mark.parametrize("size", SIZES)
def test_products_are_those_of_rounded_operands(size: tuple[int, int, int], library: ctypes.CDLL) -> None:
    (m, n, k), rng = size, np.random.default_rng(1)
    for left, right in product(("rows", "columns", "apart"), repeat=2):
        a, b = (
            laid(rng.standard_normal(shape).astype(np.float32), how) for shape, how in (((m, k), left), ((k, n), right))
        )
        wanted = rounded(a).astype(float) @ rounded(b).astype(float)
        bound = (k + 2) * 2.0**-23 * (abs(rounded(a)) @ abs(rounded(b))) + 1e-30
        for name in ("whole", *(["packed"] if left == "rows" or k < 2 else [])):
            assert (abs(multiplied(library, name, a, b) - wanted) <= bound).all(), (name, left, right)


@needs_bf16
def test_rounding_of_special_numbers(library: ctypes.CDLL) -> None:
    """Ties to even, the ends of the range, subnormal numbers, infinities and NaN."""
    bits = [0x3F808000, 0x3F818000, 0x3F808001, 0x7F7F7FFF, 0x7F7F8000, 0x00800000, 0x007FFFFF, 0x7F800000, 0xFF800000]
    x = np.array([*bits, 0x7F800001, 0x7FC00000, 0xFFFFFFFF], np.uint32).view(np.float32)
    one = np.ones((1, 1), np.float32)
    for a, b in ((x[:, None], one), (one, x[None])):
        np.testing.assert_array_equal(multiplied(library, "whole", a, b).ravel(), rounded(x))


# --------------------------------------------------------------------------------------------------------------- models


@needs_bf16
def test_a_model_in_bf16_is_near_that_in_float32_and_not_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RECURRENCY_RECORDS", "1")
    monkeypatch.setenv("RECURRENCY_CACHE", str(tmp_path))
    spec = rc.library.Elman
    x = np.random.default_rng(2).standard_normal((4, 3, 5)).astype(np.float32)
    models = [spec.compile(backend="c", N=5, H=6, compute=compute) for compute in ("", "bf16")]
    params = models[0].init(seed=0)
    plain, narrow = (next(iter(model.forward(params, x).outputs.values())) for model in models)
    assert 1e-5 < abs(plain - narrow).max() < 0.05
    assert models[1].backend == "c:bf16"
    assert models[1].programs.record != models[0].programs.record


def faulty(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    """A fault in the text of the products."""
    assert bf16._TEXT.count(old) == 1
    monkeypatch.setattr(bf16, "_TEXT", bf16._TEXT.replace(old, new))


FAULTS = {
    "nothing": ("REC_TILE(6)", "REC_TILE(6)"),
    "the last number of an odd k": ("(1 << (rest + 1) / 2) - 1", "(1 << rest / 2) - 1"),
    "neighbours exchanged": ("rec_bf_pairs(a, b)", "rec_bf_pairs(b, a)"),
}


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("RECURRENCY_RECORDS", "0")
    bench.cache_clear()
    yield
    bench.cache_clear()


@needs_bf16
@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("fault", FAULTS)
def test_verify_sees_faults(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    faulty(monkeypatch, *FAULTS[fault])
    spec = rc.library.Elman
    case = Case({"N": 3, "H": 5}, {"t": 3}, batch=4, dtype="float64", seed=1)
    found = compared(spec, case, "c:bf16", ["forward", "backward"])
    assert found.compared
    assert bool(found.differences) == (fault != "nothing"), found.differences


def test_others_refuse_it(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = rc.library.Elman
    with pytest.raises(UsageError, match="the backend numpy can't compute in bf16; c can compute in bf16"):
        spec.compile(backend="numpy", compute="bf16", N=2, H=3)
    with pytest.raises(UsageError, match="the backend c can't compute in fp16; it has bf16"):
        spec.compile(backend="c", compute="fp16", N=2, H=3)
    monkeypatch.setattr(target, "lacks_bf16", lambda: "compute=bf16 needs a processor with AVX512-BF16")
    with pytest.raises(UsageError, match="the backend c can't run here: compute=bf16 needs a processor with AVX512"):
        spec.compile(backend="c", compute="bf16", N=2, H=3)


@needs_bf16
def test_sums_are_of_float32() -> None:
    with pytest.raises(UsageError, match="sums are of float32, so that dtype can't be float64"):
        rc.library.Elman.compile(backend="c", compute="bf16", dtype="float64", N=2, H=3)


@pytest.mark.skipif(shutil.which(COMPILER[0]) is None, reason="no C compiler")
def test_vectors_of_another_width_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRENCY_VECTOR_BYTES", "32")
    assert "vectors of 64 bytes" in (target.lacks_bf16() or "")


def test_the_list_of_backends_and_files_name_it(tmp_path: Path) -> None:
    from recurrency.cli import cli

    shown = CliRunner().invoke(cli, ["backends"]).output
    assert re.search(r"^c:bf16 \(products in bf16, sums in float32\): (yes|no, )", shown, re.M)
    file = tmp_path / "elman.c"
    arguments = ["compile", "Elman", "--backend", "c", "--compute", "bf16", "-D", "N=2", "-D", "H=3", "-o", str(file)]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    assert "_mm512_dpbf16_ps" in file.read_text(encoding="utf-8")
    refused = CliRunner().invoke(cli, [*arguments, "--dtype", "float64"])
    assert refused.exit_code != 0
    assert "sums are of float32" in str(refused.exception)


def test_no_other_name_has_it() -> None:
    assert backend.compute_of(backend.find("numpy")) == ""
    assert set(backend.computes()) == {"c:bf16"}


@needs_bf16
def test_gradients_of_weights_with_one_common_side() -> None:
    """An LSTM's are one statement."""
    found = []
    for compute in ("", "bf16"):
        model = rc.library.spec("PlainLSTM").compile(backend="c", compute=compute, N=3, H=5)
        x, dy = np.random.default_rng(4).standard_normal((2, 7, 2, 5)).astype(np.float32)
        run = model.forward(model.init(seed=0), x[..., :3])
        found.append(model.backward(run, dy).params)
    assert np.max(np.abs(found[0] - found[1])) <= 0.02 * np.max(np.abs(found[0]))
