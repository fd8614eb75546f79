// Times of the answer path on one core: milliseconds per explanation in batches of 50 (one bond), per certificate, and per bond
// for ranking 3,000 investors. Random parameters: the work is the same as with trained ones.

#include "base/clock.h"
#include "rank/rank.h"
#include "support/bond.h"

#include <stdio.h>
#include <stdlib.h>

enum { N_INVESTORS = 3000, N_EXPLAINED = 1000, BATCH = 50, N_ROUNDS = 20 };

static double ms_since(int64_t start_ns)
{
    return (double)(br_clock_ns() - start_ns) * 1e-6;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static void report(const char *model, const char *what, double *ms, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += ms[i];
    }
    qsort(ms, n, sizeof *ms, by_value);
    printf("%-8s %-28s p50 %8.3f ms   p99 %8.3f ms   mean %8.3f ms\n", model, what, ms[n / 2], ms[n * 99 / 100],
           sum / (double)n);
}

static bool time_explanations(const char *name, br_test_bond *test, br_explain_options options, const char *what)
{
    static double ms[N_EXPLAINED], batches[N_EXPLAINED / BATCH];
    uint64_t evaluations = 0;
    for (uint32_t start = 0; start < N_EXPLAINED; start += BATCH) {
        BR_AUTO(br_explain_context) *context = NULL;
        br_test_bond_codes(test->model, start, 1, test->bond_codes);
        int64_t began = br_clock_ns();
        if (br_explain_context_new(&context, &test->bond, &test->population, &options) != BR_OK) {
            return false;
        }
        for (uint32_t i = start; i < start + BATCH; i++) {
            br_explanation explanation;
            int64_t one = br_clock_ns();
            if (br_explain(context, i, NULL, &explanation) != BR_OK) {
                return false;
            }
            ms[i] = ms_since(one);
            evaluations += explanation.evaluations;
        }
        batches[start / BATCH] = ms_since(began) / BATCH;
    }
    report(name, what, ms, N_EXPLAINED);
    report(name, "  with the bond's share", batches, N_EXPLAINED / BATCH);
    printf("%-8s   evaluations per explanation  %.0f\n", name, (double)evaluations / N_EXPLAINED);
    return true;
}

static bool time_ranking(const char *name, br_test_bond *test)
{
    double ms[N_ROUNDS];
    size_t n_state = br_collapsed_state_floats(test->collapsed);
    float *halves = aligned_alloc(64, N_INVESTORS * n_state * sizeof(float));
    float *scratch = aligned_alloc(64, (br_collapsed_scratch_floats(test->collapsed) + 16) / 16 * 64);
    float *state = aligned_alloc(64, (n_state + 15) / 16 * 64);
    bool done = halves != NULL && scratch != NULL && state != NULL;
    for (size_t round = 0; round < 3 && done; round++) {
        int64_t start = br_clock_ns();
        done = br_collapsed_investors(test->collapsed, test->codes, N_INVESTORS, halves) == BR_OK;
        ms[round] = ms_since(start);
    }
    report(name, "halves of 3,000 investors", ms, 3);
    for (size_t round = 0; round < N_ROUNDS && done; round++) {
        int64_t start = br_clock_ns();
        br_collapsed_bond(test->collapsed, test->bond_codes, state);
        br_collapsed_logits(test->collapsed, state, halves, N_INVESTORS, test->logits, scratch);
        ms[round] = ms_since(start);
    }
    report(name, "ranking 3,000 investors", ms, N_ROUNDS);
    free(halves);
    free(scratch);
    free(state);
    return done;
}

static bool time_model(const char *name, const br_test_shape *shape)
{
    br_test_bond test;
    br_test_bond_init(&test, shape, N_INVESTORS, 180);
    printf("%-8s tables %.1f MB, state %zu floats, kernels %s\n", name,
           (double)br_collapsed_bytes(test.collapsed) * 1e-6, br_collapsed_state_floats(test.collapsed),
           br_fixed()->name);
    br_explain_options options = br_explain_options_default();
    options.objective = BR_OBJECTIVE_PLAIN;
    bool done = time_explanations(name, &test, options, "plain");
    options.certify = true;
    done = done && time_explanations(name, &test, options, "plain, certified");
    options.objective = BR_OBJECTIVE_BACKED;
    options.certify = false;
    done = done && time_explanations(name, &test, options, "backed");
    options.certify = true;
    done = done && time_explanations(name, &test, options, "backed, certified");
    done = done && time_ranking(name, &test);
    br_test_bond_deinit(&test);
    return done;
}

int main(void)
{
    br_test_shape compact = br_test_shape_compact();
    br_test_shape main_shape = br_test_shape_main();
    return time_model("compact", &compact) && time_model("main", &main_shape) ? EXIT_SUCCESS : EXIT_FAILURE;
}
