"""Runs kernels with a thread of the processor for each CUDA thread, under ThreadSanitizer: it sees races.

All blocks of a launch run at the same time, as on a device with enough multiprocessors. Two accesses to one place, one
of them a write, must have a barrier of their block between them; between blocks there is none within a launch.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from recurrency.backends.cupy.emulated.compiler import library
from recurrency.backends.cupy.emulated.shim import BUILTINS, FLUSHING, _extremes, _mathematics
from recurrency.backends.cupy.emulated.signature import Signature, signatures

FLAGS = (
    "-x c++ -std=c++17 -O1 -g1 -fsanitize=thread -ffp-contract=off -fno-exceptions -fno-rtti -fno-strict-aliasing -pipe"
)
RACES = 66
"""The exit code of a program in which ThreadSanitizer found a race."""

LONGEST = 120
"""Seconds after which a program is stopped: its threads wait for what never happens."""

SHARED = re.compile(r"__shared__\s+(?:__align__\(\d+\)\s+)?(?P<type>\w+)\s+(?P<name>\w+)\[(?P<size>\d+)\];")

HEAD = """
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
"""

THREADS = """
typedef const unsigned long long* values;
struct index3 { unsigned int x, y, z; };
enum { LANES = 32, SLOTS = 8, SLOT = 48 * 1024 };
struct block {
    pthread_barrier_t all, warps[1024 / LANES];
    unsigned long long given[1024];
    alignas(16) char shared[SLOTS][SLOT];
    index3 number;
};
struct one { block* mine; unsigned int number; };
static thread_local index3 threadIdx, blockIdx;
static thread_local one me;
static index3 blockDim, gridDim;
static void __syncthreads() { pthread_barrier_wait(&me.mine->all); }
static void __syncwarp(unsigned int = ~0u) { pthread_barrier_wait(&me.mine->warps[me.number / LANES]); }
template <class T> static T __shfl_xor_sync(unsigned int, T value, int by) {
    memcpy(&me.mine->given[me.number], &value, sizeof value);
    __syncwarp();
    memcpy(&value, &me.mine->given[me.number ^ by], sizeof value);
    __syncwarp();
    return value;
}
"""

MAIN = """
static void (*body)(values);
static values arguments;
static bool flush;
static void* thread(void* given) {
    me = *(one*)given;
    blockIdx = me.mine->number;
    threadIdx = {me.number % blockDim.x, me.number / blockDim.x % blockDim.y, me.number / blockDim.x / blockDim.y};
    if (flush) control(control() | FLUSH);
    body(arguments);
    return nullptr;
}
static void need(bool well) { if (!well) { fprintf(stderr, "the program of threads fails\\n"); _Exit(3); } }
static void get(void* to, size_t size) { need(fread(to, 1, size, stdin) == size); }
// Kernel, sizes of grid and block, memory, arguments (a number, or a block of memory and an offset); then memory back.
int main() {
    for (unsigned int head[9]; fread(head, 1, sizeof head, stdin) == sizeof head;) {
        body = kernels[head[0]], flush = flushed[head[0]];
        gridDim = {head[1], head[2], head[3]}, blockDim = {head[4], head[5], head[6]};
        const unsigned int blocks = gridDim.x * gridDim.y * gridDim.z, threads = blockDim.x * blockDim.y * blockDim.z;
        char** memory = (char**)calloc(head[7] + 1, sizeof(char*));
        unsigned long long* sizes = (unsigned long long*)calloc(head[7] + 1, 8);
        for (unsigned int k = 0; k < head[7]; k++) {
            get(&sizes[k], 8);
            memory[k] = (char*)aligned_alloc(64, (sizes[k] + 63) / 64 * 64 + 64);
            get(memory[k], sizes[k]);
        }
        unsigned long long* all = (unsigned long long*)calloc(head[8] + 1, 8);
        for (unsigned int k = 0; k < head[8]; k++) {
            long long pair[2];
            get(pair, sizeof pair);
            all[k] = pair[0] < 0 ? pair[1] : (unsigned long long)memory[pair[0]] + pair[1];
        }
        arguments = all;
        block* made = (block*)aligned_alloc(64, (blocks * sizeof(block) + 63) / 64 * 64);
        one* numbers = (one*)calloc((size_t)blocks * threads, sizeof(one));
        pthread_t* running = (pthread_t*)calloc((size_t)blocks * threads, sizeof(pthread_t));
        for (unsigned int b = 0; b < blocks; b++) {
            made[b].number = {b % gridDim.x, b / gridDim.x % gridDim.y, b / gridDim.x / gridDim.y};
            memset(made[b].shared, 0xFF, sizeof made[b].shared);
            pthread_barrier_init(&made[b].all, nullptr, threads);
            for (unsigned int w = 0; w * LANES < threads; w++) {
                const unsigned int left = threads - w * LANES;
                pthread_barrier_init(&made[b].warps[w], nullptr, left < LANES ? left : LANES);
            }
        }
        for (size_t i = 0; i < (size_t)blocks * threads; i++) {
            numbers[i] = {&made[i / threads], (unsigned int)(i % threads)};
            need(!pthread_create(&running[i], nullptr, thread, &numbers[i]));
        }
        for (size_t i = 0; i < (size_t)blocks * threads; i++) pthread_join(running[i], nullptr);
        for (unsigned int k = 0; k < head[7]; k++) {
            need(fwrite(memory[k], 1, sizes[k], stdout) == sizes[k]);
            free(memory[k]);
        }
        fflush(stdout);
        free(memory); free(sizes); free(all); free(made); free(numbers); free(running);
    }
}
"""


def obstacle() -> str | None:
    """Why no races can be looked for here, or None."""
    return None if _works() else "g++ with ThreadSanitizer is missing; apt-get install g++ libtsan2"


@cache
def _works() -> bool:
    if shutil.which("g++") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["g++", *FLAGS.split(), "-pthread", "-o", f"{folder}/a", "-"], input=b"int main() {}", capture_output=True
        )
        return not done.returncode and not subprocess.run([f"{folder}/a"], capture_output=True).returncode


class Threaded:
    """The kernels of a text: a library of the stand-in. Without `every`, only those with barriers have threads."""

    def __init__(self, code: str, every: bool = True) -> None:
        self._plain = None if every else library(code)
        self.kernels: Mapping[str, Signature] = {kernel.name: kernel for kernel in signatures(code)}
        self._folder = tempfile.TemporaryDirectory(prefix="recurrency-")
        program, text = str(Path(self._folder.name) / "program"), source(code, tuple(self.kernels.values()))
        made = subprocess.run(
            ["g++", *FLAGS.split(), "-pthread", "-o", program, "-"], input=text, capture_output=True, text=True
        )
        assert not made.returncode, made.stderr
        self._said = (Path(self._folder.name) / "said").open("w+")
        options = {"TSAN_OPTIONS": f"exitcode={RACES} report_signal_unsafe=0"}
        self._program = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, env=options
        )

    def launcher(self, name: str) -> Callable[..., None]:
        """See `emulated.launch.Library`."""
        if self._plain is not None and not self.kernels[name].waits:
            return self._plain.launcher(name)
        return partial(self._launch, name)

    def _launch(self, name: str, shape: Any, _order: int, values: Any, uses: Any) -> None:
        signature, number = self.kernels[name], list(self.kernels).index(name)
        blocks = list({id(use.block): use.block for use in uses}.values())
        given = iter(uses)
        arguments = []
        for parameter, value in zip(signature.parameters, values, strict=False):
            block = next(given).block if parameter.pointer else None
            place = next((k for k, b in enumerate(blocks) if b is block), -1)
            arguments.append((place, value if block is None else value - block.address))
        message = [struct.pack("<9I", number, *shape, len(blocks), len(arguments))]
        message += [struct.pack("<Q", b.memory.nbytes) + b.memory.tobytes() for b in blocks]
        message += [struct.pack("<qQ", place, value) for place, value in arguments]
        program = self._program
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.write(b"".join(message))
        program.stdin.flush()
        for block in blocks:
            found = program.stdout.read(block.memory.nbytes)
            assert len(found) == block.memory.nbytes, self.said()
            ctypes.memmove(block.memory.ctypes.data, found, len(found))

    def said(self) -> str:
        """What ThreadSanitizer has reported, after the program's end; empty if there was no race."""
        self._program.communicate(timeout=LONGEST)
        self._said.seek(0)
        text = self._said.read()
        self._said.close()
        self._folder.cleanup()
        assert self._program.returncode in (0, RACES), text
        return text


