#include "metrics/side_by_side.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "metrics/metrics.h"

#include <math.h>
#include <stdlib.h>

enum { BOOTSTRAP_RATERS = 8, BISECTIONS = 200 };
static const double LEVEL = 0.05, POWER = 0.8, FAR = 1e4, HALF_PI = 1.5707963267948966;

// --- Student's t: the finite sums for whole degrees of freedom (Abramowitz and Stegun 26.7.3 and 26.7.4) ---

double br_student_two_sided(double t, uint32_t degrees)
{
    br_assert(degrees > 0);
    double angle = atan2(t, sqrt(degrees));
    double c2 = cos(angle) * cos(angle);
    bool odd = degrees % 2 == 1;
    double term = odd ? cos(angle) : 1.0;
    double sum = degrees == 1 ? 0.0 : term;
    for (uint32_t i = odd ? 3 : 2; i < degrees; i += 2) {
        term *= c2 * (i - 1.0) / i;
        sum += term;
    }
    double inside = odd ? (angle + sin(angle) * sum) / HALF_PI : sin(angle) * sum;
    return inside < 1.0 ? 1.0 - inside : 0.0;
}

double br_student_quantile(double p, uint32_t degrees)
{
    double low = 0.0;
    double high = FAR;
    for (int i = 0; i < BISECTIONS; i++) {
        double middle = 0.5 * (low + high);
        if (br_student_two_sided(middle, degrees) > p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return 0.5 * (low + high);
}

static double normal_two_sided(double z)
{
    return erfc(z * M_SQRT1_2);
}

static double normal_quantile(double p)
{
    double low = 0.0;
    double high = FAR;
    for (int i = 0; i < BISECTIONS; i++) {
        double middle = 0.5 * (low + high);
        if (normal_two_sided(middle) > p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return 0.5 * (low + high);
}

// --- as if the answers were independent ---

// Wilson's interval is where the score test does not reject.
static void start(br_side_by_side *s)
{
    s->interval = s->n == 0 ? BR_SHARE_NONE : BR_SHARE_WILSON;
    s->high = 1.0;
    s->p = 1.0;
    s->design_effect = 1.0;
    s->share = s->needed = s->missing = (double)NAN;
    if (s->n == 0) {
        return;
    }
    s->share = (double)s->first / (double)s->n;
    // Above 2^32 answers the interval has no width that could be seen.
    uint32_t n = s->n > UINT32_MAX ? UINT32_MAX : (uint32_t)s->n;
    br_wilson((uint32_t)(s->share * n + 0.5), n, &s->low, &s->high);
    s->p = normal_two_sided(fabs(s->share - 0.5) * 2.0 * sqrt((double)s->n));
}

static void finish(br_side_by_side *s)
{
    if (s->n == 0) {
        return;
    }
    double off = fabs(s->share - 0.5);
    double width =
        normal_quantile(LEVEL) * 0.5 + normal_quantile(2.0 * (1.0 - POWER)) * sqrt(s->share * (1.0 - s->share));
    s->needed = off > 0.0 ? ceil(width * width / (off * off) * s->design_effect) : (double)INFINITY;
    s->missing = s->needed > (double)s->n ? s->needed - (double)s->n : 0.0;
    s->shown = s->n_raters != 1 && (s->low > 0.5 || s->high < 0.5);
}

br_side_by_side br_side_by_side_pooled(uint64_t first, uint64_t n)
{
    br_assert(first <= n);
    br_side_by_side result = {.n = n, .first = first};
    start(&result);
    finish(&result);
    return result;
}

// --- by raters ---

static uint64_t choices_of(const br_rater_choices *rater)
{
    return (uint64_t)rater->first + rater->second;
}

static void widen(br_side_by_side *s, double low, double high, double p)
{
    s->low = low < s->low ? low : s->low;
    s->high = high > s->high ? high : s->high;
    s->low = s->low > 0.0 ? s->low : 0.0;
    s->high = s->high < 1.0 ? s->high : 1.0;
    s->p = p > s->p ? p : s->p;
}

/// Variance of the share: the jackknife, leaving out one rater after the other. The raters' distances from a share that each has pulled
/// to himself would come out too small.
static double variance_by_raters(const br_side_by_side *s, const br_rater_choices *raters)
{
    double squares = 0.0;
    for (uint32_t r = 0; r < s->n_raters; r++) {
        double without = (double)(s->first - raters[r].first) / (double)(s->n - choices_of(&raters[r]));
        squares += (without - s->share) * (without - s->share);
    }
    return squares * (s->n_raters - 1.0) / s->n_raters;
}

static int by_value(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

static double stretch_of(uint32_t n)
{
    return sqrt(n / (n - 1.0));
}

double br_resamples_cut(uint32_t n)
{
    br_assert(n >= 2);
    return 0.5 * normal_two_sided(stretch_of(n) * br_student_quantile(LEVEL, n - 1));
}

static void widen_by_resamples(br_side_by_side *s, double *shares)
{
    const size_t n = BR_SIDE_BY_SIDE_RESAMPLES;
    qsort(shares, n, sizeof *shares, by_value);
    size_t cut = (size_t)(br_resamples_cut(s->n_raters) * (double)n);
    double beyond = 0.0;
    for (size_t i = 0; i < n; i++) {
        double side = s->share > 0.5 ? 0.5 - shares[i] : shares[i] - 0.5;
        beyond += side > 0.0 ? 1.0 : side < 0.0 ? 0.0 : 0.5;
    }
    double share_beyond = (beyond > 0.5 ? beyond : 0.5) / (double)n;
    double z = share_beyond < 0.5 ? normal_quantile(2.0 * share_beyond) : 0.0;
    widen(s, shares[cut], shares[n - 1 - cut], br_student_two_sided(z / stretch_of(s->n_raters), s->n_raters - 1));
}

static br_status bootstrap(br_side_by_side *s, const br_rater_choices *chosen, uint64_t seed)
{
    double *shares = br_calloc(BR_SIDE_BY_SIDE_RESAMPLES, sizeof *shares);
    if (shares == NULL) {
        return br_no_memory("resamples", BR_SIDE_BY_SIDE_RESAMPLES);
    }
    for (uint32_t i = 0; i < BR_SIDE_BY_SIDE_RESAMPLES; i++) {
        br_rng rng = br_rng_at(seed, BR_STREAM_BOOTSTRAP, i, 0);
        uint64_t first = 0;
        uint64_t n = 0;
        for (uint32_t r = 0; r < s->n_raters; r++) {
            const br_rater_choices *rater = &chosen[br_rng_below(&rng, s->n_raters)];
            first += rater->first;
            n += choices_of(rater);
        }
        shares[i] = (double)first / (double)n;
    }
    widen_by_resamples(s, shares);
    br_free(shares);
    return BR_OK;
}

static int by_choices(const void *left, const void *right)
{
    const br_rater_choices *a = left;
    const br_rater_choices *b = right;
    return a->first != b->first ? (a->first > b->first) - (a->first < b->first)
                                : (a->second > b->second) - (a->second < b->second);
}

static br_status by_raters(br_side_by_side *s, const br_rater_choices *chosen, uint64_t seed)
{
    double variance = variance_by_raters(s, chosen);
    double alone = s->share * (1.0 - s->share) / (double)s->n;
    s->design_effect = variance > alone && alone > 0.0 ? variance / alone : 1.0;
    if (s->n_raters >= BOOTSTRAP_RATERS) {
        s->interval = BR_SHARE_BOOTSTRAP;
        return bootstrap(s, chosen, seed);
    }
    double error = sqrt(variance);
    double reach = error * br_student_quantile(LEVEL, s->n_raters - 1);
    double p = error > 0.0 ? br_student_two_sided(fabs(s->share - 0.5) / error, s->n_raters - 1) : s->p;
    s->interval = BR_SHARE_T;
    widen(s, s->share - reach, s->share + reach, p);
    return BR_OK;
}

br_status br_side_by_side_of(br_side_by_side *out, const br_rater_choices *raters, uint32_t n_raters, uint64_t seed)
{
    br_side_by_side s = {0};
    br_rater_choices *chosen = br_calloc(n_raters, sizeof *chosen); // raters who chose, in an order of their own
    if (chosen == NULL && n_raters > 0) {
        return br_no_memory("raters", n_raters);
    }
    for (uint32_t r = 0; r < n_raters; r++) {
        s.n += choices_of(&raters[r]);
        s.first += raters[r].first;
        if (choices_of(&raters[r]) > 0) {
            chosen[s.n_raters++] = raters[r];
        }
    }
    start(&s);
    br_status status = BR_OK;
    if (s.n_raters > 1) {
        qsort(chosen, s.n_raters, sizeof *chosen, by_choices);
        status = by_raters(&s, chosen, seed);
    }
    br_free(chosen);
    finish(&s);
    *out = s;
    return status;
}

const char *br_share_interval_name(br_share_interval interval)
{
    static const char *const names[] = {
        [BR_SHARE_NONE] = "none",
        [BR_SHARE_WILSON] = "Wilson",
        [BR_SHARE_T] = "t over raters",
        [BR_SHARE_BOOTSTRAP] = "cluster bootstrap by rater",
    };
    return names[interval];
}
