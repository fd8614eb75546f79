#ifndef BOOKRUNNER_SGEMM_PEAK_H
#define BOOKRUNNER_SGEMM_PEAK_H

#include "base/status.h"

/// GFLOP/s of br_gemm() on large square matrices, a product of its own in each of `n_threads` threads, over `seconds`.
/// Errors: BR_ERR_NO_MEMORY; BR_ERR_LIMIT when a thread cannot be started.
br_status sgemm_peak(double *gflops_out, uint32_t n_threads, double seconds) BR_MUST_CHECK;

#endif
