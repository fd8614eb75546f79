#ifndef BR_BASE_CLOCK_H
#define BR_BASE_CLOCK_H

/// Clocks for leases, timeouts and telemetry; nothing that is stored as a result depends on them.

#include "base/status.h"

/// Milliseconds of CLOCK_MONOTONIC: never jumps.
int64_t br_clock_ms(void);
/// Nanoseconds of CLOCK_MONOTONIC, for measuring.
int64_t br_clock_ns(void);
/// Seconds since the epoch, for log lines, telemetry and the time of a note.
double br_clock_wall_s(void);

#endif
