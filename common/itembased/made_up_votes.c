#include "itembased/asking.h"

#include "base/rng.h"
#include "itembased/votes.h"

#include <string.h>

typedef struct part {
    const char *text;
    size_t n;
} part;

/// The next part of *rest that is not empty; false at the end.
static bool next_part(const char **rest, part *out)
{
    *rest += strspn(*rest, "|");
    *out = (part){*rest, strcspn(*rest, "|")};
    *rest += out->n;
    return out->n > 0;
}

/// Is the part among those that begin in [from, until)?
static bool has_part(const char *from, const char *until, const part *wanted)
{
    part found;
    while (next_part(&from, &found) && found.text < until) {
        if (found.n == wanted->n && memcmp(found.text, wanted->text, found.n) == 0) {
            return true;
        }
    }
    return false;
}

double br_category_overlap(const char *a, const char *b)
{
    const char *end_b = b + strlen(b);
    uint32_t n_both = 0;
    uint32_t n_either = 0;
    part one;
    for (const char *rest = a; next_part(&rest, &one);) {
        if (!has_part(a, one.text, &one)) {
            n_both += has_part(b, end_b, &one);
            n_either++;
        }
    }
    for (const char *rest = b; next_part(&rest, &one);) {
        n_either += !has_part(b, one.text, &one) && !has_part(a, a + strlen(a), &one);
    }
    return n_either == 0 ? 0.0 : (double)n_both / n_either;
}

void br_made_up_votes_of(bool *valid_out, const br_made_up_votes *options, uint32_t x, uint32_t y,
                         const char *category_x, const char *category_y)
{
    br_assert(options->noise >= 0.0 && options->noise <= 0.5);
    br_assert(options->min_overlap > 0.0 && options->min_overlap <= 1.0);
    bool truth = br_category_overlap(category_x, category_y) >= options->min_overlap;
    br_rng rng = br_rng_at(options->seed, BR_STREAM_VOTES, x, y);
    for (int rater = 0; rater < BR_VOTES_PER_PAIR; rater++) {
        bool errs = br_rng_uniform(&rng) < options->noise;
        valid_out[rater] = truth != errs;
    }
}
