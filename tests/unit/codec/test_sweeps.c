// Goal: whatever bytes come in, every unpack ends with a status, and what it accepts is whole and right.
// Method: each message's example, cut at every length, mutated thousands of times by a seeded generator, and read
// under every bound of memory; what is accepted must pack, unpack and pack again to the same bytes.
#include "examples.h"

#include "base/rng.h"

#include <criterion/criterion.h>
#include <string.h>

static void expect_same(const codec_case *c, const br_buf *a, const br_buf *b)
{
    cr_assert(a->length == b->length && (a->length == 0 || memcmp(a->data, b->data, a->length) == 0),
              "%s: %zu bytes became %zu others", c->name, a->length, b->length);
}

Test(codec_sweeps, examples_come_back_byte_for_byte)
{
    for (size_t i = 0; i < n_codec_cases; i++) {
        const codec_case *c = &codec_cases[i];
        BR_AUTO(br_arena) *arena = NULL;
        BR_AUTO_DEINIT(br_buf) first = {0};
        BR_AUTO_DEINIT(br_buf) second = {0};
        cr_assert_eq(br_arena_new(&arena, BR_UNPACK_BYTES), BR_OK);
        br_status status = c->pack(&first);
        cr_assert_eq(status, BR_OK, "%s: %s", c->name, br_why(status));
        status = c->again(arena, first.data, first.length, &second);
        cr_assert_eq(status, BR_OK, "%s: %s", c->name, br_why(status));
        expect_same(c, &first, &second);
    }
}

// Bytes in memory of exactly their size, so that a sanitizer sees one byte too many being read.
static br_status again_exact(const codec_case *c, br_arena *arena, const uint8_t *bytes, size_t n, br_buf *out)
{
    uint8_t *exact = br_memdup(bytes, n);
    cr_assert(exact != NULL);
    br_arena_reset(arena);
    br_status status = c->again(arena, exact, n, out);
    br_free(exact);
    return status;
}

// What was accepted is right: it can be packed, and is then accepted again as the same.
static void expect_settled(const codec_case *c, br_arena *arena, const br_buf *accepted)
{
    BR_AUTO_DEINIT(br_buf) again = {0};
    br_status status = again_exact(c, arena, accepted->data, accepted->length, &again);
    cr_assert_eq(status, BR_OK, "%s: accepted, then not: %s", c->name, br_why(status));
    expect_same(c, accepted, &again);
}

static void try_bytes(const codec_case *c, br_arena *arena, const uint8_t *bytes, size_t n)
{
    BR_AUTO_DEINIT(br_buf) accepted = {0};
    br_status status = again_exact(c, arena, bytes, n, &accepted);
    if (status == BR_OK) {
        expect_settled(c, arena, &accepted);
        return;
    }
    cr_assert(status == BR_ERR_INVALID || status == BR_ERR_LIMIT || status == BR_ERR_VERSION, "%s: %s", c->name,
              br_why(status));
    cr_assert(br_why(status)[0] >= 'A' || status == BR_ERR_LIMIT, "%s: no reason", c->name);
}

Test(codec_sweeps, every_truncation_ends_with_a_status)
{
    for (size_t i = 0; i < n_codec_cases; i++) {
        BR_AUTO(br_arena) *arena = NULL;
        BR_AUTO_DEINIT(br_buf) bytes = {0};
        cr_assert_eq(br_arena_new(&arena, BR_UNPACK_BYTES), BR_OK);
        cr_assert_eq(codec_cases[i].pack(&bytes), BR_OK);
        for (size_t n = 0; n < bytes.length; n++) {
            try_bytes(&codec_cases[i], arena, bytes.data, n);
        }
    }
}

static void mutate(br_rng *rng, br_buf *bytes)
{
    uint32_t n_changes = 1 + br_rng_below(rng, 4);
    for (uint32_t i = 0; i < n_changes && bytes->length > 0; i++) {
        uint32_t at = br_rng_below(rng, (uint32_t)bytes->length);
        switch (br_rng_below(rng, 5)) {
        case 0:
            bytes->data[at] ^= (uint8_t)(1u << br_rng_below(rng, 8));
            break;
        case 1:
            bytes->data[at] = (uint8_t)br_rng_u32(rng);
            break;
        case 2:
            bytes->data[at] = 0xff;
            break;
        case 3:
            memmove(bytes->data + at, bytes->data + at + 1, bytes->length - at - 1);
            bytes->length--;
            break;
        default: {
            uint32_t n = 1 + br_rng_below(rng, 16);
            n = n > bytes->length - at ? (uint32_t)bytes->length - at : n;
            uint8_t piece[16];
            memcpy(piece, bytes->data + at, n);
            br_buf_append(bytes, piece, n);
        }
        }
    }
}

