#include "input/ctr_vocabulary.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Of one counted value besides its bytes: text and length in the index, up to twice for room to grow, four slots of its table, which
// also lives twice while it grows, and the count.
enum { VALUE_BYTES = 72, TEXT_ALIGN = 16 };

// What is counted of one field.
typedef struct count {
    br_index *values; // category
    uint32_t *counts; // [capacity] of values
    uint32_t capacity;
    uint32_t sample; // number: its place among the numbers of a sampled row
} count;

struct br_ctr_counter {
    br_ctr_vocabulary_options options;
    br_ctr_vocabulary *vocabulary; // names so far
    count *counts;                 // [n_fields]
    uint32_t n_fields;
    uint32_t n_numeric;
    double *samples; // [BR_CTR_SAMPLE_ROWS, n_numeric]
    size_t n_bytes;
    br_rng rng;
};

br_ctr_vocabulary_options br_ctr_vocabulary_defaults(void)
{
    return (br_ctr_vocabulary_options){
        .min_count = 2, .max_values = 10000000, .n_bins = 32, .max_bytes = (size_t)1 << 30, .seed = 1};
}

// --- counting ---

static br_status new_vocabulary(br_ctr_vocabulary **out, const br_ctr_reader *reader)
{
    BR_AUTO(br_ctr_vocabulary) *vocabulary = br_calloc(1, sizeof *vocabulary);
    uint32_t n = br_ctr_reader_n_fields(reader);
    if (vocabulary == NULL || (vocabulary->fields = br_calloc(n, sizeof *vocabulary->fields)) == NULL) {
        return br_no_memory("fields of a vocabulary", n);
    }
    vocabulary->n_fields = n;
    for (uint32_t i = 0; i < n; i++) {
        vocabulary->fields[i].name = br_strdup(br_ctr_reader_name(reader, i));
        vocabulary->fields[i].numeric = br_ctr_reader_is_numeric(reader, i);
        if (vocabulary->fields[i].name == NULL) {
            return br_no_memory("name of a field", 1);
        }
    }
    *out = vocabulary;
    vocabulary = NULL;
    return BR_OK;
}

static br_status start_counts(br_ctr_counter *counter)
{
    counter->n_fields = counter->vocabulary->n_fields;
    counter->counts = br_calloc(counter->n_fields, sizeof *counter->counts);
    if (counter->counts == NULL) {
        return br_no_memory("counted fields", counter->n_fields);
    }
    for (uint32_t i = 0; i < counter->n_fields; i++) {
        if (counter->vocabulary->fields[i].numeric) {
            counter->counts[i].sample = counter->n_numeric++;
            continue;
        }
        br_status status = br_index_new(&counter->counts[i].values);
        if (status != BR_OK) {
            return status;
        }
    }
    counter->n_bytes = (size_t)counter->n_numeric * BR_CTR_SAMPLE_ROWS * sizeof *counter->samples;
    if (counter->n_bytes > counter->options.max_bytes) {
        return br_fail(BR_ERR_LIMIT, "a sample of %u numeric fields needs %zu bytes where %zu are allowed",
                       counter->n_numeric, counter->n_bytes, counter->options.max_bytes);
    }
    counter->samples = br_malloc(counter->n_bytes);
    return counter->samples == NULL ? br_no_memory("bytes of sampled numbers", counter->n_bytes) : BR_OK;
}

br_status br_ctr_counter_new(br_ctr_counter **out, const br_ctr_reader *reader,
                             const br_ctr_vocabulary_options *options)
{
    br_assert(options->min_count > 0 && options->max_values > 0 && options->max_values < UINT32_MAX);
    br_assert(options->n_bins >= 2 && options->n_bins <= BR_CTR_MAX_BINS);
    BR_AUTO(br_ctr_counter) *counter = br_calloc(1, sizeof *counter);
    if (counter == NULL) {
        return br_no_memory("counter of values", 1);
    }
    counter->options = *options;
    counter->rng = br_rng_at(options->seed, BR_STREAM_QUANTILES, 0, 0);
    br_status status = new_vocabulary(&counter->vocabulary, reader);
    if (status == BR_OK) {
        status = start_counts(counter);
    }
    if (status == BR_OK) {
        *out = counter;
        counter = NULL;
    }
    return status;
}

static br_status too_many(const br_ctr_counter *counter)
{
    uint32_t most = 0;
    uint32_t n_most = 0;
    for (uint32_t i = 0; i < counter->n_fields; i++) {
        const br_index *values = counter->counts[i].values;
        if (values != NULL && br_index_count(values) > n_most) {
            n_most = br_index_count(values);
            most = i;
        }
    }
    return br_fail(BR_ERR_LIMIT,
                   "the values of the fields need more than %zu bytes; field '%s' has the most, %u so far",
                   counter->options.max_bytes, counter->vocabulary->fields[most].name, n_most);
}

