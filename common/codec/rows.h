#ifndef BR_CODEC_ROWS_H
#define BR_CODEC_ROWS_H

#include "codec/codec.h"

#define BR_MAX_BATCH_ROWS 1000

typedef struct br_row_batch {
    br_row *rows; ///< [n_rows]
    uint32_t n_rows;
    const char *source;
} br_row_batch;

typedef enum br_row_outcome { BR_OUTCOME_ACCEPTED = 1, BR_OUTCOME_DUPLICATE, BR_OUTCOME_REJECTED } br_row_outcome;

typedef struct br_row_result {
    br_row_outcome outcome;
    const char *column;
    const char *reason;
} br_row_result;

typedef struct br_row_batch_reply {
    br_row_result *results; ///< [n_results]
    uint32_t n_results;
    uint64_t head;
} br_row_batch_reply;

br_status br_row_pack(const br_row *row, br_buf *out) BR_MUST_CHECK;
br_status br_row_unpack(br_row *out, br_arena *arena, const uint8_t *bytes, size_t n) BR_MUST_CHECK;
br_status br_row_batch_pack(const br_row_batch *batch, br_buf *out) BR_MUST_CHECK;
br_status br_row_batch_unpack(br_row_batch *out, br_arena *arena, const uint8_t *bytes, size_t n) BR_MUST_CHECK;
br_status br_row_batch_reply_pack(const br_row_batch_reply *reply, br_buf *out) BR_MUST_CHECK;
br_status br_row_batch_reply_unpack(br_row_batch_reply *out, br_arena *arena, const uint8_t *bytes,
                                    size_t n) BR_MUST_CHECK;

#endif
