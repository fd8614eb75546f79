#include "metrics/metrics.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "metrics/side_by_side.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Two-sided 95 % of the standard normal.
static const double Z_95 = 1.959963984540054;
static const double TAIL_95 = 0.025;

double br_log_loss(const double *probabilities, const uint8_t *labels, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        double p = probabilities[i];
        br_assert(p > 0.0 && p < 1.0);
        sum -= labels[i] != 0 ? log(p) : log1p(-p);
    }
    return n == 0 ? (double)NAN : sum / (double)n;
}

// --- calibration ---

typedef struct forecast {
    double probability;
    double share; // of the cases that came: 0 or 1 for a label
} forecast;

static int by_probability(const void *left, const void *right)
{
    const forecast *a = left;
    const forecast *b = right;
    return (a->probability > b->probability) - (a->probability < b->probability);
}

typedef struct bin_sums {
    size_t n;
    double probabilities;
    double shares;
} bin_sums;

// Exactly one of labels and shares is given. *out: owned by the caller.
static br_status sort_forecasts(forecast **out, const double *probabilities, const uint8_t *labels,
                                const double *shares, size_t n)
{
    forecast *forecasts = br_calloc(n, sizeof *forecasts);
    if (forecasts == NULL) {
        return br_no_memory("forecasts", n);
    }
    for (size_t i = 0; i < n; i++) {
        forecasts[i] = (forecast){probabilities[i], labels == NULL ? shares[i] : labels[i] != 0};
    }
    qsort(forecasts, n, sizeof *forecasts, by_probability);
    *out = forecasts;
    return BR_OK;
}

// The bin that begins with forecast `first`. It ends at `end` or behind it, so that equal probabilities share a bin, and may be empty.
static bin_sums sum_bin(const forecast *sorted, size_t n, size_t first, size_t end)
{
    bin_sums sums = {0};
    for (size_t i = first; i < n && (i < end || (i > 0 && sorted[i].probability == sorted[i - 1].probability)); i++) {
        sums.n++;
        sums.probabilities += sorted[i].probability;
        sums.shares += sorted[i].share;
    }
    return sums;
}

static br_status calibration_error(double *out, const double *probabilities, const uint8_t *labels,
                                   const double *shares, size_t n, uint32_t n_bins)
{
    br_assert(n_bins > 0);
    forecast *forecasts = NULL;
    br_status status = sort_forecasts(&forecasts, probabilities, labels, shares, n);
    if (status != BR_OK) {
        return status;
    }
    double error = 0.0;
    for (size_t bin = 0, first = 0; bin < n_bins; bin++) {
        bin_sums sums = sum_bin(forecasts, n, first, (bin + 1) * n / n_bins);
        error += fabs(sums.probabilities - sums.shares);
        first += sums.n;
    }
    br_free(forecasts);
    *out = n == 0 ? (double)NAN : error / (double)n;
    return BR_OK;
}

br_status br_reliability(br_reliability_bin *bins_out, uint32_t *n_out, const double *probabilities,
                         const uint8_t *labels, size_t n, uint32_t n_bins)
{
    br_assert(n_bins > 0);
    forecast *forecasts = NULL;
    br_status status = sort_forecasts(&forecasts, probabilities, labels, NULL, n);
    if (status != BR_OK) {
        return status;
    }
    *n_out = 0;
    for (size_t bin = 0, first = 0; bin < n_bins; bin++) {
        bin_sums sums = sum_bin(forecasts, n, first, (bin + 1) * n / n_bins);
        if (sums.n > 0) {
            bins_out[(*n_out)++] = (br_reliability_bin){
                .low = forecasts[first].probability,
                .high = forecasts[first + sums.n - 1].probability,
                .n = sums.n,
                .mean_probability = sums.probabilities / (double)sums.n,
                .rate = sums.shares / (double)sums.n,
            };
        }
        first += sums.n;
    }
    br_free(forecasts);
    return BR_OK;
}

br_status br_calibration_error(double *out, const double *probabilities, const uint8_t *labels, size_t n,
                               uint32_t n_bins)
{
    return calibration_error(out, probabilities, labels, NULL, n, n_bins);
}

br_status br_calibration_error_of_shares(double *out, const double *probabilities, const double *shares, size_t n,
                                         uint32_t n_bins)
{
    return calibration_error(out, probabilities, NULL, shares, n, n_bins);
}

// --- lists ---

