#ifndef BR_INPUT_CTR_FILE_H
#define BR_INPUT_CTR_FILE_H

/// Encoded rows on disk, written once and read once per epoch, in order or shuffled, in memory that does not grow with them.
///
///     br_ctr_file_new(&file, "/var/tmp", n_fields);
///     while (br_ctr_reader_next(reader, &row) == BR_OK) {
///         br_ctr_vocabulary_encode(vocabulary, &row, codes);
///         br_ctr_file_append(file, codes, row.label);
///     }
///     for each epoch:
///         br_ctr_file_start(file, &(br_ctr_order){.batch_rows = 4096, .shuffled = true, .seed = seed, .epoch = epoch});
///         while ((status = br_ctr_file_next(file, 4096, &batch)) == BR_OK) { ... }       // BR_ERR_AGAIN at the end
///
/// The file has no name and goes with the process, however that ends: its form is nobody's business. On disk a row takes
/// 4 * n_fields + 1 bytes; in memory there are BR_CTR_WINDOW_ROWS + BR_CTR_BLOCK_ROWS + batch_rows rows and 4 bytes per block.
///
/// Choice: the rows of a window of BR_CTR_WINDOW_ROWS are shuffled among each other, and a window is made of blocks from all over the
/// file, so that rows that lie together, of one day perhaps, do not come together.

#include "base/status.h"

#define BR_CTR_BLOCK_ROWS     1024
#define BR_CTR_WINDOW_ROWS    (64 * BR_CTR_BLOCK_ROWS)
#define BR_CTR_MAX_BATCH_ROWS (1u << 20)

typedef struct br_ctr_order {
    uint32_t batch_rows; ///< most rows of a batch, 1 to BR_CTR_MAX_BATCH_ROWS
    bool shuffled;       ///< else as appended
    uint64_t seed;       ///< the order is a function of rows, batches, seed and epoch
    uint32_t epoch;
} br_ctr_order;

/// Borrowed: valid until the next call.
typedef struct br_ctr_batch {
    uint32_t n;            ///< as asked for, fewer only at the end
    const uint32_t *codes; ///< [n, n_fields]
    const uint8_t *labels; ///< [n] 0 or 1
} br_ctr_batch;

typedef struct br_ctr_file br_ctr_file;

/// In `directory`, which should not be a file system in memory. Errors: BR_ERR_IO, BR_ERR_NO_MEMORY.
br_status br_ctr_file_new(br_ctr_file **out, const char *directory, uint32_t n_fields) BR_MUST_CHECK;
/// Add a row, codes[n_fields]; not after br_ctr_file_start(). Errors: BR_ERR_FULL (disk), BR_ERR_IO, BR_ERR_LIMIT (2^42 rows).
br_status br_ctr_file_append(br_ctr_file *file, const uint32_t *codes, uint8_t label) BR_MUST_CHECK;
uint64_t br_ctr_file_n_rows(const br_ctr_file *file);
/// Begin an epoch, also before the last one's end. Errors: BR_ERR_NO_MEMORY.
br_status br_ctr_file_start(br_ctr_file *file, const br_ctr_order *order) BR_MUST_CHECK;
/// The next `n_rows`, 1 to batch_rows: every row once, then BR_ERR_AGAIN. Errors: BR_ERR_IO.
br_status br_ctr_file_next(br_ctr_file *file, uint32_t n_rows, br_ctr_batch *batch) BR_MUST_CHECK;
void br_ctr_file_free(br_ctr_file **file);

#endif
