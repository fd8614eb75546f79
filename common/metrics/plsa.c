#include "metrics/plsa.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "linalg/fixed.h"

#include <math.h>
#include <string.h>

// Less than this of a topic counts as none, so that EM does not crawl through denormal numbers. A word that occurs keeps at least one topic of
// a weight far above: its own share of the topic that explains it best.
static const float NO_SHARE = 1e-20f;

// All that EM works on; rows of `stride` floats.
typedef struct em {
    const br_fixed_kernels *kernels;
    const br_plsa_documents *documents;
    uint32_t n_topics;
    uint32_t stride;
    uint32_t n_documents; // drawn
    uint32_t n_words;
    uint32_t *drawn;       // [n_documents]
    uint32_t *words;       // [n_fields] of one document
    float *inverse;        // [n_fields] 1 / P(w | d)
    float *topics_of;      // [n_documents, stride] P(z | d)
    float *word_given;     // [n_words, stride] P(w | z); borrowed: the memory of the vectors to come
    float *sums;           // [n_words, stride] for each word and topic: sum of P(z | d) / P(w | d)
    float *document_sums;  // [stride]
    double *topic_weights; // [stride]
    double log_likelihood;
} em;

static void em_deinit(em *it)
{
    br_free(it->drawn);
    br_free(it->words);
    br_free(it->inverse);
    br_free(it->topics_of);
    br_free(it->sums);
    br_free(it->document_sums);
    br_free(it->topic_weights);
}

br_plsa_options br_plsa_options_default(void)
{
    return (br_plsa_options){.n_topics = 50, .max_documents = 4000, .max_iterations = 100, .min_gain = 1e-4, .seed = 1};
}

static const uint8_t *codes_of(const br_plsa_documents *documents, size_t i)
{
    size_t row = documents->row_of == NULL ? i : documents->row_of[i];
    return documents->codes + row * documents->n_fields;
}

static br_status check(const br_plsa_documents *documents, const br_plsa_options *options)
{
    if (documents->n == 0 || documents->n_fields == 0) {
        return br_fail(BR_ERR_INVALID, "%zu documents of %u words have no topics", documents->n, documents->n_fields);
    }
    if (options->n_topics == 0 || options->n_topics > BR_MAX_TOPICS || options->max_documents == 0 ||
        options->max_iterations == 0 || !(options->min_gain >= 0.0)) {
        return br_fail(BR_ERR_INVALID, "%u topics, %u documents, %u iterations, gain %g: out of range",
                       options->n_topics, options->max_documents, options->max_iterations, options->min_gain);
    }
    return BR_OK;
}

static br_status topics_new(br_topics **out, const br_plsa_documents *documents, uint32_t stride)
{
    BR_AUTO(br_topics) *topics = br_calloc(1, sizeof *topics);
    if (topics == NULL) {
        return br_no_memory("topics", 1);
    }
    topics->n_fields = documents->n_fields;
    topics->stride = stride;
    topics->first = br_calloc((size_t)documents->n_fields + 1, sizeof *topics->first);
    if (topics->first == NULL) {
        return br_no_memory("fields with topics", documents->n_fields);
    }
    for (uint32_t j = 0; j < documents->n_fields; j++) {
        if (documents->n_values[j] == 0 || documents->n_values[j] > UINT8_MAX + 1) {
            return br_fail(BR_ERR_INVALID, "field %u has %u values", j, documents->n_values[j]);
        }
        topics->first[j + 1] = topics->first[j] + documents->n_values[j];
    }
    topics->vectors = br_calloc_aligned((size_t)topics->first[documents->n_fields] * stride, sizeof *topics->vectors);
    if (topics->vectors == NULL) {
        return br_no_memory("words with topics", topics->first[documents->n_fields]);
    }
    *out = topics;
    topics = NULL;
    return BR_OK;
}