br_list_quality br_list_quality_of(uint32_t hits, uint32_t bidders, uint32_t n_top)
{
    br_assert(n_top > 0 && hits <= n_top && hits <= bidders);
    return (br_list_quality){
        .hits = hits,
        .bidders = bidders,
        .recall = bidders == 0 ? (double)NAN : (double)hits / (double)bidders,
        .precision = (double)hits / (double)n_top,
    };
}

const char *br_name_at(char out[BR_NAME_AT_BYTES], const char *figure, uint32_t n_top, const char *of)
{
    int n = snprintf(out, BR_NAME_AT_BYTES, "%s_at_%u%s", figure, n_top, of);
    br_assert(n > 0 && n < BR_NAME_AT_BYTES);
    return out;
}

// --- intervals ---

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static double mean_of(const double *values, uint32_t n)
{
    double sum = 0.0;
    for (uint32_t i = 0; i < n; i++) {
        sum += values[i];
    }
    return sum / (double)n;
}

// The share's quantile of sorted values, linear between neighbours.
static double quantile_of(const double *sorted, uint32_t n, double share)
{
    double place = share * (double)(n - 1);
    uint32_t below = (uint32_t)place;
    uint32_t above = below + 1 < n ? below + 1 : below;
    return sorted[below] + (place - (double)below) * (sorted[above] - sorted[below]);
}

static void resample(double *means, const double *kept, uint32_t n, uint32_t n_resamples, uint64_t seed)
{
    for (uint32_t i = 0; i < n_resamples; i++) {
        br_rng rng = br_rng_at(seed, BR_STREAM_BOOTSTRAP, i, 0);
        double sum = 0.0;
        for (uint32_t k = 0; k < n; k++) {
            sum += kept[br_rng_below(&rng, n)];
        }
        means[i] = sum / (double)n;
    }
    qsort(means, n_resamples, sizeof *means, by_value);
}

br_status br_mean_bootstrap(br_mean_interval *out, const double *values, uint32_t n, uint32_t n_resamples,
                            uint64_t seed)
{
    br_assert(n_resamples > 0);
    double *kept = br_calloc(n, sizeof *kept);
    double *means = br_calloc(n_resamples, sizeof *means);
    br_status status = BR_OK;
    if (kept == NULL || means == NULL) {
        status = br_no_memory("values to resample", (size_t)n + n_resamples);
    } else {
        br_mean_interval interval = {.mean = (double)NAN, .low = (double)NAN, .high = (double)NAN};
        for (uint32_t i = 0; i < n; i++) {
            if (!isnan(values[i])) {
                kept[interval.n++] = values[i];
            }
        }
        interval.skipped = n - interval.n;
        if (interval.n > 0) {
            resample(means, kept, interval.n, n_resamples, seed);
            interval.mean = mean_of(kept, interval.n);
            interval.low = quantile_of(means, n_resamples, TAIL_95);
            interval.high = quantile_of(means, n_resamples, 1.0 - TAIL_95);
        }
        *out = interval;
    }
    br_free(kept);
    br_free(means);
    return status;
}

enum { BATCH = 8 }; // resamples that are summed at once

typedef struct grouped {
    const double *sums;     // [.., n_figures]
    const uint32_t *counts; // [..]
    uint32_t *groups;       // [n_groups] that have a case
    uint32_t *n_drawn;      // [n_groups, BATCH]
    double *totals;         // [BATCH, n_figures]
    double *means;          // [n_figures, n_resamples]
    uint32_t n_groups;
    uint32_t n_figures;
    uint32_t n_resamples;
} grouped;

/// How often each group is drawn in resamples first to first + n - 1: n_drawn [n_groups, BATCH]
static void draw_groups(grouped *g, uint64_t seed, uint32_t first, uint32_t n)
{
    memset(g->n_drawn, 0, (size_t)g->n_groups * BATCH * sizeof *g->n_drawn);
    for (uint32_t i = 0; i < n; i++) {
        br_rng rng = br_rng_at(seed, BR_STREAM_BOOTSTRAP, first + i, 0);
        for (uint32_t k = 0; k < g->n_groups; k++) {
            g->n_drawn[(size_t)br_rng_below(&rng, g->n_groups) * BATCH + i]++;
        }
    }
}

