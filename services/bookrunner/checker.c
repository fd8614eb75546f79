#include "checker.h"

#include "base/alloc.h"

#include <string.h>

typedef struct seen_row {
    br_hash content;
    uint64_t revision;
} seen_row;

struct checker {
    br_market *market;
    br_index *keys;
    seen_row *seen; ///< [capacity] by number of the key
    uint32_t capacity;
    br_buf key;
    br_buf content;
    br_row_problem problem;
};

br_status checker_new(checker **out, const br_schema *schema)
{
    BR_AUTO(checker) *c = br_calloc(1, sizeof *c);
    if (c == NULL) {
        return br_no_memory("checker", 1);
    }
    br_status status = br_market_new(&c->market, schema);
    if (status == BR_OK) {
        status = br_index_new(&c->keys);
    }
    if (status != BR_OK) {
        return status;
    }
    *out = c;
    c = NULL;
    return BR_OK;
}

void checker_free(checker **c)
{
    if (*c != NULL) {
        br_market_free(&(*c)->market);
        br_index_free(&(*c)->keys);
        br_free((*c)->seen);
        br_buf_deinit(&(*c)->key);
        br_buf_deinit(&(*c)->content);
        br_free(*c);
        *c = NULL;
    }
}

/// The row's key is in c->key, its content's hash in *content_out.
static br_status name_row(checker *c, const br_row *row, br_hash *content_out)
{
    br_buf_clear(&c->key);
    br_buf_clear(&c->content);
    br_row_key(row, &c->key);
    br_status status = br_row_pack(row, &c->content);
    if (status != BR_OK) {
        return status;
    }
    if (c->key.failed) {
        return br_no_memory("bytes of a row's key", 1);
    }
    *content_out = br_hash_of(c->content.data, c->content.length);
    return BR_OK;
}

static br_status remember(checker *c, const br_row *row, const br_hash *content)
{
    uint32_t number = 0;
    br_status status = br_index_add(c->keys, (const char *)c->key.data, c->key.length, &number, NULL);
    if (status != BR_OK) {
        return status;
    }
    if (number >= c->capacity) {
        uint32_t capacity = c->capacity == 0 ? 4096 : 2 * c->capacity;
        seen_row *grown = br_reallocarray(c->seen, capacity, sizeof *grown);
        if (grown == NULL) {
            return br_no_memory("rows", capacity);
        }
        c->seen = grown;
        c->capacity = capacity;
    }
    c->seen[number] = (seen_row){*content, row->revision};
    return row->kind == BR_ROW_SCHEMA ? BR_OK : br_market_apply(c->market, row);
}

static br_status load_row(void *context, uint64_t record, const br_row *row)
{
    (void)record;
    checker *c = context;
    br_hash content;
    br_status status = name_row(c, row, &content);
    return status == BR_OK ? remember(c, row, &content) : status;
}

br_status checker_load(checker *c, br_ledger *ledger)
{
    uint64_t head = 0;
    br_status status = br_ledger_head(ledger, &head);
    return status == BR_OK ? br_ledger_visit(ledger, 0, head, load_row, c) : status;
}

static bool reject(checker *c, br_row_result *result, const char *reason)
{
    c->problem = (br_row_problem){0};
    size_t n = strlen(reason);
    memcpy(c->problem.reason, reason, n < sizeof c->problem.reason ? n : sizeof c->problem.reason - 1);
    *result = (br_row_result){BR_OUTCOME_REJECTED, c->problem.column, c->problem.reason};
    return false;
}

/// Is it a row to take? Otherwise `result` says what it is.
static bool is_news(checker *c, const br_row *row, const br_hash *content, br_row_result *result)
{
    uint32_t number = br_index_find(c->keys, (const char *)c->key.data, c->key.length);
    if (number != BR_INDEX_NONE && br_hash_equal(&c->seen[number].content, content)) {
        *result = (br_row_result){BR_OUTCOME_DUPLICATE, "", ""};
        return false;
    }
    if (number != BR_INDEX_NONE && row->revision <= c->seen[number].revision) {
        return reject(c, result, "known with other content; only a higher revision supersedes it");
    }
    if (row->kind != BR_ROW_SCHEMA && !br_market_check(c->market, row, &c->problem)) {
        *result = (br_row_result){BR_OUTCOME_REJECTED, c->problem.column, c->problem.reason};
        return false;
    }
    return true;
}

br_status checker_row(checker *c, const br_row *row, br_row_result *result)
{
    br_hash content;
    br_status status = name_row(c, row, &content);
    if (status != BR_OK || !is_news(c, row, &content, result)) {
        return status;
    }
    *result = (br_row_result){BR_OUTCOME_ACCEPTED, "", ""};
    return remember(c, row, &content);
}
