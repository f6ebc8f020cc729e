"""Generated C for other programs: it compiles without a warning as C99, and computes what the interpreter does."""

from __future__ import annotations

import math
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurrency as rc
from recurrency import backend, library
from recurrency.model.export import ModuleFiles, module_files, module_text
from recurrency.model.model import Model
from recurrency.model.spec import Spec
from recurrency.testing import Case, tolerance
from recurrency.testing.bench import bench
from recurrency.testing.case import data
from recurrency.testing.rounding import first_bound
from tests.support.calling import Run
from tests.support.cells import CASE
from tests.support.usual import some

REASON = backend.describe()["c"]
pytestmark = pytest.mark.skipif(REASON is not None, reason=f"c: {REASON}")

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")


def model_of(name: str, dtype: str = "float32", **dimensions: Any) -> Model:
    """A shipped cell for the C backend."""
    return library.spec(name).compile(backend="c", dtype=dtype, **(dimensions or CASE[name].dimensions))


def compiled(folder: Path, *flags: str, sources: tuple[str, ...] = ("cell.c",), compiler: str = "cc") -> None:
    """Compile sources in a folder to a program (or, with -c, check them); without vectors, unless flags say which."""
    plain = () if any(flag.startswith("-DREC_") for flag in flags) else ("-DREC_PORTABLE",)
    command = [compiler, *STRICT, "-O1", *plain, *flags, *sources]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert not done.returncode, done.stderr[:3000]


@cache
def files_of(name: str) -> ModuleFiles:
    """Source and header of a shipped cell."""
    return module_files(model_of(name))


def written(folder: Path, name: str) -> str:
    """Put source and header of a shipped cell into a folder; gives the source."""
    files = files_of(name)
    assert files.header is not None
    (folder / "cell.c").write_text(files.source)
    (folder / "cell.h").write_text(files.header)
    return files.source


@pytest.mark.parametrize("compiler", ["cc", "clang"])
@pytest.mark.parametrize("name", some(sorted(CASE), 3))
def test_every_shipped_cell_is_c99_without_a_warning(name: str, compiler: str, tmp_path: Path) -> None:
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler}")
    written(tmp_path, name)
    (tmp_path / "user.c").write_text('#include "cell.h"\nint main(void) { return 0; }\n')
    compiled(tmp_path, "-fsyntax-only", sources=("cell.c", "user.c"), compiler=compiler)


PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include "cell.h"

static void *aligned(long long bytes) {
    char *memory = calloc((size_t)bytes + 64, 1);
    return memory + (64 - (size_t)memory % 64) % 64;
}
static void *read_all(const char *name, size_t bytes) {
    void *out = aligned((long long)bytes);
    FILE *file = fopen(name, "rb");
    if (!file || fread(out, 1, bytes, file) != bytes) exit(9);
    fclose(file);
    return out;
}
static void write_all(const char *name, const void *data, size_t bytes) {
    FILE *file = fopen(name, "wb");
    if (!file || fwrite(data, 1, bytes, file) != bytes) exit(9);
    fclose(file);
}
int main(void) {
BODY
    return 0;
}
"""


def run_program(folder: Path, body: list[str], *flags: str) -> None:
    """Compile and run a program with the cell."""
    said = "\n".join(f"    {line}" for line in body)
    unused = [f for f in ("read_all", "write_all", "aligned") if f not in said]
    text = PROGRAM.replace("BODY", "\n".join([*(f"    (void){f};" for f in unused), said]))
    (folder / "main.c").write_text(text)
    compiled(folder, *flags, "-o", "main", sources=("cell.c", "main.c", "-lm"))
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run(["./main"], cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, (done.returncode, done.stderr)


def fields(source: str, function: str) -> dict[str, str]:
    """The fields of the struct of a function's call, with what is said of them."""
    text = source[source.index(f"struct {function}_call {{") :].split("};")[0]
    return {m[1]: m[2] for m in re.finditer(r"(\w+);(?: /\* (.*?) \*/)?", text)}


@cache
def case_of(name: str) -> tuple[Spec, Case]:
    """A shipped cell, and a call of it; gradients come from its outputs alone."""
    spec = library.spec(name)
    states = spec.compile(backend="interpreter", **CASE[name].dimensions).states
    zeroed = tuple(f"d:final:{state}" for state in states)
    return spec, Case(CASE[name].dimensions, {"t": 4}, 3, dtype="float32", zeroed=zeroed, seed=4)


