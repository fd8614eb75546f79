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
    uint64_t record; ///< of the ledger: the new one, or the known one of a duplicate; 0 of a rejected row
    bool conflict;   ///< rejected because its key is known with other content
} br_row_result;

typedef struct br_row_batch_reply {
    br_row_result *results; ///< [n_results]
    uint32_t n_results;
    uint64_t head;
} br_row_batch_reply;

br_status br_row_pack(const br_row *row, br_buf *out) BR_MUST_CHECK;
br_status br_row_unpack(br_row *out, br_arena *arena, const uint8_t *bytes, size_t n) BR_MUST_CHECK;
/// The chain of a note: BLAKE2b-256 of the former note's chain (zeros before the first) and of the packed row without its own. What stands in
/// note->chain is not read. `scratch` is overwritten. So each chain speaks for all notes before it: none can be changed, taken away or put
/// in between without changing all that follow.
br_status br_note_chain(br_hash *out, const br_hash *former, const br_row *row, br_buf *scratch) BR_MUST_CHECK;
br_status br_row_batch_pack(const br_row_batch *batch, br_buf *out) BR_MUST_CHECK;
br_status br_row_batch_unpack(br_row_batch *out, br_arena *arena, const uint8_t *bytes, size_t n) BR_MUST_CHECK;
br_status br_row_batch_reply_pack(const br_row_batch_reply *reply, br_buf *out) BR_MUST_CHECK;
br_status br_row_batch_reply_unpack(br_row_batch_reply *out, br_arena *arena, const uint8_t *bytes,
                                    size_t n) BR_MUST_CHECK;

#endif
