// What the options of `train --ctr` ask for, and whether they fit together.

#include "base/alloc.h"
#include "ctr.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

// --- lists with commas between ---

static void names_deinit(ctr_names *it)
{
    br_free(it->text);
    br_free(it->items);
}

/// `text` may be NULL: no name.
static br_status names_init(ctr_names *it, const char *option, const char *text)
{
    *it = (ctr_names){0};
    if (text == NULL) {
        return BR_OK;
    }
    size_t most = 1;
    for (const char *at = text; (at = strchr(at, ',')) != NULL; at++) {
        most++;
    }
    it->text = br_strdup(text);
    it->items = br_calloc(most, sizeof *it->items);
    if (it->text == NULL || it->items == NULL) {
        return br_no_memory("names", most);
    }
    char *at = it->text;
    for (char *item = NULL; (item = strsep(&at, ",")) != NULL;) {
        if (*item == '\0') {
            return br_fail(BR_ERR_INVALID, "--%s %.80s: a name is empty", option, text);
        }
        it->items[it->n++] = item;
    }
    return BR_OK;
}

void ctr_request_deinit(ctr_request *it)
{
    for (uint32_t k = 0; k < CTR_PARTS; k++) {
        names_deinit(&it->files[k]);
    }
    names_deinit(&it->fields);
    names_deinit(&it->numeric);
}

static br_status parse_split(ctr_request *it, const char *text)
{
    const char *at = text;
    for (size_t k = 0; k < CTR_PARTS; k++) {
        char *end = NULL;
        unsigned long share = strtoul(at, &end, 10);
        bool good = *at >= '0' && *at <= '9' && share <= 1000000 && *end == (k + 1 < CTR_PARTS ? ':' : '\0');
        if (!good || (share == 0 && k < CTR_TEST)) {
            return br_fail(BR_ERR_INVALID, "--split %.40s: three shares are needed, like 8:1:1, the last may be 0",
                           text);
        }
        it->shares[k] = (uint32_t)share;
        at = end + 1;
    }
    return BR_OK;
}

static br_status check_together(const arguments *args, bool libsvm)
{
    if (args->n_words == 0) {
        return br_fail(BR_ERR_INVALID, "--ctr needs the files to learn from");
    }
    if ((args->split == NULL) == (args->valid_files == NULL)) {
        return br_fail(BR_ERR_INVALID, "either --split or --valid is needed, to choose the epoch");
    }
    if (args->split != NULL && args->test_files != NULL) {
        return br_fail(BR_ERR_INVALID, "--split and --test exclude each other");
    }
    if (libsvm && (args->label != NULL || args->fields != NULL)) {
        return br_fail(BR_ERR_INVALID, "--label and --fields name columns of CSV; libsvm has none");
    }
    return BR_OK;
}

/// The words, and what the options list.
static br_status read_lists(ctr_request *it, const arguments *args)
{
    size_t n = (size_t)args->n_words;
    it->files[CTR_TRAIN].items = br_calloc(n, sizeof *it->files[CTR_TRAIN].items);
    if (it->files[CTR_TRAIN].items == NULL) {
        return br_no_memory("files", n);
    }
    for (; it->files[CTR_TRAIN].n < n; it->files[CTR_TRAIN].n++) {
        it->files[CTR_TRAIN].items[it->files[CTR_TRAIN].n] = args->words[it->files[CTR_TRAIN].n];
    }
    const struct {
        ctr_names *to;
        const char *option, *text;
    } lists[] = {
        {&it->fields, "fields", args->fields},
        {&it->numeric, "numeric", args->numeric},
        {&it->files[CTR_VALID], "valid", args->valid_files},
        {&it->files[CTR_TEST], "test", args->test_files},
    };
    br_status status = BR_OK;
    for (size_t i = 0; i < sizeof lists / sizeof *lists && status == BR_OK; i++) {
        status = names_init(lists[i].to, lists[i].option, lists[i].text);
    }
    return status;
}

/// Number of `text` among the two names of an option; 0 when the option was not given.
static br_status read_either(uint32_t *out, const char *option, const char *text, const char *const names[2])
{
    *out = text != NULL && strcmp(text, names[1]) == 0;
    if (text != NULL && *out == 0 && strcmp(text, names[0]) != 0) {
        return br_fail(BR_ERR_INVALID, "--%s %.40s: use %s or %s", option, text, names[0], names[1]);
    }
    return BR_OK;
}

br_status ctr_request_init(ctr_request *it, const arguments *args)
{
    uint32_t libsvm = 0;
    uint32_t masks = 0;
    *it = (ctr_request){.min_count = br_ctr_vocabulary_defaults().min_count};
    br_status status = read_either(&libsvm, "format-in", args->format_in, (const char *const[]){"csv", "libsvm"});
    if (status == BR_OK) {
        status = read_either(&masks, "masks", args->masks, (const char *const[]){"off", "on"});
    }
    if (status == BR_OK) {
        status = check_together(args, libsvm != 0);
    }
    if (status == BR_OK) {
        status = read_lists(it, args);
    }
    if (status == BR_OK && args->split != NULL) {
        status = parse_split(it, args->split);
    }
    if (status == BR_OK && args->has_min_count) {
        it->min_count = (uint32_t)args->min_count;
        if (args->min_count < 1 || args->min_count > UINT32_MAX) {
            status = br_fail(BR_ERR_INVALID, "--min-count %" PRIu64 ": 1 to %u", args->min_count, UINT32_MAX);
        }
    }
    it->masks = masks != 0;
    it->reading = (br_ctr_options){.format = libsvm != 0 ? BR_CTR_LIBSVM : BR_CTR_CSV,
                                   .label = args->label,
                                   .fields = it->fields.items,
                                   .n_fields = it->fields.n,
                                   .numeric = it->numeric.items,
                                   .n_numeric = it->numeric.n};
    return status;
}
