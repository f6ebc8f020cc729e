"""Matrix products in C: helpers of generated files, for float or double.

    long rec_packed_size(long k, long n);
    void rec_pack(long k, long n, const real *b, long b_k, long b_n, real *packed);
    void rec_multiply(long m, long n, long k, const real *a, long a_m, const real *packed,
                      real *c, long c_m, int add, long first, long last, int back);
    long rec_product_work_size(long m, long n, long k);
    void rec_product(long m, long n, long k, const real *a, long a_m, long a_k, const real *b, long b_k, long b_n,
                     real *c, long c_m, int add, real *work, long whole);
    long rec_products_work_size(long m, long n, long k);
    void rec_products(long m, long k, const real *a, long a_m, long a_k, const struct rec_side *sides, long number,
                      real *work);

Products write `a b` to `c`, or add it. `rec_multiply` takes `b` packed by `rec_pack`: the weights of a recurrent step,
packed once and used at every step; it computes the columns of the panels `first`, ..., `last - 1`, of which there are
`REC_CEIL_DIV(n, REC_COLUMNS)`; the last one may be narrower (`REC_PANEL`). With `back` it begins with the last panel:
where successive products with one matrix alternate, each begins with what is still in a cache. `rec_product` takes any
strides. It may compute some rows or columns of a product with `whole` columns: a part needs no more workspace than the
whole. `rec_products` multiplies several matrices with one `a`, whose rows it packs once. `packed` and `work` begin on a
line of 64 bytes. Nothing is read or written beyond the m x k, k x n and m x n elements, even between rows that are
apart.

How it works: a tile of `c`, REC_ROWS x REC_COLUMNS, stays in registers while k runs. `sizes` has its size, and the
sizes of blocks and of what is packed. A file has narrower tiles as well, of whole vectors, where its last panels need
them. If the compiler has no vectors, or with -DREC_PORTABLE, the tile is plain C99.
"""

from __future__ import annotations

from collections.abc import Collection

from .sizes import SIZES, products_text
from .tiles import PREFETCH, tiles_text

