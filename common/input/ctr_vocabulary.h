#ifndef BR_INPUT_CTR_VOCABULARY_H
#define BR_INPUT_CTR_VOCABULARY_H

/// How the values of a click-through benchmark become dense codes: counted in one pass over the training files, then applied to any.
///
///     br_ctr_counter_new(&counter, reader, &options);
///     while (br_ctr_reader_next(reader, &row) == BR_OK) { br_ctr_counter_add(counter, &row); }
///     br_ctr_counter_finish(&counter, &vocabulary);
///     br_ctr_vocabulary_encode(vocabulary, &row, codes);
///
/// Codes of a category: 0 = rare, or never seen in training; 1, 2, ... = its values, the most frequent first, of equal ones the
/// bytewise smaller, so that the order of the rows does not matter.
/// Codes of a number: 0 = missing; 1, 2, ... = its bins from below.
///
/// Choice: numbers are binned, where FuxiCTR's x1 settings multiply an embedding by them: a bin can be masked and given as a
/// reason like any other value, and no scale of the number matters. Each bin takes its part of what the bins below it have left, but at
/// least one value, so that one frequent number, mostly 0, does not use up the bins of the others.
/// Choice: cuts are learned from BR_CTR_SAMPLE_ROWS rows that are drawn uniformly in the same pass.

#include "input/ctr_reader.h"

#include "base/index.h"

#define BR_CTR_MAX_BINS    1024
#define BR_CTR_SAMPLE_ROWS 50000

typedef struct br_ctr_vocabulary_options {
    uint32_t min_count;  ///< a value seen fewer times is rare; from 1
    uint32_t max_values; ///< of a category that get a code of their own, from 1
    uint32_t n_bins;     ///< of a number at most, 2 to BR_CTR_MAX_BINS
    /// Of memory for what is counted: 72 + the value's bytes with a NUL (rounded up to 16) for each value of each category,
    /// 8 * BR_CTR_SAMPLE_ROWS for each number. Besides, at most 64 KiB per field; br_ctr_counter_finish() may take as much again.
    size_t max_bytes;
    uint64_t seed; ///< of the rows that cuts are learned from
} br_ctr_vocabulary_options;

/// min_count 2, max_values 10,000,000, n_bins 32, max_bytes 1 GiB, seed 1.
br_ctr_vocabulary_options br_ctr_vocabulary_defaults(void);

typedef struct br_ctr_field {
    char *name;
    bool numeric;
    uint32_t n_values; ///< codes 0 .. n_values - 1
    br_index *values;  ///< category: the value of code c has number c - 1; NULL for a number
    double *cuts;      ///< number: [n_cuts] ascending; bin i holds the numbers <= cuts[i] that no bin below holds
    uint32_t n_cuts;
} br_ctr_field;

typedef struct br_ctr_vocabulary {
    br_ctr_field *fields; ///< [n_fields]
    uint32_t n_fields;
    uint64_t n_rows; ///< it was learned from
    uint64_t n_positive;
} br_ctr_vocabulary;

typedef struct br_ctr_counter br_ctr_counter;

/// For the fields of `reader`, whose names are copied. Errors: BR_ERR_LIMIT (the numbers alone need more than max_bytes);
/// BR_ERR_NO_MEMORY.
br_status br_ctr_counter_new(br_ctr_counter **out, const br_ctr_reader *reader,
                             const br_ctr_vocabulary_options *options) BR_MUST_CHECK;
/// Errors: BR_ERR_LIMIT (max_bytes is reached: the reason names the field with the most values); BR_ERR_NO_MEMORY.
br_status br_ctr_counter_add(br_ctr_counter *counter, const br_ctr_row *row) BR_MUST_CHECK;
/// Takes ownership and sets *counter to NULL, also when it fails. Errors: BR_ERR_INVALID (no row was added); BR_ERR_NO_MEMORY.
br_status br_ctr_counter_finish(br_ctr_counter **counter, br_ctr_vocabulary **out) BR_MUST_CHECK;
void br_ctr_counter_free(br_ctr_counter **counter);

/// Has `reader` the vocabulary's fields, in its order? Errors: BR_ERR_INVALID when not.
br_status br_ctr_vocabulary_check(const br_ctr_vocabulary *vocabulary, const br_ctr_reader *reader) BR_MUST_CHECK;
/// codes[n_fields] of a row of such a reader.
void br_ctr_vocabulary_encode(const br_ctr_vocabulary *vocabulary, const br_ctr_row *row, uint32_t *codes);
void br_ctr_vocabulary_free(br_ctr_vocabulary **vocabulary);

#endif