/// A batch of resamples reads the sums once, in their order: one by one they would be read as they are drawn, from all over the memory.
static void resample_groups(grouped *g, uint64_t seed)
{
    for (uint32_t first = 0; first < g->n_resamples; first += BATCH) {
        uint32_t n_batch = g->n_resamples - first < BATCH ? g->n_resamples - first : BATCH;
        double n[BATCH] = {0.0};
        draw_groups(g, seed, first, n_batch);
        memset(g->totals, 0, (size_t)BATCH * g->n_figures * sizeof *g->totals);
        for (uint32_t k = 0; k < g->n_groups; k++) {
            const double *sums = g->sums + (size_t)g->groups[k] * g->n_figures;
            for (uint32_t i = 0; i < n_batch; i++) {
                double times = g->n_drawn[(size_t)k * BATCH + i];
                double *totals = g->totals + (size_t)i * g->n_figures;
                n[i] += times * g->counts[g->groups[k]];
                for (uint32_t f = 0; times > 0.0 && f < g->n_figures; f++) {
                    totals[f] += times * sums[f];
                }
            }
        }
        for (uint32_t i = 0; i < n_batch; i++) {
            for (uint32_t f = 0; f < g->n_figures; f++) {
                g->means[(size_t)f * g->n_resamples + first + i] = g->totals[(size_t)i * g->n_figures + f] / n[i];
            }
        }
    }
}

static br_mean_interval interval_of(const grouped *g, uint32_t figure, uint32_t n)
{
    br_mean_interval interval = {.mean = (double)NAN, .low = (double)NAN, .high = (double)NAN, .n = n};
    if (g->n_groups > 0) {
        double sum = 0.0;
        for (uint32_t k = 0; k < g->n_groups; k++) {
            sum += g->sums[(size_t)g->groups[k] * g->n_figures + figure];
        }
        interval.mean = sum / n;
    }
    if (g->n_groups > 1) {
        double *means = g->means + (size_t)figure * g->n_resamples;
        double cut = br_resamples_cut(g->n_groups);
        qsort(means, g->n_resamples, sizeof *means, by_value);
        interval.low = quantile_of(means, g->n_resamples, cut);
        interval.high = quantile_of(means, g->n_resamples, 1.0 - cut);
    }
    return interval;
}

br_status br_means_by_group(br_mean_interval *out, const double *sums, const uint32_t *counts, uint32_t n_groups,
                            uint32_t n_figures, uint32_t n_resamples, uint64_t seed)
{
    br_assert(n_figures > 0 && n_resamples > 0);
    grouped g = {
        .sums = sums,
        .counts = counts,
        .groups = br_calloc(n_groups, sizeof *g.groups),
        .n_drawn = br_calloc(n_groups, BATCH * sizeof *g.n_drawn),
        .totals = br_calloc(n_figures, BATCH * sizeof *g.totals),
        .means = br_calloc((size_t)n_figures * n_resamples, sizeof *g.means),
        .n_figures = n_figures,
        .n_resamples = n_resamples,
    };
    br_status status = BR_OK;
    if (((g.groups == NULL || g.n_drawn == NULL) && n_groups > 0) || g.totals == NULL || g.means == NULL) {
        status = br_no_memory("means to resample", (size_t)n_figures * n_resamples);
    } else {
        uint32_t n = 0;
        for (uint32_t i = 0; i < n_groups; i++) {
            n += counts[i];
            g.groups[g.n_groups] = i;
            g.n_groups += counts[i] > 0;
        }
        if (g.n_groups > 1) {
            resample_groups(&g, seed);
        }
        for (uint32_t f = 0; f < n_figures; f++) {
            out[f] = interval_of(&g, f, n);
            out[f].skipped = n_groups - g.n_groups;
        }
    }
    br_free(g.groups);
    br_free(g.n_drawn);
    br_free(g.totals);
    br_free(g.means);
    return status;
}

void br_wilson(uint32_t k, uint32_t n, double *low_out, double *high_out)
{
    br_assert(k <= n);
    if (n == 0) {
        *low_out = 0.0;
        *high_out = 1.0;
        return;
    }
    double share = (double)k / (double)n;
    double z2 = Z_95 * Z_95 / (double)n;
    double centre = (share + 0.5 * z2) / (1.0 + z2);
    double half = Z_95 * sqrt((share * (1.0 - share) + 0.25 * z2) / (double)n) / (1.0 + z2);
    *low_out = k == 0 ? 0.0 : centre - half;
    *high_out = k == n ? 1.0 : centre + half;
}
