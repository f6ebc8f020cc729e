"""Matrix products in C with operands in bfloat16 and sums in float32: `compute="bf16"`.

The functions and the sizes are those of `gemm`, for processors with AVX512-BF16. Operands are rounded to the nearest
bf16 number, ties to even: NaN stays NaN, what is too large becomes infinite, and subnormal numbers become zero, in
operands and in sums. One instruction multiplies two neighbours along k with two others and adds both products, so that
two numbers of an operand are packed into one word:

    packed rows      [k / 2][row], or [row][k / 2] where k runs along memory
    packed matrices  panels of REC_COLUMNS columns, each [k / 2][column]; a panel begins where one of float32 would

An odd k is filled up with a zero. A block of rows is converted once, on the stack, and multiplied with all panels.
"""

from __future__ import annotations

from .sizes import products_text

COMPUTE = "bf16"
"""The name of this choice."""

BORDER = ("#define REC_UNPACKED_ROWS 4", "#define REC_UNPACKED_ROWS 0")
"""No matrix is read unpacked: it would not be rounded."""

_TEXT = r"""
#if !defined(__AVX512BF16__) || !REC_VECTORS || REC_WIDTH != 64
#error "compute=bf16 needs a processor with AVX512-BF16, and an option of the compiler such as -march=native"
#else
#include <immintrin.h>

#define REC_PREFETCH(x) __builtin_prefetch(x)
/* Rows of a tile; rows and pairs of a block that is converted, 48 kB. */
#define REC_BF_TILE 6
#define REC_BF_ROWS 96
#define REC_BF_PAIRS 128

/* Sixteen numbers as bf16, in the lower halves of words. */
static inline __attribute__((always_inline)) __m512i rec_bf_low(__m512 x) {
    return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(x));
}

/* Sixteen pairs, one of two vectors each. */
static inline __attribute__((always_inline)) __m512i rec_bf_pairs(__m512 first, __m512 second) {
    return _mm512_or_si512(rec_bf_low(first), _mm512_slli_epi32(rec_bf_low(second), 16));
}

/* Pairs along memory: `count` numbers, and a zero if that is odd. */
static REC_UNUSED void rec_bf_line(const float *x, long count, uint32_t *pairs) {
    long i = 0;
    for (; i + 32 <= count; i += 32)
        _mm512_storeu_si512(
            pairs + i / 2, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + i + 16), _mm512_loadu_ps(x + i))
        );
    if (i < count) {
        const long rest = count - i;
        const __mmask16 low = (__mmask16)(rest >= 16 ? 0xffff : (1 << rest) - 1);
        const __mmask16 high = (__mmask16)(rest > 16 ? (1 << (rest - 16)) - 1 : 0);
        const __m512 a = _mm512_maskz_loadu_ps(low, x + i);
        const __m512 b = high ? _mm512_maskz_loadu_ps(high, x + i + 16) : _mm512_setzero_ps();
        const __mmask16 words = (__mmask16)((1 << (rest + 1) / 2) - 1);
        _mm512_mask_storeu_epi32(pairs + i / 2, words, (__m512i)_mm512_cvtne2ps_pbh(b, a));
    }
}

/* Pairs across memory: of two lines of `count` numbers (`second` NULL: zeros). */
static REC_UNUSED void rec_bf_lines(const float *first, const float *second, long count, uint32_t *pairs) {
    for (long i = 0; i < count; i += 16) {
        const __mmask16 here = (__mmask16)(count - i >= 16 ? 0xffff : (1 << (count - i)) - 1);
        const __m512 a = _mm512_maskz_loadu_ps(here, first + i);
        const __m512 b = second ? _mm512_maskz_loadu_ps(here, second + i) : _mm512_setzero_ps();
        _mm512_mask_storeu_epi32(pairs + i, here, rec_bf_pairs(a, b));
    }
}

/* One pair. */
static REC_UNUSED uint32_t rec_bf_pair(float first, float second) {
    return (uint32_t)_mm_cvtsi128_si32((__m128i)_mm_cvtneps_pbh(_mm_setr_ps(first, second, 0.0f, 0.0f)));
}

/* The matrix `x` [lines, k], whose lines are `x_m` apart, as pairs [k / 2][to_k] of lines. */
static REC_UNUSED void rec_bf_across(long lines, long k, const float *x, long x_m, long x_k, uint32_t *to, long to_k) {
    if (x_m == 1) {
        for (long l = 0; l < k; l += 2)
            rec_bf_lines(x + l * x_k, l + 1 < k ? x + (l + 1) * x_k : 0, lines, to + l / 2 * to_k);
        return;
    }
    for (long i = 0; i < lines; i++, x += x_m, to++)
        if (x_k == 1)
            for (long l = 0; l < k; l += 32) {
                uint32_t pairs[16];
                const long count = REC_MIN(32, k - l);
                rec_bf_line(x + l, count, pairs);
                for (long p = 0; p < (count + 1) / 2; p++) to[(l / 2 + p) * to_k] = pairs[p];
            }
        else
            for (long l = 0; l < k; l += 2)
                to[l / 2 * to_k] = rec_bf_pair(x[l * x_k], l + 1 < k ? x[(l + 1) * x_k] : 0.0f);
}

static REC_UNUSED void rec_pack(long k, long n, const float *b, long b_k, long b_n, float *packed) {
    for (long j = 0; j < n; j += REC_COLUMNS) {
        uint32_t *to = (uint32_t *)(void *)(packed + j * k);
        const long columns = REC_MIN(REC_COLUMNS, n - j);
        if (columns < REC_COLUMNS) memset(to, 0, (size_t)((k + 1) / 2 * REC_COLUMNS) * 4);
        for (long l = 0; l < k; l += REC_COLUMNS)
            rec_bf_across(
                columns, REC_MIN(REC_COLUMNS, k - l), b + j * b_n + l * b_k, b_n, b_k, to + l / 2 * REC_COLUMNS,
                REC_COLUMNS
            );
    }
}

#define REC_EACH(i, count) _Pragma("GCC unroll 8") for (int i = 0; i < (count); i++)

static inline __attribute__((always_inline)) void rec_tile(
    const int rows, long pairs, const uint32_t *a, long a_m, long a_k, const uint32_t *b, float *c, long c_m, int add
) {
    __m512 sum[REC_BF_TILE][REC_VECTORS];
    REC_EACH(m, rows) REC_EACH(v, REC_VECTORS) sum[m][v] = _mm512_setzero_ps();
    for (; pairs > 0; pairs--) {
        __m512i right[REC_VECTORS];
        REC_PREFETCH(b + 8 * REC_COLUMNS);
        REC_EACH(v, REC_VECTORS) right[v] = _mm512_load_si512(b + 16 * v);
        REC_EACH(m, rows) {
            const __m512i left = _mm512_set1_epi32((int)a[m * a_m]);
            REC_EACH(v, REC_VECTORS) sum[m][v] = _mm512_dpbf16_ps(sum[m][v], (__m512bh)left, (__m512bh)right[v]);
        }
        a += a_k;
        b += REC_COLUMNS;
    }
    if (add) REC_EACH(m, rows) REC_EACH(v, REC_VECTORS)
        sum[m][v] = _mm512_add_ps(sum[m][v], _mm512_loadu_ps(c + m * c_m + 16 * v));
    REC_EACH(m, rows) REC_EACH(v, REC_VECTORS) _mm512_storeu_ps(c + m * c_m + 16 * v, sum[m][v]);
}

/* Not inlined: constants of callers would take registers from the tile. */
#define REC_TILE(rows) \
    static REC_UNUSED __attribute__((noinline)) void rec_tile_##rows( \
        long pairs, const uint32_t *a, long a_m, long a_k, const uint32_t *b, float *c, long c_m, int add \
    ) { \
        rec_tile(rows, pairs, a, a_m, a_k, b, c, c_m, add); \
    }
REC_TILE(1)
REC_TILE(2)
REC_TILE(3)
REC_TILE(4)
REC_TILE(5)
REC_TILE(6)

static void (*const rec_tiles[])(
    long pairs, const uint32_t *a, long a_m, long a_k, const uint32_t *b, float *c, long c_m, int add
) = {
    rec_tile_1, rec_tile_2, rec_tile_3, rec_tile_4, rec_tile_5, rec_tile_6,
};

/* Converted rows times panels that are `panel` words apart. */
static REC_UNUSED void rec_bf_block(
    long m, long n, long pairs, const uint32_t *a, long a_m, long a_k, const uint32_t *b, long panel, float *c,
    long c_m, int add, long first, long last, int back
) {
    const long strips = REC_CEIL_DIV(m, REC_BF_TILE);
    for (long turn = first; turn < last; turn++) {
        const long p = back ? first + last - 1 - turn : turn;
        const long columns = REC_MIN(REC_COLUMNS, n - p * REC_COLUMNS);
        for (long strip = 0, row = 0; strip < strips; strip++) {
            const long rows = m / strips + (strip < m % strips);
            const uint32_t *from = a + row * a_m;
            float *to = c + row * c_m + p * REC_COLUMNS;
            if (columns == REC_COLUMNS)
                rec_tiles[rows - 1](pairs, from, a_m, a_k, b + p * panel, to, c_m, add);
            else {
                float edge[REC_BF_TILE * REC_COLUMNS];
                rec_tiles[rows - 1](pairs, from, a_m, a_k, b + p * panel, edge, REC_COLUMNS, 0);
                for (long i = 0; i < rows; i++)
                    for (long j = 0; j < columns; j++)
                        to[i * c_m + j] = add ? to[i * c_m + j] + edge[i * REC_COLUMNS + j] : edge[i * REC_COLUMNS + j];
            }
            row += rows;
        }
    }
}

static REC_UNUSED void rec_bf_multiply(
    long m, long n, long k, const float *a, long a_m, long a_k, const float *packed, float *c, long c_m, int add,
    long first, long last, int back
) {
    uint32_t rows[REC_BF_ROWS * REC_BF_PAIRS];
    const long depth = 2 * REC_BF_PAIRS;
    for (long i = 0; i < m; i += REC_BF_ROWS) {
        const long height = REC_MIN(REC_BF_ROWS, m - i);
        long l = 0;
        do {
            const long steps = REC_MIN(depth, k - l), pairs = (steps + 1) / 2;
            const float *block = a + i * a_m + l * a_k;
            if (a_k == 1)
                for (long r = 0; r < height; r++) rec_bf_line(block + r * a_m, steps, rows + r * REC_BF_PAIRS);
            else
                rec_bf_across(height, steps, block, a_m, a_k, rows, REC_BF_ROWS);
            rec_bf_block(
                height, n, pairs, rows, a_k == 1 ? REC_BF_PAIRS : 1, a_k == 1 ? 1 : REC_BF_ROWS,
                (const uint32_t *)(const void *)packed + l / 2 * REC_COLUMNS, k * REC_COLUMNS, c + i * c_m, c_m,
                add || l, first, last, back
            );
        } while ((l += depth) < k);
    }
}

static REC_UNUSED void rec_multiply(
    long m, long n, long k, const float *a, long a_m, const float *packed, float *c, long c_m, int add, long first,
    long last, int back
) {
    rec_bf_multiply(m, n, k, a, a_m, 1, packed, c, c_m, add, first, last, back);
}

static REC_UNUSED void rec_product(
    long m, long n, long k, const float *a, long a_m, long a_k, const float *b, long b_k, long b_n, float *c, long c_m,
    int add, float *work, long whole
) {
    const long depth = a_k == 1 ? rec_packed_depth(whole, k) : rec_block_depth(k);
    for (long j = 0; j < n; j += REC_N) {
        const long columns = REC_MIN(REC_N, n - j);
        long l = 0;
        do {
            const long steps = REC_MIN(depth, k - l);
            rec_pack(steps, columns, b + l * b_k + j * b_n, b_k, b_n, work);
            rec_bf_multiply(
                m, columns, steps, a + l * a_k, a_m, a_k, work, c + j, c_m, add || l, 0,
                REC_CEIL_DIV(columns, REC_COLUMNS), 0
            );
        } while ((l += depth) < k);
    }
}

static REC_UNUSED void rec_products(
    long m, long k, const float *a, long a_m, long a_k, const struct rec_side *sides, long number, float *work
) {
    const long depth = rec_block_depth(k);
    for (const struct rec_side *s = sides; s < sides + number; s++) {
        long l = 0;
        do {
            const long steps = REC_MIN(depth, k - l);
            rec_pack(steps, s->n, s->b + l * s->b_k, s->b_k, s->b_n, work);
            rec_bf_multiply(
                m, s->n, steps, a + l * a_k, a_m, a_k, work, s->c, s->c_m, l > 0, 0, REC_CEIL_DIV(s->n, REC_COLUMNS), 0
            );
        } while ((l += depth) < k);
    }
}
#endif
"""


def bf16_text() -> str:
    """The functions; they need `text.common("float")`."""
    text: str = products_text(4).replace("REAL", "float") + _TEXT
    return text
