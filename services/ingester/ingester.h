#ifndef BR_INGESTER_H
#define BR_INGESTER_H

/// The ingester: takes rows, refuses wrong ones with a reason, writes the others into the ledger and acknowledges them after the synced commit.
///
/// Batches that arrive while one is worked share a commit (group commit): the round ends when nothing more waits or BR_MAX_ROUND batches have
/// come. Memory per round: BR_MAX_ROUND times the size of a batch in memory.

#include "base/hash.h"
#include "codec/rows.h"
#include "pipeline/ballot.h"
#include "pipeline/follow.h"
#include "service/answer.h"
#include "service/service.h"

enum { BR_MAX_ROUND = 64 };

typedef struct pending_reply {
    br_peer peer;
    uint64_t request;
    br_row_batch_reply reply;
} pending_reply;

typedef struct ingester {
    br_service *service;
    br_ledger *ledger;
    br_follower *follower; ///< the market up to and including the open batch
    br_ballot *ballot;     ///< likewise the votes on pairs
    br_socket *requests;
    br_socket *hints;
    br_arena *round;   ///< rows and results of the open round
    br_arena *message; ///< one message while it is unpacked
    br_buf buffer;
    br_buf packed;
    br_hash chain; ///< of the last note, the open batch's included; zeros before the first
    bool open;     ///< a ledger batch is open
    pending_reply pending[BR_MAX_ROUND];
    uint32_t n_pending;
    br_metric *accepted, *duplicates, *rejected;
    br_metric *commit_seconds;
    br_metric *head;
} ingester;

/// The market, the votes on pairs and the chain of notes as the ledger has them.
br_status ingester_read_ledger(ingester *self) BR_MUST_CHECK;
/// Decide about one row inside the open batch and append it if it is good. What `out` points to lives in the round's arena.
br_status ingester_take_row(ingester *self, const br_row *row, br_row_result *out) BR_MUST_CHECK;
/// Commit the open batch, acknowledge its messages, tell the others.
br_status ingester_commit(ingester *self) BR_MUST_CHECK;
/// Answer every waiting message with a refusal and forget the open batch.
br_status ingester_refuse(ingester *self, br_status why) BR_MUST_CHECK;

#endif
