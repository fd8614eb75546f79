// Goal: the topics are those that EM by the book finds, and diversity is what they say of a set. Method: documents of known kinds, and a
// plain twin in double that keeps P(z | d, w) of every word.

#include "metrics/plsa.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 60, N_FIELDS = 5, N_VALUES = 3, N_TOPICS = 4, N_WORDS = N_FIELDS * N_VALUES, STRIDE = 16 };

static const uint16_t n_values[] = {3, 3, 3, 3, 3};

static br_topics *learn(const uint8_t *codes, const uint32_t *row_of, size_t n, br_plsa_options options)
{
    br_plsa_documents documents = {codes, row_of, n_values, n, N_FIELDS};
    br_topics *topics = NULL;
    br_status status = br_plsa_learn(&topics, &documents, &options);
    cr_assert_eq(status, BR_OK, "%s", br_why(status));
    return topics;
}

static br_plsa_options options_of(uint32_t n_topics, uint32_t iterations)
{
    br_plsa_options options = br_plsa_options_default();
    options.n_topics = n_topics;
    options.max_iterations = iterations;
    options.min_gain = 0.0;
    return options;
}

static void random_codes(uint8_t *codes, uint32_t round)
{
    br_rng rng = br_rng_at(4, BR_STREAM_TEST, 4, round);
    for (size_t d = 0; d < N; d++) {
        uint32_t kind = br_rng_below(&rng, 2);
        for (size_t j = 0; j < N_FIELDS; j++) {
            bool typical = br_rng_below(&rng, 3) > 0;
            codes[d * N_FIELDS + j] = (uint8_t)(typical ? kind : br_rng_below(&rng, N_VALUES));
        }
    }
}

typedef struct book {
    double topic[N][N_TOPICS];          // P(z | d)
    double word[N_WORDS][N_TOPICS];     // P(w | z)
    double both[N][N_FIELDS][N_TOPICS]; // P(z | d, w)
    double log_likelihood;
} book;

static void book_expect(book *b, const uint8_t *codes)
{
    b->log_likelihood = 0.0;
    for (size_t d = 0; d < N; d++) {
        for (size_t j = 0; j < N_FIELDS; j++) {
            size_t w = j * N_VALUES + codes[d * N_FIELDS + j];
            double sum = 0.0;
            for (size_t z = 0; z < N_TOPICS; z++) {
                b->both[d][j][z] = b->topic[d][z] * b->word[w][z];
                sum += b->both[d][j][z];
            }
            for (size_t z = 0; z < N_TOPICS; z++) {
                b->both[d][j][z] /= sum;
            }
            b->log_likelihood += log(sum) / (N * N_FIELDS);
        }
    }
}

static void book_maximise(book *b, const uint8_t *codes)
{
    memset(b->topic, 0, sizeof b->topic);
    memset(b->word, 0, sizeof b->word);
    double totals[N_TOPICS] = {0};
    for (size_t d = 0; d < N; d++) {
        for (size_t j = 0; j < N_FIELDS; j++) {
            for (size_t z = 0; z < N_TOPICS; z++) {
                b->topic[d][z] += b->both[d][j][z] / N_FIELDS;
                b->word[j * N_VALUES + codes[d * N_FIELDS + j]][z] += b->both[d][j][z];
                totals[z] += b->both[d][j][z];
            }
        }
    }
    for (size_t w = 0; w < N_WORDS; w++) {
        for (size_t z = 0; z < N_TOPICS; z++) {
            b->word[w][z] /= totals[z];
        }
    }
}

// P(w | z) at the start, as plsa.h states it.
static void book_begin(book *b, uint64_t seed)
{
    double totals[N_TOPICS] = {0};
    for (uint32_t w = 0; w < N_WORDS; w++) {
        br_rng rng = br_rng_at(seed, BR_STREAM_TOPICS, 1, w);
        for (size_t z = 0; z < N_TOPICS; z++) {
            b->word[w][z] = -log(1.0 - br_rng_uniform(&rng));
            totals[z] += b->word[w][z];
        }
    }
    for (size_t w = 0; w < N_WORDS; w++) {
        for (size_t z = 0; z < N_TOPICS; z++) {
            b->word[w][z] /= totals[z];
        }
    }
    for (size_t d = 0; d < N; d++) {
        for (size_t z = 0; z < N_TOPICS; z++) {
            b->topic[d][z] = 1.0 / N_TOPICS;
        }
    }
}

