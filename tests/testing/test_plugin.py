"""A third party's backend, installed as a package of its own, passes the suite and is used by its name."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[1] / "plugin"
COMMAND = [sys.executable, "-c", "from recurrency.cli import main; main()"]
pytestmark = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax: not installed (pip install jax)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed the package, from a copy: building leaves things behind."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(PLUGIN, folder / "source")
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    target = folder / "site"
    run([sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(folder / "source")], folder)
    return target


def run(words: list[str], folder: Path, site: Path | None = None) -> str:
    """The output of a command that succeeds; `site` is a folder of packages that it can import."""
    env = {**os.environ, "JAX_PLATFORMS": "cpu", **({"PYTHONPATH": str(site)} if site else {})}
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_a_package_of_its_own_passes_the_suite(site: Path) -> None:
    tests = site.parent / "source" / "tests"
    out = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)], tests, site)
    assert " passed" in out
    assert "skipped" not in out


def test_it_is_listed_verified_and_used_by_its_name(site: Path) -> None:
    code = (
        "import numpy as np, recurrency as rc\n"
        "model = rc.library.Linear.compile('jax', N=2, K=3)\n"
        "params = np.arange(9, dtype='float32')\n"
        "print(model.forward(params, np.ones((1, 1, 2))).output.tolist())\n"
    )
    assert "jax" in run([*COMMAND, "backends"], site.parent, site).split()
    W, b = [[0, 1], [2, 3], [4, 5]], [6, 7, 8]
    assert (
        run([sys.executable, "-c", code], site.parent, site)
        == f"{[[[sum(r) + c + 0.0 for r, c in zip(W, b, strict=True)]]]}\n"
    )
    said = run([*COMMAND, "verify", "Linear", "--backends", "jax", "--examples", "2", "-D", "K=1"], site.parent, site)
    assert "no difference" in said
