#include "codec/stored.h"
#include "codec/wire.h"
#include "itembased/ials.h"
#include "stored.pb-c.h"

#include <math.h>
#include <string.h>

#define MAX_TABLE_BYTES ((size_t)80 << 20) // 65,536 issuers with 256 factors and ids of 128 bytes
#define TABLE_ARENA     (2 * MAX_TABLE_BYTES)

br_status br_issuer_table_pack(const br_issuer_table *table, br_buf *out)
{
    uint32_t n = br_index_count(table->ids);
    BR_AUTO_DEINIT(br_writing) writing = {0};
    Br__IssuerTable message = BR__ISSUER_TABLE__INIT;
    message.ids = br_write_alloc(&writing, n, sizeof *message.ids);
    if (writing.failed) {
        return br_no_memory("issuers of a table", n);
    }
    for (uint32_t i = 0; i < n; i++) {
        message.ids[i] = br_write_text(br_index_text(table->ids, i));
    }
    message.n_ids = n;
    message.n_factors = table->n_factors;
    message.regularization = table->regularization;
    message.confidence = table->confidence;
    message.factors = br_write_bytes(table->factors, (size_t)n * table->n_factors * sizeof *table->factors);
    return br_write_end(&writing, &message.base, MAX_TABLE_BYTES, out);
}

static void check_table(br_reading *in, const Br__IssuerTable *message)
{
    size_t n = (size_t)br_read_range(in, "ids", message->n_ids, 1, BR_MAX_TABLE_ISSUERS);
    size_t n_factors = (size_t)br_read_range(in, "n_factors", message->n_factors, 1, BR_IALS_MAX_FACTORS);
    if (message->factors.len != n * n_factors * sizeof(float)) {
        br_read_fail(in, "factors", "%zu bytes for %zu issuers with %zu factors", message->factors.len, n, n_factors);
    }
    const double strengths[] = {br_read_finite(in, "regularization", message->regularization),
                                br_read_finite(in, "confidence", message->confidence)};
    for (size_t i = 0; i < 2; i++) {
        if (!(strengths[i] >= BR_IALS_MIN_STRENGTH && strengths[i] <= BR_IALS_MAX_STRENGTH)) {
            br_read_fail(in, i == 0 ? "regularization" : "confidence", "%g is out of range", strengths[i]);
        }
    }
    for (size_t i = 0; in->status == BR_OK && i < message->factors.len / sizeof(float); i++) {
        float factor;
        memcpy(&factor, message->factors.data + i * sizeof factor, sizeof factor);
        br_read_finite(in, "factors", (double)factor);
    }
}

static br_status add_ids(br_reading *in, const Br__IssuerTable *message, br_index *ids)
{
    br_status status = BR_OK;
    for (size_t i = 0; i < message->n_ids && status == BR_OK && in->status == BR_OK; i++) {
        br_read_at(in, 0, "ids", i);
        const char *id = br_read_text(in, "id", message->ids[i], BR_FORM_ID);
        bool added = true;
        if (in->status == BR_OK) {
            status = br_index_add(ids, id, strlen(id), &(uint32_t){0}, &added);
        }
        if (!added) {
            br_read_fail(in, "id", "is there twice");
        }
    }
    return in->status == BR_OK ? status : in->status;
}

static br_status make_table(br_issuer_table *table, br_reading *in, const Br__IssuerTable *message)
{
    table->n_factors = message->n_factors;
    table->regularization = message->regularization;
    table->confidence = message->confidence;
    table->factors = br_memdup(message->factors.data, message->factors.len);
    if (table->factors == NULL) {
        return br_no_memory("factors of issuers", message->factors.len / sizeof(float));
    }
    br_status status = br_index_new(&table->ids);
    return status == BR_OK ? add_ids(in, message, table->ids) : status;
}

br_status br_issuer_table_unpack(br_issuer_table **out, const uint8_t *bytes, size_t n)
{
    BR_AUTO(br_arena) *arena = NULL;
    br_status status = br_arena_new(&arena, TABLE_ARENA);
    if (status != BR_OK) {
        return status;
    }
    br_reading in = {.arena = arena};
    const Br__IssuerTable *message = br_read_begin(&in, &br__issuer_table__descriptor, bytes, n, MAX_TABLE_BYTES);
    if (message != NULL) {
        check_table(&in, message);
    }
    if (in.status != BR_OK) {
        return in.status;
    }
    BR_AUTO(br_issuer_table) *table = br_calloc(1, sizeof *table);
    status = table == NULL ? br_no_memory("table of issuers", 1) : make_table(table, &in, message);
    if (status == BR_OK) {
        *out = table;
        table = NULL;
    }
    return status;
}
