#include "transport/envelope.h"

#include "base/hash.h"

#include <string.h>

enum {
    AT_MAJOR = 4,
    AT_MINOR = 5,
    AT_TYPE = 6,
    AT_N_BODY = 8,
    AT_N_EXTRA = 12,
    AT_REQUEST = 16,
    AT_CHECKSUM = 24,
    CHECKSUM_BYTES = BR_ENVELOPE_BYTES - AT_CHECKSUM,
};

static const uint8_t magic[4] = {'B', 'K', 'R', 'N'};

static void put(uint8_t *out, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t get(const uint8_t *bytes, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        value |= (uint64_t)bytes[i] << (8 * i);
    }
    return value;
}

static br_hash checksum(const uint8_t *header, br_span body, br_span extra)
{
    br_hasher hasher;
    br_hasher_init(&hasher);
    br_hasher_update(&hasher, header, AT_CHECKSUM);
    br_hasher_update(&hasher, body.data, body.n);
    br_hasher_update(&hasher, extra.data, extra.n);
    return br_hasher_final(&hasher);
}

br_status br_envelope_write(uint8_t out[BR_ENVELOPE_BYTES], uint16_t type, uint64_t request, br_span body,
                            br_span extra)
{
    if (body.n > UINT32_MAX || extra.n > UINT32_MAX) {
        return br_fail(BR_ERR_LIMIT, "a message of %zu and %zu bytes", body.n, extra.n);
    }
    memcpy(out, magic, sizeof magic);
    out[AT_MAJOR] = BR_PROTOCOL_MAJOR;
    out[AT_MINOR] = BR_PROTOCOL_MINOR;
    put(out + AT_TYPE, type, 2);
    put(out + AT_N_BODY, body.n, 4);
    put(out + AT_N_EXTRA, extra.n, 4);
    put(out + AT_REQUEST, request, 8);
    br_hash hash = checksum(out, body, extra);
    memcpy(out + AT_CHECKSUM, hash.bytes, CHECKSUM_BYTES);
    return BR_OK;
}

bool br_envelope_read(br_envelope *out, br_span frame, br_span body, br_span extra)
{
    const uint8_t *bytes = frame.data;
    if (frame.n != BR_ENVELOPE_BYTES || memcmp(bytes, magic, sizeof magic) != 0 ||
        bytes[AT_MAJOR] != BR_PROTOCOL_MAJOR) {
        return false;
    }
    br_envelope envelope = {
        .type = (uint16_t)get(bytes + AT_TYPE, 2),
        .request = get(bytes + AT_REQUEST, 8),
        .n_body = (uint32_t)get(bytes + AT_N_BODY, 4),
        .n_extra = (uint32_t)get(bytes + AT_N_EXTRA, 4),
    };
    if (envelope.n_body != body.n || envelope.n_extra != extra.n) {
        return false;
    }
    br_hash hash = checksum(bytes, body, extra);
    if (memcmp(hash.bytes, bytes + AT_CHECKSUM, CHECKSUM_BYTES) != 0) {
        return false;
    }
    *out = envelope;
    return true;
}
