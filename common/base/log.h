#ifndef BR_BASE_LOG_H
#define BR_BASE_LOG_H

/// One line per event on stderr. Only services call this; libraries return a status.
///
///     br_log_info("TRAIN-EPOCH-END", "epoch=%d loss_nats=%.4f", epoch, loss);
///     -> ts=2026-03-02T07:15:00.123Z level=info stage=trainer event=TRAIN-EPOCH-END epoch=3 loss_nats=0.0791
///
/// The event is a fixed name to search for; keys carry their unit. Quote free text with "%s" inside \"\": quotes and
/// control characters that arguments bring in are made harmless.

#include "base/status.h"

typedef enum br_log_level { BR_LOG_DEBUG, BR_LOG_INFO, BR_LOG_WARN, BR_LOG_ERROR } br_log_level;

/// `stage` names the process in every line; `level` is the least that is written. Journald priorities are
/// prefixed when stderr is a journal stream.
void br_log_open(const char *stage, br_log_level level);
#define BR_LOG_FILE_BYTES (8u << 20)
/// If stderr is the file `path`: when it has reached BR_LOG_FILE_BYTES it becomes PATH.1, in the place of the one before, and a new one is begun, so
/// that a process keeps at most twice as much. stdout goes along if it is the same file. Nothing otherwise: what someone else opened is theirs.
void br_log_file(const char *path);
void br_log(br_log_level level, const char *event, const char *format, ...) BR_PRINTF(3, 4);

#define br_log_debug(event, ...) br_log(BR_LOG_DEBUG, event, __VA_ARGS__)
#define br_log_info(event, ...)  br_log(BR_LOG_INFO, event, __VA_ARGS__)
#define br_log_warn(event, ...)  br_log(BR_LOG_WARN, event, __VA_ARGS__)
#define br_log_error(event, ...) br_log(BR_LOG_ERROR, event, __VA_ARGS__)

#endif
