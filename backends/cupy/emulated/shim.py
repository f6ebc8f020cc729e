"""Makes plain CUDA C a text of C++, without headers: g++ takes a few hundredths of a second for a kernel."""

from __future__ import annotations

import numpy as np

from .fibers import INCLUDED, TOGETHER
from .signature import Signature

ONE = "exp expm1 exp2 log log1p log2 sqrt tanh sinh cosh sin cos tan atan fabs floor ceil rint trunc erf erfc"
TWO = "pow fmod fmin fmax copysign hypot"
"""The functions of one and of two numbers that kernels may call; their names end in `f` for float."""

ORDERED = ("int", "unsigned int", "long long", "unsigned long long", "float", "double")
"""Types that CUDA's `min` and `max` take."""

ORDERS = ("forward", "reversed", "shuffled")
"""The orders in which threads of a block, and blocks of a grid, run."""

QUALIFIERS = """
#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#ifdef __ELF__
#define __shared__ static __attribute__((section("of_block")))
#else
#define __shared__ static
#endif
"""

BUILTINS = """
static inline unsigned int __umulhi(unsigned int a, unsigned int b) {
    return (unsigned int)((unsigned long long)a * b >> 32);
}
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)a * b >> 64);
}
template <class To, class From> static inline To bits_of(From from) {
    static_assert(sizeof(To) == sizeof(From), "the widths differ");
    To to;
    __builtin_memcpy(&to, &from, sizeof to);
    return to;
}
static inline float __int_as_float(int x) { return bits_of<float>(x); }
static inline float __uint_as_float(unsigned int x) { return bits_of<float>(x); }
static inline int __float_as_int(float x) { return bits_of<int>(x); }
static inline unsigned int __float_as_uint(float x) { return bits_of<unsigned int>(x); }
static inline double __longlong_as_double(long long x) { return bits_of<double>(x); }
static inline long long __double_as_longlong(double x) { return bits_of<long long>(x); }
template <class T> static inline T __ldg(const T* place) { return *place; }
static inline bool isnan(double x) { return __builtin_isnan(x); }
static inline bool isinf(double x) { return __builtin_isinf(x); }
static inline bool isfinite(double x) { return __builtin_isfinite(x); }
"""

FLUSHING = """
// Denormal numbers become zero, as in kernels that cupy compiles: bits of the processor's control register.
#if defined(__x86_64__)
enum { FLUSH = 0x8040 };
static unsigned int control() { return __builtin_ia32_stmxcsr(); }
static void control(unsigned int bits) { __builtin_ia32_ldmxcsr(bits); }
#elif defined(__aarch64__)
enum { FLUSH = 1 << 24 };
static unsigned int control() { unsigned long bits; __asm__ volatile("mrs %0, fpcr" : "=r"(bits)); return bits; }
static void control(unsigned int bits) { __asm__ volatile("msr fpcr, %0" : : "r"((unsigned long)bits)); }
#else
enum { FLUSH = 0 };
static unsigned int control() { return 0; }
static void control(unsigned int) {}
#endif
"""

THREADS = """
struct index3 { unsigned int x, y, z; };
static index3 threadIdx, blockIdx, blockDim, gridDim;
typedef const unsigned long long* values;

// Number `i` of `n` in the order that is asked for: forward, reversed, shuffled (by a prime that does not divide n).
static unsigned long long turn(unsigned long long i, unsigned long long n, int order) {
    return order == 0 ? i : order == 1 ? n - 1 - i : (i * 2654435761ULL + n / 2) % n;
}
static index3 at(unsigned long long i, index3 size) {
    return {(unsigned int)(i % size.x), (unsigned int)(i / size.x % size.y), (unsigned int)(i / size.x / size.y)};
}
static unsigned long long count(index3 size) { return (unsigned long long)size.x * size.y * size.z; }
static int run(void (*thread)(values), const unsigned int* shape, int order, values given, bool flush) {
    const unsigned int before = control();
    if (flush) control(before | FLUSH);
    gridDim = {shape[0], shape[1], shape[2]};
    blockDim = {shape[3], shape[4], shape[5]};
    for (unsigned long long b = 0; b < count(gridDim); b++) {
        blockIdx = at(turn(b, count(gridDim), order), gridDim);
        for (unsigned long long t = 0; t < count(blockDim); t++) {
            threadIdx = at(turn(t, count(blockDim), order), blockDim);
            thread(given);
        }
    }
    control(before);
    return 0;
}
"""


ZEROED = """static inline float zeroed(float x) {
    return x > -1.17549435e-38f && x < 1.17549435e-38f ? __builtin_copysignf(0.0f, x) : x;
}"""


def _mathematics() -> str:
    """The functions of the C library, after making denormal arguments zero, which it would not treat as zero."""
    arguments = {**dict.fromkeys(ONE.split(), "x"), **dict.fromkeys(TWO.split(), "xy"), "fma": "xyz"}
    lines = [ZEROED]
    for name, letters in arguments.items():
        double, single = (", ".join(f"{real} {x}" for x in letters) for real in ("double", "float"))
        lines += [f'extern "C" double {name}({double});', f'extern "C" float {name}f({single});']
        zeroed = ", ".join(f"zeroed({x})" for x in letters)
        lines += [f"static inline float device_{name}f({single}) {{ return {name}f({zeroed}); }}"]
    return "\n".join([*lines, *(f"#define {name}f device_{name}f" for name in arguments), ""])


def _extremes() -> str:
    return "\n".join(
        f"static inline {kind} {name}({kind} a, {kind} b) {{ return a {sign} b ? a : b; }}"
        for name, sign in (("min", "<"), ("max", ">"))
        for kind in ORDERED
    )


HEADER = "\n".join((QUALIFIERS, _mathematics(), _extremes(), BUILTINS, FLUSHING, THREADS))


def _launcher(kernel: Signature) -> str:
    """`launch_NAME` runs every thread of a grid, each argument as 8 bytes; it returns 0, or 1 for a deadlock."""
    given = ", ".join(f"*({p.spelling}*)(a + {i})" for i, p in enumerate(kernel.parameters))
    flush = str(any(p.dtype == np.float32 for p in kernel.parameters)).lower()
    run = "run_together" if kernel.waits else "run"
    return (
        f"static void thread_{kernel.name}(values a) {{ {kernel.name}({given}); }}\n"
        f'extern "C" __attribute__((visibility("default")))\n'
        f"int launch_{kernel.name}(const unsigned int* shape, int order, values a) "
        f"{{ return {run}(thread_{kernel.name}, shape, order, a, {flush}); }}\n"
    )


def source(code: str, kernels: tuple[Signature, ...]) -> str:
    """C++ for a text of CUDA C with these kernels; the compiler's messages have the line numbers of `code`."""
    launchers = "\n".join(map(_launcher, kernels))
    wait = any(kernel.waits for kernel in kernels)
    header = f"{INCLUDED}{HEADER}{TOGETHER}" if wait else HEADER
    return f'{header}\n#line 1 "kernels.cu"\n{code}\n#line 1 "launchers.cpp"\n{launchers}'
