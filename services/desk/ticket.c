// Tickets: the seal in hexadecimal digits, then the words that it seals, in hexadecimal digits with points between.

#include "base/hash.h"
#include "compute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_SEAL (2 * BR_HASH_BYTES)

static void seal(char out[BR_HASH_TEXT], const char *content, const br_hash *secret, const char *user, const char *kind)
{
    BR_AUTO_DEINIT(br_buf) sealed = {0};
    br_buf_append(&sealed, user, strlen(user) + 1);
    br_buf_append(&sealed, kind, strlen(kind) + 1);
    br_buf_string(&sealed, content);
    br_hash hash = br_hash_keyed(secret, br_buf_text(&sealed), sealed.length);
    br_hash_text(&hash, out);
    if (sealed.failed) {
        out[0] = '\0'; // no ticket has this seal
    }
}

void ticket_write(br_buf *out, const ticket *given, const br_hash *secret, const char *user, const char *kind)
{
    BR_AUTO_DEINIT(br_buf) content = {0};
    char sealed[BR_HASH_TEXT];
    for (size_t i = 0; i < TICKET_WORDS; i++) {
        br_buf_string(&content, i == 0 ? "" : ".");
        for (const char *at = given->words[i]; *at != '\0'; at++) {
            br_buf_printf(&content, "%02x", (unsigned)(unsigned char)*at);
        }
    }
    seal(sealed, br_buf_text(&content), secret, user, kind);
    br_buf_printf(out, "%s%s", sealed, br_buf_text(&content));
    out->failed = out->failed || content.failed;
}

static bool read_hex(char out[BR_MAX_ID_BYTES + 1], const char *digits, size_t n)
{
    if (n % 2 != 0 || n / 2 > BR_MAX_ID_BYTES) {
        return false;
    }
    for (size_t i = 0; i < n / 2; i++) {
        const char pair[3] = {digits[2 * i], digits[2 * i + 1], '\0'};
        out[i] = (char)strtoul(pair, NULL, 16);
    }
    out[n / 2] = '\0';
    return true;
}

bool ticket_read(ticket *out, const char *text, const br_hash *secret, const char *user, const char *kind)
{
    char wanted[BR_HASH_TEXT];
    br_hash given;
    br_hash own;
    char digits[BR_HASH_TEXT];
    if (strlen(text) < N_SEAL) {
        return false;
    }
    memcpy(digits, text, N_SEAL);
    digits[N_SEAL] = '\0';
    const char *content = text + N_SEAL;
    seal(wanted, content, secret, user, kind);
    if (br_hash_parse(&given, digits) != BR_OK || br_hash_parse(&own, wanted) != BR_OK ||
        !br_hash_equal(&given, &own)) {
        return false;
    }
    // Sealed by this process: what follows is as it was written.
    bool whole = true;
    for (size_t i = 0; i < TICKET_WORDS; i++) {
        size_t n = strcspn(content, ".");
        whole = whole && read_hex(out->words[i], content, n);
        content += content[n] == '.' ? n + 1 : n;
    }
    return whole;
}
