#ifndef BR_LINALG_GEMM_H
#define BR_LINALG_GEMM_H

/// Products by OpenBLAS, whose headers only this module includes. One thread per call everywhere: threads
/// are ours, over fixed shards, so that results do not depend on how many there are.

#include "base/status.h"

/// A matrix inside somebody's memory: row-major, `stride` floats from row to row.
typedef struct br_matrix {
    float *data;
    size_t rows;
    size_t columns;
    size_t stride;
} br_matrix;

static inline br_matrix br_matrix_of(float *data, size_t rows, size_t columns)
{
    return (br_matrix){data, rows, columns, columns};
}

typedef enum br_transpose { BR_PLAIN, BR_TRANSPOSED } br_transpose;

/// One thread per call; checks a product against a double-precision one. Errors: BR_ERR_CORRUPT when OpenBLAS computes wrong.
br_status br_gemm_start(void) BR_MUST_CHECK;
/// C = beta C + op(A) op(B).
void br_gemm(br_matrix c, float beta, br_matrix a, br_transpose op_a, br_matrix b, br_transpose op_b);
/// "OpenBLAS 0.3.21 SkylakeX" and the like, recorded with what was trained.
const char *br_gemm_describe(void);

#endif
