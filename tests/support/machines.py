"""Generated C on compilers and processors other than those at hand: as backends, for `recurrency.testing`.

A program of a machine reads the arrays of one call from its standard input, calls the function, and writes what comes
out. It runs where its processor is this one, or under an emulator.
"""

from __future__ import annotations

import os
import platform
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from recurrency.backends.c.backend import backend
from recurrency.backends.c.function import CFunction
from recurrency.backends.c.runtime import compiler as runtime_compiler
from recurrency.backends.kernels.index import clock_name

from recurrency.backend import Call
from recurrency.graph.graph import Graph
from recurrency.graph.types import Kind
from recurrency.program.layout import Layout

Array = np.ndarray[Any, Any]

WHOLE = "RECURRENCY_CROSS"
"""The environment variable with which all cells are tried, with every optimisation; `make cross` sets it."""

OPTIMISE = "-O3" if os.environ.get(WHOLE) else "-O1"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
AS_BACKEND = tuple(
    f for f in runtime_compiler.FLAGS if f.startswith("-f") and f not in ("-fPIC", "-fvisibility=hidden")
)
"""How the backend compiles, but for what makes a library."""

MAIN = r"""
#include <stdio.h>
#include <stdlib.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define __asan_poison_memory_region(from, bytes) (void)(from), (void)(bytes)
#endif

/* `beside` bytes behind a multiple of 128; nothing around may be touched. */
static void *place(size_t bytes, size_t beside) {
    char *memory = (char *)calloc(bytes + 384, 1), *out;
    if (!memory) exit(3);
    out = memory + (128 - (size_t)memory % 128) + beside;
    __asan_poison_memory_region(memory, (size_t)(out - memory));
    __asan_poison_memory_region(out + bytes, (size_t)(memory + 384 - out));
    return out;
}
static long long number(void) {
    long long out;
    if (fread(&out, sizeof out, 1, stdin) != 1) exit(4);
    return out;
}
static void *block(void) {
    const long long bytes = number();
    if (bytes < 0) return NULL;
    void *out = place((size_t)bytes, sizeof(long long));
    if (fread(out, 1, (size_t)bytes, stdin) != (size_t)bytes) exit(5);
    return out;
}
static void put(const void *data) {
    const long long bytes = number();
    if (fwrite(data, 1, (size_t)bytes, stdout) != (size_t)bytes) exit(6);
}
int main(void) {
    const struct NAME_call none = {0};
    struct NAME_call call = none;
FILL
    call.bytes = NAME_workspace(&call, 1);
    call.work = place((size_t)call.bytes, 64);
    if (NAME_part(&call, 0, 1)) return 2;
PUT
    return 0;
}
"""
FORM = """
#if FORM
#else
#error "this is not the form of the text that was to be tried"
#endif
"""


@dataclass(frozen=True)
class Machine:
    """A compiler with its flags, and what runs its programs: an emulator, or this processor if it has `features`.

    `form` is a condition of the preprocessor by which the text tells its form: how wide its vectors are, if it has any.
    """

    name: str
    compiler: str
    flags: tuple[str, ...]
    form: str
    emulator: tuple[str, ...] = ()
    processor: str = ""
    features: tuple[str, ...] = ()

    def untold(self) -> str | None:
        """Why nothing can be compiled for it here; None: it can."""
        if shutil.which(self.compiler) is None:
            return f"{self.name}: there is no {self.compiler}"
        if self.processor and not self.emulator and platform.machine() != self.processor:
            return f"{self.name}: this processor is no {self.processor}"
        return None

    def obstacle(self) -> str | None:
        """Why its programs can't be run here; None: they can."""
        if self.emulator and shutil.which(self.emulator[0]) is None:
            return f"{self.name}: there is no {self.emulator[0]}"
        if self.flags[-len(SANITIZED) :] == SANITIZED and (reason := sanitizer_missing()):
            return reason
        missing = [f for f in self.features if f not in processor_features()]
        return self.untold() or (f"{self.name}: this processor has no {', '.join(missing)}" if missing else None)

    def compile(self, folder: Path, *arguments: str) -> None:
        """Call the compiler, which may not say anything."""
        command = [self.compiler, *STRICT, OPTIMISE, *AS_BACKEND, *self.flags, *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:3000]

    def run(self, program: Path, given: bytes) -> bytes:
        """What a program writes."""
        environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
        done = subprocess.run([*self.emulator, program], input=given, capture_output=True, check=False, env=environment)
        assert done.returncode == 0, (done.returncode, done.stderr)
        return done.stdout


