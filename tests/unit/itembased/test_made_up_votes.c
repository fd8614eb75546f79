// Goal: made-up raters say what the categories say, but for their noise, each on his own. Method: overlaps by hand, rates over many pairs.

#include "itembased/asking.h"
#include "itembased/votes.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

Test(itembased_made_up_votes, overlap_by_hand)
{
    static const struct {
        const char *a, *b;
        double overlap;
    } cases[] = {
        {"Comedy", "Comedy", 1.0},
        {"Comedy|Drama", "Drama", 0.5},
        {"Comedy|Drama|War", "War|Comedy|Crime", 0.5},
        {"Comedy|Drama", "Crime", 0.0},
        {"Comedy", "Com", 0.0},
        {"Com|edy", "Comedy", 0.0},
        {"A|A|B", "B|B|A|A", 1.0},
        {"A|B|A", "A", 0.5},
        {"|A||B|", "B|A", 1.0},
        {"", "", 0.0},
        {"", "A", 0.0},
        {"|", "||", 0.0},
        {"A", "|", 0.0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_float_eq(br_category_overlap(cases[i].a, cases[i].b), cases[i].overlap, 1e-15, "%s and %s",
                           cases[i].a, cases[i].b);
        cr_expect_float_eq(br_category_overlap(cases[i].b, cases[i].a), cases[i].overlap, 1e-15, "%s and %s",
                           cases[i].b, cases[i].a);
    }
}

enum { SIDE = 100, PAIRS = SIDE * SIDE };

typedef struct rates {
    double valid[BR_VOTES_PER_PAIR];
    double both; // the first and the second
} rates;

static rates rates_of(const br_made_up_votes *options, const char *a, const char *b)
{
    rates r = {.both = 0.0};
    for (uint32_t i = 0; i < PAIRS; i++) {
        bool valid[BR_VOTES_PER_PAIR];
        br_made_up_votes_of(valid, options, i / SIDE, i % SIDE, a, b);
        for (int rater = 0; rater < BR_VOTES_PER_PAIR; rater++) {
            r.valid[rater] += valid[rater] / (double)PAIRS;
        }
        r.both += (valid[0] && valid[1]) / (double)PAIRS;
    }
    return r;
}

Test(itembased_made_up_votes, valid_follows_overlap_and_noise)
{
    static const double noises[] = {0.0, 0.1, 0.3, 0.5};
    for (int i = 0; i < 4; i++) {
        br_made_up_votes options = {.noise = noises[i], .min_overlap = 0.5, .seed = 1};
        rates near = rates_of(&options, "A|B", "B");
        rates far = rates_of(&options, "A|B", "C|B");
        // Five standard deviations of a rate over 10,000 pairs.
        double reach = 5.0 * sqrt(noises[i] * (1.0 - noises[i]) / PAIRS) + 1e-9;
        for (int rater = 0; rater < BR_VOTES_PER_PAIR; rater++) {
            cr_expect_float_eq(near.valid[rater], 1.0 - noises[i], reach, "%g", near.valid[rater]);
            cr_expect_float_eq(far.valid[rater], noises[i], reach, "%g", far.valid[rater]);
        }
        double both = noises[i] * noises[i];
        cr_expect_float_eq(far.both, both, 5.0 * sqrt(both * (1.0 - both) / PAIRS) + 1e-9, "each on his own");
    }
}

Test(itembased_made_up_votes, nothing_else_counts)
{
    br_made_up_votes options = {.noise = 0.3, .min_overlap = 0.5, .seed = 1};
    br_made_up_votes other = {.noise = 0.3, .min_overlap = 0.5, .seed = 2};
    int seeds = 0, turned = 0;
    for (uint32_t i = 0; i < PAIRS; i++) {
        bool once[BR_VOTES_PER_PAIR], again[BR_VOTES_PER_PAIR], opposite[BR_VOTES_PER_PAIR];
        uint32_t x = i / SIDE, y = i % SIDE;
        br_made_up_votes_of(once, &options, x, y, "A", "A");
        br_made_up_votes_of(opposite, &options, x, y, "A", "B");
        br_made_up_votes_of(again, &options, y, x, "A", "A");
        turned += memcmp(once, again, sizeof once) != 0;
        br_made_up_votes_of(again, &other, x, y, "A", "A");
        seeds += memcmp(once, again, sizeof once) != 0;
        br_made_up_votes_of(again, &options, x, y, "C|D", "D|C");
        cr_assert_eq(memcmp(once, again, sizeof once), 0);
        for (int rater = 0; rater < BR_VOTES_PER_PAIR; rater++) {
            cr_assert_neq(once[rater], opposite[rater], "the same raters err");
        }
    }
    cr_expect(seeds > PAIRS / 2 && turned > PAIRS / 2, "%d %d", seeds, turned);
}