static br_status em_init(em *it, const br_plsa_documents *documents, const br_plsa_options *options, br_topics *topics)
{
    it->kernels = br_fixed();
    it->documents = documents;
    it->n_topics = options->n_topics;
    it->stride = topics->stride;
    it->n_words = topics->first[topics->n_fields];
    it->n_documents = documents->n < options->max_documents ? (uint32_t)documents->n : options->max_documents;
    size_t row = it->stride * sizeof(float);
    it->drawn = br_calloc(it->n_documents, sizeof *it->drawn);
    it->words = br_calloc(documents->n_fields, sizeof *it->words);
    it->inverse = br_calloc(documents->n_fields, sizeof *it->inverse);
    it->topics_of = br_calloc_aligned(it->n_documents, row);
    it->word_given = topics->vectors; // becomes the vectors when EM is done
    it->sums = br_calloc_aligned(it->n_words, row);
    it->document_sums = br_calloc_aligned(1, row);
    it->topic_weights = br_calloc(it->stride, sizeof *it->topic_weights);
    if (it->drawn == NULL || it->words == NULL || it->inverse == NULL || it->topics_of == NULL || it->sums == NULL ||
        it->document_sums == NULL || it->topic_weights == NULL) {
        return br_no_memory("words and documents with topics", (size_t)it->n_words + it->n_documents);
    }
    return BR_OK;
}

static float flushed(float share)
{
    return share < NO_SHARE ? 0.0f : share;
}

// The words' part of the M step.
static void em_words(em *it)
{
    memset(it->topic_weights, 0, it->stride * sizeof *it->topic_weights);
    for (size_t w = 0; w < it->n_words; w++) {
        for (uint32_t z = 0; z < it->n_topics; z++) {
            size_t at = w * it->stride + z;
            it->word_given[at] *= it->sums[at];
            it->topic_weights[z] += (double)it->word_given[at];
        }
    }
    memset(it->sums, 0, (size_t)it->n_words * it->stride * sizeof *it->sums);
    for (size_t w = 0; w < it->n_words; w++) {
        for (uint32_t z = 0; z < it->n_topics; z++) {
            float *share = &it->word_given[w * it->stride + z];
            *share = it->topic_weights[z] > 0.0 ? flushed((float)((double)*share / it->topic_weights[z])) : 0.0f;
        }
    }
}

// One document from each of n_documents equal stretches. Topics are equal in every document, words exponential: topics that begin much alike
// stay so for many steps that gain next to nothing.
static br_status em_begin(em *it, uint64_t seed)
{
    br_rng rng = br_rng_at(seed, BR_STREAM_TOPICS, 0, 0);
    for (uint32_t d = 0; d < it->n_documents; d++) {
        double at = (d + br_rng_uniform(&rng)) * (double)it->documents->n / it->n_documents;
        it->drawn[d] = (uint32_t)at;
        const uint8_t *codes = codes_of(it->documents, it->drawn[d]);
        for (uint32_t j = 0; j < it->documents->n_fields; j++) {
            if (codes[j] >= it->documents->n_values[j]) {
                return br_fail(BR_ERR_INVALID, "code %u of field %u, which has %u values", codes[j], j,
                               it->documents->n_values[j]);
            }
        }
        for (uint32_t z = 0; z < it->n_topics; z++) {
            it->topics_of[(size_t)d * it->stride + z] = 1.0f / (float)it->n_topics;
        }
    }
    for (uint32_t w = 0; w < it->n_words; w++) {
        rng = br_rng_at(seed, BR_STREAM_TOPICS, 1, w);
        for (uint32_t z = 0; z < it->n_topics; z++) {
            it->word_given[(size_t)w * it->stride + z] = (float)-br_fixed_log(1.0 - br_rng_uniform(&rng));
            it->sums[(size_t)w * it->stride + z] = 1.0f;
        }
    }
    em_words(it);
    return BR_OK;
}

// E step and the documents' part of the M step: P(z | d, w) is P(z | d) P(w | z) / P(w | d), never stored.
static void em_document(em *it, const br_topics *topics, uint32_t d)
{
    uint32_t n = topics->n_fields;
    float *topics_of = it->topics_of + (size_t)d * it->stride;
    const uint8_t *codes = codes_of(it->documents, it->drawn[d]);
    for (uint32_t j = 0; j < n; j++) {
        it->words[j] = topics->first[j] + codes[j];
    }
    const br_fixed_block block = {.block = topics_of, .rows = 1, .columns = it->stride, .list = it->words, .n = n};
    it->kernels->block_dots(&block, it->inverse, it->word_given);
    for (uint32_t j = 0; j < n; j++) {
        it->log_likelihood += br_fixed_log((double)it->inverse[j]);
        it->inverse[j] = 1.0f / it->inverse[j];
    }
    memset(it->document_sums, 0, it->stride * sizeof *it->document_sums);
    it->kernels->block_outer(&block, it->document_sums, it->inverse, it->word_given);
    it->kernels->block_spread(&block, it->sums, it->inverse);
    for (uint32_t z = 0; z < it->n_topics; z++) {
        topics_of[z] = flushed(topics_of[z] * it->document_sums[z] / (float)n);
    }
}

