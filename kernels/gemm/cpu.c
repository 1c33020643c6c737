// SPDX-License-Identifier: MIT
/*
 * The weight is packed at load time into panels of TILE_COLS columns, each
 * [k][TILE_COLS], the last padded with zeros: a tile reads its panel front to back.
 *
 * A task is one panel times one block of rows.  The block is as large as lets it
 * stay in the second-level cache beside the panel, while the panels pass by; the
 * weight itself is then read from the third level once per block.  Full tiles come
 * first: with few rows the first tile waits for memory, and the more it computes
 * meanwhile the better (9 rows as 8 + 1 are faster than as 5 + 4).
 */
#include "kernels/cpu.h"
#include "kernels/tile.h"

#define BLOCK_BYTES (256 * 1024)

static size_t panels(size_t n)
{
	return (n + TILE_COLS - 1) / TILE_COLS;
}

size_t ISA(aif_gemm_packed_floats)(size_t n, size_t k)
{
	return panels(n) * TILE_COLS * k;
}

void ISA(aif_gemm_pack)(float *packed, const float *w, size_t n, size_t k)
{
	for (size_t p = 0; p < panels(n); p++) {
		for (size_t l = 0; l < k; l++) {
			for (size_t c = 0; c < TILE_COLS; c++) {
				size_t j = p * TILE_COLS + c;

				*packed++ = j < n ? w[j * k + l] : 0;
			}
		}
	}
}

static size_t block_rows(size_t k)
{
	size_t rows = BLOCK_BYTES / (k * sizeof(float)) / TILE_ROWS * TILE_ROWS;

	return rows ? rows : TILE_ROWS;
}

/* What happens to a finished tile on its way out. */
static void finish(const struct aif_host_gemm *op, const float *sums, size_t row, size_t rows,
		   size_t col, size_t cols)
{
	for (size_t r = 0; r < rows; r++) {
		size_t at = (row + r) * op->n + col;

		for (size_t c = 0; c < cols; c += VL) {
			vf v = vload(sums + r * TILE_COLS + c);

			if (op->bias)
				v += vload_n(op->bias + col + c, cols - c);
			if (op->act == AIF_ACT_GELU)
				v = vgelu(v);
			if (op->residual)
				v += vload_n(op->residual + at + c, cols - c);
			vstore_n(op->out + at + c, v, cols - c);
		}
	}
}

static void multiply_block(const void *arg, size_t task, void *scratch)
{
	const struct aif_host_gemm *op = arg;
	size_t panel = task % panels(op->n), block = block_rows(op->k);
	size_t row = task / panels(op->n) * block, col = panel * TILE_COLS;
	size_t end = row + block < op->m ? row + block : op->m;
	size_t cols = op->n - col < TILE_COLS ? op->n - col : TILE_COLS;
	const float *w = op->packed + col * op->k;

	for (; row < end; row += TILE_ROWS) {
		size_t rows = end - row < TILE_ROWS ? end - row : TILE_ROWS;
		float sums[TILE_ROWS * TILE_COLS] __attribute__((aligned(64)));

		tile(rows, TILE_VECS, op->x + row * op->k, op->k, w, TILE_COLS, op->k,
		     sums, TILE_COLS);
		finish(op, sums, row, rows, col, cols);
	}
}

void ISA(aif_gemm)(struct aif_team *team, const struct aif_host_gemm *op)
{
	size_t block = block_rows(op->k);

	team->run(team, (op->m + block - 1) / block * panels(op->n), multiply_block, op);
}
