"""What every generated file of C begins with."""

from __future__ import annotations

from ..kernels.philox import PHILOX as CUDA_PHILOX
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
#pragma clang diagnostic ignored "-Wpass-failed" /* REC_ALONE says what may be made vectors, not what has to */
#endif

#define REC_PRAGMA(text) _Pragma(#text)
#if defined(__GNUC__) && !defined(__clang__)
#define REC_ALONE REC_PRAGMA(GCC ivdep)
#elif defined(__clang__)
#define REC_ALONE REC_PRAGMA(clang loop vectorize(assume_safety))
#else
#define REC_ALONE
#endif
#if defined(__GNUC__)
#define REC_UNUSED __attribute__((unused))
#else
#define REC_UNUSED
#endif
#if defined(__GNUC__) && !defined(REC_PORTABLE)
#define REC_SUMS(...) REC_PRAGMA(omp simd reduction(+ : __VA_ARGS__))
#define REC_PUBLIC __attribute__((visibility("default")))
#else
#define REC_SUMS(...)
#define REC_PUBLIC
#endif

SIZES
#define REC_WHOLE (REC_WIDTH / (long long)sizeof(REAL))
/* A loop in whole vectors; the last one begins so early that it ends with the loop. */
#define REC_STEP(n) ((n) % REC_WHOLE == 0 || (n) < REC_WHOLE ? (n) : REC_WHOLE)
#define REC_FIRST(j, n) ((j) + REC_STEP(n) > (n) ? (n) - REC_STEP(n) : (j))
#define REC_TILED(i, n)                                                          \
    for (long long rec_##i = 0; rec_##i < (n); rec_##i += REC_STEP(n))           \
        REC_ALONE                                                                \
        for (long long i = REC_FIRST(rec_##i, n); i < REC_FIRST(rec_##i, n) + REC_STEP(n); ++i)

#define REC_ROOM(field, type, number)                                   \
    w->field = base ? (type *)(void *)(base + at) : NULL;               \
    at += REC_OVER((size_t)(number) * sizeof(type), REC_LINE_BYTES) * REC_LINE_BYTES
#define REC_MORE(most, number) \
    do { const long long rec_n = (number); if (rec_n > (most)) (most) = rec_n; } while (0)
#define REC_FILL(start, number, value) \
    for (long long rec_i = 0; rec_i < (number); ++rec_i) (start)[rec_i] = (value)
#define REC_CLEAN(to, from, steps, size, lengths, nothing)                      \
    for (long long rec_t = 0; rec_t < (steps); ++rec_t)                         \
        for (long long rec_b = 0; rec_b < B; ++rec_b)                           \
            for (long long rec_i = 0; rec_i < (size); ++rec_i)                  \
                (to)[(rec_t * B + rec_b) * (size) + rec_i] =                    \
                    rec_t < (lengths)[rec_b] ? (from)[(rec_t * B + rec_b) * (size) + rec_i] : (nothing)
#if defined(REC_WATCHED)
#define REC_BARRIER do { if (rec_leaves(w->barrier, id, count, __LINE__)) return; } while (0)
#define REC_STOPS(step) rec_stops(w->barrier, step, ways, way)
#else
#define REC_BARRIER rec_wait(w->barrier, count)
#define REC_STOPS(step) 0
#endif
/* Within a loop, where all threads work at one step (`ways` is how many), and else nothing. */
#define REC_MEET do { if (ways > 1) rec_wait(w->barrier, ways); } while (0)

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

#if defined(REC_WATCHED)
/* A call that may be stopped: behind the barrier stand a flag, NULL where nobody asks, and the first step and line that
   are not executed any more. The first thread decides so early that all threads find the same there. */
struct rec_watch { const volatile int *flag; long long step, line; };
#define REC_WATCH(barrier) ((struct rec_watch *)(void *)((char *)(barrier) + 2 * REC_LINE_BYTES))

static REC_UNUSED int rec_stops(void *barrier, long long step, long long ways, long long way) {
    struct rec_watch *watch = REC_WATCH(barrier);
    if (!watch->flag) return 0;
    if (ways < 2) return *watch->flag;
    if (way == 0 && *watch->flag && __atomic_load_n(&watch->step, __ATOMIC_RELAXED) == INT64_MAX)
        __atomic_store_n(&watch->step, step + 2, __ATOMIC_RELEASE); /* others may still be at this one */
    return step >= __atomic_load_n(&watch->step, __ATOMIC_ACQUIRE);
}

static REC_UNUSED int rec_leaves(void *barrier, long long id, long long count, long long line) {
    struct rec_watch *watch = REC_WATCH(barrier);
    if (watch->flag && id == 0 && *watch->flag && __atomic_load_n(&watch->line, __ATOMIC_RELAXED) == INT64_MAX)
        __atomic_store_n(&watch->line, line, __ATOMIC_RELEASE);
    rec_wait(barrier, count);
    return watch->flag && line >= __atomic_load_n(&watch->line, __ATOMIC_ACQUIRE);
}
#endif
"""


def common(real: str) -> str:
    """What every file begins with, for `float` or `double`."""
    return COMMON.replace("SIZES", common_text(SIZES[real])).replace("REAL", real)


PHILOX = CUDA_PHILOX.replace("__device__ void philox(", "void rec_philox(") + (
    "#define philox(element, ...) rec_philox((unsigned int)(element), __VA_ARGS__)\n"
)
"""As on a GPU; elements are counted in a wider type here."""

PARTS = """
/* So few rows are multiplied with a matrix as it lies, if it lies as it is summed; packing would take longer. */
#define REC_FEW 4

static REC_UNUSED void rec_pack_part(
    long long rows, long long k, long long n, const REAL *b, long long b_k, long long b_n, REAL *packed,
    long long id, long long count
) {
    const long long panels = REC_OVER(n, REC_COLUMNS);
    const long long n0 = panels * id / count * REC_COLUMNS, n1 = REC_LEAST(n, panels * (id + 1) / count * REC_COLUMNS);
    if ((rows >= REC_FEW || b_k != 1) && n0 < n1)
        rec_pack((long)k, (long)(n1 - n0), b + n0 * b_n, (long)b_k, (long)b_n, packed + n0 * k);
}

static REC_UNUSED void rec_multiply_part(
    long long rows, long long m, long long n, long long k, const REAL *a, long long a_m, const REAL *b, long long b_k,
    long long b_n, const REAL *packed, REAL *c, long long c_m, long long id, long long count
) {
    const long panels = (long)REC_OVER(n, REC_COLUMNS);
    const long long m0 = id * m / count, m1 = (id + 1) * m / count;
    if (rows < REC_FEW && b_k == 1) {
        const long long n0 = n * id / count, n1 = n * (id + 1) / count;
        for (long long i = 0; i < m; ++i)
            for (long long j = n0; j < n1; ++j) {
                REAL sum = 0;
                REC_SUMS(sum)
                for (long long l = 0; l < k; ++l) sum += a[i * a_m + l] * b[j * b_n + l];
                c[i * c_m + j] = sum;
            }
        return;
    }
    if (m >= count * REC_ROWS || count == 1)
        rec_multiply((long)(m1 - m0), (long)n, (long)k, a + m0 * a_m, (long)a_m, packed, c + m0 * c_m, (long)c_m, 0, 0,
                     panels);
    else
        rec_multiply((long)m, (long)n, (long)k, a, (long)a_m, packed, c, (long)c_m, 0, (long)(panels * id / count),
                     (long)(panels * (id + 1) / count));
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
"""
"""The part of a product that one of several threads computes."""
