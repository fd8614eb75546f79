#include "metrics/metrics.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

enum { DIGIT_BITS = 11, N_DIGITS = 1 << DIGIT_BITS, N_PASSES = 3 };

// A key that orders as the float does; -0 and 0 are equal. The label rides in the lowest bit of the 64.
static uint64_t key_of(float score, uint8_t label)
{
    float value = score == 0.0f ? 0.0f : score;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
    return (uint64_t)bits << 1 | (label != 0);
}

static void sort_pass(uint64_t *to, const uint64_t *from, size_t n, unsigned shift)
{
    size_t start[N_DIGITS] = {0};
    for (size_t i = 0; i < n; i++) {
        start[from[i] >> shift & (N_DIGITS - 1)]++;
    }
    for (size_t digit = 0, sum = 0; digit < N_DIGITS; digit++) {
        size_t count = start[digit];
        start[digit] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++) {
        to[start[from[i] >> shift & (N_DIGITS - 1)]++] = from[i];
    }
}

// Pairs of a positive above a negative, ties one half: twice that number, so that it is an integer.
static double area_of(const uint64_t *keys, size_t n)
{
    size_t n_negative = 0;
    size_t n_positive = 0;
    uint64_t twice = 0; // at most 2^63 for 2^32 scores
    for (size_t i = 0; i < n;) {
        size_t negatives = 0;
        size_t positives = 0;
        uint64_t score = keys[i] >> 1;
        for (; i < n && keys[i] >> 1 == score; i++) {
            positives += keys[i] & 1;
            negatives += 1 - (keys[i] & 1);
        }
        twice += (uint64_t)positives * (2 * n_negative + negatives);
        n_negative += negatives;
        n_positive += positives;
    }
    if (n_negative == 0 || n_positive == 0) {
        return (double)NAN;
    }
    return (double)twice / (2.0 * (double)n_negative * (double)n_positive);
}

br_status br_auc(double *out, const float *scores, const uint8_t *labels, size_t n)
{
    br_assert(n <= UINT32_MAX);
    uint64_t *keys[2] = {br_calloc(n, sizeof(uint64_t)), br_calloc(n, sizeof(uint64_t))};
    br_status status = BR_OK;
    if (keys[0] == NULL || keys[1] == NULL) {
        status = br_no_memory("scores", n);
    } else {
        for (size_t i = 0; i < n; i++) {
            br_assert(!isnan(scores[i]));
            keys[0][i] = key_of(scores[i], labels[i]);
        }
        // The label's bit needs no sorting: 32 bits of score from bit 1 on.
        for (unsigned pass = 0; pass < N_PASSES; pass++) {
            sort_pass(keys[1 - pass % 2], keys[pass % 2], n, 1 + pass * DIGIT_BITS);
        }
        *out = area_of(keys[N_PASSES % 2], n);
    }
    br_free(keys[0]);
    br_free(keys[1]);
    return status;
}

double br_auc_plain(const float *scores, const uint8_t *labels, size_t n)
{
    double pairs = 0.0;
    double won = 0.0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < n; k++) {
            if (labels[i] != 0 && labels[k] == 0) {
                pairs += 1.0;
                won += scores[i] > scores[k] ? 1.0 : scores[i] == scores[k] ? 0.5 : 0.0;
            }
        }
    }
    return pairs > 0.0 ? won / pairs : (double)NAN;
}
