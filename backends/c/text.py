"""Helpers of generated files: what the compiler provides, loops, memory, threads, and a thread's part of a product."""

from __future__ import annotations

from collections.abc import Collection

from ..kernels.philox import PHILOX as CUDA_PHILOX
from .bf16 import BORDER, bf16_text
from .gaps import HELPERS as GAPS
from .gemm import gemm_text
from .math import TEXTS
from .sizes import SIZES, common_text

COMMON = r"""
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if (defined(__unix__) || defined(__APPLE__)) && defined(__GNUC__) && !defined(REC_PORTABLE)
#include <sched.h>
#endif
#if defined(__GNUC__) && !defined(REC_PORTABLE)
#pragma GCC diagnostic ignored "-Wunknown-pragmas" /* gcc knows `omp simd` with -fopenmp-simd alone */
#endif
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* REC_INDEPENDENT allows vectors, and does not demand them */
#endif

#define REC_PRAGMA(text) _Pragma(#text)

#if defined(__GNUC__)
#define REC_UNUSED __attribute__((unused))
#else
#define REC_UNUSED
#endif

#if defined(__GNUC__) && !defined(REC_PORTABLE)
#define REC_PUBLIC __attribute__((visibility("default")))
#else
#define REC_PUBLIC
#endif

/* No turn of the next loop reads what another one writes: it may run in vectors. GCC must not unroll a short one before
   it makes vectors: GCC 12 then selects by the condition of another element (-O3 -mavx2 -fno-trapping-math). */
#if defined(__GNUC__) && !defined(__clang__)
#define REC_INDEPENDENT REC_PRAGMA(GCC ivdep) REC_PRAGMA(GCC unroll 1)
#elif defined(__clang__)
#define REC_INDEPENDENT REC_PRAGMA(clang loop vectorize(assume_safety))
#else
#define REC_INDEPENDENT
#endif

/* The next loop adds to these variables, in any order. */
#if defined(__GNUC__) && !defined(REC_PORTABLE)
#define REC_REDUCTION(...) REC_PRAGMA(omp simd reduction(+ : __VA_ARGS__))
#else
#define REC_REDUCTION(...)
#endif

SIZES
/* A loop in whole vectors, or parts of one; the last one begins so early that it ends with the loop. */
#define REC_VECTOR_LENGTH (REC_WIDTH / (long long)sizeof(REAL))
#define REC_SHORTER(n) ((n) >= 8 ? 8 : (n) >= 4 ? 4 : (n))
#define REC_STRIDE(n) \
    ((n) % REC_VECTOR_LENGTH == 0 ? (n) : (n) >= REC_VECTOR_LENGTH ? REC_VECTOR_LENGTH : REC_SHORTER(n))
#define REC_VECTOR_START(j, n) ((j) + REC_STRIDE(n) > (n) ? (n) - REC_STRIDE(n) : (j))
#define REC_VECTOR_LOOP(i, n)                                                  \
    for (long long rec_##i = 0; rec_##i < (n); rec_##i += REC_STRIDE(n))       \
        REC_INDEPENDENT                                                        \
        for (long long i = REC_VECTOR_START(rec_##i, n); i < REC_VECTOR_START(rec_##i, n) + REC_STRIDE(n); ++i)

/* The bytes that an array takes: whole lines, and some behind a long one, so that few compete for a set of a cache. */
#define REC_ROOM(bytes)                                                        \
    (REC_CEIL_DIV(bytes, REC_LINE_BYTES) * REC_LINE_BYTES + REC_MIN((bytes) / REC_PAGE_BYTES, 1) * REC_APART_BYTES)

/* A loop in whole vectors of arrays that have room for the rest of the last one. */
#define REC_WHOLE_VECTORS(i, n)                                                \
    for (long long rec_##i = 0; rec_##i < (n); rec_##i += REC_VECTOR_LENGTH)   \
        REC_INDEPENDENT                                                        \
        for (long long i = rec_##i; i < rec_##i + REC_VECTOR_LENGTH; ++i)

#if defined(__GNUC__) && !defined(REC_PORTABLE)
#define REC_ALIGNED __attribute__((aligned(REC_LINE_BYTES)))
#else
#define REC_ALIGNED
#endif

/* The next `number` elements of the workspace are those of an array. */
#define REC_PLACE(field, type, number)                                         \
    w->field = base ? (type *)(void *)(base + at) : NULL;                      \
    at += REC_ROOM((size_t)(number) * sizeof(type))

#define REC_RAISE(most, number) \
    do { const long long rec_n = (number); if (rec_n > (most)) (most) = rec_n; } while (0)

#define REC_FILL(start, number, value) \
    for (long long rec_i = 0; rec_i < (number); ++rec_i) (start)[rec_i] = (value)

/* Copies [steps, batch, size], with `nothing` in the steps that a sequence does not have. */
#define REC_COPY_VALID(to, from, steps, batch, size, lengths, nothing)         \
    for (long long rec_t = 0; rec_t < (steps); ++rec_t)                        \
        for (long long rec_b = 0; rec_b < (batch); ++rec_b)                    \
            for (long long rec_i = 0; rec_i < (size); ++rec_i)                 \
                (to)[(rec_t * (batch) + rec_b) * (size) + rec_i] =             \
                    rec_t < (lengths)[rec_b] ? (from)[(rec_t * (batch) + rec_b) * (size) + rec_i] : (nothing)

BARRIER

/* Within a loop over time: threads wait where all of them work at one step (`ways` is how many). */
#define REC_STEP_BARRIER do { if (ways > 1) rec_wait(w->barrier, ways); } while (0)

#if defined(__GNUC__) && !defined(REC_PORTABLE)
/* All threads of a call wait here for one another; the barrier is two numbers, first 0. */
static REC_UNUSED void rec_wait(void *barrier, long long count) {
    if (count < 2) return;
    int *arrived = (int *)barrier, *turn = (int *)barrier + REC_LINE_BYTES / (int)sizeof(int);
    const int now = __atomic_load_n(turn, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(arrived, 1, __ATOMIC_ACQ_REL) == (int)count) {
        __atomic_store_n(arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(turn, now + 1, __ATOMIC_RELEASE);
        return;
    }
    for (int turns = 0; __atomic_load_n(turn, __ATOMIC_ACQUIRE) == now; ++turns) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
#if defined(__unix__) || defined(__APPLE__)
        if (turns % 500 == 499) sched_yield();
#endif
    }
}
#else
static REC_UNUSED void rec_wait(void *barrier, long long count) {
    (void)barrier;
    (void)count;
}
#endif
"""

