"""An exported file of C as a shared library: calls by the names and comments of its header."""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recurrency.model.export import ModuleFiles

Array = np.ndarray[Any, Any]
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-DREC_PORTABLE", "-O1")


@dataclass
class Field:
    """A field of a call: its name, whether it is an array of numbers, and what the header says."""

    name: str
    kind: str
    says: str

    @property
    def roots(self) -> dict[str, int]:
        """The results in it, with the row from which on each is there."""
        found = re.findall(r"out(?: with mask_\w+)?: ([^,]+)(?:, from row (\d+) on)?,", self.says)
        return {root: int(row or 0) for root, row in found}

    @property
    def source(self) -> str:
        """The input that it is, as in `x`, `d:output:h` or `tape:1`; "" if it is none."""
        found = re.match(r"in: ([^,;]+),", self.says)
        return found[1] if found else ""

    def shape(self, sizes: Mapping[str, int]) -> list[int]:
        """Its shape for some steps and sequences."""
        words = re.findall(r"\[([^\]]*)\]", self.says)[-1].split(", ")
        return [sum(sizes[w] if w in sizes else int(w) for w in word.split(" + ")) for word in words if word]


class Library:
    """The compiled file; `prefix` begins the names of its functions."""

    def __init__(self, files: ModuleFiles, prefix: str, folder: Path) -> None:
        (folder / "cell.c").write_text(files.source)
        command = ["cc", *STRICT, "-shared", "-fPIC", "cell.c", "-o", "cell.so", "-lm"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert not done.returncode, done.stderr[:3000]
        self.c, self.prefix, self.text = ctypes.CDLL(str(folder / "cell.so")), prefix, str(files.header)

    def fields(self, function: str) -> list[Field]:
        """The fields of a call."""
        text = self.text[self.text.index(f"struct {self.prefix}_{function}_call {{") :].split("};")[0]
        found = re.findall(r"^    (.*?)(\w+);(?: /\* (.*?) \*/)?$", text, re.MULTILINE)
        return [Field(name, kind.strip(), says) for kind, name, says in found]

    def call(self, function: str, values: Mapping[str, Any], threads: int = 1) -> int:
        """Call a function with arrays and numbers by field; gives its result."""
        fields = self.fields(function)
        made = type("Call", (ctypes.Structure,), {"_fields_": [(f.name, ctypes.c_uint64) for f in fields]})()
        assert values.keys() <= {f.name for f in fields}
        for name, value in values.items():
            setattr(made, name, value.ctypes.data if isinstance(value, np.ndarray) else value)
        one = getattr(self.c, f"{self.prefix}_{function}")
        space = getattr(self.c, f"{self.prefix}_{function}_workspace")
        space.restype = ctypes.c_longlong
        room = int(space(ctypes.byref(made), ctypes.c_longlong(threads)))
        work = aligned(room)
        made.work, made.bytes = work.ctypes.data, room
        return int(one(ctypes.byref(made)))


def aligned(size: int) -> Array:
    """Bytes at a multiple of 64, all 255: what nobody writes is NaN."""
    raw = np.full(size + 64, 255, np.uint8)
    return raw[-raw.ctypes.data % 64 :][:size]


def arrays_of(fields: list[Field], sizes: Mapping[str, int], given: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays of a call: those given by source, and new ones for results."""
    out = {}
    for field in fields:
        if field.source in given:
            kind = np.float64 if "double" in field.kind else np.int64
            out[field.name] = np.array(given[field.source], kind, order="C")
        elif field.roots:
            out[field.name] = np.full(field.shape(sizes), np.nan if "double" in field.kind else -7)
            out[field.name] = out[field.name].astype(np.float64 if "double" in field.kind else np.int64)
    return out