Test(codec_sweeps, mutated_bytes_never_yield_invalid_values)
{
    enum { ROUNDS = 3000 };
    for (uint32_t i = 0; i < n_codec_cases; i++) {
        BR_AUTO(br_arena) *arena = NULL;
        BR_AUTO_DEINIT(br_buf) bytes = {0};
        BR_AUTO_DEINIT(br_buf) changed = {0};
        cr_assert_eq(br_arena_new(&arena, (size_t)4 << 20), BR_OK);
        cr_assert_eq(codec_cases[i].pack(&bytes), BR_OK);
        for (uint32_t round = 0; round < ROUNDS; round++) {
            br_rng rng = br_rng_at(20260302, BR_STREAM_TEST, i, round);
            br_buf_clear(&changed);
            br_buf_append(&changed, bytes.data, bytes.length);
            mutate(&rng, &changed);
            try_bytes(&codec_cases[i], arena, changed.data, changed.length);
        }
    }
}

Test(codec_sweeps, random_bytes_never_crash)
{
    for (uint32_t i = 0; i < n_codec_cases; i++) {
        BR_AUTO(br_arena) *arena = NULL;
        cr_assert_eq(br_arena_new(&arena, (size_t)4 << 20), BR_OK);
        for (uint32_t round = 0; round < 1000; round++) {
            br_rng rng = br_rng_at(7, BR_STREAM_TEST, i, round);
            uint8_t bytes[64];
            size_t n = br_rng_below(&rng, sizeof bytes + 1);
            for (size_t b = 0; b < n; b++) {
                bytes[b] = (uint8_t)br_rng_u32(&rng);
            }
            try_bytes(&codec_cases[i], arena, bytes, n);
        }
    }
}

Test(codec_sweeps, too_little_memory_is_a_limit_and_not_a_crash)
{
    for (size_t i = 0; i < n_codec_cases; i++) {
        const codec_case *c = &codec_cases[i];
        BR_AUTO_DEINIT(br_buf) bytes = {0};
        cr_assert_eq(c->pack(&bytes), BR_OK);
        if (strcmp(c->name, "manifest") == 0 || strcmp(c->name, "issuer_table") == 0) {
            continue; // brings its own arena
        }
        br_status status = BR_ERR_LIMIT;
        size_t max_bytes = 0;
        for (; status != BR_OK && max_bytes < 65536; max_bytes += 16) {
            BR_AUTO(br_arena) *arena = NULL;
            BR_AUTO_DEINIT(br_buf) out = {0};
            cr_assert_eq(br_arena_new(&arena, max_bytes), BR_OK);
            status = c->again(arena, bytes.data, bytes.length, &out);
            cr_assert(status == BR_OK || status == BR_ERR_LIMIT, "%s: %s", c->name, br_why(status));
        }
        cr_assert_eq(status, BR_OK, "%s needs more than 64 KiB", c->name);
        cr_assert_gt(max_bytes, 16, "%s took no memory", c->name);
    }
}

Test(codec_sweeps, every_failed_allocation_is_a_status_and_nothing_leaks)
{
    for (size_t i = 0; i < n_codec_cases; i++) {
        const codec_case *c = &codec_cases[i];
        BR_AUTO_DEINIT(br_buf) bytes = {0};
        cr_assert_eq(c->pack(&bytes), BR_OK);
        size_t live = br_alloc_live();
        br_status status = BR_ERR_NO_MEMORY;
        for (size_t n = 0; status != BR_OK; n++) {
            cr_assert_lt(n, 200, "%s never succeeds", c->name);
            br_arena *arena = NULL;
            br_buf out = {0};
            br_alloc_fail_after(n);
            status = br_arena_new(&arena, BR_UNPACK_BYTES);
            if (status == BR_OK) {
                status = c->again(arena, bytes.data, bytes.length, &out);
            }
            br_alloc_fail_after(SIZE_MAX);
            br_arena_free(&arena);
            br_buf_deinit(&out);
            cr_assert(status == BR_OK || status == BR_ERR_NO_MEMORY || status == BR_ERR_LIMIT, "%s: %s", c->name,
                      br_why(status));
            cr_assert_eq(br_alloc_live(), live, "%s leaks when allocation %zu fails", c->name, n);
        }
    }
}

Test(codec_sweeps, sixty_five_unknown_fields_are_too_many)
{
    for (size_t i = 0; i < n_codec_cases; i++) {
        const codec_case *c = &codec_cases[i];
        BR_AUTO(br_arena) *arena = NULL;
        BR_AUTO_DEINIT(br_buf) bytes = {0};
        cr_assert_eq(br_arena_new(&arena, BR_UNPACK_BYTES), BR_OK);
        cr_assert_eq(c->pack(&bytes), BR_OK);
        for (int n = 1; n <= 65; n++) {
            br_buf_append(&bytes, "\xF8\x7F\x01", 3); // field 2047 = 1
            if (n < 64) {
                continue;
            }
            // The smallest messages have no room for so many, which is a limit of its own.
            BR_AUTO_DEINIT(br_buf) out = {0};
            br_status status = c->again(arena, bytes.data, bytes.length, &out);
            bool full = status == BR_ERR_LIMIT && bytes.length > 256;
            cr_expect(full || status == (n == 64 ? BR_OK : BR_ERR_INVALID), "%s with %d: %s", c->name, n,
                      br_why(status));
        }
    }
}
