"""Install a wheel in an empty environment, and run what a reader of README.md runs first.

    python tools/try_wheel.py dist/*.whl
    python tools/try_wheel.py dist/*.whl --python python3.12 --with numpy==1.26.4

Python and commands run among the files that README.md shows, in an empty folder. Python must print what stands there;
what needs PyTorch is left out.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
FENCE = re.compile(r"^```(?P<kind>[\w-]+)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SAID = re.compile(r"^(?:.*\bprint\(.*\)\s+)?# (?P<text>.*)$")
QUICK = ("check", "fmt", "list", "new", "diff", "show", "compile", "probe", "backends")
"""The commands of README.md that take seconds, and need no extra and no file that README.md does not show."""
MORE = (
    "recurrency --version",
    "recurrency train readme-sample --runs 1",
    "recurrency show LSTM -D N=2 -D H=3 --graph a.png",
)


class Tried:
    """An environment with the wheel, and a folder to work in."""

    def __init__(self, folder: Path, python: str, wheel: Path, extra: list[str]) -> None:
        self.bin, self.work = folder / "venv" / "bin", folder / "work"
        self.work.mkdir()
        subprocess.run([python, "-m", "venv", str(folder / "venv")], check=True)
        self.run(
            [str(self.bin / "python"), "-m", "pip", "install", "--quiet", "--no-compile", str(wheel.resolve()), *extra]
        )

    def run(self, words: list[str]) -> str:
        """Run a program, and return what it prints.

        Raises:
            SystemExit: it fails.
        """
        done = subprocess.run(words, cwd=self.work, capture_output=True, text=True)
        if done.returncode and words[1:2] != ["diff"]:  # 1: the cells differ
            sys.exit(f"{shlex.join(words)}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def command(self, text: str) -> str:
        """Run a command of the package."""
        name, *words = shlex.split(text)
        return self.run([str(self.bin / name), *words])


def pieces(text: str) -> tuple[dict[str, str], str, list[str]]:
    """The files that the page shows, its Python without PyTorch, and its quick commands."""
    found = list(FENCE.finditer(text))
    files = {m["name"]: m["text"] for m in found if m["kind"] == "rnn" and m["name"]}
    python = [m["text"] for m in found if m["kind"] == "python" and "torch" not in m["text"]]
    commands = re.findall(rf"`(recurrency (?:{'|'.join(QUICK)})(?: [^`\n]+)?)`", FENCE.sub("", text))
    return files, "\n".join(python), [c for c in dict.fromkeys(commands) if c.split()[1:] != ["check"]]


def versions(tried: Tried) -> str:
    """The versions of Python and NumPy in the environment."""
    return tried.run(
        [str(tried.bin / "python"), "-c", "import numpy, sys; print(sys.version.split()[0], numpy.__version__)"]
    )


def try_out(tried: Tried) -> None:
    """Run everything.

    Raises:
        SystemExit: something fails, or prints something else.
    """
    files, python, commands = pieces(README.read_text(encoding="utf-8"))
    for name, text in files.items():
        (tried.work / name).write_text(text, encoding="utf-8")
    (tried.work / "readme.py").write_text(python, encoding="utf-8")
    said = tried.run([str(tried.bin / "python"), "-W", "error", "readme.py"]).splitlines()
    wanted = [m["text"] for line in python.split("\n") if (m := SAID.match(line))]
    if said != wanted:
        sys.exit(f"README.md says {wanted}; printed is {said}")
    for command in (*commands, *MORE):
        tried.command(command)
        print("  ran", command, flush=True)


def main() -> None:
    """Read the command line, and try a wheel."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the environment")
    parser.add_argument("--with", dest="extra", action="append", default=[], metavar="REQUIREMENT")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="try-wheel-") as folder:
        tried = Tried(Path(folder), given.python, given.wheel, given.extra)
        print("Python and NumPy", versions(tried).strip())
        try_out(tried)


if __name__ == "__main__":
    main()
