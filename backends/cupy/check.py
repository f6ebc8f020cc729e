"""Checks CUDA kernels with NVRTC, NVIDIA's compiler, which needs no GPU: are they valid, and do they spill?

A kernel that spills keeps values in memory for lack of registers: it works, but far too slowly.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from recurrency.errors import UsageError
from recurrency.extras import install

from .cost.devices import DEVICES

ARCHITECTURES = (80, 90, 100)
"""The architectures of A100, H100 and B200."""

OPTIONS = ("--std=c++17", "-ftz=true", "--ptxas-options=-v")
"""The options with which cupy compiles kernels: it always sets `-ftz=true`, which makes denormal floats zero."""

ENTRY = re.compile(
    r"Compiling entry function '(?P<name>\w+)'.*?(?P<spilled>\d+) bytes spill stores"
    r".*?Used (?P<registers>\d+) registers(?:[^\n]*?(?P<shared>\d+) bytes smem)?",
    re.DOTALL,
)
"""The lines of the assembler for one kernel."""

BOUNDS = re.compile(r"__launch_bounds__\((?P<threads>\d+)[^)]*\)\s+(?P<name>\w+)\(")
"""The most threads of a kernel's block."""


@dataclass(frozen=True)
class Usage:
    """A compiled kernel: registers of a thread, bytes that it spills, shared memory and most threads of a block."""

    name: str
    registers: int
    spilled: int
    shared: int = 0
    threads: int = 1024


@dataclass(frozen=True)
class Compiled:
    """What NVRTC makes of a text: its log, PTX, and machine code."""

    code: str
    log: str
    ptx: str
    cubin: bytes

    @property
    def usages(self) -> list[Usage]:
        """The kernels."""
        rows, threads = ENTRY.finditer(self.log), {r["name"]: int(r["threads"]) for r in BOUNDS.finditer(self.code)}
        return [
            Usage(
                r["name"], int(r["registers"]), int(r["spilled"]), int(r["shared"] or 0), threads.get(r["name"], 1024)
            )
            for r in rows
        ]


def obstacle() -> str | None:
    """Why no kernels can be checked here, or None."""
    return None if _nvrtc() else _lacking()


def _lacking() -> str:
    return f"NVRTC is not installed, which compiles CUDA kernels without a GPU; {install('cuda-check')}"


@cache
def _nvrtc() -> Any:
    """The bindings, or None if they or their library are not installed."""
    try:
        from cuda.bindings import nvrtc

        nvrtc.nvrtcVersion()
    except (ImportError, RuntimeError):  # its loader raises a RuntimeError if the library is missing
        return None
    return nvrtc


def check(source: str, architectures: Sequence[int] = ARCHITECTURES) -> list[str]:
    """Compile all kernels of a module's source; returns a line for each architecture.

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
    most, least = max(usage.registers for usage in usages), min(occupancy(usage, arch) for usage in usages)
    if not least:
        large = [usage.name for usage in usages if not occupancy(usage, arch)]
        raise UsageError(f"sm_{arch}: no multiprocessor can hold a block of {', '.join(large)}")
    count = f"{len(usages)} kernel{'s'[: len(usages) > 1]}"
    blocks = f"at least {least} block{'s'[: least > 1]} on a multiprocessor"
    return f"sm_{arch}: {count}, at most {most} registers, spills 0, {blocks}"


def occupancy(usage: Usage, arch: int) -> int:
    """How many blocks of a kernel, of as many threads as it may have, one multiprocessor holds at a time."""
    device = next((device for device in DEVICES if device.arch == arch), DEVICES[0])
    return device.occupancy(usage.threads, usage.registers, usage.shared)


def kernel_texts(source: str) -> list[str]:
    """The CUDA C in a module's source: the values of `SRC` and `SPLIT_SRC`, unless they are empty."""
    assigned = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
    named = [node.value for node in assigned if ast.unparse(node.targets[0]) in ("SRC", "SPLIT_SRC")]
    return [text for value in named if (text := ast.literal_eval(value))]


def compiled(code: str, arch: int) -> list[Usage]:
    """The kernels of a text, compiled for an architecture.

    Raises:
        UsageError: NVRTC is not installed, does not know the architecture, or refuses the text (with its message).
    """
    return machine_code(code, arch).usages


def assembly(code: str, arch: int = 90) -> str:
    """The PTX that NVRTC makes of a text. For errors see `compiled`."""
    return machine_code(code, arch).ptx


def machine_code(code: str, arch: int) -> Compiled:
    """The kernels of a text as machine code. For errors see `compiled`."""
    nvrtc = _nvrtc()
    if nvrtc is None:
        raise UsageError(_lacking())
    program = _done(nvrtc.nvrtcCreateProgram(code.encode(), b"kernels.cu", 0, None, None))
    try:
        options = [option.encode() for option in (f"--gpu-architecture=sm_{arch}", *OPTIONS)]
        (result,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
        log = _text(program, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog)
        if not result:
            ptx = _text(program, nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX)
            return Compiled(code, log, ptx, _bytes(program, nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN))
    finally:
        nvrtc.nvrtcDestroyProgram(program)
    if arch not in _done(nvrtc.nvrtcGetSupportedArchs()):
        raise UsageError(f"the installed NVRTC knows no sm_{arch}; {install('cuda-check', '--upgrade')}")
    raise UsageError(f"NVRTC refuses the kernels for sm_{arch}:\n{log}")


def _text(program: Any, size: Any, get: Any) -> str:
    """A text of a program."""
    return _bytes(program, size, get).decode(errors="replace").rstrip("\0 \n")


def _bytes(program: Any, size: Any, get: Any) -> bytes:
    """A result of a program."""
    found = b" " * int(_done(size(program)))
    _done(get(program, found))
    return found


def _done(answer: tuple[Any, ...]) -> Any:
    """The result of a call without its status.

    Raises:
        UsageError: the call has failed.
    """
    status, *values = answer
    if status:
        raise UsageError(f"NVRTC fails: {status}")
    return values[0] if values else None
