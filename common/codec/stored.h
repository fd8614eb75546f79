#ifndef BR_CODEC_STORED_H
#define BR_CODEC_STORED_H

#include "codec/control.h"
#include "codec/work.h"
#include "market/row.h"
#include "metrics/metrics.h"
#include "model/snapshot.h"

#define BR_MAX_STORED_BYTES ((size_t)1 << 20) ///< of one list, dead job, event, figure or reject

typedef struct br_list_entry {
    const char *investor_id;
    uint32_t investor; ///< row of the population
    float logit;
    double probability;
} br_list_entry;

/// One bond's recommendation as it was made.
typedef struct br_list {
    const char *bond_id;
    br_day as_of;
    const char *version;
    uint64_t ledger_head;
    br_list_entry *entries; ///< [n_entries] best first
    uint32_t n_entries;
    bool has_job;
    br_hash job_id;
    uint32_t n_eligible;
    br_hash population;
    bool backtest; ///< not made when the day before as_of was the last closed one: nobody could have called by it
} br_list;

typedef struct br_dead_job {
    br_hash job_id;
    const char *reason;
    uint32_t attempts;
} br_dead_job;

typedef enum br_snapshot_event_kind {
    BR_SNAPSHOT_PUBLISHED = 1,
    BR_SNAPSHOT_REFUSED,
    BR_SNAPSHOT_ROLLED_BACK
} br_snapshot_event_kind;
typedef struct br_snapshot_event {
    br_snapshot_event_kind kind;
    const char *version;
    const char *reason;
    double wall_s;
    const char *parent; ///< of that version; "" or NULL = from scratch
} br_snapshot_event;

typedef struct br_bond_quality {
    const char *bond_id;
    br_day issue_day;
    br_day as_of;
    const char *version;
    uint32_t n_listed;
    uint32_t hits;
    uint32_t bidders;
    uint32_t bidders_outside;
    bool provisional;
    bool unranked;
    uint32_t hits_activity;
    uint32_t n_top; ///< hits are counted among so many, 1 to BR_MAX_JOB_INVESTORS; figures at another one are others
} br_bond_quality;

/// How right the probabilities of a snapshot were on its test range.
typedef struct br_calibration_bins {
    const char *version;
    br_reliability_bin *bins; ///< [n_bins] rising
    uint32_t n_bins;          ///< at most BR_MAX_CALIBRATION_BINS
} br_calibration_bins;
#define BR_MAX_CALIBRATION_BINS 256

/// How far the newest bonds and their investors have moved from what a snapshot was trained on.
typedef struct br_field_drift {
    const char *field; ///< its name in the snapshot's encoder
    double psi;
    double by_chance; ///< what to expect if nothing has moved
} br_field_drift;
typedef struct br_drift {
    const char *version;
    br_day from; ///< the newest bonds: issued in [from, until)
    br_day until;
    uint32_t n_bonds;
    br_field_drift *fields; ///< [n_fields] in the encoder's order
    uint32_t n_fields;
    double scores; ///< PSI of the logits
} br_drift;

/// A row that the ingester did not take.
typedef struct br_reject {
    double wall_s;
    const char *source; ///< as the client called its input
    br_row_kind kind;
    const char *id; ///< the row's own, or those it is about
    const char *column;
    const char *reason;
} br_reject;

BR_CODEC_PAIR(br_calibration_bins);
BR_CODEC_PAIR(br_drift);
BR_CODEC_PAIR(br_reject);
BR_CODEC_PAIR(br_list);
BR_CODEC_PAIR(br_dead_job);
BR_CODEC_PAIR(br_snapshot_event);
BR_CODEC_PAIR(br_bond_quality);

/// The value "table.issuers" of a snapshot. *out is owned by the caller: br_issuer_table_free(). Errors of unpack: BR_ERR_INVALID (an id twice, a
/// factor that is not finite), BR_ERR_LIMIT, BR_ERR_NO_MEMORY.
br_status br_issuer_table_pack(const br_issuer_table *table, br_buf *out) BR_MUST_CHECK;
br_status br_issuer_table_unpack(br_issuer_table **out, const uint8_t *bytes, size_t n) BR_MUST_CHECK;

/// The small parts of a snapshot and the hashes of the large ones (at most 64). Unpack makes a snapshot with encoder, a model of the right shape
/// with zero parameters, a record with zero tables and a zero mean bond; the store fills in these, the schema and the issuers. Every number that
/// decides how much is allocated is checked first (at most 64 Mi parameters and 32 Mi record cells).
/// n_chunks: as many as the reader expects; issuers: hash of their table, all zero where there is none. *out is owned by the caller: br_snapshot_free().
/// Errors of unpack: BR_ERR_INVALID, BR_ERR_LIMIT, BR_ERR_NO_MEMORY; BR_ERR_VERSION for another format.
br_status br_manifest_pack(const br_snapshot *snapshot, const br_hash *chunk_hashes, uint32_t n_chunks,
                           const br_hash *issuers, br_buf *out) BR_MUST_CHECK;
br_status br_manifest_unpack(br_snapshot **out, br_hash *chunk_hashes, uint32_t n_chunks, br_hash *issuers,
                             const uint8_t *bytes, size_t n) BR_MUST_CHECK;

#endif
