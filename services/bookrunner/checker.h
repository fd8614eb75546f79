#ifndef BOOKRUNNER_CHECKER_H
#define BOOKRUNNER_CHECKER_H

/// What the ingester would say to the rows of a folder, without it: the schema's and the market's rules, and duplicates by key and content, in
/// the folder and in a ledger.

#include "pipeline/follow.h"

typedef struct checker checker;

/// `schema`: borrowed, must outlive the checker.
br_status checker_new(checker **out, const br_schema *schema) BR_MUST_CHECK;
void checker_free(checker **c);
/// Begin with what a ledger knows already; borrowed, must outlive the checker. Errors: those of the ledger.
br_status checker_load(checker *c, br_ledger *ledger) BR_MUST_CHECK;
/// What would become of the row; an accepted one is remembered. result->column and ->reason live until the next call.
br_status checker_row(checker *c, const br_row *row, br_row_result *result) BR_MUST_CHECK;
/// What the rows taken so far amount to; NULL before a schema. Borrowed.
br_market *checker_market(const checker *c);

#endif
