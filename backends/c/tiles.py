"""The tiles of matrix products in C: the innermost loops of `gemm`, with vectors or in plain C99."""

from __future__ import annotations

from collections.abc import Collection

PREFETCH = r"""
#if defined(__GNUC__)
#define REC_PREFETCH(x) __builtin_prefetch(x)
#else
#define REC_PREFETCH(x) (void)(x)
#endif
"""

_VECTORS = r"""
#define REC_LANES (REC_WIDTH / SIZE)
#define REC_GRAIN REC_LANES
#define REC_OPAQUE(x) __asm__("" : "+r"(x))

/* The vectors in a row of the last panel of `n` columns; whether the products here have such panels, and which tiles
   they need. */
#define REC_END(n) (((n) - 1) / REC_LANES % REC_VECTORS + 1)
WHICH_ARE_NARROW
typedef REAL rec_vector __attribute__((vector_size(REC_WIDTH), may_alias));
typedef REAL rec_unaligned __attribute__((vector_size(REC_WIDTH), aligned(SIZE), may_alias));

/* gcc splits vectors that the processor lacks before its sanitizers run: these check an element aligned like one. */
#if defined(__SANITIZE_ADDRESS__)
typedef REAL rec_lined __attribute__((aligned(REC_WIDTH), may_alias));
#define REC_LOAD(from) ((void)*(const volatile rec_lined *)(from), *(const rec_vector *)(from))
#else
#define REC_LOAD(from) (*(const rec_vector *)(from))
#endif

/* A literal, because the addition `(rec_vector){} + x` turns -0.0 into 0.0. */
#if REC_LANES == 2
#define REC_BROADCAST(x) {x, x}
#elif REC_LANES == 4
#define REC_BROADCAST(x) {x, x, x, x}
#elif REC_LANES == 8
#define REC_BROADCAST(x) {x, x, x, x, x, x, x, x}
#else
#define REC_BROADCAST(x) {x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}
#endif

/* Enough sums at a time to hide the latency of additions: with few of them, several steps of k at once. */
#define REC_SPLIT(sums) ((7 + (sums)) / (sums))
#if defined(__clang__)
#define REC_EACH(i, count) _Pragma("unroll") for (int i = 0; i < (count); i++)
#else
#define REC_EACH(i, count) _Pragma("GCC unroll 16") for (int i = 0; i < (count); i++)
#endif

static inline __attribute__((always_inline)) void rec_tile(
    const int vectors, const int rows, const int split,
    long k, const REAL *a, long a_m, long a_k, const REAL *b, REAL *c, long c_m, int add, const REAL *next, long hop
) {
    rec_vector sum[8][REC_ROWS][REC_VECTORS];
    const long width = vectors * REC_LANES;
    REC_EACH(s, split) REC_EACH(m, rows) REC_EACH(v, vectors) sum[s][m][v] = (rec_vector){0};
    for (; k >= split; k -= split, next += hop) {
        if (split == 1) REC_PREFETCH(next);
        REC_EACH(s, split) {
            if (split > 1) REC_PREFETCH(b + 16 * width);
            REC_EACH(m, rows) {
                const rec_vector x = REC_BROADCAST(a[m * a_m]);
                REC_EACH(v, vectors) sum[s][m][v] += x * REC_LOAD(b + v * REC_LANES);
            }
            a += a_k;
            b += width;
        }
    }
    if (split > 1)
        for (; k > 0; k--) {
            REC_EACH(m, rows) {
                const rec_vector x = REC_BROADCAST(a[m * a_m]);
                REC_EACH(v, vectors) sum[0][m][v] += x * REC_LOAD(b + v * REC_LANES);
            }
            a += a_k;
            b += width;
        }
    REC_EACH(s, split - 1) REC_EACH(m, rows) REC_EACH(v, vectors) sum[0][m][v] += sum[s + 1][m][v];
    if (add) REC_EACH(m, rows) REC_EACH(v, vectors) sum[0][m][v] += *(rec_unaligned *)(c + m * c_m + v * REC_LANES);
    REC_EACH(m, rows) REC_EACH(v, vectors) *(rec_unaligned *)(c + m * c_m + v * REC_LANES) = sum[0][m][v];
}

typedef void rec_any_tile(
    long k, const REAL *a, long a_m, long a_k, const REAL *b, REAL *c, long c_m, int add, const REAL *next, long hop
);

/* `each` for all numbers of rows. */
#define REC_TALL_4(each, v) each(v, 1) each(v, 2) each(v, 3) each(v, 4)
#define REC_TALL_6(each, v) REC_TALL_4(each, v) each(v, 5) each(v, 6)
#define REC_TALL_8(each, v) REC_TALL_6(each, v) each(v, 7) each(v, 8)
#define REC_TALL_12(each, v) REC_TALL_8(each, v) each(v, 9) each(v, 10) each(v, 11) each(v, 12)
#if REC_ROWS <= 4
#define REC_TALL REC_TALL_4
#elif REC_ROWS <= 6
#define REC_TALL REC_TALL_6
#elif REC_ROWS <= 8
#define REC_TALL REC_TALL_8
#else
#define REC_TALL REC_TALL_12
#endif

/* Not inlined: constants of callers would take registers from the tile. */
#define REC_TILE(vectors, rows) \
    static REC_UNUSED __attribute__((noinline)) void rec_tile_##vectors##_##rows( \
        long k, const REAL *a, long a_m, long a_k, const REAL *b, REAL *c, long c_m, int add, \
        const REAL *next, long hop \
    ) { \
        rec_tile(vectors, rows, REC_SPLIT((vectors) * (rows)), k, a, a_m, a_k, b, c, c_m, add, next, hop); \
    }
#define REC_NAMED(vectors, rows) rec_tile_##vectors##_##rows,
#define REC_TILES(vectors) \
    REC_TALL(REC_TILE, vectors) \
    static rec_any_tile *const rec_tiles_##vectors[] = {REC_TALL(REC_NAMED, vectors)};
#if REC_NEEDED(1)
REC_TILES(1)
#define REC_TILES_1 rec_tiles_1
#else
#define REC_TILES_1 0
#endif
#if REC_NEEDED(2)
REC_TILES(2)
#define REC_TILES_2 rec_tiles_2
#else
#define REC_TILES_2 0
#endif
#if REC_NEEDED(3)
REC_TILES(3)
#define REC_TILES_3 rec_tiles_3
#else
#define REC_TILES_3 0
#endif
#if REC_NEEDED(4)
REC_TILES(4)
#define REC_TILES_4 rec_tiles_4
#else
#define REC_TILES_4 0
#endif

static rec_any_tile *const *const rec_tiles[] = {REC_TILES_1, REC_TILES_2, REC_TILES_3, REC_TILES_4};
#define REC_RUN_TILE(width, rows, ...) rec_tiles[(width) / REC_LANES - 1][(rows) - 1](__VA_ARGS__)

/* The columns of the last panel, of `n` columns or more: the fewest for which there is a tile. */
#define REC_PANEL(n) \
    (REC_NARROW(1) && (n) <= REC_LANES ? REC_LANES \
     : REC_NARROW(2) && (n) <= 2 * REC_LANES ? 2 * REC_LANES \
     : REC_NARROW(3) && (n) <= 3 * REC_LANES ? 3 * REC_LANES : REC_COLUMNS)
"""

