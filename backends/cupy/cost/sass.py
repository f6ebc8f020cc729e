"""Machine code of kernels (SASS), as NVIDIA's disassembler prints it."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from recurrency.errors import UsageError
from recurrency.extras import install

LONGEST = 120
"""Seconds after which the disassembler is stopped."""

CLASSES = {
    "load": "LDG LD LDL",
    "shared": "LDS LDSM",
    "store": "STG ST STL",
    "keep": "STS",
    "atomic": "ATOM ATOMG ATOMS RED",
    "constant": "LDC LDCU ULDC",
    "special": "MUFU I2F F2I F2F I2I FRND S2R S2UR CS2R POPC FLO BREV I2FP F2FP",
    "double": "DADD DMUL DFMA DSETP DMNMX",
    "float": "FADD FMUL FFMA FADD2 FMUL2 FFMA2 HFMA2 HADD2 HMUL2",
    "predicate": "ISETP FSETP PLOP3 R2P UISETP UPLOP3 FCHK VOTE VOTEU",
    "shuffle": "SHFL",
    "uniform": "R2UR UMOV UIADD3 UIMAD ULEA ULOP3 USHF USEL UIADD3.64",
    "control": "BRA BRX JMP EXIT CALL RET BSSY BSYNC BREAK WARPSYNC NOP BMOV YIELD KILL DEPBAR ERRBAR CCTL MEMBAR",
    "barrier": "BAR",
}
"""What kinds of instruction there are; all others are integer arithmetic (`alu`)."""

CLASS = {name: kind for kind, names in CLASSES.items() for name in names.split()}

OPERAND = re.compile(r"desc\[[^\]]*\]\[[^\]]*\](?:\.\w+)?|c\[[^\]]*\]\[[^\]]*\]|\[[^\]]*\]|[^,]+")


@dataclass(frozen=True)
class Instruction:
    """One instruction: `words` are its name and modifiers, `guard` the predicate under which it runs."""

    words: tuple[str, ...]
    operands: tuple[str, ...]
    guard: str

    @property
    def kind(self) -> str:
        """Its class, a key of `CLASSES` or `alu`."""
        return CLASS.get(self.words[0], "alu")

    @property
    def size(self) -> int:
        """The bytes that a thread loads or stores."""
        sizes = {"64": 8, "128": 16, "256": 32, "U8": 1, "S8": 1, "U16": 2, "S16": 2}
        return next((sizes[word] for word in self.words[1:] if word in sizes), 4)


def disassembler() -> str | None:
    """The path of `nvdisasm`, or None."""
    try:
        from cuda.pathfinder import find_nvidia_binary_utility
    except ImportError:
        return None
    found: str | None = find_nvidia_binary_utility("nvdisasm")
    return found


def obstacle() -> str | None:
    """Why no machine code can be read here, or None."""
    if disassembler() is None:
        return f"nvdisasm is not installed, which prints the machine code of kernels; {install('cuda-check')}"
    return None


def functions(cubin: bytes) -> Mapping[str, tuple[Instruction, ...]]:
    """The kernels of a compiled text by name.

    Raises:
        UsageError: nvdisasm is not installed, or fails.
    """
    path = disassembler()
    if path is None:
        raise UsageError(str(obstacle()))
    with tempfile.TemporaryDirectory(prefix="recurrency-") as folder:
        file = Path(folder) / "kernels.cubin"
        file.write_bytes(cubin)
        try:
            said = subprocess.run([path, "-json", str(file)], capture_output=True, timeout=LONGEST, check=True).stdout
        except (OSError, subprocess.SubprocessError) as error:
            raise UsageError(f"nvdisasm fails: {error}") from error
    return {f["function-name"]: tuple(map(_read, f["sass-instructions"])) for f in json.loads(said)[1]}


def _read(row: Mapping[str, Any]) -> Instruction:
    return _instruction(row["opcode"], row.get("operands", ""), row.get("predicate", "").lstrip("@"))


@cache
def _instruction(opcode: str, operands: str, guard: str) -> Instruction:
    parts = tuple(part.strip() for part in OPERAND.findall(operands))
    return Instruction(tuple(opcode.split(".")), parts, guard)
