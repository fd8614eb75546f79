#ifndef BR_BASE_HASH_H
#define BR_BASE_HASH_H

/// BLAKE2b, the one hash of the system: record checksums (16 bytes), names of content and jobs (32 bytes).
/// br_hash_init() must have been called once by the process (services and tests do).

#include "base/status.h"

#define BR_CHECKSUM_BYTES 16
#define BR_HASH_BYTES     32
#define BR_HASH_TEXT      (2 * BR_HASH_BYTES + 1)

typedef struct br_hash {
    uint8_t bytes[BR_HASH_BYTES];
} br_hash;

/// Prepare the library behind it; call once before threads start. Errors: BR_ERR_IO when it cannot start.
br_status br_hash_init(void) BR_MUST_CHECK;
br_hash br_hash_of(const void *bytes, size_t n);
/// Only who knows `key` can make it or check it: tokens, tickets.
br_hash br_hash_keyed(const br_hash *key, const void *bytes, size_t n);
/// 32 bytes that nobody can guess, for such a key.
br_hash br_hash_secret(void);
void br_checksum(uint8_t out[BR_CHECKSUM_BYTES], const void *bytes, size_t n);
/// In a time that does not depend on the bytes.
bool br_hash_equal(const br_hash *a, const br_hash *b);
void br_hash_text(const br_hash *hash, char out[BR_HASH_TEXT]);
/// Errors: BR_ERR_INVALID unless `text` is 64 hexadecimal digits.
br_status br_hash_parse(br_hash *out, const char *text) BR_MUST_CHECK;
/// Hash of a whole file, read in pieces. Errors: BR_ERR_IO, BR_ERR_NOT_FOUND.
br_status br_hash_file(br_hash *out, const char *path) BR_MUST_CHECK;

/// In pieces: init, any number of updates, final.
typedef struct br_hasher {
    _Alignas(64) uint8_t state[384];
} br_hasher;
void br_hasher_init(br_hasher *hasher);
void br_hasher_update(br_hasher *hasher, const void *bytes, size_t n);
br_hash br_hasher_final(br_hasher *hasher);

#endif
