"""The machine that a benchmark runs on: its name, its threads, and how fast it can multiply and add."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("recurrency", "numpy", "torch", "jax", "jaxlib", "onnx", "onnxruntime")

PEAK = """
#include <time.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif

typedef float vec __attribute__((vector_size(BYTES)));

/* As many sums at a time as hide the latency of an addition, and fit the registers with two factors. */
#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
enum { SUMS = 12, TURNS = 1 << 20, TRIES = 40 };

static volatile float factor = 0.999f, term = 0.001f, sink;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* The best of some tries, in operations a second, of the thread that calls. */
double peak(void) {
    vec f, b;
    for (int i = 0; i < BYTES / 4; ++i) f[i] = factor, b[i] = term;
    double best = 0;
    for (int k = 0; k < TRIES; ++k) {
#define START(i) vec a##i = b * (float)i;
        EACH(START)
        const double start = now();
        for (long n = 0; n < TURNS; ++n) {
#define STEP(i) a##i = a##i * f + b;
            EACH(STEP)
            __asm__ volatile("" : : : "memory");
        }
        const double rate = 2.0 * SUMS * (BYTES / 4) * TURNS / (now() - start);
#define SUM(i) + a##i[0]
        sink = 0 EACH(SUM);
        if (rate > best) best = rate;
    }
    return best;
}

int width(void) { return BYTES; }
"""


def fma_peak(threads: int) -> float | None:
    """Floating-point operations a second of each of so many threads at the same time, in registers; None: no compiler.

    It is the processor time of the threads that counts, not the time on the wall.
    """
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = _compiled(compiler, Path(folder))
        if library is None:
            return None
        library.peak.restype = ctypes.c_double
        with ThreadPoolExecutor(threads) as pool:
            return min(pool.map(lambda _: float(library.peak()), range(threads)))


def _compiled(compiler: str, folder: Path) -> ctypes.CDLL | None:
    source, out = folder / "peak.c", folder / "peak.so"
    source.write_text(PEAK)
    for machine in (["-march=native"], ["-mcpu=native"], []):
        words = [compiler, "-O2", *machine, "-ffp-contract=fast", "-fPIC", "-shared", str(source), "-o", str(out)]
        if subprocess.run(words, capture_output=True).returncode == 0:
            return ctypes.CDLL(str(out))
    return None


def processor() -> str:
    """Its name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def about() -> dict[str, str]:
    """What a benchmark runs on."""
    system = f"{platform.system()} {platform.machine()}"
    return {"processor": processor(), "processors": str(len(processors())), "system": system}


def versions() -> dict[str, str]:
    """Of Python, the C compiler, and those packages that are installed."""
    found = {"python": platform.python_version()}
    if compiler := shutil.which("cc"):
        said = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout
        found["cc"] = said.partition("\n")[0]
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def processors() -> list[int]:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def pin(threads: int) -> list[int]:
    """Keep this process on so many processors, each of a core of its own as far as there are such."""
    chosen = _apart(processors())[:threads]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, chosen)
    return chosen


def _apart(numbers: Sequence[int]) -> list[int]:
    """Processors in an order in which those that share a core with an earlier one come last."""
    seen: set[str] = set()
    first, rest = [], []
    for number in numbers:
        core = Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list")
        name = core.read_text() if core.exists() else str(number)
        (rest if name in seen else first).append(number)
        seen.add(name)
    return first + rest