def assert_near(name: str, found: Mapping[str, Any]) -> None:
    """Results are those of the interpreter, within what rounding in float32 may do."""
    spec, case = case_of(name)
    wanted = bench(spec).reference(case, "backward")
    for root, array in found.items():
        apart = np.abs(array - wanted[root])
        assert np.all(apart <= tolerance(spec, case, "backward", root)), (root, apart.max())


def row_of(said: str, root: str) -> int:
    """The row from which on a result lies in its array."""
    found = re.search(rf"out: {re.escape(root)}(?:, from row (\d+) on)?,", said)
    assert found, (said, root)
    return int(found[1] or 0)


def shape(said: str) -> list[int]:
    """The shape of a field by its comment, for 4 steps and 3 sequences."""
    sizes = re.findall(r"\[([^\]]*)\]", said)[-1].replace("T_t", "4").replace("B", "3").split(", ")
    return [sum(map(int, size.split(" + "))) for size in sizes]


def count(said: str) -> int:
    """The number of elements of a field by its comment."""
    return math.prod(shape(said))


def is_array(said: str) -> bool:
    """Whether a field is an array that these programs hand over."""
    return said.startswith(("in: ", "out: ")) and not said.startswith(("in: the first", "in: how many"))


def memory_of(said: str, inputs: Collection[str], outs: Mapping[str, tuple[str, int]]) -> str:
    """Where a field of a call points to: into a file, to what the forward call has written, or to zeros."""
    root = said.removeprefix("in: ").split(",")[0]
    if said.startswith("in: tape:"):
        return f"f.{outs[root][0]} + {outs[root][1]}"
    if said.startswith("in: d:output:") or root in inputs:
        return f'read_all("{root.replace("d:output:", "d_")}", {count(said)} * sizeof(float))'
    return f"aligned({count(said)} * (long long)sizeof(float))"