_BLOCKS = r"""
static REC_UNUSED void rec_copy(REAL *restrict to, const REAL *restrict from, long n) {
    for (long i = 0; i < n; i++) to[i] = from[i];
}

/* The same for few elements: gcc makes a call of a loop of unknown length, which takes longer. */
static REC_UNUSED void rec_copy_few(REAL *restrict to, const REAL *restrict from, long n) {
    for (; n >= 8; n -= 8, to += 8, from += 8) {
        memcpy(to, from, 8 * sizeof(REAL));
        REC_OPAQUE(to);
    }
    if (n & 4) memcpy(to, from, 4 * sizeof(REAL));
    if (n & 2) memcpy(to + (n & 4), from + (n & 4), 2 * sizeof(REAL));
    if (n & 1) to[n & 6] = from[n & 6];
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
            for (long j = n - n % REC_GRAIN; j < width; j += REC_GRAIN) memset(packed + j, 0, REC_GRAIN * sizeof(REAL));
            if (b_n == 1)
                rec_copy_few(packed, b, n);
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
            rec_copy_few(c, edge, n);
    }
}

/* A block of `a`, packed by rec_pack_rows if a_k == 0, times the rows of `b` from `l` on; it has `all` rows. */
static REC_UNUSED void rec_multiply_block(
    long m, long n, long k, const REAL *a, long a_m, long a_k, const REAL *b, long l, long all, REAL *c, long c_m,
    int add, long first, long last, int back
) {
    const long panel = all * REC_COLUMNS;
    const long strips = REC_CEIL_DIV(m, REC_ROWS), even = m / strips, odd = m % strips;
    const long row = a_k ? a_m : 1, step = a_k ? a_k : REC_STRIP, hop = (REC_COLUMNS + strips - 1) / strips;
    for (long turn = first; turn < last; turn++) {
        const long p = back ? last - 1 - (turn - first) : turn, after = back ? p - 1 : p + 1;
        const long columns = REC_MIN(REC_COLUMNS, n - p * REC_COLUMNS), width = REC_PANEL(columns);
        const REAL *from = a, *own = b + p * panel + l * width;
        const int more = a_k && turn + 1 < last;
        const REAL *next = more ? b + after * panel + l * REC_PANEL(n - after * REC_COLUMNS) : own;
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
    long first, long last, int back, REAL *space
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
                first, last, back
            );
        } while ((l += steps) < k);
    }
}

static REC_UNUSED void rec_multiply(
    long m, long n, long k, const REAL *a, long a_m, const REAL *packed,
    REAL *c, long c_m, int add, long first, long last, int back
) {
    rec_multiply_blocks(m, n, k, a, a_m, 1, packed, c, c_m, add, first, last, back, 0);
}

/* A product with one column, of columns of `a` that are contiguous. */
static REC_UNUSED void rec_product_column(
    long m, long k, const REAL *restrict a, long a_k, const REAL *restrict b, long b_k, REAL *restrict c, int add
) {
    if (!add)
        for (long i = 0; i < m; i++) c[i] = 0;
    for (; k >= 4; k -= 4, a += 4 * a_k, b += 4 * b_k) {
        const REAL *a_1 = a + a_k, *a_2 = a_1 + a_k, *a_3 = a_2 + a_k;
        const REAL x = b[0], x_1 = b[b_k], x_2 = b[2 * b_k], x_3 = b[3 * b_k];
        REC_INDEPENDENT
        for (long i = 0; i < m; i++) c[i] += a[i] * x + a_1[i] * x_1 + (a_2[i] * x_2 + a_3[i] * x_3);
    }
    for (; k > 0; k--, a += a_k, b += b_k)
        for (long i = 0; i < m; i++) c[i] += a[i] * *b;
}

static REC_UNUSED void rec_product(
    long m, long n, long k, const REAL *a, long a_m, long a_k, const REAL *b, long b_k, long b_n,
    REAL *c, long c_m, int add, REAL *work, long whole
) {
    if (n == 1 && a_m == 1 && c_m == 1 && m <= REC_N) {
        rec_product_column(m, k, a, a_k, b, b_k, c, add);
        return;
    }
    const long depth = a_k == 1 ? rec_packed_depth(whole, k) : rec_block_depth(k);
    const int near = n <= REC_COLUMNS && REC_MAX(m * a_m, k * a_k) <= REC_UNPACKED;
    REAL *const packed = work + rec_packed_rows_size(m, depth);
    for (long j = 0; j < n; j += REC_N) {
        const long columns = REC_MIN(REC_N, n - j);
        long l = 0;
        do {
            const long steps = REC_MIN(depth, k - l);
            rec_pack(steps, columns, b + l * b_k + j * b_n, b_k, b_n, packed);
            rec_multiply_blocks(
                m, columns, steps, a + l * a_k, a_m, a_k, packed, c + j, c_m, add || l,
                0, REC_CEIL_DIV(columns, REC_COLUMNS), 0, a_k == 1 || near ? 0 : work
            );
        } while ((l += depth) < k);
    }
}

static REC_UNUSED void rec_products(
    long m, long k, const REAL *a, long a_m, long a_k, const struct rec_side *sides, long number, REAL *work
) {
    const long depth = rec_block_depth(k);
    int near = a_k != 1 && REC_MAX(m * a_m, k * a_k) <= REC_UNPACKED;
    for (long s = 0; s < number; s++) near &= sides[s].n <= REC_COLUMNS;
    if (near) {
        for (const struct rec_side *s = sides; s < sides + number; s++)
            rec_product(m, s->n, k, a, a_m, a_k, s->b, s->b_k, s->b_n, s->c, s->c_m, 0, work, s->n);
        return;
    }
    long l = 0;
    do {
        const long steps = REC_MIN(depth, k - l);
        REAL *packed = work + rec_packed_rows_size(m, depth);
        for (long s = 0; s < number; packed += rec_packed_size(steps, sides[s++].n))
            rec_pack(steps, sides[s].n, sides[s].b + l * sides[s].b_k, sides[s].b_k, sides[s].b_n, packed);
        for (long i = 0; i < m; i += REC_PACKED_M) {
            const long rows = REC_MIN(REC_PACKED_M, m - i);
            rec_pack_rows(rows, steps, a + i * a_m + l * a_k, a_m, a_k, work);
            packed = work + rec_packed_rows_size(m, depth);
            for (long s = 0; s < number; packed += rec_packed_size(steps, sides[s++].n))
                rec_multiply_block(
                    rows, sides[s].n, steps, work, 1, 0, packed, 0, steps, sides[s].c + i * sides[s].c_m, sides[s].c_m,
                    l > 0, 0, REC_CEIL_DIV(sides[s].n, REC_COLUMNS), 0
                );
        }
    } while ((l += depth) < k);
}
"""


def gemm_text(real: str, columns: Collection[int] | None = None) -> str:
    """The functions above for `float` or `double`; they need `text.common`.

    There are narrow tiles for products with so many `columns`; None: for all.
    """
    size = SIZES[real]
    text: str = PREFETCH + products_text(size) + tiles_text(columns) + _BLOCKS
    return text.replace("REAL", real).replace("SIZE", str(size))
