"""Modules on PyTorch that stand alone: they need torch only, and are what a module in memory is."""

from __future__ import annotations

import ast
import importlib.util
import io
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import recurrency as rc
from recurrency.cli import cli
from recurrency.language.vocabulary.initialisers import INITIALISERS, draw
from tests.support.modules import DROPOUT
from tests.support.torch_modules import QUIET, random, torch

pytestmark = QUIET
close = torch.testing.assert_close

ALONE = """
import sys
sys.modules.update(dict.fromkeys(["recurrency", "numpy"]))  # neither can be imported
sys.path.insert(0, {folder!r})
import torch
import {name}
module = {name}.{cell}(dtype=torch.float64)
x = torch.ones(4, 2, 3, dtype=torch.float64, requires_grad=True)
(g,) = torch.autograd.grad(module(x)[0].square().sum(), x, create_graph=True)
g.square().sum().backward()
print(float(x.grad.abs().sum()) > 0, {name}.NAMESPACE in str(torch.ops.__dict__.keys()))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where modules are written by the command."""
    out = tmp_path_factory.mktemp("generated")
    (out / "noisy.rnn").write_text(DROPOUT)
    rows = {"gru_torch": ["GRU", "N=3", "H=4"], "music_torch": ["Music", "N=3", "H=4"]}
    rows["noisy_torch"] = [str(out / "noisy.rnn"), "N=3", "H=4"]
    for name, (spec, *sizes) in rows.items():
        options = [word for size in sizes for word in ("-D", size)]
        found = CliRunner().invoke(
            cli, ["compile", spec, "--backend", "torch", *options, "-o", str(out / f"{name}.py")]
        )
        assert found.exit_code == 0, found.output
    return out


def imported(path: Path, name: str) -> Any:
    """A file as a module that pickle finds again."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_written_module_needs_torch_only(folder: Path) -> None:
    text = ALONE.format(folder=str(folder), name="gru_torch", cell="GRU")
    command = [sys.executable, "-W", "ignore", "-I", "-c", text]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert found.stdout.split() == ["True", "True"], found.stderr


def test_it_computes_what_the_module_in_memory_computes(folder: Path) -> None:
    written = imported(folder / "music_torch.py", "music_torch").Music(dtype=torch.float64)
    module = rc.library.spec("Music").module(N=3, H=4, dtype=torch.float64)
    module.load_state_dict(written.state_dict())
    x = random(5, 2, 3).sigmoid().requires_grad_()
    found, wanted = written(x, lengths=[2, 5]), module(x, lengths=[2, 5])
    close(found, wanted)
    close(*(torch.autograd.grad(f[0].square().sum(), x) for f in (found, wanted)))
    close(*(torch.autograd.grad(m.loss(x), x) for m in (written, module)))
    assert repr(written) == repr(module)


def test_copies_of_a_written_module_and_the_package_live_side_by_side(folder: Path) -> None:
    first = imported(folder / "noisy_torch.py", "noisy_torch")
    second = imported(folder / "noisy_torch.py", "noisy_again")
    third = imported(folder / "gru_torch.py", "gru_torch")
    assert first.NAMESPACE == second.NAMESPACE != third.NAMESPACE
    x = random(5, 2, 3).float()
    module, other = first.Noisy().train(), second.Noisy().train()
    other.load_state_dict(module.state_dict())
    close(module(x, seed=3), other(x, seed=3))
    del sys.modules["noisy_torch"], first, module  # the op stays
    torch._dynamo.reset()
    close(torch.compile(other, backend="aot_eager", fullgraph=True)(x, seed=3), other(x, seed=3))


def test_a_written_module_is_saved_as_a_whole(folder: Path) -> None:
    module, x = imported(folder / "gru_torch.py", "gru_torch").GRU(state="tuple"), random(5, 2, 3).float()
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    close(torch.load(buffer, weights_only=False)(x), module(x))


def test_its_errors_are_its_own(folder: Path) -> None:
    gru = imported(folder / "gru_torch.py", "gru_torch")
    with pytest.raises(gru.ShapeError, match="x holds float64, the module computes in float32"):
        gru.GRU()(random(5, 2, 3))


def test_no_name_of_a_written_module_is_taken_twice(folder: Path) -> None:
    for path in folder.glob("*.py"):
        names = [
            node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef | ast.ClassDef)
        ]
        assert len(names) == len(set(names)), path.name


def test_a_dtype_asked_for_is_the_default() -> None:
    found = CliRunner().invoke(
        cli, ["compile", "Linear", "--backend", "torch", "-D", "N=2", "-D", "K=3", "--dtype", "float64"]
    )
    assert "dtype=torch.float64" in found.output


@pytest.mark.parametrize("name", ["GRU", "Elman", "FirstElement"])
def test_the_text_depends_on_the_specification_alone(name: str) -> None:
    """In other processes, too: dimensions that are functions or cells have names there, and no addresses."""
    options = [word for size in ("N=2", "H=3") if (name, size) != ("FirstElement", "N=2") for word in ("-D", size)]
    words = ["compile", name, "--backend", "torch", *options]
    other = subprocess.run(
        [sys.executable, "-m", "recurrency", *words], capture_output=True, text=True, timeout=120, check=True
    )
    assert CliRunner().invoke(cli, words).output == other.stdout


# ------------------------------------------------------------------------------------------------------ initialisers

ARGUMENTS = {
    "constant": (2.0,),
    "uniform": (0.3,),
    "between": (-3.0, -1.0),
    "normal": (1.0, 0.2),
    "orthogonal": (1.5,),
    "identity": (0.5,),
    "bernoulli": (0.3,),
    "spectral": (0.9,),
    "chrono": (50.0, 1.0),
    "hippo": (1.0,),
}
FIXED = ("identity", "hippo", "dirac")
"""Initialisers that draw nothing."""
SIZE = 60


@pytest.mark.parametrize("name", INITIALISERS)
def test_torch_draws_by_the_laws_of_the_package(name: str) -> None:
    from recurrency.backends.torch.runtime.initial import DRAWS, drawn

    assert set(DRAWS) == set(INITIALISERS)
    arguments = {**ARGUMENTS, "sparse": (7.0, 0.5)}.get(name, ())
    shape = (SIZE, SIZE)
    found = drawn("W", name, arguments, shape, 0).numpy()
    wanted = draw(name, arguments, shape, np.random.default_rng(0))
    spread = 5 * max(wanted.std(), 1e-12) / SIZE  # five deviations of a mean of SIZE^2 numbers
    assert found.shape == shape
    assert abs(found.mean() - wanted.mean()) < 2 * spread
    assert found.std() == pytest.approx(wanted.std(), rel=5 * math.sqrt(3) / SIZE)
    counted = SIZE * 5 if name == "bernoulli" else 0
    assert np.count_nonzero(found) == pytest.approx(np.count_nonzero(wanted), abs=counted)
    assert not np.array_equal(drawn("V", name, arguments, shape, 0), found) or not found.std() or name in FIXED
    if name == "orthogonal":
        np.testing.assert_allclose(found @ found.T, 1.5**2 * np.eye(SIZE), atol=1e-12)
