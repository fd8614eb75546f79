#ifndef BR_STORE_LEDGER_H
#define BR_STORE_LEDGER_H

/// The ledger: every row ever accepted, in order, append-only, each record with its checksum. Writer: the ingester; everyone else
/// opens it for reading. Records are numbered 1, 2, ...; the head is the number of the last.
///
/// A store refuses to open on a network file system, where LMDB is not safe. A handle is used by one thread at a time; within a process
/// several handles may be open on one directory, the writer's first.

#include "codec/rows.h"
#include "codec/stored.h"
#include "market/market.h"

typedef struct br_ledger br_ledger;

/// Open for writing, creating it (file and directory synced before the first use). Errors: BR_ERR_EXISTS when another process writes it,
/// BR_ERR_IO, BR_ERR_FULL, BR_ERR_CORRUPT.
br_status br_ledger_open_writer(br_ledger **out, const char *directory) BR_MUST_CHECK;
/// Open for reading. Errors: BR_ERR_NOT_FOUND when there is none yet.
br_status br_ledger_open_reader(br_ledger **out, const char *directory) BR_MUST_CHECK;
void br_ledger_free(br_ledger **ledger);

/// Within a batch: what the ledger knows under the row's key.
typedef enum br_ledger_known {
    BR_LEDGER_NEW,
    BR_LEDGER_DUPLICATE,  ///< equal content
    BR_LEDGER_SUPERSEDES, ///< a higher revision than all that are known, whatever its content
    BR_LEDGER_CONFLICT    ///< other content without one
} br_ledger_known;

/// One synced transaction for many rows (group commit). Nothing is durable, and nothing may be acknowledged, before
/// br_ledger_commit() returned BR_OK. On an error the batch is rolled back as a whole.
br_status br_ledger_begin(br_ledger *ledger) BR_MUST_CHECK;
/// What is `row` to the ledger, with what this batch has appended so far? *record_out: number of the known record it was compared with,
/// 0 if new. A row is compared with the record of the same revision if there is one, else with the newest, so that a file that holds
/// old and new revisions may be imported twice. Content is what remains without the revision, without missing features and
/// without the order of features, and of a note without its time and its chain. Works without a batch and in readers too: then it sees the last commit.
br_status br_ledger_look(br_ledger *ledger, const br_row *row, br_ledger_known *out,
                         uint64_t *record_out) BR_MUST_CHECK;
/// Append a new or superseding row; a second row of the same key and revision is BR_ERR_CORRUPT: ask br_ledger_look() first.
br_status br_ledger_append(br_ledger *ledger, const br_row *row, uint64_t *record_out) BR_MUST_CHECK;
/// Within a batch: keep what was not taken for people to look at. It is no record, and of the last BR_LEDGER_REJECTS alone; what a batch that is
/// rolled back has rejected is not kept.
br_status br_ledger_put_reject(br_ledger *ledger, const br_reject *reject) BR_MUST_CHECK;
#define BR_LEDGER_REJECTS 1000
/// Errors: BR_ERR_FULL (disk or map full), BR_ERR_IO: then the batch is rolled back and the ledger is as it was.
br_status br_ledger_commit(br_ledger *ledger) BR_MUST_CHECK;
void br_ledger_abort(br_ledger *ledger);

/// Number of the last committed record; 0 when empty.
br_status br_ledger_head(br_ledger *ledger, uint64_t *head_out) BR_MUST_CHECK;

/// Called for each committed record in order; the row lives during the call. A status other than BR_OK ends the walk and is returned.
typedef br_status (*br_ledger_visitor)(void *context, uint64_t record, const br_row *row);
/// Visit records (after, until]. Checksums are verified: BR_ERR_CORRUPT names the record.
br_status br_ledger_visit(br_ledger *ledger, uint64_t after, uint64_t until, br_ledger_visitor visitor,
                          void *context) BR_MUST_CHECK;

/// Visit at most `max` of the rejects, the newest first; each lives during the call. *total_out: how many are kept.
typedef br_status (*br_reject_visitor)(void *context, const br_reject *reject);
br_status br_ledger_visit_rejects(br_ledger *ledger, uint32_t max, br_reject_visitor visitor, void *context,
                                  uint64_t *total_out) BR_MUST_CHECK;

/// Facts for telemetry. The call also frees the places of readers that died: ask each second.
typedef struct br_store_facts {
    uint64_t used_bytes;
    uint64_t map_bytes;
    uint32_t readers; ///< places for readers that were ever taken at the same time
} br_store_facts;
br_status br_ledger_facts(br_ledger *ledger, br_store_facts *out) BR_MUST_CHECK;

#endif