// P(z | w) of length 1
static void book_vector(const book *b, size_t w, double vector[N_TOPICS])
{
    double square = 0.0;
    for (size_t z = 0; z < N_TOPICS; z++) {
        double weight = 0.0;
        for (size_t d = 0; d < N; d++) {
            weight += b->topic[d][z];
        }
        vector[z] = b->word[w][z] * weight;
        square += vector[z] * vector[z];
    }
    for (size_t z = 0; z < N_TOPICS; z++) {
        vector[z] /= sqrt(square);
    }
}

Test(metrics_plsa, equals_em_by_the_book)
{
    enum { ITERATIONS = 12 };
    uint8_t codes[N * N_FIELDS];
    static book b;
    random_codes(codes, 0);
    BR_AUTO(br_topics) *topics = learn(codes, NULL, N, options_of(N_TOPICS, ITERATIONS));
    cr_assert(topics->iterations == ITERATIONS && topics->stride == STRIDE && topics->first[N_FIELDS] == N_WORDS);
    book_begin(&b, 1);
    double before = -HUGE_VAL;
    for (uint32_t i = 0; i < ITERATIONS; i++) {
        book_expect(&b, codes);
        book_maximise(&b, codes);
        cr_assert_gt(b.log_likelihood, before, "EM climbs");
        before = b.log_likelihood;
    }
    cr_expect_float_eq(topics->log_likelihood, b.log_likelihood, 1e-6);
    for (size_t w = 0; w < N_WORDS; w++) {
        double vector[N_TOPICS];
        book_vector(&b, w, vector);
        for (size_t z = 0; z < N_TOPICS; z++) {
            cr_expect_float_eq((double)topics->vectors[w * STRIDE + z], vector[z], 1e-4, "word %zu, topic %zu", w, z);
        }
        for (size_t z = N_TOPICS; z < STRIDE; z++) {
            cr_expect_eq(topics->vectors[w * STRIDE + z], 0.0f);
        }
    }
}

// Half of the documents say 0 everywhere, the other half 1.
static br_topics *two_kinds(void)
{
    uint8_t codes[N * N_FIELDS];
    for (size_t i = 0; i < N * N_FIELDS; i++) {
        codes[i] = i / N_FIELDS % 2;
    }
    return learn(codes, NULL, N, options_of(2, 100));
}

Test(metrics_plsa, words_of_one_kind_share_a_topic)
{
    BR_AUTO(br_topics) *topics = two_kinds();
    cr_expect_float_eq(topics->log_likelihood, log(1.0 / N_FIELDS), 1e-6, "a topic has five words");
    cr_expect_gt(br_topics_cosine(topics, 0, 0, 4, 0), 0.999999);
    cr_expect_gt(br_topics_cosine(topics, 1, 1, 2, 1), 0.999999);
    cr_expect_lt(br_topics_cosine(topics, 0, 0, 1, 1), 1e-6);
    cr_expect_float_eq(br_topics_cosine(topics, 0, 0, 1, 2), sqrt(0.5), 1e-6, "a word that nobody has tells nothing");
}

Test(metrics_plsa, diversity_is_one_minus_the_mean_cosine)
{
    BR_AUTO(br_topics) *topics = two_kinds();
    static const uint32_t fields[] = {0, 1, 2, 3};
    // Three of one kind, one of the other: three pairs alike, three not.
    cr_expect_float_eq(br_topics_diversity(topics, fields, (const uint8_t[]){0, 0, 0, 1}, 4), 0.5, 1e-6);
    cr_expect_float_eq(br_topics_diversity(topics, fields, (const uint8_t[]){1, 1, 1, 1}, 4), 0.0, 1e-6);
    cr_expect_float_eq(br_topics_diversity(topics, fields, (const uint8_t[]){1, 0, 0, 0}, 2), 1.0, 1e-6);
    cr_expect(isnan(br_topics_diversity(topics, fields, (const uint8_t[]){1, 1, 1, 1}, 1)));
}

