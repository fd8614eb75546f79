#ifndef BR_CODEC_CONTROL_H
#define BR_CODEC_CONTROL_H

#include "base/hash.h"
#include "codec/codec.h"

typedef enum br_hint_kind {
    BR_HINT_LEDGER_HEAD = 1,
    BR_HINT_SNAPSHOT,
    BR_HINT_RECOMMENDATIONS,
    BR_HINT_METRICS
} br_hint_kind;
typedef struct br_hint {
    br_hint_kind kind;
    uint64_t number;
    const char *version;
} br_hint;

typedef enum br_train_mode { BR_TRAIN_STATIC = 1, BR_TRAIN_BEFORE, BR_TRAIN_DAILY, BR_TRAIN_WARM } br_train_mode;
typedef struct br_train_request {
    br_train_mode mode;
    br_day before_day; ///< DAILY and WARM: BR_DAY_NONE = the day behind the business day
    uint64_t seed;
    uint32_t max_epochs;
    bool force;
} br_train_request;

typedef struct br_rollback_request {
    const char *version; ///< "" = the one served before
} br_rollback_request;

typedef enum br_scope { BR_SCOPE_UPCOMING = 1, BR_SCOPE_TEST_RANGE, BR_SCOPE_BONDS, BR_SCOPE_CLOSED } br_scope;
typedef struct br_rank_request {
    br_scope scope;        ///< UPCOMING, TEST_RANGE or BONDS
    const char **bond_ids; ///< [n_bond_ids]
    uint32_t n_bond_ids;
    bool explain;
} br_rank_request;

typedef struct br_retry_request {
    bool all; ///< else the one of job_id
    br_hash job_id;
} br_retry_request;

typedef struct br_evaluate_request {
    br_scope scope; ///< CLOSED, TEST_RANGE or BONDS
    const char **bond_ids;
    uint32_t n_bond_ids;
} br_evaluate_request;

typedef struct br_progress {
    const char *stage;
    uint64_t done;
    uint64_t total;
    double rate;
    const char *text;
} br_progress;

typedef struct br_figure {
    const char *name;
    double number;
    const char *text; ///< used instead of number when not ""
} br_figure;

typedef struct br_report {
    bool ok;
    const char *reason;
    br_figure *figures; ///< [n_figures]
    uint32_t n_figures;
} br_report;

#define BR_CODEC_PAIR(name)                                                                                            \
    br_status name##_pack(const name *message, br_buf *out) BR_MUST_CHECK;                                             \
    br_status name##_unpack(name *out, br_arena *arena, const uint8_t *bytes, size_t n) BR_MUST_CHECK

BR_CODEC_PAIR(br_hint);
BR_CODEC_PAIR(br_train_request);
BR_CODEC_PAIR(br_rollback_request);
BR_CODEC_PAIR(br_rank_request);
BR_CODEC_PAIR(br_retry_request);
BR_CODEC_PAIR(br_evaluate_request);
BR_CODEC_PAIR(br_progress);
BR_CODEC_PAIR(br_report);

#endif
