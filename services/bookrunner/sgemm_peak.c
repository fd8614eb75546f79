#include "sgemm_peak.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "linalg/gemm.h"

#include <pthread.h>
#include <string.h>

enum { SIDE = 2048 }; // a few hundredths faster than 1,024; 48 MB a thread

typedef struct multiplier {
    pthread_t thread;
    float *memory; ///< A, B and C
    int64_t until_ns;
    double gflops;
} multiplier;

static void *multiply(void *context)
{
    multiplier *it = context;
    size_t n = (size_t)SIDE * SIDE;
    br_matrix a = br_matrix_of(it->memory, SIDE, SIDE);
    br_matrix b = br_matrix_of(it->memory + n, SIDE, SIDE);
    br_matrix c = br_matrix_of(it->memory + 2 * n, SIDE, SIDE);
    for (size_t i = 0; i < 2 * n; i++) {
        it->memory[i] = (float)(i % 7) - 3.0f;
    }
    br_gemm(c, 0.0f, a, BR_PLAIN, b, BR_PLAIN); // the first one also makes OpenBLAS's buffers
    int64_t start_ns = br_clock_ns();
    int64_t now_ns = start_ns;
    double n_products = 0.0;
    do {
        br_gemm(c, 0.0f, a, BR_PLAIN, b, BR_PLAIN);
        n_products += 1.0;
        now_ns = br_clock_ns();
    } while (now_ns < it->until_ns);
    it->gflops = n_products * 2.0 * (double)n * SIDE / (double)(now_ns - start_ns);
    return NULL;
}

br_status sgemm_peak(double *gflops_out, uint32_t n_threads, double seconds)
{
    multiplier *all = br_calloc(n_threads, sizeof *all);
    br_status status = all == NULL ? br_no_memory("threads", n_threads) : BR_OK;
    int64_t until_ns = br_clock_ns() + (int64_t)(seconds * 1e9);
    uint32_t n_started = 0;
    while (status == BR_OK && n_started < n_threads) {
        multiplier *it = &all[n_started];
        it->until_ns = until_ns;
        it->memory = br_calloc_aligned((size_t)3 * SIDE * SIDE, sizeof(float));
        if (it->memory == NULL) {
            status = br_no_memory("matrix elements", (size_t)3 * SIDE * SIDE);
            break;
        }
        int error = pthread_create(&it->thread, NULL, multiply, it);
        if (error != 0) {
            status = br_fail(BR_ERR_LIMIT, "cannot start a thread: %s", strerror(error));
            br_free(it->memory);
            break;
        }
        n_started++;
    }
    *gflops_out = 0.0;
    for (uint32_t i = 0; i < n_started; i++) {
        pthread_join(all[i].thread, NULL);
        *gflops_out += all[i].gflops;
        br_free(all[i].memory);
    }
    br_free(all);
    return status;
}
