#ifndef BR_SERVICE_PATHS_H
#define BR_SERVICE_PATHS_H

/// Where things are in a data directory:
///
///   DIR/bookrunner.yaml     configuration (optional)
///   DIR/ledger/             ledger.lmdb's environment          ingester writes
///   DIR/models/             snapshots and their registry       trainer writes
///   DIR/recommendations/    lists, jobs, explanations          ranker writes
///   DIR/metrics/            quality figures                    evaluator writes
///   DIR/run/                sockets, lock and address files    mode 0700
///   DIR/log/                the processes' output under `bookrunner up`

#include "base/status.h"

#define BR_PATH_BYTES 512

typedef enum br_place {
    BR_PLACE_LEDGER,
    BR_PLACE_MODELS,
    BR_PLACE_RECOMMENDATIONS,
    BR_PLACE_METRICS,
    BR_PLACE_RUN,
    BR_PLACE_LOG
} br_place;

/// DIR/PLACE, made with mode 0700 when missing. Errors: BR_ERR_IO, BR_ERR_LIMIT (too long).
br_status br_place_path(char out[BR_PATH_BYTES], const char *directory, br_place place) BR_MUST_CHECK;
/// DIR/log/NAME.log: where the supervisor sends what a process says. Makes nothing. Errors: BR_ERR_LIMIT.
br_status br_log_path(char out[BR_PATH_BYTES], const char *directory, const char *name) BR_MUST_CHECK;

/// Endpoints inside DIR/run: "ingester" (requests), "ingester.hints", "trainer", "trainer.hints", "ranker", "ranker.hints", "work", "evaluator",
/// "evaluator.hints". When the path would be longer than a socket address can hold, a short directory derived from DIR's hash under
/// $XDG_RUNTIME_DIR or /tmp (mode 0700, owner checked) is used instead.
br_status br_endpoint(char out[BR_PATH_BYTES], const char *directory, const char *name) BR_MUST_CHECK;

/// Hold DIR/run/NAME.lock for the life of the process. Errors: BR_ERR_EXISTS with the holder's process id.
br_status br_process_lock(const char *directory, const char *name) BR_MUST_CHECK;
/// Process id of the holder, 0 if nobody holds it.
br_status br_process_holder(const char *directory, const char *name, int *pid_out) BR_MUST_CHECK;

#endif
