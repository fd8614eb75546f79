#ifndef BR_LINALG_FIXED_TABLES_H
#define BR_LINALG_FIXED_TABLES_H

/// The kernels of each machine, for fixed.c to choose from; a table may only be used where its instructions run.

#include "linalg/fixed.h"

extern const br_fixed_kernels br_fixed_avx512;
extern const br_fixed_kernels br_fixed_avx2;
extern const br_fixed_kernels br_fixed_plain;

#endif