static void em_run(em *it, br_topics *topics, const br_plsa_options *options)
{
    double n_tokens = (double)it->n_documents * topics->n_fields;
    double gain = (double)INFINITY;
    while (topics->iterations < options->max_iterations && gain >= options->min_gain) {
        it->log_likelihood = 0.0;
        for (uint32_t d = 0; d < it->n_documents; d++) {
            em_document(it, topics, d);
        }
        em_words(it);
        it->log_likelihood /= n_tokens;
        gain = topics->iterations > 0 ? it->log_likelihood - topics->log_likelihood : gain;
        topics->log_likelihood = it->log_likelihood;
        topics->iterations++;
    }
}

// P(w | z) becomes the unit vector of P(z | w).
static void make_vectors(em *it, br_topics *topics)
{
    memset(it->topic_weights, 0, it->stride * sizeof *it->topic_weights);
    for (size_t d = 0; d < it->n_documents; d++) {
        for (uint32_t z = 0; z < it->n_topics; z++) {
            it->topic_weights[z] += (double)it->topics_of[d * it->stride + z];
        }
    }
    for (size_t w = 0; w < it->n_words; w++) {
        float *vector = topics->vectors + w * it->stride;
        bool occurs = false;
        for (uint32_t z = 0; z < it->n_topics; z++) {
            occurs = occurs || vector[z] > 0.0f;
        }
        double square = 0.0;
        for (uint32_t z = 0; z < it->n_topics; z++) {
            double weight = it->topic_weights[z] * (occurs ? (double)vector[z] : 1.0);
            vector[z] = (float)weight;
            square += weight * weight;
        }
        for (uint32_t z = 0; z < it->n_topics; z++) {
            vector[z] = (float)((double)vector[z] / sqrt(square));
        }
    }
}

br_status br_plsa_learn(br_topics **out, const br_plsa_documents *documents, const br_plsa_options *options)
{
    br_status status = check(documents, options);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO(br_topics) *topics = NULL;
    status = topics_new(&topics, documents, (options->n_topics + BR_LANES - 1) / BR_LANES * BR_LANES);
    if (status != BR_OK) {
        return status;
    }
    BR_AUTO_DEINIT(em) it = {.kernels = NULL};
    status = em_init(&it, documents, options, topics);
    if (status == BR_OK) {
        status = em_begin(&it, options->seed);
    }
    if (status == BR_OK) {
        em_run(&it, topics, options);
        make_vectors(&it, topics);
        *out = topics;
        topics = NULL;
    }
    return status;
}

void br_topics_free(br_topics **topics)
{
    if (*topics != NULL) {
        br_free((*topics)->first);
        br_free((*topics)->vectors);
        br_free(*topics);
        *topics = NULL;
    }
}

static const float *vector_of(const br_topics *topics, uint32_t field, uint8_t code)
{
    br_assert(field < topics->n_fields && code < topics->first[field + 1] - topics->first[field]);
    return topics->vectors + (size_t)(topics->first[field] + code) * topics->stride;
}

double br_topics_cosine(const br_topics *topics, uint32_t a, uint8_t code_a, uint32_t b, uint8_t code_b)
{
    const float *left = vector_of(topics, a, code_a);
    const float *right = vector_of(topics, b, code_b);
    double dot = 0.0;
    for (uint32_t z = 0; z < topics->stride; z++) {
        dot += (double)left[z] * (double)right[z];
    }
    return dot < 1.0 ? dot : 1.0;
}

double br_topics_diversity(const br_topics *topics, const uint32_t *fields, const uint8_t *codes, uint32_t n)
{
    double sum = 0.0;
    for (uint32_t a = 0; a < n; a++) {
        for (uint32_t b = a + 1; b < n; b++) {
            sum += br_topics_cosine(topics, fields[a], codes[a], fields[b], codes[b]);
        }
    }
    return n > 1 ? 1.0 - sum / (0.5 * n * (n - 1)) : (double)NAN;
}
