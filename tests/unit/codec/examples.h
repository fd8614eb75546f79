#ifndef BR_TESTS_UNIT_CODEC_EXAMPLES_H
#define BR_TESTS_UNIT_CODEC_EXAMPLES_H

/// One example of every message, with the extreme values its fields may have. Each call fills the example afresh, so that a
/// test may change it, including what it points to.

#include "codec/rows.h"
#include "codec/stored.h"

const br_row *example_br_row(void);
const br_row_batch *example_br_row_batch(void);
const br_row_batch_reply *example_br_row_batch_reply(void);
const br_hint *example_br_hint(void);
const br_train_request *example_br_train_request(void);
const br_rollback_request *example_br_rollback_request(void);
const br_rank_request *example_br_rank_request(void);
const br_evaluate_request *example_br_evaluate_request(void);
const br_progress *example_br_progress(void);
const br_report *example_br_report(void);
const br_ready *example_br_ready(void);
const br_job_body *example_br_job_body(void);
const br_job *example_br_job(void);
const br_result *example_br_result(void);
const br_result_ack *example_br_result_ack(void);
const br_population_get *example_br_population_get(void);
const br_population_part *example_br_population_part(void);
const br_list *example_br_list(void);
const br_dead_job *example_br_dead_job(void);
const br_snapshot_event *example_br_snapshot_event(void);
const br_bond_quality *example_br_bond_quality(void);
const br_calibration_bins *example_br_calibration_bins(void);
const br_drift *example_br_drift(void);
const br_reject *example_br_reject(void);
const br_heartbeat *example_br_heartbeat(void);
const br_retry_request *example_br_retry_request(void);

#define EXAMPLE_CHUNKS 3
extern const br_hash example_chunks[EXAMPLE_CHUNKS];
extern const br_hash example_issuers;
/// A snapshot of two bond fields and two investor fields; the parts it points to are static, only its shapes matter.
br_snapshot *example_snapshot(void);

/// Every message by name: its example packed, and "unpack these bytes and pack what came out".
typedef struct codec_case {
    const char *name;
    br_status (*pack)(br_buf *out);
    br_status (*again)(br_arena *arena, const uint8_t *bytes, size_t n, br_buf *out);
} codec_case;

extern const codec_case codec_cases[];
extern const size_t n_codec_cases;

#endif