Test(metrics_plsa, ends_when_an_iteration_gains_too_little_and_follows_the_rows)
{
    uint8_t codes[N * N_FIELDS];
    uint32_t backwards[N];
    random_codes(codes, 1);
    uint8_t turned[N * N_FIELDS];
    for (size_t d = 0; d < N; d++) {
        backwards[d] = (uint32_t)(N - 1 - d);
        memcpy(turned + d * N_FIELDS, codes + (N - 1 - d) * N_FIELDS, N_FIELDS);
    }
    br_plsa_options options = options_of(3, 1000);
    options.min_gain = 1e-3;
    BR_AUTO(br_topics) *one = learn(codes, backwards, N, options);
    BR_AUTO(br_topics) *two = learn(turned, NULL, N, options);
    cr_expect(one->iterations > 2 && one->iterations < 500, "%u", one->iterations);
    cr_expect_arr_eq(one->vectors, two->vectors, N_WORDS * STRIDE * sizeof(float));
    options.max_iterations = one->iterations - 1;
    BR_AUTO(br_topics) *shorter = learn(turned, NULL, N, options);
    cr_expect_lt(one->log_likelihood - shorter->log_likelihood, 1e-3);
    options.seed = 2;
    BR_AUTO(br_topics) *other = learn(turned, NULL, N, options);
    cr_expect_neq(memcmp(other->vectors, shorter->vectors, N_WORDS * STRIDE * sizeof(float)), 0, "the seed counts");
}

Test(metrics_plsa, any_kernel_gives_the_same_bytes)
{
    uint8_t codes[N * N_FIELDS];
    random_codes(codes, 2);
    BR_AUTO(br_topics) *best = learn(codes, NULL, N, options_of(7, 20));
    cr_assert_eq(setenv("BOOKRUNNER_KERNEL", "plain", 1), 0);
    BR_AUTO(br_topics) *plain = learn(codes, NULL, N, options_of(7, 20));
    cr_expect_arr_eq(best->vectors, plain->vectors, N_WORDS * STRIDE * sizeof(float));
    cr_expect_eq(best->log_likelihood, plain->log_likelihood);
}

Test(metrics_plsa, draws_documents_from_all_of_them)
{
    // Kinds by thirds: a draw of six has two of each. One topic is how often words are drawn, wherever EM begins.
    uint8_t codes[N * N_FIELDS];
    for (size_t i = 0; i < N * N_FIELDS; i++) {
        codes[i] = (uint8_t)(i / N_FIELDS * 3 / N);
    }
    br_plsa_options options = options_of(1, 3);
    options.max_documents = 6;
    BR_AUTO(br_topics) *topics = learn(codes, NULL, N, options);
    cr_expect_float_eq(topics->log_likelihood, log(1.0 / (3 * N_FIELDS)), 1e-6);
}

Test(metrics_plsa, refuses_what_has_no_topics)
{
    uint8_t codes[N * N_FIELDS] = {0};
    br_topics *topics = NULL;
    br_plsa_options options = options_of(2, 1);
    br_plsa_documents documents = {codes, NULL, n_values, 0, N_FIELDS};
    cr_expect_eq(br_plsa_learn(&topics, &documents, &options), BR_ERR_INVALID, "no documents");
    documents.n = N;
    codes[7] = N_VALUES;
    cr_expect_eq(br_plsa_learn(&topics, &documents, &options), BR_ERR_INVALID, "a code out of range");
    codes[7] = 0;
    documents.n_values = (const uint16_t[]){3, 257, 3, 3, 3};
    cr_expect_eq(br_plsa_learn(&topics, &documents, &options), BR_ERR_INVALID, "more values than codes");
    documents.n_values = n_values;
    options.n_topics = BR_MAX_TOPICS + 1;
    cr_expect_eq(br_plsa_learn(&topics, &documents, &options), BR_ERR_INVALID, "too many topics");
    options.n_topics = 2;
    options.min_gain = (double)NAN;
    cr_expect_eq(br_plsa_learn(&topics, &documents, &options), BR_ERR_INVALID, "no gain");
    cr_expect_null(topics);
}

Test(metrics_plsa, every_failed_allocation_is_told_and_nothing_stays)
{
    uint8_t codes[N * N_FIELDS] = {0};
    br_plsa_documents documents = {codes, NULL, n_values, N, N_FIELDS};
    br_plsa_options options = options_of(2, 2);
    size_t live = br_alloc_live();
    br_status status = BR_ERR_NO_MEMORY;
    size_t n = 0;
    for (; status != BR_OK; n++) {
        br_topics *topics = NULL;
        br_alloc_fail_after(n);
        status = br_plsa_learn(&topics, &documents, &options);
        br_alloc_fail_after(SIZE_MAX);
        cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY);
        cr_assert_eq(topics != NULL, status == BR_OK);
        br_topics_free(&topics);
        cr_assert_eq(br_alloc_live(), live);
    }
    cr_expect_gt(n, 8);
}
