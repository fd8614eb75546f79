#include "base/hash.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(crypto_generichash_state) <= sizeof(br_hasher), "br_hasher holds libsodium's state");

br_status br_hash_init(void)
{
    return sodium_init() < 0 ? br_fail(BR_ERR_IO, "libsodium cannot start: no source of randomness") : BR_OK;
}

br_hash br_hash_of(const void *bytes, size_t n)
{
    br_hash hash;
    crypto_generichash(hash.bytes, sizeof hash.bytes, bytes, n, NULL, 0);
    return hash;
}

br_hash br_hash_keyed(const br_hash *key, const void *bytes, size_t n)
{
    br_hash hash;
    crypto_generichash(hash.bytes, sizeof hash.bytes, bytes, n, key->bytes, sizeof key->bytes);
    return hash;
}

br_hash br_hash_secret(void)
{
    br_hash key;
    randombytes_buf(key.bytes, sizeof key.bytes);
    return key;
}

void br_checksum(uint8_t out[BR_CHECKSUM_BYTES], const void *bytes, size_t n)
{
    crypto_generichash(out, BR_CHECKSUM_BYTES, bytes, n, NULL, 0);
}

bool br_hash_equal(const br_hash *a, const br_hash *b)
{
    return sodium_memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void br_hash_text(const br_hash *hash, char out[BR_HASH_TEXT])
{
    sodium_bin2hex(out, BR_HASH_TEXT, hash->bytes, sizeof hash->bytes);
}

br_status br_hash_parse(br_hash *out, const char *text)
{
    br_hash hash;
    size_t n = 0;
    if (strlen(text) != 2 * BR_HASH_BYTES ||
        sodium_hex2bin(hash.bytes, sizeof hash.bytes, text, strlen(text), NULL, &n, NULL) != 0 || n != BR_HASH_BYTES) {
        return br_fail(BR_ERR_INVALID, "not 64 hexadecimal digits: %.80s", text);
    }
    *out = hash;
    return BR_OK;
}

br_status br_hash_file(br_hash *out, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return br_fail(br_errno_status(errno), "%s: %s", path, strerror(errno));
    }
    br_hasher hasher;
    br_hasher_init(&hasher);
    uint8_t piece[65536];
    size_t n;
    while ((n = fread(piece, 1, sizeof piece, file)) > 0) {
        br_hasher_update(&hasher, piece, n);
    }
    bool failed = ferror(file) != 0;
    fclose(file);
    if (failed) {
        return br_fail(BR_ERR_IO, "%s: cannot be read to its end", path);
    }
    *out = br_hasher_final(&hasher);
    return BR_OK;
}

void br_hasher_init(br_hasher *hasher)
{
    crypto_generichash_init((crypto_generichash_state *)(void *)hasher->state, NULL, 0, BR_HASH_BYTES);
}

void br_hasher_update(br_hasher *hasher, const void *bytes, size_t n)
{
    crypto_generichash_update((crypto_generichash_state *)(void *)hasher->state, bytes, n);
}

br_hash br_hasher_final(br_hasher *hasher)
{
    br_hash hash;
    crypto_generichash_final((crypto_generichash_state *)(void *)hasher->state, hash.bytes, sizeof hash.bytes);
    return hash;
}