@cache
def processor_features() -> frozenset[str]:
    """What Linux says that this processor can do."""
    try:
        return frozenset(Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0].split())
    except OSError:
        return frozenset()


WIDE = "REC_VECTORS && REC_WIDTH =="
PORTABLE = "!REC_VECTORS"
SANITIZED = ("-w", "-O0", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
"""A program ends at the first address that is not its own or not aligned, whatever this processor would do with it."""


@cache
def sanitizer_missing() -> str | None:
    """Why no program can be sanitized here; None: it can."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["gcc", *SANITIZED, "-x", "c", "-", "-o", f"{folder}/run"]
        try:
            done = subprocess.run(command, input="int main(void) { return 0; }", capture_output=True, text=True)
        except OSError as error:
            return str(error)
    return f"gcc has no sanitizers: {done.stderr}" if done.returncode else None


WIDTHS = (
    Machine("16 bytes, sanitized", "gcc", ("-DREC_VECTOR_BYTES=16", *SANITIZED), f"{WIDE} 16"),
    Machine("32 bytes, sanitized", "gcc", ("-DREC_VECTOR_BYTES=32", *SANITIZED), f"{WIDE} 32"),
    Machine("64 bytes, sanitized", "gcc", ("-DREC_VECTOR_BYTES=64", *SANITIZED), f"{WIDE} 64"),
    Machine("portable, sanitized", "gcc", ("-DREC_VECTOR_BYTES=0", *SANITIZED), PORTABLE),
)
"""Widths of vectors that any processor can be made to have: wider ones than its own are taken apart."""

MACHINES = (
    Machine("gcc portable", "gcc", ("-DREC_PORTABLE",), PORTABLE),
    Machine("clang portable", "clang", ("-DREC_PORTABLE",), PORTABLE),
    Machine("gcc sse2", "gcc", ("-march=x86-64",), f"{WIDE} 16", processor="x86_64"),
    Machine("gcc avx2", "gcc", ("-mavx2", "-mfma"), f"{WIDE} 32", (), "x86_64", ("avx2", "fma")),
    Machine("clang avx2", "clang", ("-mavx2", "-mfma"), f"{WIDE} 32", (), "x86_64", ("avx2", "fma")),
    Machine("gcc avx512", "gcc", ("-march=x86-64-v4",), f"{WIDE} 64", (), "x86_64", ("avx512f", "avx512vl")),
    Machine("gcc neon", "aarch64-linux-gnu-gcc", ("-static",), f"{WIDE} 16", ("qemu-aarch64",), "aarch64"),
)


class OnMachine:
    """The C backend for a machine (see `recurrency.backend.Backend`)."""

    module = backend.module
    """As a backend that writes modules it may find anything in padding."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self.machine, self.folder, self.name = machine, folder, f"c, {machine.name}"

    def available(self) -> str | None:
        """None, or why it can't run here."""
        return self.machine.obstacle()

    def build(
        self, graph: Graph, layout: Layout, dtype: str, name: str = "run", without: frozenset[str] = frozenset()
    ) -> Program:
        """A program for the roots of a graph."""
        source, (function,) = backend.emit([(name, graph)], layout, dtype, without)
        folder = self.folder / f"{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        return Program(self.machine, function, source, dtype, folder)


class Program:
    """A compiled function as a program (see `recurrency.backend.Runner`)."""

    def __init__(self, machine: Machine, function: CFunction, source: str, dtype: str, folder: Path) -> None:
        self.machine, self.function, self.real, self.folder = machine, function, np.dtype(dtype), folder
        form = FORM.replace("FORM", machine.form) if "rec_pack" in source else ""
        (folder / "run.c").write_text(source + form + self._main())
        machine.compile(folder, "run.c", "-o", "run", "-lm")

    def _outside(self) -> dict[str, bool]:
        """The fields of a call that are filled, in their order, and whether they are arrays."""
        fields = self.function.call_fields()
        return {name: "*" in text for name, text in fields if name not in ("work", "bytes", "barrier")}

    def _written(self) -> list[str]:
        """The arrays that come out."""
        f = self.function
        return [*(["gradient"] if f.has_gradient else []), *(a.name for a in f.arrays if a.name in f.fresh)]

    def _main(self) -> str:
        fill = []
        for name, text in self.function.call_fields():
            if name in self._outside():
                kind = text.removesuffix(f"{name};").strip()
                fill.append(f"    call.{name} = {'block()' if '*' in text else f'({kind})number()'};")
        put = [f"    put(call.{name});" for name in self._written()]
        text = MAIN.replace("FILL", "\n".join(fill)).replace("PUT", "\n".join(put))
        return text.replace("NAME", self.function.name)

    def __call__(self, call: Call) -> dict[str, Array]:
        f = self.function
        shapes = {a.name: self._shape(a, call.steps, call.batch) for a in f.arrays if a.name in f.fresh}
        fresh = {a.name: np.zeros(shapes[a.name], self._dtype(a)) for a in f.arrays if a.name in f.fresh}
        fresh |= {"gradient": np.zeros(f.layout.size, self.real)} if f.has_gradient else {}
        values: dict[str, Any] = {
            "params": call.params,
            "B": call.batch,
            "training": call.training,
            "seed": call.seed,
            **fresh,
        }
        values |= {a.name: call.given[n].astype(self._dtype(a)) for n, a in f.inputs.items() if n in call.given}
        values |= {flag: f"start:{start}" in call.given for start, flag in f.memory.flags.items()}
        for clock in f.memory.clocks:
            word = clock_name(clock)
            values[f"T_{word}"] = call.steps[clock]
            for table, prefix, missing in ((call.lengths, "n", call.steps[clock]), (call.offset, "before", 0)):
                if table is not None:
                    values[f"{prefix}_{word}"] = np.broadcast_to(table.get(clock, missing), (call.batch,)).astype(
                        np.int64
                    )
        sent = b"".join(_sent(values.get(name), array) for name, array in self._outside().items())
        wanted = b"".join(struct.pack("<q", fresh[name].nbytes) for name in self._written())
        return self._results(self.machine.run(self.folder / "run", sent + wanted), fresh, call.steps)

    def _results(self, data: bytes, fresh: Mapping[str, Array], steps: Mapping[str, int]) -> dict[str, Array]:
        found, at = {}, 0
        for name in self._written():
            like = fresh[name]
            found[name] = np.frombuffer(data, like.dtype, like.size, at).reshape(like.shape).copy()
            at += like.nbytes
        assert at == len(data)
        out = {"gradient": found["gradient"]} if self.function.has_gradient else {}
        for root, result in self.function.results.items():
            array = found[result.array.name]
            rows = slice(result.row, result.row + steps[str(result.array.clock)]) if result.array.timed else ...
            out[root] = array[rows]
        return out

    def _dtype(self, array: Any) -> np.dtype[Any]:
        return self.real if array.real else np.dtype(np.int64)

    def _shape(self, array: Any, steps: Mapping[str, int], batch: int) -> tuple[int, ...]:
        lead: tuple[int, ...] = (batch,) if array.kind >= Kind.SEQUENCE else ()
        if array.timed:
            lead = (steps[str(array.clock)] + array.front + array.behind, batch)
        return (*lead, *(steps[d] if isinstance(d, str) else d for d in array.shape))


def _sent(value: Any, array: bool) -> bytes:
    """A field of a call as programs read it; an array that is not there is NULL."""
    if not array:
        return struct.pack("<q", int(value))
    if value is None:
        return struct.pack("<q", -1)
    return struct.pack("<q", value.nbytes) + np.ascontiguousarray(value).tobytes()