WATCH = r"""
/* How a call is stopped: behind the barrier are a flag (NULL: it is never stopped), and the first step and line that
   are no longer executed. The first thread sets these so early that all threads read the same. */
struct rec_watch { const volatile int *flag; long long step, line; };
#define REC_WATCH(barrier) ((struct rec_watch *)(void *)((char *)(barrier) + 2 * REC_LINE_BYTES))

/* Whether a step is no longer executed. */
static REC_UNUSED int rec_stopped(void *barrier, long long step, long long ways, long long way) {
    struct rec_watch *watch = REC_WATCH(barrier);
    if (!watch->flag) return 0;
    if (ways < 2) return *watch->flag;
    if (way == 0 && *watch->flag && __atomic_load_n(&watch->step, __ATOMIC_RELAXED) == INT64_MAX)
        __atomic_store_n(&watch->step, step + 2, __ATOMIC_RELEASE); /* others may still be at this one */
    return step >= __atomic_load_n(&watch->step, __ATOMIC_ACQUIRE);
}

/* Waits, then returns whether a line is no longer executed. */
static REC_UNUSED int rec_wait_or_leave(void *barrier, long long id, long long count, long long line) {
    struct rec_watch *watch = REC_WATCH(barrier);
    if (watch->flag && id == 0 && *watch->flag && __atomic_load_n(&watch->line, __ATOMIC_RELAXED) == INT64_MAX)
        __atomic_store_n(&watch->line, line, __ATOMIC_RELEASE);
    rec_wait(barrier, count);
    return watch->flag && line >= __atomic_load_n(&watch->line, __ATOMIC_ACQUIRE);
}
"""
"""Helpers of code for this process, which can be stopped."""

BARRIERS = {
    False: "#define REC_BARRIER rec_wait(w->barrier, count)",
    True: "#define REC_BARRIER do { if (rec_wait_or_leave(w->barrier, id, count, __LINE__)) return; } while (0)",
}
"""How threads wait between two statements: in files for other programs, and where they can be stopped."""


def common(real: str, watched: bool = False) -> str:
    """What all files have in common, for `float` or `double`; `watched`: calls can be stopped."""
    text = COMMON.replace("SIZES", common_text(SIZES[real])).replace("BARRIER\n", f"{BARRIERS[watched]}\n", 1)
    return (text + WATCH * watched).replace("REAL", real)