_PORTABLE = r"""
/* Always four rows, with the first one in place of missing ones: a fixed number of sums stays in registers. */
static REC_UNUSED void rec_tile(
    long rows, long k, const REAL *a, long a_m, long a_k, const REAL *b, REAL *c, long c_m, int add,
    const REAL *next, long hop
) {
    const REAL *a_1 = rows > 1 ? a + a_m : a, *a_2 = rows > 2 ? a + 2 * a_m : a, *a_3 = rows > 3 ? a + 3 * a_m : a;
    REAL sum[REC_ROWS][REC_COLUMNS] = {{0}};
    for (long l = 0; l < k; l++, b += REC_COLUMNS, next += hop) {
        REC_PREFETCH(next);
        for (long n = 0; n < REC_COLUMNS; n++) {
            sum[0][n] += a[l * a_k] * b[n];
            sum[1][n] += a_1[l * a_k] * b[n];
            sum[2][n] += a_2[l * a_k] * b[n];
            sum[3][n] += a_3[l * a_k] * b[n];
        }
    }
    for (long m = 0; m < rows; m++)
        for (long n = 0; n < REC_COLUMNS; n++) c[m * c_m + n] = add ? c[m * c_m + n] + sum[m][n] : sum[m][n];
}
#define REC_RUN_TILE(width, rows, ...) rec_tile(rows, __VA_ARGS__)
#define REC_PANEL(n) REC_COLUMNS
#define REC_GRAIN REC_COLUMNS
#define REC_OPAQUE(x) (void)(x)
"""


def tiles_text(columns: Collection[int] | None) -> str:
    """The tiles for REAL; narrow ones as products with so many columns need them (None: all)."""
    return f"#if REC_VECTORS{_VECTORS}\n#else{_PORTABLE}#endif\n".replace("WHICH_ARE_NARROW\n", _narrow(columns))


def _narrow(columns: Collection[int] | None) -> str:
    """Which tiles are needed, narrower ones and the widest, for products with so many columns."""
    ends = " || ".join(f"REC_END({n}) == (vectors)" for n in sorted(columns or ()) if n)
    widest = max(columns or (0,))
    narrow, wide = ("1", "1") if columns is None else (ends or "0", f"{widest} > (REC_VECTORS - 1) * REC_LANES")
    return (
        f"#define REC_NARROW(vectors) ((vectors) < REC_VECTORS && ({narrow}))\n"
        f"#define REC_NEEDED(vectors) (REC_NARROW(vectors) || ((vectors) == REC_VECTORS && {wide}))\n"
    )
