"""Download what a machine with a GPU needs and has no network for, as wheels in a folder.

    python tools/gpu_wheels.py FOLDER [--python 3.12] [--cuda 13] [--torch]

`make gpu-wheels` runs this. The folder goes to the machine, beside the checkout, and `make gpu` installs from it. The
machine needs Python in this version and a driver of this CUDA. Without `--torch`, a PyTorch that is there is used.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LISTED = "requirements.txt"
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_27_x86_64", "manylinux_2_28_x86_64", "any")
TESTS = ("hypothesis>=6.100", "pytest>=8.2")
BUILDING = ("setuptools>=77", "wheel")


def requirements(cuda: str, torch: bool) -> list[str]:
    """What is installed there: this project's dependencies, what its tests need, and CuPy with its libraries."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    found = [*project["dependencies"], *extras[f"cupy-cuda{cuda}x"], *TESTS, *BUILDING]
    return sorted([*found, *(extras["torch"] if torch else ())])


def command(folder: Path, python: str, packages: Sequence[str]) -> list[str]:
    """The command of pip."""
    pip = [sys.executable, "-m", "pip", "download", "--only-binary", ":all:", "--dest", str(folder)]
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    return [*pip, "--python-version", python, "--implementation", "cp", *platforms, *packages]


def main() -> None:
    """Download."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="{}.{}".format(*sys.version_info), help="the version over there")
    parser.add_argument("--cuda", default="13", choices=["12", "13"], help="of the driver over there")
    parser.add_argument("--torch", action="store_true", help="PyTorch with CUDA, too: some 3 GB")
    options = parser.parse_args()
    packages = requirements(options.cuda, options.torch)
    options.folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command(options.folder, options.python, packages))
    if done.returncode:
        raise SystemExit("pip could not download everything; see above")
    (options.folder / LISTED).write_text("".join(f"{package}\n" for package in packages), encoding="utf-8")
    size = sum(file.stat().st_size for file in options.folder.iterdir())
    print(f"{options.folder}: {size / 2**20:.0f} MiB; `make gpu` installs from there")


if __name__ == "__main__":
    main()
