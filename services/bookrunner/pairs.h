#ifndef BOOKRUNNER_PAIRS_H
#define BOOKRUNNER_PAIRS_H

/// The three parts of `pairs` and what they share.

#include "pairs_models.h"
#include "pairs_votes.h"
#include "table.h"

typedef struct pairs_job {
    const arguments *args;
    br_config config;
    pairs_rejections rejections;
    pairs_data data;
    pairs_models models;
    pairs_votes votes;
} pairs_job;

/// What the item is called, and its category or NULL.
const char *pairs_title(const pairs_job *job, uint32_t item);
const char *pairs_category(const pairs_job *job, uint32_t item);

/// Errors, of all: BR_ERR_INVALID: wrong usage. `code_out`: of printing.
br_status pairs_rank_check(const arguments *args) BR_MUST_CHECK;
br_status pairs_rank(pairs_job *job, exit_code *code_out) BR_MUST_CHECK;
br_status pairs_evaluate_check(const arguments *args) BR_MUST_CHECK;
br_status pairs_evaluate(pairs_job *job, exit_code *code_out) BR_MUST_CHECK;
br_status pairs_sample_check(const arguments *args) BR_MUST_CHECK;
br_status pairs_sample(pairs_job *job, exit_code *code_out) BR_MUST_CHECK;

#endif