static br_status count_value(br_ctr_counter *counter, count *of, const br_ctr_value *value)
{
    uint32_t number = br_index_find(of->values, value->text, value->n);
    if (number != BR_INDEX_NONE) {
        of->counts[number] += of->counts[number] < UINT32_MAX;
        return BR_OK;
    }
    size_t n_bytes = VALUE_BYTES + (value->n + TEXT_ALIGN) / TEXT_ALIGN * TEXT_ALIGN;
    if (n_bytes > counter->options.max_bytes - counter->n_bytes) {
        return too_many(counter);
    }
    if (br_index_count(of->values) == of->capacity) {
        uint32_t capacity = of->capacity == 0 ? 32 : 2 * of->capacity;
        uint32_t *counts = br_reallocarray(of->counts, capacity, sizeof *counts);
        if (counts == NULL) {
            return br_no_memory("counted values", capacity);
        }
        of->counts = counts;
        of->capacity = capacity;
    }
    br_status status = br_index_add(of->values, value->text, value->n, &number, NULL);
    if (status == BR_OK) {
        of->counts[number] = 1;
        counter->n_bytes += n_bytes;
    }
    return status;
}

// Where row number `n_rows` goes in the sample, so that every row so far is as likely to be in it; BR_CTR_SAMPLE_ROWS: nowhere.
static size_t sample_place(br_ctr_counter *counter)
{
    uint64_t n_rows = counter->vocabulary->n_rows;
    if (n_rows < BR_CTR_SAMPLE_ROWS) {
        return n_rows;
    }
    uint64_t drawn = ((uint64_t)br_rng_u32(&counter->rng) << 32 | br_rng_u32(&counter->rng)) % (n_rows + 1);
    return drawn < BR_CTR_SAMPLE_ROWS ? drawn : BR_CTR_SAMPLE_ROWS;
}

br_status br_ctr_counter_add(br_ctr_counter *counter, const br_ctr_row *row)
{
    size_t place = sample_place(counter);
    for (uint32_t i = 0; i < counter->n_fields; i++) {
        count *of = &counter->counts[i];
        if (of->values == NULL) {
            if (place < BR_CTR_SAMPLE_ROWS) {
                counter->samples[place * counter->n_numeric + of->sample] = row->values[i].number;
            }
            continue;
        }
        br_status status = count_value(counter, of, &row->values[i]);
        if (status != BR_OK) {
            return status;
        }
    }
    counter->vocabulary->n_rows += 1;
    counter->vocabulary->n_positive += row->label;
    return BR_OK;
}

// --- codes ---

typedef struct counted {
    const char *text;
    uint32_t count;
} counted;

static int by_count(const void *left, const void *right)
{
    const counted *a = left;
    const counted *b = right;
    return a->count != b->count ? (a->count < b->count) - (a->count > b->count) : strcmp(a->text, b->text);
}

static int by_number(const void *left, const void *right)
{
    const double *a = left;
    const double *b = right;
    return (*a > *b) - (*a < *b);
}

// The values that are frequent enough, in the order of their codes.
static br_status keep_values(br_ctr_field *field, const count *of, const br_ctr_vocabulary_options *options)
{
    uint32_t n_seen = br_index_count(of->values);
    counted *kept = br_calloc(n_seen, sizeof *kept);
    if (kept == NULL) {
        return br_no_memory("values of a field", n_seen);
    }
    uint32_t n = 0;
    for (uint32_t number = 0; number < n_seen; number++) {
        if (of->counts[number] >= options->min_count) {
            kept[n++] = (counted){br_index_text(of->values, number), of->counts[number]};
        }
    }
    qsort(kept, n, sizeof *kept, by_count);
    n = n < options->max_values ? n : options->max_values;
    br_status status = br_index_new(&field->values);
    for (uint32_t i = 0; i < n && status == BR_OK; i++) {
        uint32_t number;
        status = br_index_add(field->values, kept[i].text, strlen(kept[i].text), &number, NULL);
    }
    br_free(kept);
    field->n_values = n + 1;
    return status;
}

// Cuts behind values of `sorted`; see the head of the header.
static uint32_t cut(double *cuts, const double *sorted, size_t n, uint32_t n_bins)
{
    uint32_t n_cuts = 0;
    size_t begin = 0;
    for (size_t i = 0; i + 1 < n && n_cuts + 1 < n_bins; i++) {
        if (sorted[i] < sorted[i + 1] && (i + 1 - begin) * (n_bins - n_cuts) >= n - begin) {
            cuts[n_cuts++] = sorted[i];
            begin = i + 1;
        }
    }
    return n_cuts;
}

