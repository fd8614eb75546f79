#include "desk.h"

#include "base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

br_language request_language(const br_http_request *request)
{
    const char *language = request->query(request, "lang");
    return language != NULL && strncmp(language, "zh", 2) == 0 ? BR_LANGUAGE_ZH : BR_LANGUAGE_EN;
}

bool request_whole(const br_http_request *request, br_http_answer *answer, const char *name, uint32_t max,
                   uint32_t *value_io)
{
    const char *text = request->query(request, name);
    if (text == NULL) {
        return true;
    }
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || strlen(text) > 9 || value > max) {
        char detail[120];
        snprintf(detail, sizeof detail, "%.20s must be a whole number from 0 to %u", name, max);
        br_http_problem(answer, 400, "Wrong parameter", detail);
        return false;
    }
    *value_io = (uint32_t)value;
    return true;
}

bool request_day(const br_http_request *request, br_http_answer *answer, const char *name, br_day *value_io)
{
    const char *text = request->query(request, name);
    if (text != NULL && br_day_parse(value_io, text, strlen(text), NULL) != BR_OK) {
        char detail[120];
        snprintf(detail, sizeof detail, "%.20s must be a date YYYY-MM-DD", name);
        br_http_problem(answer, 400, "Wrong parameter", detail);
        return false;
    }
    return true;
}

void answer_finish(br_http_answer *answer)
{
    if (answer->body.failed) {
        br_buf_deinit(&answer->body);
        br_http_problem(answer, 503, "Out of memory", "try again later");
        return;
    }
    br_hash hash = br_hash_of(answer->body.data, answer->body.length);
    char text[BR_HASH_TEXT];
    br_hash_text(&hash, text);
    snprintf(answer->etag_text, sizeof answer->etag_text, "\"%.32s\"", text);
    answer->etag = answer->etag_text;
}

void answer_keep(br_http_answer *answer, br_buf *gzip)
{
    br_http_kept *kept = NULL;
    br_status status = br_http_keep(&kept, answer, gzip);
    if (status != BR_OK) {
        answer_failed(answer, status);
        return;
    }
    answer->kept = kept;
}

void answer_failed(br_http_answer *answer, br_status status)
{
    br_buf_clear(&answer->body);
    if (status == BR_ERR_NOT_FOUND) {
        br_http_problem(answer, 404, "Not found", br_why(status));
    } else {
        br_http_problem(answer, 503, "The store cannot be read now", br_why(status));
    }
}

void json_time(br_buf *out, const char *name, int64_t time_ms)
{
    char text[40] = "";
    const time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) != NULL) {
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    }
    br_buf_printf(out, "\"%s\": \"%s.%03dZ\"", name, text, (int)(time_ms % 1000));
}

void json_member(br_buf *out, const char *name, const char *text)
{
    br_buf_printf(out, "\"%s\": ", name);
    br_buf_json_string(out, text, strlen(text));
}

void json_next_number(br_buf *out, const char *name, double value)
{
    br_buf_printf(out, ", \"%s\": ", name);
    br_buf_json_number(out, value);
}
