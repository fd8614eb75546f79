#ifndef BOOKRUNNER_SENDER_H
#define BOOKRUNNER_SENDER_H

/// Rows on their way to the ingester: batches in order, a window of them unanswered, resent when no answer comes. Rows are idempotent, so a batch
/// may arrive twice; answers are only believed in order, because a batch that overtook a lost one may have been rejected for want of its rows.

#include "cli.h"
#include "tally.h"

typedef struct sender sender;

/// `counts`: borrowed; gets every row's outcome.
br_status sender_new(sender **out, const char *directory, double timeout_s, tally *counts) BR_MUST_CHECK;
/// Take a row (copied); sends when a batch is full and waits while the window is. Errors: BR_ERR_UNREACHABLE and those of the transport.
br_status sender_row(sender *s, const br_row *row, const row_origin *origin) BR_MUST_CHECK;
/// Send what is left and wait for all answers.
br_status sender_finish(sender *s) BR_MUST_CHECK;
/// The ledger's head after the last answered batch.
uint64_t sender_head(const sender *s);
void sender_free(sender **s);

#endif