def library(real: str, watched: bool, columns: Collection[int] | None = None, compute: str = "") -> str:
    """All helpers; `columns` are those of the products: see `gemm_text`.

    `compute` is what the operands of products are rounded to, `bf16` or nothing.
    """
    products, parts_of = gemm_text(real, columns), PARTS
    if compute:
        products, parts_of = bf16_text(), PARTS.replace(*BORDER)
    own = [parts_of.replace("REAL", real), GAPS.replace("REAL", real)]
    parts = [common(real, watched), TEXTS[real], PHILOX, products, *own]
    return "\n\n".join(parts)


PHILOX = CUDA_PHILOX.replace("__device__ void philox(", "void rec_philox(") + (
    "\n#define philox(element, ...) rec_philox((unsigned int)(element), __VA_ARGS__)\n"
)
"""As for CUDA, but elements have a wider type."""

PARTS = """
/* Fewer rows than this are multiplied with an unpacked matrix if its sums run along memory; packing takes longer. */
#define REC_UNPACKED_ROWS 4

static REC_UNUSED void rec_pack_part(
    long long rows, long long k, long long n, const REAL *b, long long b_k, long long b_n, REAL *packed,
    long long id, long long count
) {
    const long long panels = REC_CEIL_DIV(n, REC_COLUMNS);
    const long long n0 = panels * id / count * REC_COLUMNS, n1 = REC_MIN(n, panels * (id + 1) / count * REC_COLUMNS);
    if ((rows >= REC_UNPACKED_ROWS || b_k != 1) && n0 < n1)
        rec_pack((long)k, (long)(n1 - n0), b + n0 * b_n, (long)b_k, (long)b_n, packed + n0 * k);
}

/* `turn` is the number of the step, or 0: products at successive steps read the panels of `packed` in turn from the
   first and from the last one. */
static REC_UNUSED void rec_multiply_part(
    long long rows, long long m, long long n, long long k, const REAL *a, long long a_m, const REAL *b, long long b_k,
    long long b_n, const REAL *packed, REAL *c, long long c_m, long long turn, long long id, long long count
) {
    const long panels = (long)REC_CEIL_DIV(n, REC_COLUMNS);
    const long long m0 = id * m / count, m1 = (id + 1) * m / count;
    if (rows < REC_UNPACKED_ROWS && b_k == 1) {
        const long long n0 = n * id / count, n1 = n * (id + 1) / count;
        for (long long i = 0; i < m; ++i)
            for (long long j = n0; j < n1; ++j) {
                REAL sum = 0;
                REC_REDUCTION(sum)
                for (long long l = 0; l < k; ++l) sum += a[i * a_m + l] * b[j * b_n + l];
                c[i * c_m + j] = sum;
            }
        return;
    }
    if (m >= count * REC_ROWS || count == 1)
        rec_multiply((long)(m1 - m0), (long)n, (long)k, a + m0 * a_m, (long)a_m, packed, c + m0 * c_m, (long)c_m, 0, 0,
                     panels, (int)(turn % 2));
    else
        rec_multiply((long)m, (long)n, (long)k, a, (long)a_m, packed, c, (long)c_m, 0, (long)(panels * id / count),
                     (long)(panels * (id + 1) / count), (int)(turn % 2));
}

static REC_UNUSED void rec_product_part(
    long long m, long long n, long long k, const REAL *a, long long a_m, long long a_k, const REAL *b, long long b_k,
    long long b_n, REAL *c, long long c_m, REAL *work, long long room, long long id, long long count
) {
    const long long m0 = m >= n ? id * m / count : 0, m1 = m >= n ? (id + 1) * m / count : m;
    const long long n0 = m >= n ? 0 : id * n / count, n1 = m >= n ? n : (id + 1) * n / count;
    rec_product((long)(m1 - m0), (long)(n1 - n0), (long)k, a + m0 * a_m, (long)a_m, (long)a_k, b + n0 * b_n, (long)b_k,
                (long)b_n, c + m0 * c_m + n0, (long)c_m, 0, work + id * room, (long)n);
}

/* Several products with one `a`; each thread computes some rows of all of them. */
static REC_UNUSED void rec_products_part(
    long long m, long long k, const REAL *a, long long a_m, long long a_k, long number, struct rec_side *sides,
    REAL *work, long long room, long long id, long long count
) {
    const long long m0 = id * m / count, m1 = (id + 1) * m / count;
    for (long s = 0; s < number; ++s) sides[s].c += m0 * sides[s].c_m;
    rec_products((long)(m1 - m0), (long)k, a + m0 * a_m, (long)a_m, (long)a_k, sides, number, work + id * room);
}
"""
"""The part of a product that one of several threads computes."""
