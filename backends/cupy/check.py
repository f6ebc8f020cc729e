"""CUDA kernels compiled by NVIDIA's own compiler, NVRTC, which needs no GPU: are they valid, and do they spill?

A kernel that spills keeps values in memory for which the processor has no registers: it works, but far too slowly.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from recurrency.errors import UsageError

ARCHITECTURES = (80, 90, 100)
"""A100, H100 and B200, as NVIDIA numbers them."""

OPTIONS = ("--std=c++17", "-ftz=true", "--ptxas-options=-v")
"""As cupy compiles kernels: it always asks for `-ftz=true`, denormal numbers of float are zero."""
INSTALL = "NVRTC is not installed, which compiles CUDA kernels without a GPU; pip install 'recurrency[cuda-check]'"

ENTRY = re.compile(
    r"Compiling entry function '(?P<name>\w+)'.*?(?P<spilled>\d+) bytes spill stores"
    r".*?Used (?P<registers>\d+) registers",
    re.DOTALL,
)
"""What the assembler says of a kernel."""


@dataclass(frozen=True)
class Usage:
    """A compiled kernel: how many registers a thread needs, and how many bytes it has to keep elsewhere."""

    name: str
    registers: int
    spilled: int


def obstacle() -> str | None:
    """Why nothing can be checked here, or None."""
    return None if _nvrtc() else INSTALL


@cache
def _nvrtc() -> Any:
    """The bindings, if they and the library that they bind are there."""
    try:
        from cuda.bindings import nvrtc

        nvrtc.nvrtcVersion()
    except (ImportError, RuntimeError):  # what its loader raises for a missing library is a RuntimeError
        return None
    return nvrtc


def check(source: str, architectures: Sequence[int] = ARCHITECTURES) -> list[str]:
    """Compile all kernels of a module's source for some architectures; a line for each says what came of it.

    Raises:
        UsageError: NVRTC is not installed, refuses a kernel, or a kernel spills.
    """
    codes = kernel_texts(source)
    if not codes:
        return ["it has no CUDA kernels"]
    return [_report(arch, [usage for code in codes for usage in compiled(code, arch)]) for arch in architectures]


def _report(arch: int, usages: list[Usage]) -> str:
    spilling = [f"{usage.name} ({usage.spilled} bytes)" for usage in usages if usage.spilled]
    if spilling:
        raise UsageError(f"sm_{arch}: these kernels need more registers than there are: {', '.join(spilling)}")
    most = max(usage.registers for usage in usages)
    return f"sm_{arch}: {len(usages)} kernel{'s'[: len(usages) > 1]}, at most {most} registers, spills 0"


def kernel_texts(source: str) -> list[str]:
    """The texts of CUDA C in a module's source: what is assigned to `SRC`."""
    assigned = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    named = [node.value for node in assigned if [ast.unparse(target) for target in node.targets] == ["SRC"]]
    return [ast.literal_eval(value) for value in named]


def compiled(code: str, arch: int) -> list[Usage]:
    """The kernels of a text, compiled for an architecture.

    Raises:
        UsageError: NVRTC is not installed, does not know the architecture, or refuses the text (with its message).
    """
    log, _ = _compiled(code, arch)
    return [Usage(found["name"], int(found["registers"]), int(found["spilled"])) for found in ENTRY.finditer(log)]


def assembly(code: str, arch: int = 90) -> str:
    """What NVRTC makes of a text before it knows the very device: PTX. For errors see `compiled`."""
    return _compiled(code, arch)[1]


def _compiled(code: str, arch: int) -> tuple[str, str]:
    """What the compiler has said, and PTX."""
    nvrtc = _nvrtc()
    if nvrtc is None:
        raise UsageError(INSTALL)
    program = _done(nvrtc.nvrtcCreateProgram(code.encode(), b"kernels.cu", 0, None, None))
    try:
        options = [option.encode() for option in (f"--gpu-architecture=sm_{arch}", *OPTIONS)]
        (result,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
        log = _text(program, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog)
        if not result:
            return log, _text(program, nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX)
    finally:
        nvrtc.nvrtcDestroyProgram(program)
    if arch not in _done(nvrtc.nvrtcGetSupportedArchs()):
        raise UsageError(f"the installed NVRTC knows no sm_{arch}; pip install --upgrade 'recurrency[cuda-check]'")
    raise UsageError(f"NVRTC refuses the kernels for sm_{arch}:\n{log}")


def _text(program: Any, size: Any, get: Any) -> str:
    """A text that a program has got."""
    text = b" " * _done(size(program))
    _done(get(program, text))
    return str(text.decode(errors="replace")).rstrip("\0 \n")


def _done(answer: tuple[Any, ...]) -> Any:
    """What a call gives besides its status.

    Raises:
        UsageError: it has failed.
    """
    status, *values = answer
    if status:
        raise UsageError(f"NVRTC fails: {status}")
    return values[0] if values else None
