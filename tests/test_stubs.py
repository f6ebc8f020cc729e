"""The stubs for editors and type checkers say what the code does."""

from __future__ import annotations

import ast
import inspect
import os
import runpy
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import recurrency as rc

ROOT = Path(__file__).resolve().parents[1]
USER = """
import recurrency as rc
import torch

spec: rc.Spec = rc.library.LSTM
cell: torch.nn.Module = spec.module(N=3, H=8)
loss: torch.Tensor = spec.module(N=3, H=8).loss(x=1)
found: bool = rc.verify(spec, "numpy").ok
sizes: list[str] = [s.name for s in rc.probe(spec.compile(N=3, H=8))]
missing = rc.library.LSMT
wrong: int = spec.module(N=3, H=8)
rc.nonsense
"""


def test_the_stub_of_the_library_lists_its_cells(golden: Callable[[Path, str], None]) -> None:
    written = runpy.run_path(str(ROOT / "tools" / "library_stub.py"), run_name="stub")
    golden(ROOT / "recurrency" / "library.pyi", written["stub"]())
    names = {
        n.target.id
        for n in ast.parse(written["stub"]()).body
        if isinstance(n, ast.AnnAssign) and hasattr(n.target, "id")
    }
    assert names == set(rc.library.names())
    assert names <= set(dir(rc.library))


def test_the_library_completes_to_its_cells_and_functions() -> None:
    assert set(dir(rc.library)) == {*rc.library.names(), "names", "near", "spec"}


def test_the_stub_of_a_module_has_the_signatures_of_the_class() -> None:
    module = pytest.importorskip("recurrency.backends.torch.module")
    (stub,) = (
        node
        for node in ast.parse((ROOT / "recurrency" / "model" / "cell_module.pyi").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    )
    methods = [node for node in stub.body if isinstance(node, ast.FunctionDef)]
    assert {"forward", "loss", "loss_and_state", "curvature", "path", "model"} <= {m.name for m in methods}
    for method in methods:
        real = inspect.getattr_static(module.SpecNetwork, method.name)
        if isinstance(real, property):
            assert [ast.unparse(d) for d in method.decorator_list] == ["property"], method.name
            continue
        wanted = ast.parse(textwrap.dedent(inspect.getsource(real))).body[0]
        assert isinstance(wanted, ast.FunctionDef)
        assert ast.unparse(method.args) == ast.unparse(wanted.args), method.name


def test_star_import_needs_no_extra() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'hypothesis')))\nfrom recurrency import *\nlibrary.GRU"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_names_of_the_package_are_its_public_ones() -> None:
    assert dir(rc) == sorted([*rc.__all__, "optim", "verify"])
    assert rc.load_ipython_extension is not None


@pytest.mark.long
def test_a_type_checker_refuses_a_cell_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("mypy")
    (tmp_path / "user.py").write_text(USER, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--follow-imports", "silent", "user.py"]
    found = {**os.environ, "MYPYPATH": str(ROOT), "MYPY_CACHE_DIR": str(tmp_path)}  # it sees no editable installation
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=found)
    said = [line.partition("user.py:")[2] for line in done.stdout.splitlines() if ": error: " in line]
    assert [line.partition(":")[0] for line in said] == ["10", "11", "12"], done.stdout + done.stderr
    assert 'has no attribute "LSMT"' in said[0]
    assert 'has no attribute "nonsense"' in said[2]


def test_type_checkers_and_the_site_know_every_public_name() -> None:
    """They read the imports that are never run."""
    tree = ast.parse(Path(rc.__file__).read_text(encoding="utf-8"))
    never = next(node for node in tree.body if isinstance(node, ast.If))
    known = {name.asname for part in never.body if isinstance(part, ast.Import | ast.ImportFrom) for name in part.names}
    assert {name for name in dir(rc) if not name.startswith("_")} <= known
