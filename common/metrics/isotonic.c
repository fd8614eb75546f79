#include "metrics/isotonic.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>

// Half the 95 % point of chi-squared with one degree of freedom: the log likelihood that two pools must gain by standing apart.
static const double MIN_GAIN_NATS = 1.92;

// Neighbouring samples that share one probability, positive / weight.
typedef struct pool {
    double weight;
    double positive;  // weight of the samples with label 1
    double logit_sum; // weighted
    double low, high; // first and last logit
} pool;

static int by_logit(const void *left, const void *right)
{
    const pool *a = left;
    const pool *b = right;
    return (a->low > b->low) - (a->low < b->low);
}

static pool joined(const pool *a, const pool *b)
{
    return (pool){.weight = a->weight + b->weight,
                  .positive = a->positive + b->positive,
                  .logit_sum = a->logit_sum + b->logit_sum,
                  .low = a->low,
                  .high = b->high};
}

// Pools of one sample each, sorted, become those of the isotonic fit, in place. Returns their number.
static size_t pool_violators(pool *pools, size_t n)
{
    size_t n_pools = 0;
    for (size_t i = 0; i < n;) {
        pool next = pools[i++];
        while (i < n && pools[i].low == next.high) {
            next = joined(&next, &pools[i++]);
        }
        while (n_pools > 0 && pools[n_pools - 1].positive * next.weight >= next.positive * pools[n_pools - 1].weight) {
            next = joined(&pools[--n_pools], &next);
        }
        pools[n_pools++] = next;
    }
    return n_pools;
}

// Highest log likelihood of a pool's labels under one probability, in nats.
static double likelihood(const pool *one)
{
    double negative = one->weight - one->positive;
    return (one->positive > 0.0 ? one->positive * log(one->positive / one->weight) : 0.0) +
           (negative > 0.0 ? negative * log(negative / one->weight) : 0.0);
}

static double gain_of(const pool *a, const pool *b)
{
    pool both = joined(a, b);
    return likelihood(a) + likelihood(b) - likelihood(&both);
}

// gains[i] of pools i and i + 1. Joining keeps the order of the means.
static size_t join_nearest(pool *pools, double *gains, size_t n_pools)
{
    for (size_t i = 0; i + 1 < n_pools; i++) {
        gains[i] = gain_of(&pools[i], &pools[i + 1]);
    }
    while (n_pools > 1) {
        size_t least = 0;
        for (size_t i = 1; i + 1 < n_pools; i++) {
            least = gains[i] < gains[least] ? i : least;
        }
        if (n_pools <= BR_ISOTONIC_MAX_KNOTS && gains[least] > MIN_GAIN_NATS) {
            break;
        }
        pools[least] = joined(&pools[least], &pools[least + 1]);
        n_pools -= 1;
        for (size_t i = least + 1; i < n_pools; i++) {
            pools[i] = pools[i + 1];
            gains[i - 1] = gains[i];
        }
        if (least > 0) {
            gains[least - 1] = gain_of(&pools[least - 1], &pools[least]);
        }
        if (least + 1 < n_pools) {
            gains[least] = gain_of(&pools[least], &pools[least + 1]);
        }
    }
    return n_pools;
}

// Logit of a pool's share of positives. Half a sample for a label that it lacks cannot carry it past its neighbour: a neighbour that
// near would not be told apart from it and would have been joined.
static double value_of(const pool *one)
{
    double negative = one->weight - one->positive;
    bool mixed = one->positive > 0.0 && negative > 0.0;
    return mixed ? log(one->positive / negative) : log((one->positive + 0.5) / (negative + 0.5));
}

static void place_knots(br_isotonic *out, const pool *pools, size_t n_pools)
{
    br_isotonic line = {.n_knots = (uint32_t)n_pools};
    for (size_t i = 0; i < n_pools; i++) {
        double mean = pools[i].logit_sum / pools[i].weight;
        line.logits[i] = fmin(fmax(mean, pools[i].low), pools[i].high);
        line.values[i] = value_of(&pools[i]);
        if (i > 0) {
            double least = line.values[i - 1] + BR_ISOTONIC_MIN_SLOPE * (line.logits[i] - line.logits[i - 1]);
            line.values[i] = fmax(line.values[i], least);
        }
    }
    *out = line;
}

br_status br_isotonic_fit(br_isotonic *out, const float *logits, const uint8_t *labels, const double *weights, size_t n)
{
    double positive = 0.0;
    double weight = 0.0;
    pool *pools = br_calloc(n, sizeof *pools);
    double *gains = NULL;
    br_status status = pools == NULL ? br_no_memory("samples to calibrate by", n) : BR_OK;
    for (size_t i = 0; i < n && status == BR_OK; i++) {
        double w = weights == NULL ? 1.0 : weights[i];
        double x = (double)logits[i];
        br_assert(isfinite(x) && w > 0.0 && isfinite(w) && labels[i] <= 1);
        pools[i] = (pool){.weight = w, .positive = labels[i] * w, .logit_sum = w * x, .low = x, .high = x};
        positive += labels[i] * w;
        weight += w;
    }
    if (status == BR_OK && (positive == 0.0 || positive == weight)) {
        status = br_fail(BR_ERR_INVALID, "calibration needs samples of both labels");
    }
    if (status == BR_OK) {
        qsort(pools, n, sizeof *pools, by_logit);
        size_t n_pools = pool_violators(pools, n);
        gains = br_calloc(n_pools, sizeof *gains);
        if (gains == NULL) {
            status = br_no_memory("pools", n_pools);
        } else {
            place_knots(out, pools, join_nearest(pools, gains, n_pools));
        }
    }
    br_free(gains);
    br_free(pools);
    return status;
}

double br_isotonic_apply(const br_isotonic *line, double logit)
{
    uint32_t last = line->n_knots - 1;
    if (logit <= line->logits[0]) {
        return line->values[0] + BR_ISOTONIC_MIN_SLOPE * (logit - line->logits[0]);
    }
    if (logit >= line->logits[last]) {
        return line->values[last] + BR_ISOTONIC_MIN_SLOPE * (logit - line->logits[last]);
    }
    uint32_t above = 1;
    while (line->logits[above] < logit) {
        above++;
    }
    double share = (logit - line->logits[above - 1]) / (line->logits[above] - line->logits[above - 1]);
    return line->values[above - 1] + share * (line->values[above] - line->values[above - 1]);
}
