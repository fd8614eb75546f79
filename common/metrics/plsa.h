#ifndef BR_METRICS_PLSA_H
#define BR_METRICS_PLSA_H

/// Topics of the investor's features, and how diverse a set of reasons is by them (paper 5.3 and A.3).
///
/// Probabilistic latent semantic analysis, P(d, w) = P(d) sum_z P(z | d) P(w | z), by EM: a document is a training pair, its words are
/// the values of all its investor fields, so that each document has exactly one word of each field.
///
///     br_plsa_options options = br_plsa_options_default();
///     br_plsa_learn(&topics, &documents, &options);
///     double diversity = br_topics_diversity(topics, fields, codes, 6);

#include "base/status.h"

/// All borrowed.
typedef struct br_plsa_documents {
    const uint8_t *codes;     ///< [n_rows, n_fields]
    const uint32_t *row_of;   ///< [n] row of codes; NULL: document i is row i
    const uint16_t *n_values; ///< [n_fields] codes of field j are below n_values[j], 1 to 256
    size_t n;                 ///< documents
    uint32_t n_fields;
} br_plsa_documents;

typedef struct br_plsa_options {
    uint32_t n_topics;       ///< 50, as in the paper; 1 to BR_MAX_TOPICS
    uint32_t max_documents;  ///< 4000: so many are drawn
    uint32_t max_iterations; ///< 100
    double min_gain;         ///< 1e-4: end when an iteration raises the mean log likelihood of a word by less, in nats
    uint64_t seed;           ///< of the draw and of the first topics
} br_plsa_options;

#define BR_MAX_TOPICS 256

br_plsa_options br_plsa_options_default(void);

typedef struct br_topics {
    uint32_t n_fields;
    uint32_t stride;       ///< floats from word to word: n_topics and zeros
    uint32_t *first;       ///< [n_fields + 1] word of code 0 of each field
    float *vectors;        ///< [words, stride] of length 1, none negative
    double log_likelihood; ///< mean of a word, nats
    uint32_t iterations;
} br_topics;

/// Learn the topics. The same bytes on every host.
///
/// Source:  A.3; Hofmann 1999.
/// Choice:  a word's vector is P(z | w), proportional to P(w | z) P(z): what the word tells of the topic. P(w | z) alone would say the same up to the
///          topics' sizes. A word that no drawn document has tells nothing: its vector is P(z).
/// Choice:  a draw of documents, one from each of as many equal stretches, because each holds a word of every field: the mean diversity of
///          2,000 random sets on a simulated market (259 fields) lay between 0.690 and 0.702 for two seeds, 2,000 to 8,000 documents and 50
///          to 128 iterations. The default takes 5 s there on one core. P(z | d) begins equal, P(w | z) uniform on the simplex.
/// Memory:  8 (words + documents / 2) bytes times the topics, rounded up to a multiple of 16.
/// Errors:  BR_ERR_INVALID (no documents or fields, a code or an option out of range), BR_ERR_NO_MEMORY.
br_status br_plsa_learn(br_topics **out, const br_plsa_documents *documents,
                        const br_plsa_options *options) BR_MUST_CHECK;
void br_topics_free(br_topics **topics);

/// Cosine of the vectors of field a = code_a and field b = code_b, in [0, 1].
double br_topics_cosine(const br_topics *topics, uint32_t a, uint8_t code_a, uint32_t b, uint8_t code_b);
/// 1 - mean cosine over the pairs of n reasons, in [0, 1]; NAN with fewer than two.
///
///   fields  in  [n]  selected fields
///   codes   in  [n]  their values
///
/// Source: 5.3, d of an explanation.
double br_topics_diversity(const br_topics *topics, const uint32_t *fields, const uint8_t *codes, uint32_t n);

#endif