@pytest.mark.parametrize("name", ["LSTM", "GRU", "MinGRU", "LayerNormLSTM", "FastWeights"])
def test_a_program_in_c_computes_what_the_interpreter_does(name: str, tmp_path: Path) -> None:
    """Forwards and backwards from files of parameters, inputs and gradients; the tape goes from one to the other."""
    model = model_of(name)
    given = data(model, case_of(name)[1])
    seeds = {root.replace("output:", "d_"): a for root, a in given.seeds.items() if root.startswith("output:")}
    source, prefix = written(tmp_path, name), name.lower()
    for file, array in {"params": model.pack(given.params), **given.inputs, **seeds}.items():
        (tmp_path / file).write_bytes(array.astype("f4").tobytes())
    first, second = fields(source, f"{prefix}_forward"), fields(source, f"{prefix}_backward")
    body = [f"struct {prefix}_forward_call f = {{0}};", f"struct {prefix}_backward_call b = {{0}};"]
    body += ["f.T_t = b.T_t = 4;", "f.B = b.B = 3;"]
    body += [f'f.params = b.params = read_all("params", {model.size} * sizeof(float));']
    outs: dict[str, tuple[str, int]] = {}
    for field, said in first.items():
        if "out: " in said:
            for part in said.split("; "):
                root = part.removeprefix("out: ").split(",")[0]
                outs[root] = (field, row_of(said, root) * (count(said) // int(shape(said)[0])))
    for call, table in (("f", first), ("b", second)):
        body += [
            f"{call}.{field} = {memory_of(said, given.inputs, outs)};"
            for field, said in table.items()
            if is_array(said)
        ]
    for call, function in (("f", "forward"), ("b", "backward")):
        body += [
            f"{call}.bytes = {prefix}_{function}_workspace(&{call}, 1);",
            f"{call}.work = aligned({call}.bytes);",
            f"if ({prefix}_{function}(&{call})) return 2;",
        ]
    shapes = {n: (4, 3, *port.shape) for n, port in model.outputs.items()}
    for n, sizes in shapes.items():
        field, start = outs[f"output:{n}"]
        body.append(f'write_all("out_{n}", f.{field} + {start}, {math.prod(sizes)} * sizeof(float));')
    body.append(f'write_all("gradient", b.gradient, {model.size} * sizeof(float));')
    run_program(tmp_path, body)
    outputs = {f"output:{n}": np.fromfile(tmp_path / f"out_{n}", "f4").reshape(sizes) for n, sizes in shapes.items()}
    gradients = model.views(np.fromfile(tmp_path / "gradient", "f4"))
    assert_near(name, outputs | {f"gradient:{n}": g for n, g in gradients.items()})


def test_a_program_goes_step_by_step(tmp_path: Path) -> None:
    check_steps(tmp_path)


def check_steps(tmp_path: Path, *flags: str) -> None:
    """Each of the sequences by itself."""
    model = model_of("LSTM")
    given = data(model, case_of("LSTM")[1])
    written(tmp_path, "LSTM")
    (tmp_path / "params").write_bytes(model.pack(given.params).tobytes())
    (tmp_path / "x").write_bytes(given.inputs["x"].astype("f4").tobytes())
    n, h = given.inputs["x"].shape[2], model.outputs["h"].shape[0]
    run_program(
        tmp_path,
        [
            "struct lstm_state state;",
            f"static float h[4][3][{h}];",
            "const long long bytes = lstm_step_workspace();",
            "void *work = aligned(bytes);",
            f'const float *params = read_all("params", {model.size} * sizeof(float));',
            f'const float *x = read_all("x", {4 * 3 * n} * sizeof(float));',
            "for (int b = 0; b < 3; ++b) {",
            "    if (lstm_first(params, &state, work, bytes)) return 2;",
            "    for (int t = 0; t < 4; ++t)",
            f"        if (lstm_step(params, &state, x + (3 * t + b) * {n}, h[t][b], work, bytes)) return 3;",
            "}",
            'write_all("h", h, sizeof h);',
        ],
        *flags,
    )
    assert_near("LSTM", {"output:h": np.fromfile(tmp_path / "h", "f4").reshape(4, 3, h)})


STATIC = """
cell Static[N](x: [N]) -> (y: [N], q: [N], first: [N]) {
    param b : [N] ~ normal(0, 1)
    state y : [N] = b
    y = tanh(x + 0.5 * y[t-1])
    q = 2 * b
    first = y[t-1] + q
}
"""


def test_a_step_gives_outputs_that_are_always_the_same(tmp_path: Path) -> None:
    model = rc.parse(STATIC).compile(backend="c", N=3)
    files = module_files(model)
    (tmp_path / "cell.c").write_text(files.source)
    (tmp_path / "cell.h").write_text(files.header or "")
    params, x = model.init(1), np.random.default_rng(1).standard_normal((2, 3)).astype("f4")
    (tmp_path / "params").write_bytes(params.tobytes())
    (tmp_path / "x").write_bytes(x.tobytes())
    run_program(
        tmp_path,
        [
            "struct static_state state;",
            "static float y[2][3][3];",
            "const long long bytes = static_step_workspace();",
            "void *work = aligned(bytes);",
            'const float *params = read_all("params", 3 * sizeof(float));',
            'const float *x = read_all("x", 6 * sizeof(float));',
            "if (static_first(params, &state, work, bytes)) return 2;",
            "for (int t = 0; t < 2; ++t)",
            "    if (static_step(params, &state, x + 3 * t, y[t][0], y[t][1], y[t][2], work, bytes)) return 3;",
            'write_all("y", y, sizeof y);',
        ],
    )
    found = np.fromfile(tmp_path / "y", "f4").reshape(2, 3, 3)
    state = None
    for t in range(2):
        outputs, state = model.step(params, {"x": x[t][None]}, state)
        np.testing.assert_allclose(found[t], [np.ravel(outputs[n]) for n in ("y", "q", "first")], rtol=1e-5)


@pytest.mark.parametrize("name", ["Bidirectional", "EncoderDecoder"])
def test_why_there_is_no_step_is_said(name: str, run: Run, tmp_path: Path) -> None:
    """In the files, and by the command; the module of NumPy refuses to make one."""
    sizes = [word for n, v in CASE[name].dimensions.items() for word in ("-D", f"{n}={v}")]
    why = model_of(name).over_steps
    assert why
    said = run("compile", name, "--backend", "c", *sizes, "-o", str(tmp_path / "cell.c")).err
    assert f"without a function for one step: {why}" in said
    for file in ("cell.c", "cell.h"):
        assert f"/* There is no {name.lower()}_step: {why} */" in (tmp_path / file).read_text()
    known: dict[str, Any] = {}
    exec(module_text(library.spec(name).compile(backend="numpy", **CASE[name].dimensions)), known)
    with pytest.raises(TypeError, match=re.escape(f"{name} can't be stepped: {why}")):
        known["step"](None, {})


def test_wrong_calls_are_refused_with_a_number(tmp_path: Path) -> None:
    written(tmp_path, "LSTM")
    lines = [
        "static float room[4096];",
        "struct lstm_infer_call c = {0};",
        "if (lstm_infer(NULL) != LSTM_NULL_) return 1;",
    ]
    lines += ["c.T_t = -1;", "if (lstm_infer(&c) != LSTM_SIZE_) return 2;", "c.T_t = 1; c.B = 1;"]
    lines += ["if (lstm_infer(&c) != LSTM_NULL_) return 3;", "c.params = c.x_ = room;"]
    lines += ["c.h_ = c.h_final_ = c.c_final_ = room + 2048;", "if (lstm_infer(&c) != LSTM_NULL_) return 4;"]
    lines += ["c.work = aligned(1 << 20);", "if (lstm_infer(&c) != LSTM_WORK_) return 5;", "c.bytes = 1 << 20;"]
    lines += ["c.x_ = (const float *)((const char *)room + 1);", "if (lstm_infer(&c) != LSTM_ALIGNMENT_) return 6;"]
    lines += ["c.x_ = room;", "c.work = (char *)c.work + 4;", "if (lstm_infer(&c) != LSTM_ALIGNMENT_) return 7;"]
    lines += ["c.work = (char *)c.work - 4;", "if (lstm_infer(&c) != LSTM_OK_) return 8;"]
    run_program(tmp_path, lines)


HOSTILE = '''
cell Main[N](x: [N]) -> (y: [N]) {
    """Ends the comment */ int evil; /* ??/ and goes on"""
    param int, struct, rec_wait, REC_BARRIER, w, call, memory, α, rec_pack : [N] ~ ones
    state main : [N] = 0
    exp_ = int * x + struct * rec_wait + REC_BARRIER * w + call * memory
    main = tanh(exp_ + α * rec_pack * main[t-1])  // */ ??/
    y = main
}
'''.replace("  // */ ??/", "  # */ ??/")


def test_names_and_texts_of_a_spec_never_become_code(tmp_path: Path) -> None:
    model = rc.parse(HOSTILE).compile(backend="c", dtype="float64", N=2)
    other = rc.parse(HOSTILE).compile(backend="interpreter", dtype="float64", N=2)
    text = module_text(model, "N=2 */ evil")
    assert "int evil" not in re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)
    (tmp_path / "cell.c").write_text(text)
    compiled(tmp_path, "-O0", "-c")
    x, params = (
        np.random.default_rng(2).standard_normal((3, 2, 2)),
        np.random.default_rng(3).standard_normal(model.size),
    )
    found, wanted = (m.forward(params, x, keep=False).outputs["y"] for m in (model, other))
    assert np.all(np.abs(found - wanted) <= first_bound(other, Case({}, {"t": 3}, 2), wanted))


CLASHES = """
cell Main[N](x: [N], bytes: [N], barrier: [N], wrong: [N], none: [N]) -> (y: [N], nothing: [N]) {
    param rec_tanhf, rec_i0, M_E, SIZE_MAX, base, rec_tile_6, at, turn : [N] ~ ones
    state work : [N] = 0
    a = x * rec_tanhf + rec_i0 * bytes + M_E * barrier + SIZE_MAX * wrong
    work = tanh(a + base * none + rec_tile_6 * at * turn * work[t-1])
    x_room = tanh(work)
    y = work * x_room
    nothing = y + 1
}
"""


def test_names_of_a_spec_may_be_those_of_our_functions_and_of_headers(tmp_path: Path) -> None:
    model = rc.parse(CLASHES).compile(backend="c", dtype="float64", N=3)
    other = rc.parse(CLASHES).compile(backend="interpreter", dtype="float64", N=3)
    (tmp_path / "cell.c").write_text(module_text(model))
    compiled(tmp_path, "-fsyntax-only")
    rng = np.random.default_rng(5)
    params, inputs = rng.standard_normal(model.size), {n: rng.standard_normal((3, 2, 3)) for n in model.inputs}
    found, wanted = (m.forward(params, inputs, keep=False).outputs for m in (model, other))
    for name in ("y", "nothing"):
        bound = first_bound(other, Case({}, {"t": 3}, 2), wanted[name])
        assert np.all(np.abs(found[name] - wanted[name]) <= bound), name


def test_the_command_writes_source_and_header(run: Run, tmp_path: Path) -> None:
    code, _, said = run("compile", "GRU", "--backend", "c", "-D", "N=2", "-D", "H=3", "-o", str(tmp_path / "gru.c"))
    assert code == 0
    assert f"wrote {tmp_path / 'gru.c'} and {tmp_path / 'gru.h'}" in said
    assert "int gru_step(const float *params" in (tmp_path / "gru.h").read_text()