def source(code: str, kernels: tuple[Signature, ...]) -> str:
    """C++ for a text of CUDA C: a program that reads launches."""
    numbers = iter(range(8))

    def declared(found: re.Match[str]) -> str:
        kind = f"{found['type']} (*)[{found['size']}]"
        return f"{found['type']} (&{found['name']})[{found['size']}] = *({kind})me.mine->shared[{next(numbers)}];"

    bodies = []
    for body in re.split(r'(?=extern "C" __global__)', code):
        numbers = iter(range(8))
        bodies.append(SHARED.sub(declared, body))
    calls, flushed = [], []
    for kernel in kernels:
        given = ", ".join(f"*({p.spelling}*)(a + {i})" for i, p in enumerate(kernel.parameters))
        calls.append(f"[](values a) {{ {kernel.name}({given}); }}")
        flushed.append(str(any(p.spelling.endswith("float*") for p in kernel.parameters)).lower())
    tables = (
        f"static void (*const kernels[])(values) = {{ {', '.join(calls)} }};\n"
        f"static const bool flushed[] = {{ {', '.join(flushed)} }};\n"
    )
    head = HEAD + _mathematics() + _extremes() + BUILTINS + FLUSHING + THREADS
    return f'{head}\n#line 1 "kernels.cu"\n{"".join(bodies)}\n#line 1 "launchers.cpp"\n{tables}{MAIN}'
