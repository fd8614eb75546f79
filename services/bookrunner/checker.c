#include "checker.h"

#include "base/alloc.h"

#include <stdio.h>

typedef struct seen_row {
    br_hash content;
    uint64_t revision;
} seen_row;

struct checker {
    const br_schema *schema; ///< the folder's
    br_ledger *ledger;       ///< NULL: there is none
    br_follower *follower;   ///< the ledger's market
    br_market *own;          ///< under the folder's schema, once that is taken
    br_index *keys;          ///< of rows of the folder
    seen_row *seen;          ///< [capacity] by number of the key
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
    c->schema = schema;
    br_status status = br_follower_new(&c->follower);
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
        br_market_free(&(*c)->own);
        br_follower_free(&(*c)->follower);
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

br_market *checker_market(const checker *c)
{
    return c->own != NULL ? c->own : br_follower_market(c->follower);
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
    return row->kind == BR_ROW_SCHEMA ? BR_OK : br_market_apply(checker_market(c), row);
}

br_status checker_load(checker *c, br_ledger *ledger)
{
    c->ledger = ledger;
    return br_follower_catch_up(c->follower, ledger, 0, 0);
}

/// Known from the folder or from the ledger? Otherwise *news_out.
static br_status look(checker *c, const br_row *row, const br_hash *content, br_row_result *result, bool *news_out)
{
    uint32_t number = br_index_find(c->keys, (const char *)c->key.data, c->key.length);
    br_ledger_known known = BR_LEDGER_NEW;
    uint64_t record = 0;
    if (number != BR_INDEX_NONE) {
        bool same = br_hash_equal(&c->seen[number].content, content);
        known = same                                       ? BR_LEDGER_DUPLICATE
                : row->revision > c->seen[number].revision ? BR_LEDGER_SUPERSEDES
                                                           : BR_LEDGER_CONFLICT;
    } else if (c->ledger != NULL) {
        br_status status = br_ledger_look(c->ledger, row, &known, &record);
        if (status != BR_OK) {
            return status;
        }
    }
    *news_out = known == BR_LEDGER_NEW || known == BR_LEDGER_SUPERSEDES;
    if (known == BR_LEDGER_DUPLICATE) {
        *result = (br_row_result){.outcome = BR_OUTCOME_DUPLICATE, .column = "", .reason = ""};
    } else if (known == BR_LEDGER_CONFLICT) {
        *result = (br_row_result){.outcome = BR_OUTCOME_REJECTED,
                                  .column = "",
                                  .reason = "known with other content; only a higher revision supersedes it"};
    }
    return BR_OK;
}

/// The folder's schema is taken if all that the ledger holds fits it.
static br_status try_schema(checker *c)
{
    c->problem = (br_row_problem){{0}, {0}};
    return c->ledger == NULL ? br_market_new(&c->own, c->schema)
                             : br_schema_try(&c->own, c->schema, c->ledger, &c->problem);
}

static void check(checker *c, const br_row *row)
{
    c->problem = (br_row_problem){{0}, {0}};
    const br_market *market = checker_market(c);
    if (market == NULL) {
        snprintf(c->problem.reason, sizeof c->problem.reason, "there is no schema to read it by");
    } else if (br_row_check(br_market_schema(market), row, &c->problem)) {
        bool good = br_market_check(market, row, &c->problem);
        (void)good; // the problem says it
    }
}

br_status checker_row(checker *c, const br_row *row, br_row_result *result)
{
    br_hash content;
    bool news = false;
    br_status status = name_row(c, row, &content);
    if (status == BR_OK) {
        status = look(c, row, &content, result, &news);
    }
    if (status != BR_OK || !news) {
        return status;
    }
    if (row->kind == BR_ROW_SCHEMA) {
        status = try_schema(c);
    } else {
        check(c, row);
    }
    if (status != BR_OK || c->problem.reason[0] != '\0') {
        *result =
            (br_row_result){.outcome = BR_OUTCOME_REJECTED, .column = c->problem.column, .reason = c->problem.reason};
        return status;
    }
    *result = (br_row_result){.outcome = BR_OUTCOME_ACCEPTED, .column = "", .reason = ""};
    return remember(c, row, &content);
}
