#ifndef BR_SERVICE_TELEMETRY_H
#define BR_SERVICE_TELEMETRY_H

/// Counters, gauges and histograms of this process in the Prometheus text format 0.0.4. Registered once at start; updated from any
/// thread. Names and labels are fixed text, never data.

#include "base/buf.h"

typedef struct br_metric br_metric;

/// A counter's name ends in _total. labels: `stage="ingest",outcome="accepted"` or "". Registering the same name and labels again
/// gives the same metric. Ends the process when names or memory run out (start-up only).
br_metric *br_counter(const char *name, const char *help, const char *labels);
br_metric *br_gauge(const char *name, const char *help, const char *labels);
/// Bounds in seconds from 0.1 ms to 60 s.
br_metric *br_histogram_seconds(const char *name, const char *help, const char *labels);

void br_metric_add(br_metric *metric, double value);     ///< counters (>= 0) and gauges
void br_metric_set(br_metric *metric, double value);     ///< gauges
void br_metric_observe(br_metric *metric, double value); ///< histograms
double br_metric_value(const br_metric *metric);

/// A further label of bookrunner_build_info beside version, commit and libzmq: `br_build_info("blas", br_gemm_describe())`. At start only.
void br_build_info(const char *key, const char *value);

/// All of them plus the process' own (CPU, memory, file descriptors, start time, build info). Metrics of one name stand together.
void br_telemetry_text(br_buf *out);

#endif
