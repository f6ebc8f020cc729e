"""Matrix products in C: helpers of generated files, for float or double.

    long rec_packed_size(long k, long n);
    void rec_pack(long k, long n, const real *b, long b_k, long b_n, real *packed);
    void rec_multiply(long m, long n, long k, const real *a, long a_m, const real *packed,
                      real *c, long c_m, int add, long first, long last);
    long rec_product_work_size(long m, long n, long k);
    void rec_product(long m, long n, long k, const real *a, long a_m, long a_k, const real *b, long b_k, long b_n,
                     real *c, long c_m, int add, real *work, long whole);

Both products write `a b` to `c`, or add it. `rec_multiply` takes `b` packed by `rec_pack`: the weights of a recurrent
step, packed once and used at every step; it computes the columns of the panels `first`, ..., `last - 1`, of which there
are `REC_CEIL_DIV(n, REC_COLUMNS)`; the last one may be narrower (`REC_PANEL`). `rec_product` takes any strides. It may
compute some rows or columns of a product with `whole` columns: a part needs no more workspace than the whole. `packed`
and `work` begin on a line of 64 bytes. Nothing is read or written beyond the m x k, k x n and m x n elements, even
between rows that are apart.

How it works: a tile of `c`, REC_ROWS x REC_COLUMNS, stays in registers while k runs. `sizes` has its size, and the
sizes of blocks and of what is packed. A file has narrower tiles as well, of whole vectors, where its last panels need
them. If the compiler has no vectors, or with -DREC_PORTABLE, the tile is plain C99.
"""

from __future__ import annotations

from collections.abc import Collection

from .sizes import SIZES, products_text

_PREFETCH = r"""
#if defined(__GNUC__)
#define REC_PREFETCH(x) __builtin_prefetch(x)
#else
#define REC_PREFETCH(x) (void)(x)
#endif
"""

_VECTORS = r"""
#define REC_LANES (REC_WIDTH / SIZE)

/* The vectors in a row of the last panel of `n` columns; whether the products here have panels with so many. */
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

/* Not inlined: constants of callers would take registers from the tile. */
#define REC_TILE(vectors, rows) \
    static REC_UNUSED __attribute__((noinline)) void rec_tile_##vectors##_##rows( \
        long k, const REAL *a, long a_m, long a_k, const REAL *b, REAL *c, long c_m, int add, \
        const REAL *next, long hop \
    ) { \
        rec_tile(vectors, rows, REC_SPLIT((vectors) * (rows)), k, a, a_m, a_k, b, c, c_m, add, next, hop); \
    }
#define REC_TILES(vectors) \
    REC_TILE(vectors, 1) \
    REC_TILE(vectors, 2) \
    REC_TILE(vectors, 3) \
    REC_TILE(vectors, 4) \
    REC_TILE(vectors, 5) \
    REC_TILE(vectors, 6) \
    static rec_any_tile *const rec_tiles_##vectors[] = { \
        rec_tile_##vectors##_1, rec_tile_##vectors##_2, rec_tile_##vectors##_3, \
        rec_tile_##vectors##_4, rec_tile_##vectors##_5, rec_tile_##vectors##_6, \
    };
#if REC_VECTORS == 1 || REC_NARROW(1)
REC_TILES(1)
#define REC_TILES_1 rec_tiles_1
#else
#define REC_TILES_1 0
#endif
#if REC_VECTORS == 2 || REC_NARROW(2)
REC_TILES(2)
#define REC_TILES_2 rec_tiles_2
#else
#define REC_TILES_2 0
#endif
#if REC_VECTORS == 3 || REC_NARROW(3)
REC_TILES(3)
#define REC_TILES_3 rec_tiles_3
#else
#define REC_TILES_3 0
#endif
#if REC_VECTORS == 4
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
"""

