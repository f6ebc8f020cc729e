"""An element-wise operation that is new costs two files of code: a row of the table, and its name in the language."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

EDITS = {
    "graph/ops/elementwise.py": """
define(
    "cosh",
    1,
    same,
    lambda g, y, x: (g * (x.apply("expm1") - (-x).apply("expm1")) * 0.5,),
    np.cosh,
    cost=10,
    traits={Trait.SINGULAR},
)
""",
    "language/vocabulary/elementwise.py": """
row(ELEMENTWISE, "cosh(x)", "hyperbolic cosine", unary("cosh", math.cosh))
""",
}
"""What is added to which module of code."""

TESTS = ("recurrency/testing/edge_table.py", "tests/language/test_vocabulary.py")
"""Where tests ask for the values of a new function: at its edges, and as NumPy has them."""

USE = """
import sys
import numpy as np
import recurrency as rc

TEXT = "cell C[N](x: [N]) -> (y: [N]) { param w : [N] ~ ones\\nstate y : [N] = 0\\ny = cosh(w * x) - y[t-1] }"
x = np.linspace(-1.5, 1.5, 12).reshape(2, 2, 3)
w = np.array([0.5, -1.0, 2.0])
wanted = np.stack([np.cosh(w * x[0]), np.cosh(w * x[1]) - np.cosh(w * x[0])])
for name in ("interpreter", "numpy", "torch", "c", "cupy-emulated"):
    try:
        model = rc.parse(TEXT).compile(backend=name, dtype="float64", N=3)
    except rc.RecurrencyError as error:
        print(name, error, file=sys.stderr)
        continue
    run = model.forward(w, x)
    assert np.allclose(run.outputs["y"], wanted, rtol=1e-14)
    found = model.backward(run, np.ones_like(x))
    assert np.allclose(found.inputs["x"][1], w * np.sinh(w * x[1]), rtol=1e-13)
    assert np.allclose(found.inputs["x"][0], 0, atol=1e-13)
    print(name)
"""


def test_few_files_change() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Add an operation")[2]
    section = text.partition("\n## ")[0]
    files = [f"recurrency/{path}" for path in EDITS] + list(TESTS)
    assert len(files) <= 4
    assert all(path in section and (ROOT / path).exists() for path in files)


def test_a_new_function_works_on_all_backends(tmp_path: Path) -> None:
    copy = tmp_path / "recurrency"
    for folder, place in (("recurrency", copy), *((f, copy / f) for f in ("backends", "grammars", "specs"))):
        shutil.copytree(ROOT / folder, place, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    for path, text in EDITS.items():
        with (copy / path).open("a", encoding="utf-8") as file:
            file.write(text)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "RECURRENCY_CACHE": str(tmp_path / "cache")}
    made = subprocess.run([sys.executable, "-c", USE], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert {"interpreter", "numpy"} <= set(made.stdout.split()), made.stderr
