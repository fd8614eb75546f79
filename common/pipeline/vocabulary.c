#include "pipeline/vocabulary.h"

#include "base/alloc.h"
#include "explain/explain.h"

#include <stdlib.h>
#include <string.h>

#define BESIDE " + "

typedef struct name {
    const char *text;
    size_t length;
} name;

static name trimmed(const char *text, size_t length)
{
    while (length > 0 && *text == ' ') {
        text++;
        length--;
    }
    while (length > 0 && text[length - 1] == ' ') {
        length--;
    }
    return (name){text, length};
}

// The next item of a list with commas, *at moved behind it; false at the end. Empty items are passed over.
static bool next_item(const char **at, name *out)
{
    while (**at != '\0') {
        size_t length = strcspn(*at, ",");
        *out = trimmed(*at, length);
        *at += length + ((*at)[length] == ',' ? 1 : 0);
        if (out->length > 0) {
            return true;
        }
    }
    return false;
}

static bool fits(name pattern, const char *field)
{
    bool open = pattern.text[pattern.length - 1] == '*';
    size_t length = open ? pattern.length - 1 : pattern.length;
    return strncmp(field, pattern.text, length) == 0 && (open || field[length] == '\0');
}

// flags[j] = 1 for each investor field that fits; a name that fits none is noted.
static void find(const br_encoder *encoder, name pattern, uint8_t *flags, br_buf *unknown)
{
    bool found = false;
    for (uint32_t j = 0; j < br_encoder_n_investor_fields(encoder); j++) {
        if (fits(pattern, encoder->fields[encoder->n_bond_fields + j].name)) {
            flags[j] = 1;
            found = true;
        }
    }
    if (!found) {
        br_buf_printf(unknown, "%s%.*s", unknown->length == 0 ? "" : ", ", (int)pattern.length, pattern.text);
    }
}

static br_status ban(br_vocabulary *out, const br_encoder *encoder, const char *list, uint8_t *flags)
{
    uint32_t n = br_encoder_n_investor_fields(encoder);
    name item;
    while (next_item(&list, &item)) {
        find(encoder, item, flags, &out->unknown);
    }
    out->banned = br_calloc(n + 1, sizeof *out->banned);
    if (out->banned == NULL) {
        return br_no_memory("banned fields", n);
    }
    for (uint32_t j = 0; j < n; j++) {
        if (flags[j] != 0) {
            out->banned[out->n_banned++] = j;
        }
    }
    return BR_OK;
}

static br_status add_pairs(br_buf *pairs, const uint8_t *left, const uint8_t *right, uint32_t n)
{
    for (uint32_t a = 0; a < n; a++) {
        for (uint32_t b = a + 1; b < n; b++) {
            if ((left[a] & right[b]) != 0 || (left[b] & right[a]) != 0) {
                uint32_t pair[2] = {a, b};
                br_buf_append(pairs, pair, sizeof pair);
            }
        }
        if (pairs->length / (2 * sizeof(uint32_t)) > BR_MAX_APART) {
            return br_fail(BR_ERR_LIMIT, "explain.not_together: more than %d pairs of fields", BR_MAX_APART);
        }
    }
    return pairs->failed ? br_no_memory("pairs of fields", pairs->length) : BR_OK;
}

static int by_fields(const void *left, const void *right)
{
    const uint32_t *a = left;
    const uint32_t *b = right;
    return a[0] != b[0] ? (a[0] > b[0]) - (a[0] < b[0]) : (a[1] > b[1]) - (a[1] < b[1]);
}

static br_status keep_pairs(br_vocabulary *out, br_buf *pairs)
{
    size_t n = pairs->length / (2 * sizeof(uint32_t));
    out->apart = br_calloc(2 * n + 1, sizeof *out->apart);
    if (out->apart == NULL) {
        return br_no_memory("pairs of fields", n);
    }
    if (n > 0) {
        qsort(pairs->data, n, 2 * sizeof(uint32_t), by_fields);
    }
    for (size_t i = 0; i < n; i++) {
        const uint32_t *pair = (const uint32_t *)(const void *)pairs->data + 2 * i;
        uint32_t *last = out->apart + 2 * out->n_apart;
        if (out->n_apart == 0 || by_fields(last - 2, pair) != 0) {
            memcpy(last, pair, 2 * sizeof *pair);
            out->n_apart++;
        }
    }
    return BR_OK;
}

static br_status keep_apart(br_vocabulary *out, const br_encoder *encoder, const char *list, uint8_t *flags)
{
    uint32_t n = br_encoder_n_investor_fields(encoder);
    BR_AUTO_DEINIT(br_buf) pairs = {0};
    name item;
    while (next_item(&list, &item)) {
        const char *middle = memmem(item.text, item.length, BESIDE, strlen(BESIDE));
        name left = middle == NULL ? (name){0} : trimmed(item.text, (size_t)(middle - item.text));
        name right = {0};
        if (middle != NULL) {
            right = trimmed(middle + strlen(BESIDE), item.length - (size_t)(middle - item.text) - strlen(BESIDE));
        }
        if (left.length == 0 || right.length == 0) {
            return br_fail(BR_ERR_INVALID, "explain.not_together: \"%.*s\" is not NAME + NAME", (int)item.length,
                           item.text);
        }
        memset(flags, 0, 2 * (size_t)n);
        find(encoder, left, flags, &out->unknown);
        find(encoder, right, flags + n, &out->unknown);
        br_status status = add_pairs(&pairs, flags, flags + n, n);
        if (status != BR_OK) {
            return status;
        }
    }
    return keep_pairs(out, &pairs);
}

br_status br_vocabulary_init(br_vocabulary *out, const br_encoder *encoder, const char *banned,
                             const char *not_together)
{
    *out = (br_vocabulary){0};
    uint8_t *flags = br_calloc(2 * (size_t)br_encoder_n_investor_fields(encoder) + 1, sizeof *flags);
    br_status status =
        flags == NULL ? br_no_memory("fields", encoder->n_bond_fields) : ban(out, encoder, banned, flags);
    if (status == BR_OK) {
        status = keep_apart(out, encoder, not_together, flags);
    }
    if (status == BR_OK && out->unknown.failed) {
        status = br_no_memory("names that are unknown", 1);
    }
    if (status != BR_OK) {
        br_vocabulary_deinit(out);
    }
    br_free(flags);
    return status;
}

void br_vocabulary_deinit(br_vocabulary *vocabulary)
{
    br_free(vocabulary->banned);
    br_free(vocabulary->apart);
    br_buf_deinit(&vocabulary->unknown);
    *vocabulary = (br_vocabulary){0};
}
