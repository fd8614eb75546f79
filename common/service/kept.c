// Answers that are given many times: the server's own responses, headers and all, which threads share.

#include "base/alloc.h"
#include "service/internal.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

typedef struct variant {
    struct MHD_Response *response; // NULL = there is none
    struct MHD_Response *not_modified;
    char etag[88];
} variant;

struct br_http_kept {
    atomic_uint holders;
    size_t bytes;
    variant plain;
    variant gzip;
};

static bool variant_headers(struct MHD_Response *response, const br_http_answer *answer, bool varies)
{
    return br_http_headers(response, answer, NULL) &&
           (!varies || MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept-Encoding") == MHD_YES);
}

static bool variant_init(variant *v, const br_http_answer *answer, br_buf *body, bool gzip, bool varies)
{
    static char nothing[1];
    br_http_answer said = *answer;
    said.code = 200;
    if (said.content_type == NULL) {
        said.content_type = "application/json";
    }
    // Other bytes have another tag.
    int n = snprintf(v->etag, sizeof v->etag, "%.*s%s", (int)strcspn(answer->etag + 1, "\"") + 1, answer->etag,
                     gzip ? "-gzip\"" : "\"");
    br_assert(n > 0 && (size_t)n < sizeof v->etag);
    said.etag = v->etag;
    uint8_t *exact = br_reallocarray(body->data, body->length + 1, 1); // it stays for long
    body->data = exact == NULL ? body->data : exact;
    v->response = MHD_create_response_from_buffer_with_free_callback(body->length, body->data, br_free);
    if (v->response == NULL) {
        return false;
    }
    *body = (br_buf){0}; // the response's now
    v->not_modified = MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
    if (v->not_modified == NULL || !variant_headers(v->response, &said, varies) ||
        (gzip && MHD_add_response_header(v->response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip") != MHD_YES)) {
        return false;
    }
    said.code = 304;
    return variant_headers(v->not_modified, &said, varies);
}

static void variant_deinit(variant *v)
{
    if (v->response != NULL) {
        MHD_destroy_response(v->response);
    }
    if (v->not_modified != NULL) {
        MHD_destroy_response(v->not_modified);
    }
}

br_status br_http_keep(br_http_kept **out, br_http_answer *answer, br_buf *gzip)
{
    br_http_kept *kept = br_calloc(1, sizeof *kept);
    if (kept == NULL) {
        return br_no_memory("kept answer", 1);
    }
    const bool varies = gzip != NULL;
    atomic_init(&kept->holders, 1);
    kept->bytes = sizeof *kept + answer->body.length + (varies ? gzip->length : 0);
    if (!variant_init(&kept->plain, answer, &answer->body, false, varies) ||
        (varies && !variant_init(&kept->gzip, answer, gzip, true, true))) {
        br_http_kept_free(&kept);
        return br_no_memory("kept answer", 1);
    }
    *out = kept;
    return BR_OK;
}

br_http_kept *br_http_kept_hold(br_http_kept *kept)
{
    atomic_fetch_add(&kept->holders, 1);
    return kept;
}

void br_http_kept_free(br_http_kept **kept)
{
    if (kept == NULL || *kept == NULL) {
        return;
    }
    if (atomic_fetch_sub(&(*kept)->holders, 1) == 1) {
        variant_deinit(&(*kept)->plain);
        variant_deinit(&(*kept)->gzip);
        br_free(*kept);
    }
    *kept = NULL;
}

size_t br_http_kept_bytes(const br_http_kept *kept)
{
    return kept->bytes;
}

unsigned br_http_kept_give(br_http_kept *kept, struct MHD_Connection *connection, const char *if_none_match)
{
    const char *accepted = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT_ENCODING);
    const variant *v = kept->gzip.response != NULL && br_accepts_gzip(accepted) ? &kept->gzip : &kept->plain;
    const bool known = br_etag_matches(if_none_match, v->etag);
    const unsigned code = known ? 304 : 200;
    return MHD_queue_response(connection, code, known ? v->not_modified : v->response) == MHD_YES ? code : 0;
}
