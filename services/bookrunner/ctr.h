#ifndef BOOKRUNNER_CTR_H
#define BOOKRUNNER_CTR_H

/// `train --ctr`: learning from files of a click-through benchmark, in the command's own process.
///
/// Files are read twice, once to learn which values there are and once to encode them; epochs read the encoded rows from a file without
/// a name in $TMPDIR, else /var/tmp. Memory: common/model/train_stream.h, common/input/ctr_vocabulary.h and ctr_file.h.

#include "cli.h"
#include "input/ctr_file.h"
#include "input/ctr_vocabulary.h"
#include "model/train_stream.h"

enum { CTR_TRAIN, CTR_VALID, CTR_TEST, CTR_PARTS };

/// Names with commas between.
typedef struct ctr_names {
    char *text;
    const char **items; ///< [n] into the text, or of the caller
    size_t n;
} ctr_names;

/// What the options ask for.
typedef struct ctr_request {
    br_ctr_options reading;
    ctr_names fields;
    ctr_names numeric;
    ctr_names files[CTR_PARTS];
    uint32_t shares[CTR_PARTS]; ///< how the training's files are cut; all 0: not at all
    uint32_t min_count;
    bool masks;
} ctr_request;

/// The options and words, which are borrowed. Release with ctr_request_deinit(), also after a failure. Errors: BR_ERR_INVALID for what
/// does not fit together: wrong usage; BR_ERR_NO_MEMORY.
br_status ctr_request_init(ctr_request *out, const arguments *args) BR_MUST_CHECK;
void ctr_request_deinit(ctr_request *request);

/// Encoded rows of one part.
typedef struct ctr_part {
    br_ctr_file *file; ///< NULL: there is none
    uint64_t n_positive;
    uint64_t seed; ///< of the order
    bool shuffled;
} ctr_part;

typedef struct ctr_data {
    br_ctr_vocabulary *vocabulary;
    ctr_part parts[CTR_PARTS];
    uint64_t n_rejected;
} ctr_data;

/// Read and encode all rows, tell on stderr which were rejected. `out` zeroed; release with ctr_data_deinit(), also after a failure.
/// Errors: BR_ERR_CANCELLED by a signal; those of br_ctr_reader_new(), br_ctr_counter_add() and br_ctr_file_append().
br_status ctr_data_read(ctr_data *out, const ctr_request *request, uint64_t seed) BR_MUST_CHECK;
br_sample_stream ctr_data_stream(ctr_part *part);
void ctr_data_deinit(ctr_data *data);

/// The command. Exit codes: 3 when rows were rejected, 130 when interrupted.
exit_code train_on_rows(const arguments *args);

#endif