static br_status learn_cuts(br_ctr_field *field, const br_ctr_counter *counter, uint32_t sample)
{
    uint64_t n_rows = counter->vocabulary->n_rows;
    size_t n_sampled = n_rows < BR_CTR_SAMPLE_ROWS ? n_rows : BR_CTR_SAMPLE_ROWS;
    size_t n = 0;
    double *numbers = br_calloc(n_sampled, sizeof *numbers);
    field->cuts = br_calloc(counter->options.n_bins - 1, sizeof *field->cuts);
    if (numbers == NULL || field->cuts == NULL) {
        br_free(numbers);
        return br_no_memory("sampled numbers", n_sampled);
    }
    for (size_t row = 0; row < n_sampled; row++) {
        double number = counter->samples[row * counter->n_numeric + sample];
        if (!isnan(number)) {
            numbers[n++] = number;
        }
    }
    qsort(numbers, n, sizeof *numbers, by_number);
    field->n_cuts = cut(field->cuts, numbers, n, counter->options.n_bins);
    field->n_values = field->n_cuts + 2;
    br_free(numbers);
    return BR_OK;
}

br_status br_ctr_counter_finish(br_ctr_counter **counter, br_ctr_vocabulary **out)
{
    BR_AUTO(br_ctr_counter) *from = *counter;
    *counter = NULL;
    if (from->vocabulary->n_rows == 0) {
        return br_fail(BR_ERR_INVALID, "no row to learn values from");
    }
    for (uint32_t i = 0; i < from->n_fields; i++) {
        count *of = &from->counts[i];
        br_ctr_field *field = &from->vocabulary->fields[i];
        br_status status =
            field->numeric ? learn_cuts(field, from, of->sample) : keep_values(field, of, &from->options);
        if (status != BR_OK) {
            return status;
        }
        br_index_free(&of->values); // so that only one field is there twice
    }
    *out = from->vocabulary;
    from->vocabulary = NULL;
    return BR_OK;
}

void br_ctr_counter_free(br_ctr_counter **counter)
{
    br_ctr_counter *gone = *counter;
    if (gone == NULL) {
        return;
    }
    for (uint32_t i = 0; i < gone->n_fields && gone->counts != NULL; i++) {
        br_index_free(&gone->counts[i].values);
        br_free(gone->counts[i].counts);
    }
    br_ctr_vocabulary_free(&gone->vocabulary);
    br_free(gone->counts);
    br_free(gone->samples);
    br_free(gone);
    *counter = NULL;
}

// --- use ---

br_status br_ctr_vocabulary_check(const br_ctr_vocabulary *vocabulary, const br_ctr_reader *reader)
{
    uint32_t n = br_ctr_reader_n_fields(reader);
    if (n != vocabulary->n_fields) {
        return br_fail(BR_ERR_INVALID, "%u fields where training had %u", n, vocabulary->n_fields);
    }
    for (uint32_t i = 0; i < n; i++) {
        const br_ctr_field *field = &vocabulary->fields[i];
        const char *name = br_ctr_reader_name(reader, i);
        if (strcmp(name, field->name) != 0 || br_ctr_reader_is_numeric(reader, i) != field->numeric) {
            return br_fail(BR_ERR_INVALID, "field %u is the %s '%s' where training had the %s '%s'", i + 1,
                           br_ctr_reader_is_numeric(reader, i) ? "number" : "category", name,
                           field->numeric ? "number" : "category", field->name);
        }
    }
    return BR_OK;
}

static uint32_t number_code(const br_ctr_field *field, double number)
{
    uint32_t low = 0;
    uint32_t high = field->n_cuts;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (number > field->cuts[middle]) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low + 1;
}

void br_ctr_vocabulary_encode(const br_ctr_vocabulary *vocabulary, const br_ctr_row *row, uint32_t *codes)
{
    for (uint32_t i = 0; i < vocabulary->n_fields; i++) {
        const br_ctr_field *field = &vocabulary->fields[i];
        const br_ctr_value *value = &row->values[i];
        if (field->numeric) {
            codes[i] = isnan(value->number) ? 0 : number_code(field, value->number);
        } else {
            codes[i] = br_index_find(field->values, value->text, value->n) + 1; // BR_INDEX_NONE + 1 is 0
        }
    }
}

void br_ctr_vocabulary_free(br_ctr_vocabulary **vocabulary)
{
    br_ctr_vocabulary *gone = *vocabulary;
    if (gone == NULL) {
        return;
    }
    for (uint32_t i = 0; i < gone->n_fields; i++) {
        br_free(gone->fields[i].name);
        br_free(gone->fields[i].cuts);
        br_index_free(&gone->fields[i].values);
    }
    br_free(gone->fields);
    br_free(gone);
    *vocabulary = NULL;
}
