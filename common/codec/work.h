#ifndef BR_CODEC_WORK_H
#define BR_CODEC_WORK_H

#include "codec/codec.h"
#include "codec/control.h"
#include "explain/explain.h"
#include "model/snapshot.h"

#define BR_MAX_CREDIT 16
#define BR_MAX_HELD_JOBS                                                                                               \
    (BR_MAX_CREDIT + 1) ///< by an explainer: its credit, and what it works when it says READY again
#define BR_MAX_JOB_INVESTORS 1000
#define BR_ENGINE_VERSION    6u ///< raised whenever the same job may give other bytes
#define BR_MAX_LEASE_MS      600000u
#define BR_NO_FIELD          UINT32_MAX
#define BR_OWN_ISSUER        UINT32_MAX
#define BR_MAX_PAST_ISSUERS  256 ///< of an investor in a job
#define BR_MAX_PAST_BIDS     8   ///< of an investor in a result

typedef struct br_ready {
    const char *name;
    uint32_t credit;
    uint32_t engine;
    const char **versions; ///< [n_versions]
    uint32_t n_versions;
} br_ready;

/// An investor's bids by issuer, known before the job's day on bonds issued before it.
typedef struct br_past {
    const uint32_t *issuers; ///< [n] rising numbers in the snapshot's table of issuers; BR_OWN_ISSUER: the bond's own
    const uint32_t *bids;    ///< [n] at least 1
    const uint32_t *days;    ///< [n] from the last of them to the job's day; at least 1
    uint32_t n;              ///< at most BR_MAX_PAST_ISSUERS
} br_past;

typedef struct br_job_body {
    const char *version;
    br_day as_of;
    br_bytes bond_codes;
    br_hash population;
    const float *scores;     ///< [n_population]
    const uint8_t *eligible; ///< [n_population]
    uint32_t n_population;
    const uint32_t *investors; ///< [n_investors]
    uint32_t n_investors;
    br_objective objective;
    uint32_t n_reasons;
    uint32_t engine;
    bool certify;
    const uint32_t *banned; ///< [n_banned]
    uint32_t n_banned;
    const uint32_t *apart; ///< [n_apart, 2]
    uint32_t n_apart;
    uint32_t max_evaluations;
    bool has_after;
    br_hash after;       ///< job whose reasons it begins with
    const char *issuer;  ///< id of the bond's issuer; "" or NULL = nothing is said of past bids
    const br_past *past; ///< [n_investors]; NULL: nobody has any
} br_job_body;

typedef struct br_job {
    br_hash job_id;
    br_job_body body;
    uint32_t attempt;
    uint32_t lease_ms;
    const uint32_t
        *warm_start; ///< [n_investors, n_reasons] what `after` selected, or BR_NO_FIELD; NULL: nothing of any
} br_job;

/// Bids on other bonds of an issuer, as a reason.
typedef struct br_past_bid {
    const char *issuer; ///< id; that of the result: the bond's own
    uint32_t n_bids;
    br_day last;  ///< day of the newest
    float weight; ///< share of what speaks for the bond's issuer, see pipeline/past.h; 0 = not known
} br_past_bid;

typedef struct br_past_bids {
    br_past_bid *bids; ///< [n] the bond's own issuer first, then by weight
    uint32_t n;        ///< at most BR_MAX_PAST_BIDS
} br_past_bids;

typedef struct br_result {
    br_hash job_id;
    br_explanation *explanations; ///< [n_explanations]
    uint32_t n_explanations;
    const char *failure; ///< "" = done
    bool warm;           ///< the job came with a warm start
    const char *issuer;  ///< of the bond, as in the job; "" or NULL = nothing is said of past bids
    br_past_bids *past;  ///< [n_explanations]; NULL: nobody has any
} br_result;

typedef struct br_result_ack {
    br_hash job_id;
} br_result_ack;

/// The ranker's names no job.
typedef struct br_heartbeat {
    const br_hash *jobs; ///< [n_jobs], at most BR_MAX_HELD_JOBS
    uint32_t n_jobs;
} br_heartbeat;

typedef struct br_population_get {
    br_hash hash;
    uint32_t offset; ///< bytes it has
} br_population_get;

typedef struct br_population_info {
    br_hash hash;
    uint32_t n; ///< 0: no population has this hash
    uint32_t n_investor_fields;
} br_population_info;

/// The bytes from `offset` on of the codes [n, n_investor_fields] travel as the third frame.
typedef struct br_population_part {
    br_population_info info;
    uint32_t offset;
} br_population_part;

BR_CODEC_PAIR(br_ready);
BR_CODEC_PAIR(br_job_body);
BR_CODEC_PAIR(br_job);
BR_CODEC_PAIR(br_result);
BR_CODEC_PAIR(br_result_ack);
BR_CODEC_PAIR(br_heartbeat);
BR_CODEC_PAIR(br_population_get);
BR_CODEC_PAIR(br_population_part);

/// The id of a job: the hash of its packed body.
br_status br_job_id(br_hash *out, const br_job_body *body) BR_MUST_CHECK;

#endif