_BLOCKS = r"""
static REC_UNUSED void rec_copy(REAL *restrict to, const REAL *restrict from, long n) {
    for (long i = 0; i < n; i++) to[i] = from[i];
}

/* Through a square in the first cache, because columns far apart may compete for the same lines of it. */
static REC_UNUSED void rec_pack_square(const REAL *restrict b, long b_n, REAL *restrict packed) {
    REAL square[REC_COLUMNS][REC_COLUMNS];
    for (long j = 0; j < REC_COLUMNS; j++) rec_copy(square[j], b + j * b_n, REC_COLUMNS);
    for (long i = 0; i < REC_COLUMNS; i++)
        for (long j = 0; j < REC_COLUMNS; j++) packed[i * REC_COLUMNS + j] = square[j][i];
}

static REC_UNUSED void rec_pack_block(long k, long n, const REAL *b, long b_k, long b_n, REAL *packed) {
    const long width = REC_PANEL(n);
    if (b_n == 1 && n == REC_COLUMNS)
        for (long i = 0; i < k; i++) rec_copy(packed + i * REC_COLUMNS, b + i * b_k, REC_COLUMNS);
    else if (b_k == 1 && n == REC_COLUMNS && k == REC_COLUMNS)
        rec_pack_square(b, b_n, packed);
    else
        for (long i = 0; i < k; i++, b += b_k, packed += width) {
            for (long j = n; j < width; j++) packed[j] = 0;
            if (b_n == 1)
                rec_copy(packed, b, n);
            else
                for (long j = 0; j < n; j++) packed[j] = b[j * b_n];
        }
}

static REC_UNUSED void rec_pack(long k, long n, const REAL *b, long b_k, long b_n, REAL *packed) {
    const long step = b_n == 1 ? REC_COLUMNS : k; /* along the lines of `b` */
    for (long from = 0; from < k; from += step)
        for (long j = 0; j < n; j += REC_COLUMNS)
            for (long i = from; i < k && i < from + step; i += REC_COLUMNS)
                rec_pack_block(
                    REC_MIN(REC_COLUMNS, k - i), REC_MIN(REC_COLUMNS, n - j), b + i * b_k + j * b_n, b_k, b_n,
                    packed + j * k + i * REC_PANEL(n - j)
                );
}

/* Packs rows in strips of at most REC_ROWS, as even as possible; each strip is k x REC_STRIP. */
static REC_UNUSED void rec_pack_rows(long m, long k, const REAL *a, long a_m, long a_k, REAL *packed) {
    const long strips = REC_CEIL_DIV(m, REC_ROWS);
    for (long i = 0; i < k; i += 8)
        for (long strip = 0, row = 0; strip < strips; strip++) {
            const long rows = m / strips + (strip < m % strips), end = REC_MIN(k, i + 8);
            const REAL *from = a + row * a_m + i * a_k;
            REAL *to = packed + (strip * k + i) * REC_STRIP;
            if (a_m == 1 && row + REC_STRIP <= m)
                for (long j = i; j < end; j++, from += a_k, to += REC_STRIP) {
                    REC_PREFETCH(from + 2 * REC_LINE);
                    rec_copy(to, from, REC_STRIP);
                }
            else
                for (long j = i; j < end; j++, from += a_k, to += REC_STRIP)
                    for (long r = 0; r < rows; r++) to[r] = from[r * a_m];
            row += rows;
        }
}

static REC_UNUSED void rec_put_edge(long m, long n, const REAL *edge, long width, REAL *c, long c_m, int add) {
    for (long i = 0; i < m; i++, c += c_m, edge += width) {
        if (add)
            for (long j = 0; j < n; j++) c[j] += edge[j];
        else
            for (long j = 0; j < n; j++) c[j] = edge[j];
    }
}

/* A block of `a`, packed by rec_pack_rows if a_k == 0, times the rows of `b` from `l` on; it has `all` rows. */
static REC_UNUSED void rec_multiply_block(
    long m, long n, long k, const REAL *a, long a_m, long a_k, const REAL *b, long l, long all, REAL *c, long c_m,
    int add, long first, long last
) {
    const long panel = all * REC_COLUMNS;
    const long strips = REC_CEIL_DIV(m, REC_ROWS), even = m / strips, odd = m % strips;
    const long row = a_k ? a_m : 1, step = a_k ? a_k : REC_STRIP, hop = (REC_COLUMNS + strips - 1) / strips;
    for (long p = first; p < last; p++) {
        const long columns = REC_MIN(REC_COLUMNS, n - p * REC_COLUMNS), width = REC_PANEL(columns);
        const REAL *from = a, *own = b + p * panel + l * width;
        const REAL *next = a_k && p + 1 < last ? b + (p + 1) * panel + l * REC_PANEL(n - (p + 1) * REC_COLUMNS) : own;
        REAL *to = c + p * REC_COLUMNS;
        for (long strip = 0; strip < strips; strip++, next += hop * k) {
            const long rows = even + (strip < odd);
            if (columns == width)
                REC_RUN_TILE(width, rows, k, from, row, step, own, to, c_m, add, next, hop);
            else {
                REAL edge[REC_ROWS * REC_COLUMNS];
                REC_RUN_TILE(width, rows, k, from, row, step, own, edge, width, 0, next, hop);
                rec_put_edge(rows, columns, edge, width, to, c_m, add);
            }
            from += a_k ? rows * a_m : k * REC_STRIP;
            to += rows * c_m;
        }
    }
}

/* Packs rows if there is space for them. */
static REC_UNUSED void rec_multiply_blocks(
    long m, long n, long k, const REAL *a, long a_m, long a_k, const REAL *packed, REAL *c, long c_m, int add,
    long first, long last, REAL *space
) {
    const long steps = m > REC_ROWS ? rec_block_depth(k) : k, height = space ? REC_PACKED_M : REC_M;
    for (long i = 0; i < m; i += height) {
        const long rows = REC_MIN(height, m - i);
        long l = 0;
        do {
            const long depth = REC_MIN(steps, k - l);
            const REAL *block = a + i * a_m + l * a_k;
            if (space) rec_pack_rows(rows, depth, block, a_m, a_k, space);
            rec_multiply_block(
                rows, n, depth, space ? space : block, a_m, space ? 0 : a_k, packed, l, k, c + i * c_m, c_m, add || l,
                first, last
            );
        } while ((l += steps) < k);
    }
}

static REC_UNUSED void rec_multiply(
    long m, long n, long k, const REAL *a, long a_m, const REAL *packed,
    REAL *c, long c_m, int add, long first, long last
) {
    rec_multiply_blocks(m, n, k, a, a_m, 1, packed, c, c_m, add, first, last, 0);
}

static REC_UNUSED void rec_product(
    long m, long n, long k, const REAL *a, long a_m, long a_k, const REAL *b, long b_k, long b_n,
    REAL *c, long c_m, int add, REAL *work, long whole
) {
    const long depth = a_k == 1 ? rec_packed_depth(whole, k) : rec_block_depth(k);
    REAL *const packed = work + rec_packed_rows_size(m, depth);
    for (long j = 0; j < n; j += REC_N) {
        const long columns = REC_MIN(REC_N, n - j);
        long l = 0;
        do {
            const long steps = REC_MIN(depth, k - l);
            rec_pack(steps, columns, b + l * b_k + j * b_n, b_k, b_n, packed);
            rec_multiply_blocks(
                m, columns, steps, a + l * a_k, a_m, a_k, packed, c + j, c_m, add || l,
                0, REC_CEIL_DIV(columns, REC_COLUMNS), a_k == 1 ? 0 : work
            );
        } while ((l += depth) < k);
    }
}
"""


def gemm_text(real: str, columns: Collection[int] | None = None) -> str:
    """The functions above for `float` or `double`; they need `text.common`.

    There are narrow tiles for products with so many `columns`; None: for all.
    """
    size = SIZES[real]
    tiles = f"#if REC_VECTORS{_VECTORS}\n#else{_PORTABLE}#endif\n".replace("WHICH_ARE_NARROW\n", _narrow(columns))
    text: str = _PREFETCH + products_text(size) + tiles + _BLOCKS
    return text.replace("REAL", real).replace("SIZE", str(size))


def _narrow(columns: Collection[int] | None) -> str:
    """Which tiles narrower than the widest are needed for the last panels of products with so many columns."""
    ends = " || ".join(f"REC_END({n}) == (vectors)" for n in sorted(columns or ()) if n)
    return f"#define REC_NARROW(vectors) ((vectors) < REC_VECTORS && ({'1' if columns is None else ends or '0'}))\n"
