"""What every generated file of C begins with."""

from __future__ import annotations

COMMON = r"""
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define REC_PRAGMA(text) _Pragma(#text)
#if defined(__GNUC__) && !defined(__clang__)
#define REC_ALONE REC_PRAGMA(GCC ivdep)
#elif defined(__clang__)
#define REC_ALONE REC_PRAGMA(clang loop vectorize(assume_safety))
#else
#define REC_ALONE
#endif
#if defined(__GNUC__) && !defined(REC_PORTABLE)
#define REC_SUMS(...) REC_PRAGMA(omp simd reduction(+ : __VA_ARGS__))
#define REC_PUBLIC __attribute__((visibility("default")))
#define REC_UNUSED __attribute__((unused))
#else
#define REC_SUMS(...)
#define REC_PUBLIC
#define REC_UNUSED
#endif

#define REC_ROOM(field, type, number)                                   \
    w->field = base ? (type *)(void *)(base + at) : NULL;               \
    at += ((size_t)(number) * sizeof(type) + 63) / 64 * 64
#define REC_MORE(most, number) \
    do { const long long rec_n = (number); if (rec_n > (most)) (most) = rec_n; } while (0)
#define REC_FILL(start, number, value) \
    for (long long rec_i = 0; rec_i < (number); ++rec_i) (start)[rec_i] = (value)
#define REC_BARRIER rec_wait(w->barrier, count)

#if defined(__GNUC__) && !defined(REC_PORTABLE)
/* All threads of a call wait here for one another; the barrier is two numbers, first 0. */
static REC_UNUSED void rec_wait(void *barrier, long long count) {
    if (count < 2) return;
    int *arrived = (int *)barrier, *turn = (int *)barrier + 16;
    const int now = __atomic_load_n(turn, __ATOMIC_ACQUIRE);
    if (__atomic_add_fetch(arrived, 1, __ATOMIC_ACQ_REL) == (int)count) {
        __atomic_store_n(arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(turn, now + 1, __ATOMIC_RELEASE);
        return;
    }
    while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) == now) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
    }
}
#else
static void rec_wait(void *barrier, long long count) { (void)barrier; (void)count; }
#endif
"""

PHILOX = """
static void philox(unsigned int a, unsigned int b, unsigned int c, unsigned int d, unsigned long long seed,
                   unsigned int *first, unsigned int *second) {
    unsigned int low = (unsigned int)seed, high = (unsigned int)(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const unsigned long long left = a * 0xD2511F53ull, right = c * 0xCD9E8D57ull;
        a = (unsigned int)(right >> 32) ^ b ^ low;
        b = (unsigned int)right;
        c = (unsigned int)(left >> 32) ^ d ^ high;
        d = (unsigned int)left;
        low += 0x9E3779B9u;
        high += 0xBB67AE85u;
    }
    *first = a >> 8;
    *second = b >> 8;
}
"""
"""Philox4x32-10 (Salmon et al. 2011), as in `recurrency.draws`: two numbers of 24 bits."""

PARTS = """
static REC_UNUSED void rec_multiply_part(
    long long m, long long n, long long k, const REAL *a, long long a_m, const REAL *packed, REAL *c, long long c_m,
    long long id, long long count
) {
    const long panels = (long)((n + REC_COLUMNS - 1) / REC_COLUMNS);
    if (m >= count * REC_ROWS || count == 1) {
        const long long m0 = id * m / count, m1 = (id + 1) * m / count;
        rec_multiply((long)(m1 - m0), (long)n, (long)k, a + m0 * a_m, (long)a_m, packed, c + m0 * c_m, (long)c_m, 0, 0,
                     panels);
        return;
    }
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
                (long)b_n, c + m0 * c_m + n0, (long)c_m, 0, work + id * room);
}
"""
"""The part of a product that one of several threads computes."""
