#include "base/alloc.h"
#include "base/rng.h"
#include "ctr.h"
#include "interrupts.h"
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// What a pass over the files needs to know.
typedef struct pass {
    const ctr_request *request;
    br_ctr_options reading;
    uint64_t seed;
} pass;

/// Which part a row of the training's files goes to.
static uint32_t part_of(const pass *it, uint64_t row)
{
    const uint32_t *shares = it->request->shares;
    if (shares[CTR_TRAIN] == 0) {
        return CTR_TRAIN; // nothing is cut
    }
    br_rng rng = br_rng_at(it->seed, BR_STREAM_SPLIT, (uint32_t)(row >> 32), (uint32_t)row);
    uint32_t drawn = br_rng_below(&rng, shares[CTR_TRAIN] + shares[CTR_VALID] + shares[CTR_TEST]);
    return drawn < shares[CTR_TRAIN] ? CTR_TRAIN : drawn < shares[CTR_TRAIN] + shares[CTR_VALID] ? CTR_VALID : CTR_TEST;
}

// --- two passes ---

static br_status next_row(br_ctr_reader *reader, br_ctr_row *row, progress *shown)
{
    if (interrupted()) {
        return br_fail(BR_ERR_CANCELLED, "interrupted while reading");
    }
    br_status status = br_ctr_reader_next(reader, row);
    progress_show(shown, br_ctr_reader_tally(reader)->n_rows, 0, 0, NULL);
    return status;
}

/// Learn the values of the training's rows; *reader_out is at its end.
static br_status learn_values(ctr_data *out, const pass *it, const br_ctr_vocabulary_options *options,
                              br_ctr_reader *reader)
{
    BR_AUTO(br_ctr_counter) *counter = NULL;
    br_status status = br_ctr_counter_new(&counter, reader, options);
    progress shown = progress_start("values", "rows");
    br_ctr_row row;
    for (uint64_t n = 0; status == BR_OK && (status = next_row(reader, &row, &shown)) == BR_OK; n++) {
        if (part_of(it, n) == CTR_TRAIN) {
            status = br_ctr_counter_add(counter, &row);
        }
    }
    progress_end(&shown);
    return status == BR_ERR_AGAIN ? br_ctr_counter_finish(&counter, &out->vocabulary) : status;
}

static void tell_rejected(ctr_data *out, const br_ctr_tally *tally)
{
    for (uint32_t i = 0; i < tally->n_messages; i++) {
        fprintf(stderr, "rejected: %s\n", tally->messages[i]);
    }
    if (tally->n_rejected > tally->n_messages) {
        fprintf(stderr, "rejected: %" PRIu64 " more rows\n", tally->n_rejected - tally->n_messages);
    }
    out->n_rejected += tally->n_rejected;
}

/// Encode all rows of a reader; those of the training's files go where the split says.
static br_status encode(ctr_data *out, const pass *it, br_ctr_reader *reader, uint32_t part, uint32_t *codes)
{
    br_status status = br_ctr_vocabulary_check(out->vocabulary, reader);
    progress shown = progress_start("encode", "rows");
    br_ctr_row row;
    for (uint64_t n = 0; status == BR_OK && (status = next_row(reader, &row, &shown)) == BR_OK; n++) {
        ctr_part *to = &out->parts[part == CTR_TRAIN ? part_of(it, n) : part];
        br_ctr_vocabulary_encode(out->vocabulary, &row, codes);
        status = br_ctr_file_append(to->file, codes, row.label);
        to->n_positive += row.label;
    }
    progress_end(&shown);
    tell_rejected(out, br_ctr_reader_tally(reader));
    return status == BR_ERR_AGAIN ? BR_OK : status;
}

static br_status make_files(ctr_data *out, const pass *it)
{
    const char *place = getenv("TMPDIR");
    br_status status = BR_OK;
    for (uint32_t k = 0; k < CTR_PARTS && status == BR_OK; k++) {
        out->parts[k].seed = it->seed;
        out->parts[k].shuffled = k == CTR_TRAIN;
        if (it->request->files[k].n > 0 || it->request->shares[k] > 0) {
            status = br_ctr_file_new(&out->parts[k].file, place == NULL || *place == '\0' ? "/var/tmp" : place,
                                     out->vocabulary->n_fields);
        }
    }
    return status;
}

static br_status encode_all(ctr_data *out, pass *it)
{
    uint32_t n_fields = out->vocabulary->n_fields;
    uint32_t *codes = br_calloc(n_fields, sizeof *codes);
    const char **fields = br_calloc(n_fields, sizeof *fields);
    br_status status = codes == NULL || fields == NULL ? br_no_memory("codes", n_fields) : make_files(out, it);
    for (uint32_t i = 0; i < n_fields && fields != NULL; i++) {
        fields[i] = out->vocabulary->fields[i].name;
    }
    if (it->reading.format == BR_CTR_CSV) { // by name: columns of other files may stand in another order
        it->reading.fields = fields;
        it->reading.n_fields = n_fields;
    }
    for (uint32_t k = 0; k < CTR_PARTS && status == BR_OK; k++) {
        BR_AUTO(br_ctr_reader) *reader = NULL;
        if (it->request->files[k].n > 0) {
            status = br_ctr_reader_new(&reader, it->request->files[k].items, it->request->files[k].n, &it->reading);
            status = status == BR_OK ? encode(out, it, reader, k, codes) : status;
        }
    }
    br_free(codes);
    br_free(fields);
    return status;
}

br_status ctr_data_read(ctr_data *out, const ctr_request *request, uint64_t seed)
{
    pass it = {.request = request, .reading = request->reading, .seed = seed};
    br_ctr_vocabulary_options options = br_ctr_vocabulary_defaults();
    options.seed = seed;
    options.min_count = request->min_count;
    const ctr_names *files = &request->files[CTR_TRAIN];
    BR_AUTO(br_ctr_reader) *reader = NULL;
    br_status status = br_ctr_reader_new(&reader, files->items, files->n, &it.reading);
    if (status == BR_OK) {
        status = learn_values(out, &it, &options, reader);
    }
    return status == BR_OK ? encode_all(out, &it) : status;
}

void ctr_data_deinit(ctr_data *data)
{
    for (uint32_t k = 0; k < CTR_PARTS; k++) {
        br_ctr_file_free(&data->parts[k].file);
    }
    br_ctr_vocabulary_free(&data->vocabulary);
}

// --- streams ---

static br_status start(void *context, uint32_t epoch, uint32_t max_rows)
{
    ctr_part *part = context;
    br_ctr_order order = {.batch_rows = max_rows, .shuffled = part->shuffled, .seed = part->seed, .epoch = epoch};
    return br_ctr_file_start(part->file, &order);
}

static br_status next(void *context, uint32_t n_rows, br_sample_batch *out)
{
    ctr_part *part = context;
    if (interrupted()) {
        return br_fail(BR_ERR_CANCELLED, "training: interrupted");
    }
    br_ctr_batch batch;
    br_status status = br_ctr_file_next(part->file, n_rows, &batch);
    if (status == BR_OK) {
        *out = (br_sample_batch){batch.n, batch.codes, batch.labels};
    }
    return status;
}

br_sample_stream ctr_data_stream(ctr_part *part)
{
    return (br_sample_stream){.context = part,
                              .n = br_ctr_file_n_rows(part->file),
                              .n_positive = part->n_positive,
                              .start = start,
                              .next = next};
}
