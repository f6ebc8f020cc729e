"""What is installed is what lies in the tree, and importing it is cheap."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any

import pytest

import recurrency
from recurrency.backend import OWN

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS: dict[str, Any] = PROJECT["tool"]["setuptools"]
HEAVY = ("cupy", "lark", "matplotlib", "networkx", "numpy", "resvg_py", "rich", "torch", "ziamath")


def folder_of(package: str) -> Path:
    """Where a package of the list lies."""
    mapped = SETUPTOOLS["package-dir"]
    known = next(p for p in sorted(mapped, key=len, reverse=True) if package == p or package.startswith(f"{p}."))
    return Path(ROOT / mapped[known], *package.removeprefix(known).strip(".").split("."))


def test_the_list_of_packages_is_that_of_the_tree() -> None:
    found = set()
    for package, folder in SETUPTOOLS["package-dir"].items():
        for init in (ROOT / folder).rglob("__init__.py"):
            found.add(".".join((package, *init.parent.relative_to(ROOT / folder).parts)))
    assert sorted(SETUPTOOLS["packages"]) == sorted(found)


def test_every_folder_with_python_in_it_is_a_package() -> None:
    folders = {p.parent for f in SETUPTOOLS["package-dir"].values() for p in (ROOT / f).rglob("*.py")}
    assert [str(f) for f in folders if not (f / "__init__.py").exists()] == []


@pytest.mark.parametrize(("package", "pattern"), [(p, g) for p, gs in SETUPTOOLS["package-data"].items() for g in gs])
def test_package_data_is_there(package: str, pattern: str) -> None:
    assert list(folder_of(package).glob(pattern))


@pytest.mark.parametrize("package", SETUPTOOLS["packages"])
def test_every_package_is_imported_from_the_tree(package: str) -> None:
    code = f"import {package}; print({package}.__file__)"
    shown = subprocess.run([sys.executable, "-c", code], cwd="/", check=True, capture_output=True, text=True)
    assert Path(shown.stdout.strip()) == folder_of(package) / "__init__.py"


def test_the_installed_version_is_that_of_the_source() -> None:
    assert version("recurrency") == recurrency.__version__


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = f"import sys, recurrency; print([m for m in {HEAVY} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "[]"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['recurrency', '--help']\n"
        "from recurrency.cli import main\n"
        "try: main()\n"
        f"except SystemExit: pass\nprint([m for m in {HEAVY} if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert shown.stdout.rstrip().endswith("[]")


@pytest.mark.parametrize("name", recurrency.__all__)
def test_every_public_name_is_found_and_listed(name: str) -> None:
    assert getattr(recurrency, name) is not None
    assert name in dir(recurrency)


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        recurrency.__getattr__("nonsense")


def test_all_backends_of_the_project_are_installed() -> None:
    declared = PROJECT["project"]["entry-points"]["recurrency.backends"]
    installed = {point.name: point.value for point in entry_points(group="recurrency.backends")}
    assert declared.items() <= installed.items()
    assert {point.name: point.value for point in OWN.values()}.items() <= declared.items()


def test_every_dependency_is_pinned_in_the_constraints() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [*PROJECT["project"]["dependencies"], *extras["test"], *extras["plots"]]
    pinned = {
        name(line) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if "==" in line
    }
    assert {name(line) for line in wanted} <= pinned


def name(requirement: str) -> str:
    """The name of a requirement, in the spelling in which names are compared."""
    return re.split(r"[<>=\[ ]", requirement)[0].lower().replace("_", "-")


BARE = """
import importlib.abc, importlib.util, sys

class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
there = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in MISSING else there(name, package)
from recurrency.cli import main
for words in COMMANDS:
    sys.argv = ["recurrency", *words]
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    print(f"exit {code}", file=sys.stderr)
"""
SIZES = ("-D", "N=2", "-D", "H=3")
MISSES = {
    ("compile", "Elman", *SIZES, "--backend", "torch", "-o", "m.py"): "PyTorch is not installed",
    ("show", "Elman", *SIZES, "--backend", "torch"): "PyTorch is not installed",
    ("verify", "Elman", "--examples", "1"): "[verify]'",
    ("verify", "Elman", "--backends", "torch"): "",
    ("train", "first-element", "--backend", "torch"): "[torch]'",
    ("train", "first-element", "--backend", "cupy"): "cupy",
    ("probe", "Elman", *SIZES, "--picture", "p.png"): "[plots]'",
    ("convert", "PlainLSTM", "--from", "torch-lstm", "a.pt", "-o", "w.safetensors"): "[torch]'",
    ("convert", "PlainLSTM", "--to", "torch-lstm", "a.safetensors", "-o", "b.pt"): "a.safetensors",
    ("compile", "Elman", *SIZES, "--backend", "cupy", "--check", "-o", "k.py"): "[cuda-check]'",
    ("compile", "Elman", *SIZES, "--backend", "onnx", "-o", "e.onnx"): "[onnx]'",
    ("generate", "nothing"): "nothing",
    ("predict", "nothing"): "nothing",
    ("evaluate", "nothing"): "nothing",
    ("lsp",): "[lsp]'",
}
"""Commands that need what is not there, and what they have to say."""
OPTIONAL = "torch cupy cupy_backends matplotlib hypothesis cuda jax onnx onnxruntime ziglang pygls lsprotocol".split()


def test_without_what_is_optional_every_command_says_what_is_missing(tmp_path: Path) -> None:
    code = f"MISSING, COMMANDS = {OPTIONAL!r}, {list(MISSES)!r}\n{BARE}"
    shown = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert (shown.returncode, "Traceback" in shown.stderr) == (0, False), shown.stderr
    pieces = re.split(r"exit (\d)\n", shown.stderr)
    for (words, wanted), said, code in zip(MISSES.items(), pieces[::2], pieces[1::2], strict=False):
        assert wanted in said, words
        assert code in "12", words
    assert len(pieces) == 2 * len(MISSES) + 1
    assert [path.name for path in tmp_path.iterdir()] == ["k.py"], "it is whole, and not checked"
